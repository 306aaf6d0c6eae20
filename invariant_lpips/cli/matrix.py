"""`invariant-lpips matrix`: distances of all pairs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from invariant_lpips.cli.index_options import (
    Embedding,
    add_embedding_options,
    index_of,
    report_problems,
    unit,
)
from invariant_lpips.cli.metric_options import just_noticeable
from invariant_lpips.cli.output import Exit, check_out, say

#: Those of :mod:`invariant_lpips.indexing.matrix`.
SUFFIXES = (".csv", ".npz")

DESCRIPTION = """\
Distances of all pairs of pictures, for the price of one forward pass for each picture.

  invariant-lpips matrix photos/ -o distances.csv --head gap
  invariant-lpips matrix photos.npz -o distances.npz       an index that `embed` wrote
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to its parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.add_argument(
        "source",
        type=Path,
        metavar="SOURCE",
        help="a folder of pictures, or an index file or a folder of them",
    )
    parser.add_argument(
        "-o", "--out", type=Path, metavar="FILE", help=".csv or .npz; by default csv on standard output"
    )
    parser.add_argument("--jnd", action="store_true", help="in units of the just noticeable distance")
    add_embedding_options(parser)


def run(args: argparse.Namespace) -> Exit:
    """Do what the parsed options ask for; returns the exit status."""
    out: Path | None = args.out
    check_out(out, SUFFIXES)
    embedding = Embedding.of(args)
    from invariant_lpips.indexing import distance_matrix, write_matrix
    from invariant_lpips.indexing.matrix import write_rows

    with index_of(args.source, out, embedding, just_noticeable if args.jnd else None) as index:
        divisor = unit(index, embedding.metric, jnd=args.jnd)
        if out is None:
            write_rows(index, distance_matrix(index, unit=divisor), sys.stdout)
        else:
            write_matrix(index, out, unit=divisor)
            say("matrix", f"{len(index)} x {len(index)} in {out}")
        return report_problems(index, "matrix")
