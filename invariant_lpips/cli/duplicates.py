"""`invariant-lpips duplicates`: groups of pictures that lie close together."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from invariant_lpips.cli.index_options import add_embedding_run_options, index_of, report_problems, unit
from invariant_lpips.cli.metric_options import add_embedding_options
from invariant_lpips.cli.tables import write_table
from invariant_lpips.indexing import near_duplicates

DESCRIPTION = """\
Groups of near-duplicates: pictures joined by distances below a threshold, directly or through others.

  invariant-lpips duplicates photos/ --below 0.05 --head gap
  invariant-lpips duplicates photos.npz --below 1 --jnd

Prints a table group,path,distance, where distance is that to the nearest other picture of the group.
Exit status: 0 done, 1 some pictures failed (the rest is reported), 2 wrong usage.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to its parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.add_argument("source", type=Path, metavar="SOURCE", help="a folder of pictures, or an index file")
    parser.add_argument(
        "--below", type=float, required=True, metavar="D", help="distance under which two pictures are alike"
    )
    parser.add_argument(
        "--jnd", action="store_true", help="D and distances in units of the just noticeable one"
    )
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="write the table to a .csv file")
    add_embedding_options(parser)
    add_embedding_run_options(parser)


def run(args: argparse.Namespace) -> int:
    """Do what the parsed options ask for; returns the exit status."""
    if not args.below > 0:
        raise ValueError(f"--below must be a distance above 0, but got {args.below}")
    with index_of(args, args.out) as index:
        divisor = unit(index, args)
        groups = near_duplicates(index, args.below * divisor)
        rows = [
            [str(number), index.paths[row], f"{distance / divisor:.7g}"]
            for number, group in enumerate(groups, 1)
            for row, distance in zip(group.rows, group.distances, strict=True)
        ]
        write_table(["group", "path", "distance"], rows, args.out)
        pictures = sum(len(group.rows) for group in groups)
        print(
            f"invariant-lpips duplicates: groups: {len(groups)}, holding {pictures} of {len(index)} pictures",
            file=sys.stderr,
        )
        return report_problems(index, "duplicates")
