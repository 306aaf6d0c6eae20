"""What changed since an earlier run: the same figures of two reports, side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from invariant_lpips.files.reading import read_whole

__all__ = ["ROUNDING", "changes_since", "figures_of", "read_report"]

ROUNDING = 0.0005
"""A smaller change is that of another machine's arithmetic."""


def read_report(path: Path) -> dict[str, Any]:
    """The report of an earlier run.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no report of this benchmark.
    """
    try:
        report = json.loads(read_whole(path))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"The report to compare with must be a JSON file, but {path} is none: {error}."
        ) from error
    if not isinstance(report, dict) or report.get("benchmark") != "all" or "databases" not in report:
        raise ValueError(
            f"The report to compare with must be report.json of `bench all`, but {path} is another file."
        )
    try:  # before hours of work, not after them
        for database in report["databases"].values():
            for metric, _, figure in figures_of(database):
                float(figure), str(database["metrics"][metric]["description"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"The report to compare with must hold each metric's figures and description, but {path} does not "
            f"({type(error).__name__}: {error}); name the report.json of another run."
        ) from error
    return report


def figures_of(database: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    """(metric, name of the figure, figure) of one database's report.

    Example:
        >>> list(figures_of({"metrics": {"psnr": {"srcc": 0.7, "plcc": 0.8}}}))
        [('psnr', 'SRCC', 0.7), ('psnr', 'PLCC', 0.8)]
    """
    for metric, entry in database["metrics"].items():
        for key, name in (("srcc", "SRCC"), ("plcc", "PLCC")):
            if key in entry:
                yield metric, name, entry[key]
        for part, name in (("2afc", "2AFC"), ("jnd", "JND mAP")):
            if part in entry:
                yield metric, name, entry[part]["mean"]


def changes_since(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every figure that both reports have.

    Returns:
        A row for each: "database", "metric", "figure", "before", "now", "change", "changed" (by more than
        :data:`ROUNDING`) and "because": what else differs, which may explain it.
    """
    rows = []
    for name, database in now["databases"].items():
        other = earlier["databases"].get(name)
        if other is None:
            continue
        before = {(metric, figure): value for metric, figure, value in figures_of(other)}
        for metric, figure, value in figures_of(database):
            if (metric, figure) in before:
                change = value - before[metric, figure]
                rows.append(
                    {
                        "database": name,
                        "metric": metric,
                        "figure": figure,
                        "before": before[metric, figure],
                        "now": value,
                        "change": change,
                        "changed": abs(change) > ROUNDING,
                        "because": differences(other, database, metric),
                    }
                )
    return rows


def differences(before: Mapping[str, Any], now: Mapping[str, Any], metric: str) -> list[str]:
    """What differs between two runs of a metric on a database beside its figures."""
    found = []
    if before["metrics"][metric]["description"] != now["metrics"][metric]["description"]:
        found.append("another version or other weights of the metric")
    for key in ("pairs", "choices"):
        if before.get(key) != now.get(key):
            found.append(f"{before.get(key)} {key} then, {now.get(key)} now")
    if before.get("size") != now.get("size"):
        found.append("another size")
    return found
