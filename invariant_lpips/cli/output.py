"""What every command says, and how it ends: results on stdout, sentences on stderr, one exit status."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, NoReturn

from invariant_lpips.files.tables import csv_text
from invariant_lpips.files.writing import REMEDIES, one_line, said, write_text


class Exit(IntEnum):
    """How a command ends."""

    DONE = 0
    INCOMPLETE = 1
    REFUSED = 2
    ABOVE = 3
    INTERRUPTED = 130  # as a shell says of a program that SIGINT ended: 128 + 2


#: The same, for the foot of every command's help.
EXIT_STATUS = """\
exit status: 0 done; 1 some pictures or files failed, had no partner or were not looked at, the rest is done;
2 wrong usage, or nothing could be done; 3 a distance is above --fail-above; 130 interrupted. Complaints are on
stderr, as `invariant-lpips COMMAND: sentence`.
"""

#: Errors that mean "this can't be done as asked", in a sentence that a traceback would only bury.
ERRORS = (OSError, ValueError, TypeError, ImportError, RuntimeError)


PROGRAM = "invariant-lpips"


class Parser(argparse.ArgumentParser):
    """A parser whose errors are said as all others are, in a sentence that names the help to look into.

    What it parses has `called`: the command, as `say` takes it.

    Example:
        >>> Parser(prog="invariant-lpips train linear").parse_args([]).called
        'train linear'
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.set_defaults(called=self.prog.removeprefix(PROGRAM).lstrip())

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """The same, but nothing stays unknown: what is left over would be said by the parser above."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        """Say it, and end as REFUSED."""
        say(self.get_default("called"), f"{message}; see {self.prog} --help")
        raise SystemExit(Exit.REFUSED)


def sentence(line: str) -> str:
    """A line of help as the sentence that stands above the options.

    Example:
        >>> sentence("write the metric as a file")
        'Write the metric as a file.'
    """
    return f"{line[0].upper()}{line[1:]}."


def complaint(error: Exception) -> str:
    """The sentence in which an error is said."""
    if isinstance(error, OSError) and error.filename and error.errno in REMEDIES:
        return f"{error.filename}: {said(error)}"  # the system's own names the file, and not what to do
    # Torch's go over many lines; ours are a sentence, or a list meant to be read as one.
    return one_line(error) if isinstance(error, RuntimeError) else str(error)


def say(command: str, sentence: str) -> None:
    """Say something about the work of a command (`bench csv`), on stderr."""
    print(f"{PROGRAM} {command}".rstrip() + f": {sentence}", file=sys.stderr)


def stays(out: Path, measured: int) -> bool:
    """Whether a file stays what it is, since nothing was measured that could take its place; it is said then."""
    if measured or not out.exists():
        return False
    say("compare", f"nothing was measured, so {out} stays as it was")
    return True


@contextlib.contextmanager
def own_warnings_said(command: str) -> Iterator[None]:
    """Say warnings of the package's own categories as sentences of a command; others are shown as they were."""
    shown = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if category.__module__.startswith("invariant_lpips."):
            say(command, str(message))
        else:
            shown(message, category, *where, **more)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = shown


class _Closed(io.TextIOBase):
    """A standard output that nobody will read."""

    def write(self, text: str, /) -> int:
        if text:
            raise OSError("standard output is closed; name a file with -o, or leave it open")
        return 0


def replace_closed_streams() -> None:
    """Stand in for a standard output or error that was closed (`>&-`, `2>&-`).

    Python has None for them then: print(file=None) would mix sentences into the results, and the next file opened would
    get the place where other libraries still write what they complain of.
    """
    if sys.stdout is None:
        os.open(os.devnull, os.O_WRONLY)
        sys.stdout = _Closed()
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


def print_text(text: str) -> None:
    """A result, on stdout; a name of a file that is not UTF-8 must not stop the rest."""
    with contextlib.suppress(AttributeError):
        sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    sys.stdout.write(text)
    sys.stdout.flush()


def table_file(text: str) -> Path:
    """Where a table is written, for `type=` of an option: not where a picture or an index would be replaced."""
    from invariant_lpips.pictures.folders import PICTURE_SUFFIXES

    path = Path(text)
    if path.suffix.lower() in PICTURE_SUFFIXES | {".npz", ".safetensors", ".parquet"}:
        raise argparse.ArgumentTypeError(
            f"a csv table is written, but {text!r} is named as a picture or an index is; name it .csv"
        )
    return path


def check_out(out: Path | None, suffixes: Sequence[str] = (), *, of: str = "") -> None:
    """Refuse a file that could not be written, before the work whose result it is to hold; None is no file.

    Args:
        suffixes: what its name may end in; anything where there are none.
        of: what these are for, in a sentence: " for videos".

    Raises:
        ValueError: what was expected and what came.

    Example:
        >>> check_out(Path("x.txt"), (".csv", ".json"), of=" for videos")
        Traceback (most recent call last):
        ValueError: -o must end in one of .csv, .json for videos, but got x.txt
    """
    if out is None:
        return
    if suffixes and out.suffix.lower() not in suffixes:
        raise ValueError(f"-o must end in one of {', '.join(suffixes)}{of}, but got {out}")
    if not out.parent.is_dir():
        raise ValueError(f"-o {out}: the folder {out.parent} does not exist")
    if out.is_dir():
        raise ValueError(f"-o {out} is a folder; a file was expected")


def give_table(header: Sequence[str], rows: Sequence[Sequence[str]], out: Path | None) -> None:
    """A table as csv, to a file that appears whole, or on stdout where `out` is None."""
    text = csv_text(header, rows)
    if out is None:
        print_text(text)
    else:
        write_text(out, text)
