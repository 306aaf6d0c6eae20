"""`invariant-lpips embed`: a folder of pictures to an index file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from invariant_lpips.cli.index_options import (
    add_embedding_run_options,
    embedding_arguments,
    report_problems,
)
from invariant_lpips.cli.metric_options import (
    add_embedding_options,
    add_engine_options,
    build_metric,
    ray_resources,
)
from invariant_lpips.indexing import embed_folder

DESCRIPTION = """\
Embed pictures: one row of numbers for each, whose Euclidean distances are the metric.

  invariant-lpips embed photos/ --out photos.npz --head gap
  invariant-lpips embed photos/ --out photos.safetensors --resize 256
  invariant-lpips embed paths.parquet --out photos.parquet --head gap

Head gap takes pictures of any size; the default head needs one size (--resize). Finished work is kept in
OUT.unfinished: the same command goes on after any kind of end. OUT is complete or not there.
Exit status: 0 all embedded, 1 some pictures failed (they are named, the rest is in OUT), 2 wrong usage.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to its parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.add_argument(
        "source",
        type=Path,
        metavar="SOURCE",
        help="a folder of pictures, or a .parquet file with a column path",
    )
    parser.add_argument(
        "-o", "--out", type=Path, required=True, metavar="FILE", help=".npz, .safetensors or .parquet"
    )
    add_embedding_options(parser)
    add_embedding_run_options(parser)
    add_engine_options(parser)
    parser.add_argument(
        "--tile",
        type=int,
        metavar="PIXELS",
        help="embed each picture in tiles of this side, for pictures that don't fit; raise --max-pixels too",
    )


def run(args: argparse.Namespace) -> int:
    """Do what the parsed options ask for; returns the exit status."""
    engine = None
    if args.engine == "ray":
        from invariant_lpips.integrations.ray import chunk_engine

        engine = chunk_engine(**ray_resources(args))
    metric = build_metric(args)
    index = embed_folder(
        metric,
        args.source,
        args.out,
        tile=args.tile,
        engine=engine,
        **embedding_arguments(args, metric),
    )
    rows = f"{len(index)} rows of {index.columns} numbers"
    print(f"invariant-lpips embed: {args.out} holds {rows}, {metric.describe()}", file=sys.stderr)
    return report_problems(index, "embed")
