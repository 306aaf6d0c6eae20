#!/usr/bin/env python3
"""Agreement of metrics with people on TID2013 or TID2008.

    python benchmarks/tid.py tid2013 --root /data/tid2013 --metrics default,gap,lpips-vgg,dists,ssim --out
    results/tid python benchmarks/tid.py tid2013 --root copy --allow-missing --types 1-11,14,16-24 --label
    "TID2013 (resynthesised)"

The same as `invariant-lpips bench tid2013` and `tid2008`; `--help` after the name lists everything.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from invariant_lpips.evaluation.rated import bench as rated_bench

EDITIONS = ("tid2013", "tid2008")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; `argv` None takes the command line, whose first word is the edition."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] not in EDITIONS:
        print(__doc__, file=sys.stderr)
        return 2
    return rated_bench.main(arguments[0], arguments[1:])


if __name__ == "__main__":
    sys.exit(main())
