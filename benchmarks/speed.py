#!/usr/bin/env python3
"""How fast and how large: this package's metrics beside lpips, torchmetrics, piq, ST-LPIPS and DISTS.

    python benchmarks/speed.py -o benchmarks/results/speed.json --page docs/speed.md

The same as `invariant-lpips bench speed`; `--help` lists everything.
"""

import sys

from invariant_lpips.cli import main

if __name__ == "__main__":
    sys.exit(main(["bench", "speed", *sys.argv[1:]]))
