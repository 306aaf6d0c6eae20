"""`python -m invariant_lpips.demo --out demo`: tables on stdout, figure.png and table.csv in the folder."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from invariant_lpips.demo.copies import SIDE
from invariant_lpips.demo.demonstration import demonstrate
from invariant_lpips.demo.measurements import COLUMNS, DENSITY, DISTANCES, as_text


def main(argv: Sequence[str] | None = None) -> int:
    """Make the demonstration and print it; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m invariant_lpips.demo",
        description="What perceptual metrics make of photographs that were damaged, and of some only moved.",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("demo"), help="folder for figure.png and table.csv (demo)"
    )
    out: Path = parser.parse_args(argv).out
    found = demonstrate(out, say=lambda sentence: print(sentence, file=sys.stderr))
    print(f"What moved and what changed: {next(iter(found.tables))}, beside its original\n")
    for name, words in found.moved.items():
        print(f"{name.replace(chr(10), ' '):22}{words}")
    print(f"\nMean over the photographs {', '.join(found.tables)} ({SIDE} x {SIDE} pixels)\n")
    print(as_text(found.means, COLUMNS, digits=3))
    print("\nAs shares of the distance to the noisy copy, roots of means of squares\n")
    print(as_text(found.shares, tuple(DISTANCES), digits=2))
    print("\nWhat only moved, in multiples of what people just notice (1 = just noticeable),")
    print(f"seen at {DENSITY:g} pixels per degree of visual angle\n")
    print(found.thresholds)
    print(f"\nPictures and heat maps: {found.figure}   every value: {found.table}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
