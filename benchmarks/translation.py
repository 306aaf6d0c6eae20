#!/usr/bin/env python3
"""What moving a picture does to classifiers and to metrics.

    python benchmarks/translation.py classifiers --data pictures --classifier runs/flatten-0 runs/gap-0 ...
    python benchmarks/translation.py embeddings --photographs photos
    python benchmarks/translation.py report                    # tables of what is in --out, on stdout

The same as `invariant-lpips bench translation`; `--help` lists everything.
"""

import sys

from invariant_lpips.cli import main

if __name__ == "__main__":
    sys.exit(main(["bench", "translation", *sys.argv[1:]]))
