"""`invariant-lpips matrix`: distances of all pairs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from invariant_lpips.cli.index_options import add_embedding_run_options, index_of, report_problems, unit
from invariant_lpips.cli.metric_options import add_embedding_options
from invariant_lpips.indexing import distance_matrix, write_matrix
from invariant_lpips.indexing.matrix import SUFFIXES, write_rows

DESCRIPTION = """\
Distances of all pairs of pictures, for the price of one forward pass for each picture.

  invariant-lpips matrix photos/ -o distances.csv --head gap
  invariant-lpips matrix photos.npz -o distances.npz       an index that `embed` wrote

Exit status: 0 all measured, 1 some pictures failed (the rest is reported), 2 wrong usage.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to its parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.add_argument("source", type=Path, metavar="SOURCE", help="a folder of pictures, or an index file")
    parser.add_argument(
        "-o", "--out", type=Path, metavar="FILE", help=".csv or .npz; by default csv on standard output"
    )
    parser.add_argument("--jnd", action="store_true", help="in units of the just noticeable distance")
    add_embedding_options(parser)
    add_embedding_run_options(parser)


def run(args: argparse.Namespace) -> int:
    """Do what the parsed options ask for; returns the exit status."""
    if args.out is not None and args.out.suffix.lower() not in SUFFIXES:
        raise ValueError(f"-o must end in one of {', '.join(SUFFIXES)}, but got {args.out}")
    with index_of(args, args.out) as index:
        divisor = unit(index, args)
        if args.out is None:
            write_rows(index, distance_matrix(index, unit=divisor), sys.stdout)
        else:
            write_matrix(index, args.out, unit=divisor)
            print(f"invariant-lpips matrix: {len(index)} x {len(index)} in {args.out}", file=sys.stderr)
        return report_problems(index, "matrix")
