#!/usr/bin/env python3
"""Agreement of metrics with people on TID2013 or TID2008.

    python benchmarks/tid.py tid2013 --root /data/tid2013 --metrics default,gap,lpips-vgg,dists --out results/tid
    python benchmarks/tid.py tid2013 --root copy --allow-missing --types 1-11,14,16-24

The same as `invariant-lpips bench tid2013` and `bench tid2008`; `--help` after the name lists everything.
"""

import sys

from invariant_lpips.cli import main

if __name__ == "__main__":
    sys.exit(main(["bench", *sys.argv[1:]]))
