"""The command line: `invariant-lpips COMMAND ...`.

Each command is one module: `configure` adds its options to a parser; `run` makes frozen dataclasses of what was
parsed, calls the library once, prints, and returns the exit status. What goes wrong is raised, and said here.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from invariant_lpips._version import __version__
from invariant_lpips.cli.output import (
    ERRORS,
    EXIT_STATUS,
    PROGRAM,
    Exit,
    Parser,
    complaint,
    own_warnings_said,
    replace_closed_streams,
    say,
    sentence,
)

# name -> (module, one line of help). Only the module of the chosen command is imported.
COMMANDS: dict[str, tuple[str, str]] = {
    "compare": (
        "invariant_lpips.cli.compare",
        "distance between pictures: two files, folders, or a csv of pairs",
    ),
    "embed": ("invariant_lpips.cli.embed", "embeddings of a folder of pictures into an index file"),
    "matrix": ("invariant_lpips.cli.matrix", "distances of all pairs of a folder or an index"),
    "search": ("invariant_lpips.cli.search", "the pictures of an index nearest to given ones"),
    "duplicates": ("invariant_lpips.cli.duplicates", "groups of near-duplicates in a folder or an index"),
    "bench": ("invariant_lpips.cli.bench", "agreement with people on rated databases, and other benchmarks"),
    "train": (
        "invariant_lpips.cli.train",
        "linear weights from people's scores, or a backbone from pictures",
    ),
    "resynthesise": (
        "invariant_lpips.cli.resynthesise",
        "TID2013 or TID2008 (resynthesised) from references, scores and PSNRs",
    ),
    "weights": ("invariant_lpips.cli.weights", "list, find, verify or download weights"),
    "export": ("invariant_lpips.cli.export", "write the metric as an ONNX or torch.export file"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status, an :class:`invariant_lpips.cli.output.Exit`."""
    replace_closed_streams()
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = Parser(
        prog=PROGRAM,
        description="Perceptual image distances, and what moved told from what changed.",
        epilog=EXIT_STATUS,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, (module_name, help_line) in COMMANDS.items():
        command = commands.add_parser(
            name, help=help_line, description=sentence(help_line), epilog=EXIT_STATUS
        )
        if name == chosen:
            module = importlib.import_module(module_name)
            module.configure(command)
            command.set_defaults(run=module.run)
    parsed = parser.parse_args(arguments)
    try:
        with own_warnings_said(parsed.called):
            status: int = parsed.run(parsed)
    except ERRORS as error:
        say(parsed.called, complaint(error))
        return Exit.REFUSED
    except KeyboardInterrupt:
        say(parsed.called, "interrupted")
        return Exit.INTERRUPTED
    return status
