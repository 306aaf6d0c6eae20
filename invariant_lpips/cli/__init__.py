"""The command line: `invariant-lpips COMMAND ...`. Each command is one module with `configure` and `run`."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from invariant_lpips._version import __version__

# name -> (module, one line of help). Only the module of the chosen command is imported.
COMMANDS: dict[str, tuple[str, str]] = {
    "compare": ("invariant_lpips.cli.compare", "distance between pictures: two files, folders, or a csv of pairs"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status (0 done, 1 some pictures failed, 2 wrong usage)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="invariant-lpips",
        description="Perceptual image distances that keep agreeing with people when an image has moved.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, (module_name, help_line) in COMMANDS.items():
        command = commands.add_parser(name, help=help_line, description=help_line)
        if name == chosen:
            module = importlib.import_module(module_name)
            module.configure(command)
            command.set_defaults(run=module.run)
    parsed = parser.parse_args(arguments)
    status: int = parsed.run(parsed)
    return status
