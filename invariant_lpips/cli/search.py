"""`invariant-lpips search`: the pictures of an index nearest to given ones."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from invariant_lpips.cli.index_options import just_noticeable, metric_of
from invariant_lpips.cli.metric_options import add_embedding_options
from invariant_lpips.cli.tables import write_table
from invariant_lpips.indexing import nearest, open_index
from invariant_lpips.indexing.neighbours import BACKENDS
from invariant_lpips.indexing.sources import Pictures
from invariant_lpips.indexing.streaming import Embedder

DESCRIPTION = """\
The pictures of an index nearest to given ones: exact, by the metric itself.

  invariant-lpips embed photos/ --out photos.npz --head gap
  invariant-lpips search holiday.jpg --index photos.npz -k 5

Queries are read and measured as the index says its pictures were; weights of your own must be named again.
Prints a table query,rank,path,distance. Exit status: 0 done, 1 some queries failed, 2 wrong usage.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to its parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.add_argument("queries", nargs="+", metavar="QUERY", help="picture files")
    parser.add_argument(
        "--index", type=Path, required=True, metavar="IDX", help="what embed wrote, or a folder of such files"
    )
    parser.add_argument("-k", type=int, default=10, help="how many for each query (10)")
    parser.add_argument("--jnd", action="store_true", help="in units of the just noticeable distance")
    parser.add_argument(
        "--backend", choices=BACKENDS, default="torch", help="faiss holds the index in memory; same results"
    )
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="write the table to a .csv file")
    add_embedding_options(parser, reading=False)


def run(args: argparse.Namespace) -> int:
    """Do what the parsed options ask for; returns the exit status."""
    import torch

    if args.k < 1:
        raise ValueError(f"-k must be at least 1, but got {args.k}")
    index = open_index(args.index)
    metric = metric_of(index, args)
    embed = Embedder(metric, index.settings.reading, tile=index.settings.tile)
    pictures = Pictures(Path(), tuple(args.queries))
    vectors, named, failed = [], [], 0
    for position, record in embed(pictures, range(len(pictures))):
        name = args.queries[position]
        problem = record.problems.get(position)
        if problem is None and record.vectors.shape[1] != index.columns:
            problem = (
                "has another size than the pictures of the index, and this head's embedding grows with it"
            )
        if problem is not None:
            print(f"invariant-lpips search: {name}: {problem}", file=sys.stderr)
            failed += 1
            continue
        vectors.append(record.vectors)
        named.append(name)
    if not vectors:
        return 1
    divisor = just_noticeable(metric) if args.jnd else 1.0
    found = nearest(index, torch.cat(vectors), args.k, backend=args.backend)
    rows = [
        [name, str(rank), index.paths[row], f"{distance / divisor:.7g}"]
        for name, distances, near in zip(named, found.distances.tolist(), found.rows.tolist(), strict=True)
        for rank, (distance, row) in enumerate(zip(distances, near, strict=True), 1)
    ]
    write_table(["query", "rank", "path", "distance"], rows, args.out)
    return 1 if failed else 0
