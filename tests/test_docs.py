"""The documentation: links lead somewhere, and what can be pasted runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "weights").glob("*.md")]
    if path.is_file()
)

#: Pages whose python blocks stand on their own. The others show fragments of other people's programs.
RUNNABLE = ("index", "method", "hub", "faq")


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_relative_links_resolve(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:|#", target):
            assert (page.parent / target.partition("#")[0]).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("name", RUNNABLE)
def test_snippets_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = blocks(ROOT / "docs" / f"{name}.md")
    assert found
    for block in found:
        exec(compile(block, f"docs/{name}.md", "exec"), {})


def test_no_page_is_named_twice_in_the_navigation() -> None:
    yaml = pytest.importorskip("yaml")
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    targets = re.findall(r"'([\w/-]+\.md)'", str(config["nav"]))
    assert len(targets) > 20
    assert len(targets) == len(set(targets))


def test_every_finding_has_its_section() -> None:
    if not (ROOT / "findings").is_dir():
        pytest.skip("findings/ is in the repository only")
    page = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    told = re.findall(r"\(`(\w+\.sh)`\)", page)
    assert sorted(told) == sorted(path.name for path in (ROOT / "findings").iterdir())
