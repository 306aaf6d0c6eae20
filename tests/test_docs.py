"""The documentation: links lead somewhere, and notebooks give what they show."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "weights").glob("*.md")]
    if path.is_file()
)

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_relative_links_resolve(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:|#", target):
            assert (page.parent / target.partition("#")[0]).exists(), f"{page.name} links to {target}"


@pytest.fixture(scope="module")
def pages() -> Any:
    spec = importlib.util.spec_from_file_location("notebook_pages", ROOT / "docs" / "notebook_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_gives_what_it_shows(path: Path, pages: Any) -> None:
    pytest.importorskip("skimage", reason="notebooks show scikit-image's photographs")
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert path.stat().st_size < 300_000
    for shown, found in zip(kept["cells"], pages.execute(kept)["cells"], strict=True):
        assert _text(shown) == _text(found)
        numbers = zip(_numbers(shown), _numbers(found), strict=True)
        # A descent of sixty steps ends some percent away where sums are rounded in another order.
        assert all(abs(a - b) <= 0.002 + 0.05 * abs(a) for a, b in numbers), _text(found)


def test_a_notebook_is_a_page(pages: Any) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# A"]},
        {"cell_type": "code", "source": ["print(1)\n", "2"]},
    ]
    page = pages.markdown(pages.execute({"cells": cells}))
    assert page == "# A\n\n```python\nprint(1)\n2\n```\n\n```text\n1\n```\n\n```text\n2\n```\n"
    assert pages.on_page_markdown("[a](notebooks/a.ipynb#b)") == "[a](notebooks/a.md#b)"
    picture = '<p><img alt="" src="../f.png" /></p>'
    assert 'href="../f.png"' in pages.on_page_content(picture, page=None)


def _outputs(cell: dict[str, Any]) -> str:
    outputs = cell.get("outputs", [])
    return "".join(
        "".join(output.get("text", output.get("data", {}).get("text/plain", ""))) for output in outputs
    )


def _text(cell: dict[str, Any]) -> str:
    return re.sub(r"[\d.]+(?:e-?\d+)?", "#", _outputs(cell))


def _numbers(cell: dict[str, Any]) -> list[float]:
    return [float(number) for number in re.findall(r"\d+\.?\d*(?:e-?\d+)?", _outputs(cell))]


#: Figures of the README: the result, where in it, and what the README says.
FIGURES: list[tuple[str, tuple[str, ...], str]] = [
    ("motion_price", ("srcc", "29 px per degree", "shipped: visibilities add as squares (Fechner)"), ".985"),
    *[
        (f"tid2013{part}", ("metrics", name + left_out, "srcc"), shown)
        for part, name, *both in (
            ("_nets", "regional-32+alex", ".880", ".869"),
            ("_nets", "regional-32+pixels", ".851", ".821"),
            ("", "regional", ".869", ".827"),
            ("", "gap", ".832", ".805"),
            ("_peers", "vsi", ".863"),
            ("", "dists", ".835"),
            ("", "lpips-alex", ".790"),
            ("", "lpips-vgg", ".740"),
            ("", "ssim", ".684"),
        )
        for left_out, shown in zip(("", ", types left out"), both, strict=False)
    ],
    *[
        (f"ladder{part}", ("metrics", name, "summary", "ladder_29"), shown)
        for part, name, shown in (
            ("_motion", "regional-32+alex+motion", ".946"),
            ("_motion", "regional-32+pixels+motion", ".966"),
            ("_motion", "regional-32+alex", ".731"),
            ("", "default", ".913"),
            ("", "gap", ".624"),
            ("_peers", "vsi", ".650"),
            ("", "dists", ".819"),
            ("", "lpips-alex", ".858"),
            ("", "lpips-vgg", ".874"),
            ("", "ssim", ".447"),
        )
    ],
    *[
        (f"cost{part}", ("metrics", name, "share"), shown)
        for part, name, shown in (
            ("_motion", "regional-32+alex+motion", ".110"),
            ("_motion", "regional-32+pixels+motion", ".076"),
            ("_motion", "default+motion", ".67"),
            ("_nets", "regional-32+alex", ".056"),
            ("", "regional", ".64"),
            ("", "gap", ".63"),
            ("", "vsi", ".034"),
            ("", "dists", ".94"),
            ("", "lpips:alex", ".049"),
            ("", "ssim", ".006"),
        )
    ],
]


@pytest.mark.parametrize(("file", "where", "shown"), FIGURES, ids=lambda part: str(part))
def test_figures_of_the_readme_are_those_of_the_results(
    file: str, where: tuple[str, ...], shown: str
) -> None:
    found: Any = json.loads((ROOT / "benchmarks" / "results" / f"{file}.json").read_text(encoding="utf-8"))
    for key in where:
        found = found[key]
    assert f"{found:.{len(shown) - 1}f}".removeprefix("0") == shown
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"(?<!\d){re.escape(shown)}(?!\d)", readme)


def test_what_was_learned_from_misaligned_targets_is_told_as_measured() -> None:
    report = json.loads((ROOT / "benchmarks" / "results" / "misaligned.json").read_text(encoding="utf-8"))
    text = (ROOT / "docs" / "motion.md").read_text(encoding="utf-8")
    assert f"means of {report['seeds']} networks" in text
    for name, seeds in {"as given": [report["as given"]], **report["losses"]}.items():
        assert len(seeds) in (1, report["seeds"])
        cells = [name]
        for judge in seeds[0]:
            mean = sum(values[judge] for values in seeds) / len(seeds)
            digits = {"psnr": 2, "detail": 1, "vsi": 4}.get(judge, 3)
            cells.append(f"{mean:.{digits}f}".removeprefix("0"))
        assert f"\n| {' | '.join(cells)} |\n" in text


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Any:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("looks")


def test_tables_for_those_who_come_from_lpips_are_those_of_the_result(looks: Any) -> None:
    result = json.loads((ROOT / "benchmarks" / "results" / "looks.json").read_text(encoding="utf-8"))
    text = (ROOT / "docs" / "numbers.md").read_text(encoding="utf-8")
    assert looks.page(text, result["pairs"]) == text
    for name, make in looks.METRICS.items():
        # A metric that got other weights has other distances and gradients: run benchmarks/looks.py again.
        assert result["metrics"][name].partition(", invariant-lpips")[0] in make().describe(), name
    with pytest.raises(ValueError, match="must hold the marks <!-- looks, thresholds: begin -->"):
        looks.page("no marks", result["pairs"])


@pytest.mark.parametrize("page", ["coming-from.md", "notebooks/loss.ipynb"])
def test_factors_told_beside_the_recommended_metric_are_those_of_the_table(page: str, looks: Any) -> None:
    result = json.loads((ROOT / "benchmarks" / "results" / "looks.json").read_text(encoding="utf-8"))
    cells = [line.strip("| ").split(" | ") for line in looks.factors(result["pairs"]).splitlines()]
    column = cells[0].index("`alex, regional-32`")
    told = []
    for theirs in looks.THEIRS:
        at = [row for row in cells if row[0].startswith(f"{theirs} ")]
        told.append(
            f"{theirs}: {', '.join(f'{row[column].split()[0]} at {row[0].split()[1]}' for row in at)}"
        )
    assert f"({'; '.join(told)})" in (ROOT / "docs" / page).read_text(encoding="utf-8")


def test_a_factor_is_the_gradient_of_lpips_over_ours(looks: Any) -> None:
    distances = {"default": 0.25, "alex, regional-32": 0.5, "lpips-vgg": 0.2, "lpips-alex": 0.05}
    row = {"kind": "noise", "distances": distances}
    ours = {"default": 2.0, "alex, regional-32": 4.0}
    rows = [
        {**row, "target": target, "gradients": {**ours, "lpips-vgg": vgg, "lpips-alex": 0.1}}
        for target in looks.TARGETS
        for vgg in (1.0, 3.0, 30.0)
    ]
    line = looks.factors(rows).splitlines()[2]
    assert (
        line == "| lpips-vgg .20 | 1.5 (.50 to 15) | 3.0 (1.0 to 30) | .75 (.25 to 7.5) | .75 (.25 to 7.5) |"
    )


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
