"""Tables of results: aligned text for a terminal, Markdown for the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["aligned", "between_marks", "interval_text", "markdown", "marks"]


def aligned(rows: Sequence[Sequence[str]], *, rule: bool = True) -> str:
    """Rows of cells as lines of text: first column to the left, others right, a rule under the head.

    Example:
        >>> print(aligned([["metric", "SRCC"], ["gap", "0.9"]]))
        metric  SRCC
        ------------
        gap      0.9
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *cells[1:]]).rstrip())
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]] if rule else lines)


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, without a line break at its end.

    Example:
        >>> print(markdown(["metric", "SRCC"], [["gap", "0.9"]]))
        | metric | SRCC |
        |---|---|
        | gap | 0.9 |
    """
    first, *rest = ["| " + " | ".join(line) + " |" for line in (head, *rows)]
    return "\n".join([first, "|" + "---|" * len(head), *rest])


def marks(name: str) -> tuple[str, str]:
    """What stands around a part of a page that a program writes.

    Example:
        >>> marks("measured, cpu")
        ('<!-- measured, cpu: begin -->', '<!-- measured, cpu: end -->')
    """
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def between_marks(text: str, name: str, body: str, page: str) -> str:
    """The text of a page with `body` between the marks of a part.

    Raises:
        ValueError: `page`, as the message calls it, lacks them.

    Example:
        >>> between_marks("a <!-- x: begin --> old <!-- x: end --> z", "x", "new", "page.md")
        'a <!-- x: begin -->\\n\\nnew\\n\\n<!-- x: end --> z'
    """
    begin, end = marks(name)
    before, _, rest = text.partition(begin)
    _, mark, after = rest.partition(end)
    if not mark:
        raise ValueError(f"{page} must hold the marks {begin} and {end}, between which tables are written.")
    return f"{before}{begin}\n\n{body}\n\n{end}{after}"


def interval_text(interval: Sequence[float] | None) -> str:
    """An interval as "low .. high", or nothing.

    Example:
        >>> interval_text([0.8, 0.9])
        '0.800 .. 0.900'
    """
    return "" if interval is None else f"{interval[0]:.3f} .. {interval[1]:.3f}"
