"""Notebooks as pages of the site: run them, and show what they hold.

    python docs/notebook_pages.py docs/notebooks/*.ipynb    # run, and keep what every cell gave

A notebook is JSON, and a cell that needs no Jupyter needs no kernel either: code is run here, statement by statement,
and the value of the last one is kept as text, or as a picture where it is one. mkdocs loads this file as a hook: it
makes a page of every notebook in the navigation, and lets every picture of the site open at its own size.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

Notebook = dict[str, Any]


def execute(notebook: Notebook) -> Notebook:
    """The notebook with what its cells give now."""
    names: dict[str, Any] = {"__name__": "__main__"}
    cells, count = [], 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            count += 1
            cell = {
                **cell,
                "execution_count": count,
                "outputs": _outputs("".join(cell["source"]), names, count),
            }
        cells.append(cell)
    return {**notebook, "cells": cells}


def _outputs(source: str, names: dict[str, Any], count: int) -> list[dict[str, Any]]:
    *body, last = ast.parse(source).body
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        if isinstance(last, ast.Expr):
            exec(compile(ast.Module(body, []), "cell", "exec"), names)
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
        else:
            exec(compile(source, "cell", "exec"), names)
    found: list[dict[str, Any]] = []
    if printed.getvalue():
        found.append({"output_type": "stream", "name": "stdout", "text": _lines(printed.getvalue())})
    if value is not None:
        data: dict[str, Any] = {"text/plain": _lines(repr(value))}
        if hasattr(
            value, "save"
        ):  # a picture of Pillow's: JPEG, since photographs as PNG are ten times as large
            buffer = io.BytesIO()
            value.save(buffer, format="JPEG", quality=85)
            data = {
                "image/jpeg": base64.b64encode(buffer.getvalue()).decode(),
                "text/plain": _lines(f"<picture of {value.width}x{value.height}>"),
            }
        found.append(
            {"output_type": "execute_result", "execution_count": count, "metadata": {}, "data": data}
        )
    return found


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def markdown(notebook: Notebook) -> str:
    """What a reader sees."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            data = output.get("data", {})
            if "image/jpeg" in data:
                parts.append(f'<img alt="" src="data:image/jpeg;base64,{data["image/jpeg"]}">')
            else:
                text = "".join(output.get("text", data.get("text/plain", "")))
                parts.append(f"```text\n{text.rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


def on_files(files: Any, config: Any) -> Any:
    """mkdocs: every notebook is a page."""
    from mkdocs.structure.files import File

    for file in list(files):
        if file.src_uri.endswith(".ipynb"):
            text = markdown(json.loads(Path(file.abs_src_path).read_text(encoding="utf-8")))
            files.append(File.generated(config, file.src_uri.removesuffix(".ipynb") + ".md", content=text))
    return files


def on_page_markdown(text: str, **_: Any) -> str:
    """mkdocs: links that lead to a notebook in the repository lead to its page here."""
    return re.sub(r"(\]\([\w/.-]+)\.ipynb(?=[)#])", r"\1.md", text)


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """mkdocs: a click on a picture shows it at its own size."""
    return re.sub(
        r'(?<!">)(<img [^>]*?src="(?!data:)([^"]+)"[^>]*>)', r'<a class="picture" href="\2">\1</a>', html
    )


def main() -> None:
    for path in map(Path, sys.argv[1:]):
        notebook = execute(json.loads(path.read_text(encoding="utf-8")))
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
