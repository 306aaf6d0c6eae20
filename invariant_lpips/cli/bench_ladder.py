"""`invariant-lpips bench ladder`: how metrics rank displacements against noise, on any photographs."""

from __future__ import annotations

import argparse
from pathlib import Path

from invariant_lpips.cli.counts import at_least
from invariant_lpips.cli.output import say
from invariant_lpips.cli.scoring_options import add_device_option, add_metrics_option, named_metrics
from invariant_lpips.evaluation.metric_names import LADDER
from invariant_lpips.pictures.folders import list_folder, not_looked_at


def configure(parser: argparse.ArgumentParser, name: str) -> None:
    """The options of the ladder."""
    parser.description = (
        "How metrics rank displacements against noise: the ladder of detection thresholds, on any photographs of at "
        "least 320 x 416 pixels. A rerun with --out measures only metrics that are not yet in it."
    )
    parser.add_argument("--images", type=Path, required=True, metavar="DIR", help="folder of photographs")
    add_metrics_option(parser, LADDER)
    add_device_option(parser)
    parser.add_argument("--limit", type=at_least(1), metavar="N", help="use only the first N pictures")
    parser.add_argument("--out", type=Path, metavar="FILE", help="JSON to write, and to go on from")


def run(args: argparse.Namespace) -> int:
    """Measure each metric, and print the table."""
    metrics = named_metrics(args)
    from invariant_lpips.evaluation import ladder

    bench = ladder.LadderBench(args.images, metrics, args.device, args.limit, args.out, progress=True)
    print(ladder.text(ladder.run(bench), metrics), end="")
    if skipped := list_folder(args.images).skipped:
        say("bench ladder", not_looked_at(skipped))
    return 0
