"""`python -m invariant_lpips` is the same as `invariant-lpips`."""

import sys

from invariant_lpips.cli import main

sys.exit(main())
