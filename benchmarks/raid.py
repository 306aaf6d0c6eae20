#!/usr/bin/env python3
"""Agreement of metrics with people about rotation, translation, scaling and noise (RAID, 864 pairs).

    python benchmarks/raid.py --root /data/raid --download --metrics default,gap,lpips-vgg --out results/raid

Besides correlations it gives mean response curves, distances calibrated to JOD and the physical size of 1 JOD
of each transform. The same as `invariant-lpips bench raid`; `--help` lists everything.
"""

import sys

from invariant_lpips.cli import main

if __name__ == "__main__":
    sys.exit(main(["bench", "raid", *sys.argv[1:]]))
