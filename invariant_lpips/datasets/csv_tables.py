"""Tables of a database as its authors publish them: csv with a header."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from pathlib import Path

from invariant_lpips.datasets.verification import Problems
from invariant_lpips.files.reading import read_whole


def read_text(table: Path, problems: Problems) -> str:
    """The text of the file; raises what `problems` holds if it is missing or not in UTF-8."""
    try:
        return read_whole(table).decode("utf-8-sig")
    except OSError:
        problems.add(f"{table} is missing")
    except UnicodeDecodeError as error:
        problems.add(f"{table} is not in UTF-8: {error}")
    except ValueError as error:
        problems.add(str(error))
    problems.raise_if_any()
    raise AssertionError("unreachable")


def parse_rows(text: str, columns: Collection[str], table: Path, problems: Problems) -> list[dict[str, str]]:
    """The rows below the header, by column; raises what `problems` holds if the text or its header is wrong.

    Example:
        >>> table = Path("scores.csv")
        >>> parse_rows("name,score\\na,1\\n", {"score"}, table, Problems("mine", table, "Get it."))
        [{'name': 'a', 'score': '1'}]
    """
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""))
        lacking = set(columns) - set(reader.fieldnames or ())
        if not lacking:
            return list(reader)
        problems.add(f"{table} has no column {', '.join(sorted(lacking))}")
    except csv.Error as error:
        problems.add(f"{table} is not a csv file: {error}")
    problems.raise_if_any()
    raise AssertionError("unreachable")


def read_rows(table: Path, columns: Collection[str], problems: Problems) -> list[dict[str, str]]:
    """:func:`parse_rows` of a file."""
    return parse_rows(read_text(table, problems), columns, table, problems)
