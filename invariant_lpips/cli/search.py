"""`invariant-lpips search`: the pictures of an index nearest to given ones."""

from __future__ import annotations

import argparse
from pathlib import Path

from invariant_lpips.cli.index_options import metric_of, require_there
from invariant_lpips.cli.metric_options import (
    MetricChoice,
    add_device_options,
    add_invariant_options,
    just_noticeable,
)
from invariant_lpips.cli.output import Exit, check_out, give_table, say, table_file
from invariant_lpips.cli.start_up import load_torch
from invariant_lpips.pictures.folders import not_looked_at
from invariant_lpips.pictures.reports import number

#: Those of :mod:`invariant_lpips.indexing.neighbours`.
BACKENDS = ("torch", "faiss")

DESCRIPTION = """\
The pictures of an index nearest to given ones: exact, by the metric itself.

  invariant-lpips embed photos/ --out photos.npz --head gap
  invariant-lpips search holiday.jpg --index photos.npz -k 5

Queries are read and measured as the index says its pictures were; weights of your own must be named again.
Prints a table query,rank,path,distance.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to its parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.add_argument("queries", nargs="+", metavar="QUERY", help="picture files")
    parser.add_argument(
        "--index",
        type=Path,
        required=True,
        metavar="IDX",
        help="what `embed` wrote, or a folder of such files",
    )
    parser.add_argument("-k", type=int, default=10, metavar="N", help="how many for each query (10)")
    parser.add_argument("--jnd", action="store_true", help="in units of the just noticeable distance")
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        default="torch",
        help="what looks for them (torch); faiss gives the same and holds the index in memory",
    )
    parser.add_argument("-o", "--out", type=table_file, metavar="FILE", help="write the table to a .csv file")
    parser.add_argument(
        "--quiet", action="store_true", help="no word on what was not looked at when the index was made"
    )
    add_invariant_options(parser)
    add_device_options(parser)


def run(args: argparse.Namespace) -> Exit:
    """Do what the parsed options ask for; returns the exit status."""
    if args.k < 1:
        raise ValueError(f"-k must be at least 1, but got {args.k}")
    check_out(args.out)
    choice = MetricChoice.of(args)
    choice.check()
    require_there(args.index)
    load_torch()
    from invariant_lpips.indexing import open_index, search

    index = open_index(args.index)
    metric = metric_of(index, choice)
    answers = search(index, metric, args.queries, args.k, backend=args.backend)
    failed = [answer for answer in answers if answer.problem is not None]
    for answer in failed:
        say("search", f"{answer.query}: {answer.problem}")
    if len(failed) == len(answers):
        return Exit.REFUSED
    divisor = just_noticeable(metric) if args.jnd else 1.0
    rows = [
        [answer.query, str(rank), path, number(distance / divisor)]
        for answer in answers
        for rank, (path, distance) in enumerate(zip(answer.paths, answer.distances, strict=True), 1)
    ]
    give_table(["query", "rank", "path", "distance"], rows, args.out)
    if index.skipped and not args.quiet:
        say("search", f"when {args.index} was made: {not_looked_at(index.skipped)}")
    return Exit.INCOMPLETE if failed else Exit.DONE
