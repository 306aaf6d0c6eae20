"""`invariant-lpips bench bapps`: 2AFC agreement and JND average precision of metrics, by subset."""

from __future__ import annotations

import argparse
from pathlib import Path

from invariant_lpips.cli.bench import words
from invariant_lpips.cli.scoring_options import add_cache_options, cache_of, database_root, named_metrics
from invariant_lpips.datasets.bapps import NAME, OBTAIN
from invariant_lpips.evaluation.metric_names import BAPPS

#: Those of :mod:`invariant_lpips.evaluation.bapps`.
PARTS = ("2afc", "jnd")


def configure(parser: argparse.ArgumentParser, name: str) -> None:
    """The options of BAPPS."""
    parser.description = (
        "BAPPS, the LPIPS paper's benchmark: 2AFC agreement and JND average precision of metrics, by subset."
    )
    parser.add_argument(
        "--root", type=Path, required=True, help=f"where the data lie, or a folder above them. {OBTAIN}"
    )
    parser.add_argument("--metrics", default=",".join(BAPPS), metavar="A,B,...")
    parser.add_argument("--parts", default=",".join(PARTS), help="2afc, jnd or both (default: %(default)s)")
    parser.add_argument("--split", default="val", choices=["val", "train"], help="of 2AFC")
    parser.add_argument("--subsets", metavar="cnn,deblur", help="only these subsets")
    parser.add_argument(
        "--size", type=int, default=64, help="side that patches are resized to, as lpips does"
    )
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--device", default="cpu")
    add_cache_options(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write everything as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(args: argparse.Namespace) -> int:
    """Score, and print a table for each part."""
    metrics = named_metrics(args)
    from invariant_lpips.evaluation import bapps

    report = bapps.run(
        bapps.BappsBench(
            root=database_root(args, NAME),
            metrics=metrics,
            parts=words(args.parts),
            split=args.split,
            subsets=words(args.subsets) if args.subsets else None,
            size=args.size,
            batch_size=args.batch_size,
            device=args.device,
            cache=cache_of(args),
            out=args.out,
            progress=not args.quiet,
        )
    )
    print(bapps.text(report))
    return 0
