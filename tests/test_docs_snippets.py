"""What README and documentation show is run, and prints what stands beside it.

A python block is run from top to bottom, all blocks of a page in one namespace, which begins with two batches x and y
(or prediction and target) of 64 px, in a folder with some pictures. What a comment says behind a statement is held
against it where it can be:

    metric(x, y)  # (8, 1, 1, 1), words           the shape; a name, as in (8, C), stands for any size
    metric.jnd(d).item()  # 1.3                   the number, to the digits shown
    print(found)  # moved 4.0 px to the right     what is printed; it may stand in comments below instead

A block under `<!-- not run: why -->` is compiled only, and so are those of other people's packages.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"(?:<!-- not run: (?P<why>.*?) -->\n)?^```python\n(?P<code>.*?)^```", re.M | re.S)
NUMBER = r"-?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
#: Their networks are downloads.
OTHERS = re.compile(r"^(?:import|from) (?:lpips|piq|pyiqa|torchmetrics)\b", re.M)


class Block(NamedTuple):
    code: str
    line: int
    why_not: str | None


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            found["code"],
            text.count("\n", 0, found.start("code")),
            found["why"] or ("another package's" if OTHERS.search(found["code"]) else None),
        )
        for found in FENCE.finditer(text)
    ]


PAGES = {
    page.relative_to(ROOT).as_posix(): found
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if page.is_file() and (found := blocks(page))
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what snippets name: b.png is a.png, 4 px further to the right."""
    data = pytest.importorskip("skimage.data", reason="needs scikit-image's bundled photographs")
    from invariant_lpips import write_image

    folder = tmp_path_factory.mktemp("pictures")
    whole = torch.from_numpy(data.astronaut()).permute(2, 0, 1)[None] / 127.5 - 1
    a, b = whole[..., 60:188, 160:288], whole[..., 60:188, 156:284]
    for name, picture in {"a.png": a, "b.png": b, "reference.png": a, "distorted.png": b}.items():
        write_image(picture, folder / name)
    for name in ("originals", "results", "pictures"):
        (folder / name).mkdir()
        for stem, left in (("1", 160), ("2", 200 if name == "originals" else 204)):
            write_image(whole[..., 60:124, left : left + 64], folder / name / f"{stem}.png")
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_python_runs_and_says_what_is_shown(
    page: str, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(pictures, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("warnings.showwarning", lambda *_: None)
    torch.manual_seed(0)
    names: dict[str, Any] = {name: torch.rand(4, 3, 64, 64) for name in ("x", "y", "prediction", "target")}
    for block in PAGES[page]:
        where = f"{page}:{block.line}"
        tree = ast.parse(block.code, where)
        if block.why_not is None:
            for statement, following in zip(tree.body, [*tree.body[1:], None], strict=True):
                end = following.lineno - 1 if following else len(block.code.splitlines())
                run(statement, block.code.splitlines()[statement.end_lineno - 1 : end], names, where)


def run(statement: ast.stmt, last_lines: list[str], names: dict[str, Any], where: str) -> None:
    """Run one statement, and hold what its comment says against what came of it."""
    where = f"{where} + {statement.lineno}"
    printed = io.StringIO()
    value = None
    with contextlib.redirect_stdout(printed):
        if isinstance(statement, ast.Expr):
            value = eval(compile(ast.Expression(statement.value), where, "eval"), names)
        else:
            exec(compile(ast.Module([statement], []), where, "exec"), names)
            value = assigned(statement, names)
    comment, *below = (line.partition("# ")[2].strip() for line in last_lines)
    if said := printed.getvalue().strip():
        shown = comment or "\n".join(line for line in below if line)
        assert not shown or alike(said, shown), f"{where} prints\n{said}\nand not\n{shown}"
    elif (shape := re.match(r"\(([\w, ]+,?)\)", comment)) and hasattr(value, "shape"):
        shown_sizes = [size.strip() for size in shape[1].split(",") if size.strip()]
        found_sizes = list(value.shape)
        assert len(shown_sizes) == len(found_sizes), f"{where} has the shape {found_sizes}"
        for shown_size, size in zip(shown_sizes, found_sizes, strict=True):
            assert shown_size in (str(size),) or shown_size.isidentifier(), f"{where}: {found_sizes}"
    elif (number := re.match(NUMBER + r"(?![\w=:])", comment)) and isinstance(value, float):
        assert alike(f"{value:.12f}", number[0]), f"{where} is {value}"


def assigned(statement: ast.stmt, names: dict[str, Any]) -> Any:
    """What `a = ...` or `(a,) = ...` gave."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name) | ast.Tuple(elts=[ast.Name(id=name)])]):
            return names[name]
    return None


def alike(said: str, shown: str) -> bool:
    """The same words, and numbers that round to the digits shown; `...` stands for anything."""
    pieces = re.split(rf"({NUMBER}|\.\.\.)", " ".join(shown.split()))
    pattern = "".join(
        "(.*)" if piece == "..." else f"({NUMBER})" if re.fullmatch(NUMBER, piece) else re.escape(piece)
        for piece in pieces
    )
    found = re.fullmatch(pattern, " ".join(said.split()))
    return found is not None and all(
        piece == "..."
        or abs(float(piece) - float(said_piece)) <= 0.5 * last_digit(piece) + 1e-9 * abs(float(piece))
        for piece, said_piece in zip(pieces[1::2], found.groups(), strict=True)
    )


def last_digit(number: str) -> float:
    if number.lstrip("-").isdigit():
        return 0
    mantissa, _, exponent = number.partition("e")
    return float(10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2])))


@pytest.mark.parametrize(
    ("said", "shown", "same"),
    [
        ("moved 4.02 px", "moved 4.0 px", True),
        ("moved 4.3 px", "moved 4.0 px", False),
        ("0.0653 apart", "0.065 apart", True),
        ("0.65 times", "0.66 times", False),
        ("0.25", "0.3", True),  # half a unit, whichever way floats round it
        ("tensor([0.25])", "tensor([...])", True),
        ("3 pictures", "4 pictures", False),
        ("1.23e-05", "1.2e-05", True),
    ],
)
def test_numbers_are_compared_to_the_digits_shown(said: str, shown: str, same: bool) -> None:
    assert alike(said, shown) is same


def test_a_wrong_comment_fails() -> None:
    for code in ("print(1 + 1)  # 3", "torch.ones(2, 3)  # (2, 4)", "0.5  # 0.7"):
        with pytest.raises(AssertionError):
            run(ast.parse(code).body[0], [code], {"torch": torch}, "here")
