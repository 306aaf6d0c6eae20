"""An extension of griffe: docstrings, which are written to be read in a terminal, become Markdown.

Doctests become sections of examples, which are shown as code, and Sphinx's cross references plain names.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:mod|class|func|meth|attr|data|exc):`~?([^`]+)`")


class Docstrings(griffe.Extension):
    """`Example:` is read as `Examples:`, a doctest without a heading gets one, and `:func:` goes."""

    def on_object(self, *, obj: Any, **_: Any) -> None:
        """Called for every module, class and function."""
        if obj.docstring is not None:
            obj.docstring.value = _with_sections(ROLE.sub(r"`\1`", obj.docstring.value))


def _with_sections(text: str) -> str:
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        if line.startswith(">>>") and not inside:
            lines.append("Examples:")
            inside = True
        elif inside and not line:
            inside = False
        lines.append(f"    {line}" if inside else line)
    return "\n".join(lines).replace("\nExample:\n", "\nExamples:\n")
