"""`invariant-lpips duplicates`: groups of pictures that lie close together."""

from __future__ import annotations

import argparse
from pathlib import Path

from invariant_lpips.cli.index_options import (
    Embedding,
    add_embedding_options,
    index_of,
    report_problems,
    unit,
)
from invariant_lpips.cli.output import Exit, give_table, say
from invariant_lpips.pictures.reports import number

DESCRIPTION = """\
Groups of near-duplicates: pictures joined by distances below a threshold, directly or through others.

  invariant-lpips duplicates photos/ --below 0.05 --head gap
  invariant-lpips duplicates photos.npz --below 1 --jnd

Prints a table group,path,distance, where distance is that to the nearest other picture of the group.
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


def run(args: argparse.Namespace) -> Exit:
    """Do what the parsed options ask for; returns the exit status."""
    if not args.below > 0:
        raise ValueError(f"--below must be a distance above 0, but got {args.below}")
    embedding = Embedding.of(args)
    from invariant_lpips.indexing import near_duplicates

    with index_of(args.source, args.out, embedding) as index:
        divisor = unit(index, embedding.metric, jnd=args.jnd)
        groups = near_duplicates(index, args.below * divisor)
        rows = [
            [str(place), index.paths[row], number(distance / divisor)]
            for place, group in enumerate(groups, 1)
            for row, distance in zip(group.rows, group.distances, strict=True)
        ]
        give_table(["group", "path", "distance"], rows, args.out)
        say("duplicates", f"groups: {len(groups)}, holding {len(rows)} of {len(index)} pictures")
        return report_problems(index, "duplicates")
