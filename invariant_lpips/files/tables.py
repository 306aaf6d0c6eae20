"""Tables as csv: one dialect for everything that is written, on a stream or as text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, Protocol


class Writable(Protocol):
    """What a table is written to: an open text file, `sys.stdout`."""

    def write(self, text: str, /) -> object: ...


def write_csv(stream: Writable, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a header and rows to an open stream, quoted where need be, with "\\n" at the end of each line.

    Rows are taken one by one, so a table need not fit into memory. A file must be opened with `newline=""`.
    """
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A header and rows as csv text.

    Example:
        >>> print(csv_text(["path", "distance"], [["a,b.png", 0.5], ["c.png", None]]), end="")
        path,distance
        "a,b.png",0.5
        c.png,
    """
    text = io.StringIO()
    write_csv(text, header, rows)
    return text.getvalue()
