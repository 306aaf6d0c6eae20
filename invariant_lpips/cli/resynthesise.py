"""`invariant-lpips resynthesise`: TID2013 or TID2008 (resynthesised) from references and scores."""

from __future__ import annotations

import argparse
from pathlib import Path

from invariant_lpips.datasets.pairs import read_numbers
from invariant_lpips.datasets.tid import TYPES_AND_LEVELS
from invariant_lpips.distortions.resynthesis import resynthesise

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--root", type=Path, required=True, help="folder with refs/I*.png, tid2013.csv and tid2008.csv"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write the database's tree to")
    parser.add_argument(
        "--database", choices=tuple(TYPES_AND_LEVELS), default="tid2013", help="which (tid2013)"
    )
    parser.add_argument("--types", type=_numbers, help="e.g. 1-11,14,16-24; all by default")
    parser.add_argument("--levels", type=_numbers, help="e.g. 1,3,5; all by default")
    parser.add_argument(
        "--references", type=lambda text: text.split(","), help="e.g. I01,I02; all by default"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")


def run(args: argparse.Namespace) -> int:
    """Write the tree; print how many images it holds now and how well they meet their PSNR."""
    made = resynthesise(
        args.root,
        args.out,
        database=args.database,
        types=args.types,
        levels=args.levels,
        references=args.references,
        workers=args.workers,
    )
    misses = sorted(abs(line.reached_psnr - line.target_psnr) for line in made)
    far = sum(miss > 0.1 for miss in misses)
    print(
        f"{len(made)} images of {args.database} (resynthesised) in {args.out}: PSNR missed by "
        f"{misses[len(misses) // 2]:.3f} dB (median), by more than 0.1 dB in {far}"
    )
    return 0


def _numbers(text: str) -> list[int]:
    try:
        return read_numbers(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
