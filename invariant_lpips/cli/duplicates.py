"""`invariant-lpips duplicates`: groups of pictures that lie close together."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from invariant_lpips.cli.index_options import (
    Embedding,
    add_embedding_options,
    index_of,
    metric_of,
    report_problems,
    unit,
)
from invariant_lpips.cli.metric_options import MetricChoice, just_noticeable
from invariant_lpips.cli.output import Exit, check_out, give_table, say, table_file
from invariant_lpips.pictures.reports import number
from invariant_lpips.registry.entries import ENTRIES

if TYPE_CHECKING:
    from invariant_lpips.indexing import Index
    from invariant_lpips.metric import InvariantLPIPS
    from invariant_lpips.registry.identity import Identity

DESCRIPTION = """\
Groups of near-duplicates: pictures joined by distances below a threshold, directly or through others.

  invariant-lpips duplicates photos/ --resize 256          copies of one picture, whatever was done to their files
  invariant-lpips duplicates photos/ --below 0.05 --head gap
  invariant-lpips duplicates photos.npz --below 1 --jnd

Without --below it is 2 to 3.6 times the just noticeable distance, as much as the network and head need to tell a
photograph in JPEG 50 from other parts of its scene (1 with head gap, to which shared textures are the same), and is
said on stderr.

Prints a table group,path,distance, where distance is that to the nearest other picture of the group.
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
        "--below", type=float, metavar="D", help="distance under which two pictures are alike (see above)"
    )
    parser.add_argument(
        "--jnd", action="store_true", help="D and distances in units of the just noticeable one"
    )
    parser.add_argument("-o", "--out", type=table_file, metavar="FILE", help="write the table to a .csv file")
    add_embedding_options(parser)


def run(args: argparse.Namespace) -> Exit:
    """Do what the parsed options ask for; returns the exit status."""
    if args.below is not None and not args.below > 0:
        raise ValueError(f"--below must be a distance above 0, but got {args.below}")
    check_out(args.out)
    embedding = Embedding.of(args)
    from invariant_lpips.indexing import near_duplicates

    def refuse(metric: InvariantLPIPS) -> None:
        if args.below is None:
            _multiple_for_copies(metric.identity)
        if args.jnd:
            just_noticeable(metric)

    with index_of(args.source, args.out, embedding, refuse) as index:
        divisor = unit(index, embedding.metric, jnd=args.jnd)
        below = _for_copies(index, embedding.metric) if args.below is None else args.below * divisor
        groups = near_duplicates(index, below)
        rows = [
            [str(place), index.paths[row], number(distance / divisor)]
            for place, group in enumerate(groups, 1)
            for row, distance in zip(group.rows, group.distances, strict=True)
        ]
        give_table(["group", "path", "distance"], rows, args.out)
        say("duplicates", f"groups: {len(groups)}, holding {len(rows)} of {len(index)} pictures")
        return report_problems(index, "duplicates")


def _for_copies(index: Index, choice: MetricChoice) -> float:
    """The distance below which two pictures are copies, with the metric of the index; it is said."""
    multiple = _multiple_for_copies(index.settings.metric)
    below = multiple * just_noticeable(metric_of(index, choice))
    say(
        "duplicates",
        f"below {number(below)}, {multiple:g} times the just noticeable distance; --below chooses another",
    )
    return below


def _multiple_for_copies(who: Identity) -> float:
    """The same in multiples of the just noticeable distance; ValueError where it was not measured."""
    from invariant_lpips.indexing.duplicates import COPIES

    multiple = COPIES.get((who.net, who.head))
    if multiple is None or who.weights not in ENTRIES:
        raise ValueError(
            f"no threshold is known for {who.net}, {who.head} and weights {who.weights}: name it with --below"
        )
    return multiple
