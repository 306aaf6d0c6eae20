#!/usr/bin/env python3
"""2AFC agreement and JND average precision of metrics on BAPPS, the benchmark of the LPIPS paper.

    python benchmarks/bapps.py --root /data/bapps --metrics default,gap,lpips-vgg,lpips-alex

The same as `invariant-lpips bench bapps`; `--help` lists everything.
"""

import sys

from invariant_lpips.cli import main

if __name__ == "__main__":
    sys.exit(main(["bench", "bapps", *sys.argv[1:]]))
