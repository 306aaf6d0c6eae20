"""`invariant-lpips train backbone | linear`: learn from pictures, or from people's scores."""

from __future__ import annotations

import argparse

from invariant_lpips.cli import train_backbone, train_linear
from invariant_lpips.cli.output import sentence

__all__ = ["configure", "run"]

# What is trained -> (module with `configure` and `run`, one line of help).
TARGETS = {
    "backbone": (train_backbone, "a GAP classifier, and with it a trunk, from a folder of pictures"),
    "linear": (train_linear, "a head's linear weights, from people's scores"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add one subcommand per target to `parser`."""
    targets = parser.add_subparsers(dest="target", metavar="TARGET", required=True)
    for name, (module, line) in TARGETS.items():
        module.configure(targets.add_parser(name, help=line, description=sentence(line)))


def run(args: argparse.Namespace) -> int:
    """Train what was asked for; returns the exit status."""
    status: int = TARGETS[args.target][0].run(args)
    return status
