"""`invariant-lpips embed`: a folder of pictures to an index file."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from invariant_lpips.cli.index_options import (
    Embedding,
    add_embedding_options,
    report_problems,
    require_there,
)
from invariant_lpips.cli.metric_options import MetricChoice
from invariant_lpips.cli.output import Exit, check_out, say
from invariant_lpips.cli.picture_options import add_engine_options, ray_workers

#: Those of :mod:`invariant_lpips.indexing.files`.
SUFFIXES = (".npz", ".safetensors", ".parquet")

DESCRIPTION = """\
Embed pictures: one row of numbers for each, whose Euclidean distances are the metric.

  invariant-lpips embed photos/ --out photos.npz --head gap
  invariant-lpips embed photos/ --out photos.safetensors --resize 256
  invariant-lpips embed paths.parquet --out photos.parquet --head gap

Head gap takes pictures of any size; the default head needs one size (--resize). Finished work is kept in
OUT.unfinished: the same command goes on after any kind of end. OUT is complete or not there.
"""


SOURCE = "a folder of pictures, or a .parquet file with a column path"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to its parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.add_argument(
        "source",
        type=Path,
        metavar="SOURCE",
        help=SOURCE,
    )
    parser.add_argument(
        "-o", "--out", type=Path, required=True, metavar="FILE", help=".npz, .safetensors or .parquet"
    )
    add_embedding_options(parser)
    add_engine_options(parser)
    parser.add_argument(
        "--tile",
        type=int,
        metavar="PIXELS",
        help="embed each picture in tiles of this side, for pictures that don't fit; raise --max-pixels too",
    )


def run(args: argparse.Namespace) -> Exit:
    """Do what the parsed options ask for; returns the exit status."""
    check_out(args.out, SUFFIXES, of=" for an index")
    MetricChoice.of(args).check_together()
    require_there(args.source, SOURCE)
    workers, embedding = ray_workers(args), Embedding.of(args)
    engine = None
    if workers is not None:
        from invariant_lpips.integrations import ray

        engine = ray.chunk_engine(**asdict(workers))
    metric = embedding.metric.build_invariant()
    try:
        index = embedding.run(metric, args.source, args.out, tile=args.tile, engine=engine)
    except KeyboardInterrupt:
        unfinished = args.out.with_name(f"{args.out.name}.unfinished")
        if not unfinished.exists():
            raise
        say(
            "embed", f"interrupted; finished work is in {unfinished}, and the same command goes on from there"
        )
        return Exit.INTERRUPTED
    say("embed", f"{args.out} holds {len(index)} rows of {index.columns} numbers, {metric.describe()}")
    return report_problems(index, "embed")
