"""`invariant-lpips bench bapps`: 2AFC agreement and JND average precision of metrics, by subset."""

from __future__ import annotations

import argparse
from pathlib import Path

from invariant_lpips.cli.bench import words
from invariant_lpips.cli.counts import at_least
from invariant_lpips.cli.scoring_options import (
    add_cache_options,
    add_device_option,
    add_metrics_option,
    cache_of,
    database_root,
    named_metrics,
)
from invariant_lpips.datasets.bapps import JND_SUBSETS, NAME, OBTAIN, TWO_AFC_SUBSETS
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
    add_metrics_option(parser, BAPPS)
    parser.add_argument("--parts", default=",".join(PARTS), help="2afc, jnd or both (default: %(default)s)")
    parser.add_argument(
        "--split", default="val", choices=["val", "train"], help="of 2AFC (default: %(default)s)"
    )
    parser.add_argument("--subsets", metavar="cnn,deblur", help="only these subsets")
    parser.add_argument(
        "--size",
        type=at_least(1),
        default=64,
        metavar="N",
        help="side that patches are resized to, as lpips does (default: %(default)s)",
    )
    parser.add_argument(
        "--batch-size",
        type=at_least(1),
        default=50,
        metavar="N",
        help="patches at once (default: %(default)s)",
    )
    add_device_option(parser)
    add_cache_options(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write everything as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(args: argparse.Namespace) -> int:
    """Score, and print a table for each part."""
    known = dict.fromkeys([*TWO_AFC_SUBSETS[args.split], *JND_SUBSETS])
    if unknown := [name for name in words(args.subsets or "") if name not in known]:
        raise ValueError(f"--subsets must be among {', '.join(known)}, but got {', '.join(unknown)}")
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
