#!/usr/bin/env python3
"""Agreement of metrics with people on KADID-10k (81 references, 10,125 pairs).

    python benchmarks/kadid10k.py --root /data/kadid10k --metrics default,gap,lpips-vgg,dists --out results/kadid

The same as `invariant-lpips bench kadid10k`; `--help` lists everything.
"""

import sys

from invariant_lpips.cli import main

if __name__ == "__main__":
    sys.exit(main(["bench", "kadid10k", *sys.argv[1:]]))
