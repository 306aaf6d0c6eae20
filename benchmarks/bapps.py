#!/usr/bin/env python3
"""2AFC agreement and JND average precision of metrics on BAPPS, the benchmark of the LPIPS paper.

    python benchmarks/bapps.py --root /data/bapps --metrics default,gap,lpips-vgg,lpips-alex

The same as `invariant-lpips bench bapps`; `--help` lists everything.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from invariant_lpips.evaluation import bapps as bapps_bench


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; `argv` None takes the command line."""
    return bapps_bench.main(argv)


if __name__ == "__main__":
    sys.exit(main())
