#!/usr/bin/env python3
"""Agreement of metrics with people on your own rated pairs, or on CSIQ, LIVE or PIPAL.

    python benchmarks/pairs.py csv --root my_pairs.csv --metrics default,lpips-vgg
    python benchmarks/pairs.py csiq --root /data/csiq

The same as `invariant-lpips bench csv` (csiq, live, pipal); `--help` after the name lists everything.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from invariant_lpips.datasets import DATASETS
from invariant_lpips.evaluation.rated import bench as rated_bench


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; `argv` None takes the command line, whose first word is the database."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] not in DATASETS:
        print(__doc__, file=sys.stderr)
        return 2
    return rated_bench.main(arguments[0], arguments[1:])


if __name__ == "__main__":
    sys.exit(main())
