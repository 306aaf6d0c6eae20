"""`invariant-lpips train backbone | linear`: learn from pictures, or from people's scores."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
from types import ModuleType

# What is trained -> (module, one line of help). Only the chosen module's own arguments are built.
TARGETS: dict[str, tuple[str, str]] = {
    "backbone": (
        "invariant_lpips.cli.train_backbone",
        "a GAP classifier, and with it a trunk, from a folder of pictures",
    ),
    "linear": ("invariant_lpips.cli.train_linear", "a head's linear weights, from people's scores"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add one subcommand per target to `parser`."""
    targets = parser.add_subparsers(dest="target", metavar="TARGET", required=True)
    for name, (module, line) in TARGETS.items():
        if importlib.util.find_spec(module) is not None:
            _module(name).configure(targets.add_parser(name, help=line, description=line))


def run(args: argparse.Namespace) -> int:
    """Train what was asked for; returns the exit status."""
    status: int = _module(args.target).run(args)
    return status


def _module(target: str) -> ModuleType:
    return importlib.import_module(TARGETS[target][0])
