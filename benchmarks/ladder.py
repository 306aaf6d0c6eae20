#!/usr/bin/env python3
"""How metrics rank displacements against noise: the ladder of detection thresholds, on any photographs.

    python benchmarks/ladder.py --images DIR --metrics default,gap,lpips-vgg,dists,st-lpips --out ladder.json

The same as `invariant-lpips bench ladder`; `--help` lists everything.
"""

import sys

from invariant_lpips.cli import main

if __name__ == "__main__":
    sys.exit(main(["bench", "ladder", *sys.argv[1:]]))
