"""The README.md of a saved model: what it is, how to load it, and the figures measured with it.

No figure is written here. They are copied from the card that lies beside the weights (made when they were learned)
and from the results of benchmarks that travel with the package; weights without a card get none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from invariant_lpips.files.reading import sha256_of
from invariant_lpips.registry.entries import ENTRIES
from invariant_lpips.registry.finding import local_path
from invariant_lpips.registry.identity import OWN, Identity

#: Rows of a card's table of facts that a reader of the figures must know.
_FACTS = ("scores", "terms of the scores", "pictures", "recipe", "made by", "with")
_FIGURES = ("accuracy",)

_PAPER = (
    "The method is that of arXiv:2604.27870 (Alabau-Bosque et al. 2026); what is added to it here is said in the "
    "documentation of the package."
)


def metric_card(identity: Identity, config: Mapping[str, Any]) -> str:
    """The card of a metric; `config` is what its `config.json` says."""
    name = identity.weights
    source = "" if name in (OWN, "unit") else _card_beside(name)
    registered = name in ENTRIES and config["trunk"]["name"] != "tuned"
    lines = [
        *_front_matter(
            "apache-2.0" if registered or config["weights"] == "unit" else "other", "perceptual-metric"
        ),
        f"# InvariantLPIPS, head `{config['head']}` on {config['net']}",
        "",
        "A perceptual distance of two images, called as lpips is called: 0 for equal images, larger the more they",
        "differ to a person.",
        "",
        "```python",
        "import invariant_lpips as il",
        "",
        'metric = il.InvariantLPIPS.from_pretrained("THIS_REPOSITORY")  # "owner/name" or "owner/name@revision"',
        'd = metric(il.read_image("a.png"), il.read_image("b.png"))  # (1, 1, 1, 1)',
        "```",
        "",
        *_table([("", ""), *((key, _plain(value)) for key, value in config.items())]),
        "",
        f"Cite as `{identity}`.",
        "",
        *_figures(source, "these weights"),
    ]
    if source and identity.pooling != identity.fitted_pooling:
        held = f"The figures hold for pooling `{identity.fitted_pooling}`; with `{identity.pooling}` they differ."
        lines += [held, ""]
    return "\n".join([*lines, _PAPER]) + "\n"


def classifier_card(config: Mapping[str, Any], file: bytes) -> str:
    """The card of a classifier; by `file`, its tensors with the config inside, a bundled one is recognised."""
    digest = sha256_of(file)
    name = next((name for name, entry in ENTRIES.items() if entry.sha256 == digest), "")
    facts = {key: value for key, value in config.items() if key != "classes"}
    lines = [
        *_front_matter("apache-2.0" if name else "other", "image-classification"),
        f"# GAP classifier, head `{config['head']}` on {config['net']}, {config['num_classes']} classes",
        "",
        "```python",
        "from invariant_lpips.classifier import GAPClassifier",
        "",
        'model = GAPClassifier.from_pretrained("THIS_REPOSITORY")  # "owner/name" or "owner/name@revision"',
        "model(images)  # logits of (N, 3, H, W) in [-1, 1]",
        "```",
        "",
        *_table([("", ""), *((key, _plain(value)) for key, value in facts.items())]),
        "",
        *([f"Classes: {', '.join(config['classes'])}.", ""] if config["classes"] else []),
        *_figures(_card_beside(name) if name else "", "this classifier"),
        _PAPER,
    ]
    return "\n".join(lines) + "\n"


def tables(card: str) -> list[list[tuple[str, ...]]]:
    """The tables of a Markdown text, as rows of cells; the rule under the header is left out.

    >>> tables("| figure | value |\\n|---|---|\\n| SRCC | 0.9 |\\n")
    [[('figure', 'value'), ('SRCC', '0.9')]]
    """
    found: list[list[tuple[str, ...]]] = [[]]
    for line in card.splitlines():
        if not line.startswith("|"):
            found.append([])
        elif not set(line) <= set("|-: "):
            found[-1].append(tuple(cell.strip() for cell in line.strip().strip("|").split(" | ")))
        elif not found[-1]:
            found[-1].append(("", ""))  # an empty header, which looks like a rule
    return [table for table in found if len(table) > 1]


def _front_matter(licence: str, task: str) -> list[str]:
    tags = "".join(f"\n- {tag}" for tag in (task, "image-quality", "lpips", "translation-invariance"))
    return ["---", f"license: {licence}", "library_name: invariant-lpips", f"tags:{tags}", "---", ""]


def _figures(card: str, what: str) -> list[str]:
    """What a card says was measured, and other metrics on the same pairs."""
    facts: list[tuple[str, ...]] = []
    figures: list[tuple[str, ...]] = []
    for table in tables(card):
        if table[0] == ("figure", "value"):
            figures += table[1:]
        else:
            facts += [row for row in table[1:] if row[0] in _FACTS]
            figures += [row for row in table[1:] if row[0].startswith(_FIGURES)]
    if not figures:
        return ["## Measured", "", f"No figures come with {what}.", ""]
    return [
        "## Measured",
        "",
        *_table([("figure", "value"), *figures]),
        "",
        *([*_table([("learned from", ""), *facts]), ""] if facts else []),
        *_others(next((row[1] for row in facts if row[0] == "scores"), "")),
    ]


def _others(scores: str) -> list[str]:
    """Other metrics on the pairs that `scores` names, from the benchmark results that come along."""
    for file in sorted(path for folder in _result_folders() for path in folder.glob("tid*.json")):
        report = json.loads(file.read_text(encoding="utf-8"))
        pairs = f"{report.get('dataset', '')}: {report.get('pairs', '')} pairs"
        if "metrics" not in report or not scores.casefold().startswith(pairs.casefold()):
            continue
        rows = [
            (
                result["description"],
                f"{result['srcc']:.4f}",
                "{:.4f} to {:.4f}".format(*result["srcc_interval"]),
            )
            for result in report["metrics"].values()
        ]
        return [
            f"Other metrics on the same pairs ({file.name}, {report['date']}):",
            "",
            *_table([("metric", "SRCC", "95 %, references drawn anew"), *rows]),
            "",
        ]
    return []


def _result_folders() -> list[Path]:
    package = Path(__file__).resolve().parent.parent
    folders = [package / "_data" / "results"]
    if (package.parent / "pyproject.toml").is_file():
        folders.append(package.parent / "benchmarks" / "results")
    return [folder for folder in folders if folder.is_dir()]


def _card_beside(name: str) -> str:
    """The text of the card of registered weights, or of a file of one's own; empty if it has none."""
    file = local_path(name) if name in ENTRIES else Path(name)
    if file is None:
        return ""
    cards = [file.with_suffix(".md"), file.with_name("README.md")]
    # The README.md beside registered files is about the folder.
    found = next((card for card in cards[: 1 if name in ENTRIES else 2] if card.is_file()), None)
    return found.read_text(encoding="utf-8") if found else ""


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return [lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return " x ".join(map(str, value)) if isinstance(value, list) else str(value)
