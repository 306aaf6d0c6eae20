"""`invariant-lpips bench all`: every database under a folder, one page and one JSON."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from invariant_lpips.cli.bench import words
from invariant_lpips.cli.output import Exit, print_text, say
from invariant_lpips.cli.scoring_options import (
    add_cache_options,
    add_metrics_option,
    add_running_options,
    cache_of,
    named_metrics,
    unpacked_of,
)
from invariant_lpips.datasets.finding import NAMES
from invariant_lpips.evaluation.metric_names import RATED


def configure(parser: argparse.ArgumentParser, name: str) -> None:
    """The options of all databases at once."""
    parser.description = (
        f"Find which of {', '.join(NAMES)} lie below a folder (any letter case, further folders, zip and tar), "
        "run every metric on each, and write report.html and report.json. Scores are kept: a second run goes on."
    )
    parser.add_argument("--root", type=Path, required=True, help="folder below which the databases lie")
    add_metrics_option(parser, RATED)
    parser.add_argument(
        "--databases", default=",".join(NAMES), metavar="A,B,...", help="only these (default: all)"
    )
    parser.add_argument(
        "--download", action="store_true", help="fetch into --root what may be fetched (RAID)"
    )
    parser.add_argument(
        "--allow-missing", action="store_true", help="score what is there of incomplete copies"
    )
    parser.add_argument("--no-verify", action="store_true", help="score without looking at every file first")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("bench-all"),
        metavar="DIR",
        help="for the report (default: %(default)s)",
    )
    parser.add_argument(
        "--compare", type=Path, metavar="FILE", help="report.json of an earlier run, to show what has changed"
    )
    add_cache_options(parser)
    add_running_options(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress")


def run(args: argparse.Namespace) -> int:
    """Run, print the table, and say where the page is; INCOMPLETE if a database or a metric could not be run."""
    metrics = named_metrics(args)
    from invariant_lpips.evaluation import survey

    bench = survey.SurveyBench(
        root=args.root,
        metrics=metrics,
        databases=words(args.databases),
        download=args.download,
        allow_missing=args.allow_missing,
        verify=not args.no_verify,
        out=args.out,
        compare=args.compare,
        cache=cache_of(args),
        unpacked=unpacked_of(args),
        workers=args.workers,
        batch_size=args.batch_size,
        device=args.device,
        resamples=args.resamples,
        progress=not args.quiet,
        said=None if args.quiet else partial(say, args.called),
    )
    try:
        report = survey.run(bench)
    except KeyboardInterrupt:
        if bench.cache is None:
            raise
        say(
            args.called,
            f"interrupted; scores are kept in {bench.cache}, and the same command goes on from there",
        )
        return Exit.INTERRUPTED
    print_text(survey.text(report))
    say(args.called, f"the page is {args.out / 'report.html'}")
    failed = any(database.get("left_out") for database in report["databases"].values())
    return Exit.INCOMPLETE if failed or report["problems"] or report["left_out"] else Exit.DONE
