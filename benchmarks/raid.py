#!/usr/bin/env python3
"""Agreement of metrics with people about rotation, translation, scaling and noise (RAID, 864 pairs).

    python benchmarks/raid.py --root /data/raid --download --metrics default,gap,lpips-vgg,lpips-alex --out
    results/raid

Besides correlations it gives mean response curves, distances calibrated to JOD and the physical size of 1 JOD
of each transform. The same as `invariant-lpips bench raid`; `--help` lists everything.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from invariant_lpips.evaluation.rated import bench as rated_bench


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; `argv` None takes the command line."""
    return rated_bench.main("raid", argv)


if __name__ == "__main__":
    sys.exit(main())
