"""`invariant-lpips bench kadid10k | tid2013 | tid2008 | raid | csiq | live | pipal | csv`."""

from __future__ import annotations

import argparse
from pathlib import Path

from invariant_lpips.cli.scoring_options import (
    add_cache_options,
    add_metrics_option,
    add_running_options,
    cache_of,
    database_root,
    named_metrics,
)
from invariant_lpips.datasets import find_database
from invariant_lpips.evaluation.metric_names import RATED


def configure(parser: argparse.ArgumentParser, name: str) -> None:
    """The options of the benchmark of one database."""
    database = find_database(name)
    where = "the csv file" if name == "csv" else "where the database lies, or a folder above it"
    parser.description = database.summary
    parser.set_defaults(dataset=name, download=False, scales=None)
    parser.add_argument("--root", type=Path, required=True, help=f"{where}. {database.obtain}")
    add_metrics_option(parser, RATED)
    parser.add_argument(
        "--types", metavar="1-11,14", help="kinds of distortion by code; numbers may be ranges"
    )
    parser.add_argument("--levels", metavar="1,3,5", help="levels by number; ranges too")
    parser.add_argument("--references", metavar="I01,I02", help="references by name")
    parser.add_argument(
        "--allow-missing", action="store_true", help="score what is there of an incomplete copy"
    )
    parser.add_argument("--no-verify", action="store_true", help="score without looking at every file first")
    parser.add_argument(
        "--label", help="what to call the database in the report, e.g. 'TID2013 (resynthesised)'"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write report.json, report.txt, csv, figures here"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report as this one JSON file")
    parser.add_argument("--no-figures", action="store_true", help="do not draw figures into --out")
    add_cache_options(parser)
    add_running_options(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    if database.download is not None:
        parser.add_argument("--download", action="store_true", help="fetch the database into --root first")
    if name == "raid":
        parser.add_argument(
            "--scales",
            nargs="?",
            const="free",
            choices=("free", "monotone"),
            help="also fit people's difference scales to the raw trials, beside the published responses",
        )


def run(args: argparse.Namespace) -> int:
    """Score, and print the report."""
    metrics = named_metrics(args)
    from invariant_lpips.evaluation import rated

    report = rated.run(
        rated.RatedBench(
            dataset=args.dataset,
            root=args.root if args.download else database_root(args, args.dataset),
            metrics=metrics,
            types=args.types,
            levels=args.levels,
            references=args.references,
            allow_missing=args.allow_missing,
            verify=not args.no_verify,
            download=args.download,
            label=args.label,
            out=args.out,
            json=args.json,
            figures=not args.no_figures,
            cache=cache_of(args),
            workers=args.workers,
            batch_size=args.batch_size,
            device=args.device,
            resamples=args.resamples,
            scales=args.scales,
            progress=not args.quiet,
        )
    )
    print(rated.full_text(report), end="")
    return 0
