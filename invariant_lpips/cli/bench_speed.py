"""`invariant-lpips bench speed`: time and memory beside other people's metrics."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from invariant_lpips.cli.counts import at_least
from invariant_lpips.cli.start_up import load_torch

DESCRIPTION = """\
How fast and how large: this package's metrics beside lpips, torchmetrics, piq, ST-LPIPS and DISTS.

Every case runs in a process of its own, in which all metrics take turns; reported is the median over rounds of each
one's CPU time (CUDA: wall time) as a share of lpips', and peak memory. Cases that are in the result file are not run
again, so a long run may go in pieces. What would take too long is left out, and the result says so.
"""


def configure(parser: argparse.ArgumentParser, name: str) -> None:
    """The options of the speed benchmark."""
    parser.description = DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("-o", "--out", type=Path, required=True, help="result file; cases it holds are kept")
    parser.add_argument(
        "--page", type=Path, help="write the tables into this page, and a plot into its figures/"
    )
    parser.add_argument("--only", default="", metavar="PATTERN", help="cases whose name matches")
    parser.add_argument(
        "--metrics", default=".*", metavar="PATTERN", help="which take part in races, beside lpips"
    )
    parser.add_argument("--again", metavar="TEXT", help="measure anew the cases whose name holds TEXT")
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no case after so long")
    parser.add_argument(
        "--budget", type=float, default=60, help="seconds of rounds in a case, at least two rounds"
    )
    parser.add_argument("--round-seconds", type=float, default=100, help="leave out cases with longer rounds")
    parser.add_argument(
        "--threads",
        type=at_least(1),
        default=1,
        metavar="N",
        help="threads of PyTorch (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Run the cases that are not in the result file yet."""
    load_torch()
    from invariant_lpips.evaluation.speed import bench as speed

    speed.run(
        speed.SpeedBench(
            out=args.out,
            page=args.page,
            only=args.only,
            metrics=args.metrics,
            again=args.again,
            seconds=args.seconds,
            budget=args.budget,
            round_seconds=args.round_seconds,
            threads=args.threads,
        )
    )
    return 0
