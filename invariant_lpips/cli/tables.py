"""A table of results as csv, to a file that appears whole or to standard output."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from invariant_lpips.files.writing import replacing


def write_table(header: Sequence[str], rows: Sequence[Sequence[str]], out: Path | None) -> None:
    """Write a header and rows; to standard output where `out` is None."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    if out is None:
        sys.stdout.write(text.getvalue())
        return
    with replacing(out) as temporary:
        # Names of files need not be UTF-8; what is not goes through as it came.
        temporary.write_text(text.getvalue(), encoding="utf-8", errors="surrogateescape", newline="")
