"""An extension of griffe: doctests become sections of examples, which are shown as code."""

from __future__ import annotations

from typing import Any

import griffe


class DoctestSections(griffe.Extension):
    """`Example:` is read as `Examples:`, and a doctest without a heading gets one."""

    def on_object(self, *, obj: Any, **_: Any) -> None:
        """Called for every module, class and function."""
        if obj.docstring is not None and ">>>" in obj.docstring.value:
            obj.docstring.value = _with_sections(obj.docstring.value)


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
