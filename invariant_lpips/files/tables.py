"""Tables as csv: one dialect for everything that is written, and whatever people write is read."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Sequence
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


def read_csv(text: str, columns: Collection[str]) -> csv.DictReader[str]:
    """A reader of a table with a header, by the names of its columns.

    Names of columns lose their capitals and the blanks around them. Columns are separated by commas, semicolons (what
    spreadsheets write where the comma is for decimals) or tabs, whichever gives `columns`. Blanks before a cell do not
    belong to it, unless it is quoted.

    Args:
        text: the whole table.
        columns: names to look for, in small letters; what the table has is in the reader's `fieldnames`.

    Raises:
        csv.Error: the text is no csv, or one of `columns` stands twice in its header.

    Example:
        >>> next(read_csv("Reference; Distorted\\na.png; b, c.png\\n", {"reference", "distorted"}))
        {'reference': 'a.png', 'distorted': 'b, c.png'}
    """
    readers = [
        csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
        for separator in (",", ";", "\t")
    ]
    for reader in readers:
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
    reader = max(readers, key=lambda reader: len(set(columns) & set(reader.fieldnames or ())))
    names = list(reader.fieldnames or ())
    if twice := [name for name in columns if names.count(name) > 1]:
        raise csv.Error(f"{names.count(twice[0])} columns are called {twice[0]}")
    return reader
