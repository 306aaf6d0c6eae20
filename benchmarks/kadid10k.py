#!/usr/bin/env python3
"""Agreement of metrics with people on KADID-10k (81 references, 10,125 pairs).

    python benchmarks/kadid10k.py --root /data/kadid10k --metrics default,gap,lpips-vgg,dists,ssim --out
    results/kadid

The same as `invariant-lpips bench kadid10k`; `--help` lists everything.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from invariant_lpips.evaluation.rated import bench as rated_bench


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; `argv` None takes the command line."""
    return rated_bench.main("kadid10k", argv)


if __name__ == "__main__":
    sys.exit(main())
