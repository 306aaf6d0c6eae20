"""From scores to a report: correlations with intervals, by distortion and level, paired tests.

A report is one plain dictionary, so that it can be written as JSON, read back and printed as text or csv.
Correlations are signed so that 1 is perfect agreement whichever way the metric and the scores run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from invariant_lpips.datasets.pairs import RatedPair, RatedPairs
from invariant_lpips.evaluation.rated.raid import raid_text
from invariant_lpips.evaluation.runner import Scores
from invariant_lpips.evaluation.tables import aligned, interval_text
from invariant_lpips.files.provenance import write_result
from invariant_lpips.files.tables import csv_text
from invariant_lpips.files.writing import replacing
from invariant_lpips.statistics.correlations import fit_logistic, krcc, pearson, srcc
from invariant_lpips.statistics.resampling import bootstrap_values, interval_of, paired_test_of

Array = NDArray[np.float64]

__all__ = ["build_report", "csv_tables", "full_text", "text_table", "write_report"]

MIN_GROUP = 5  # a correlation over fewer pairs says nothing


def build_report(
    pairs: RatedPairs,
    results: Sequence[Scores],
    *,
    names: dict[str, str] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Everything there is to say about metrics on one database.

    Args:
        pairs: the rated pairs.
        results: the scores of each metric on them.
        names: what the codes of distortions mean.
        resamples: how often references are redrawn for intervals and tests; 0 leaves both out.
        seed: seed of the draws.

    Returns:
        A dictionary with "dataset", "pairs", "references", "distortions", "metrics" (name -> srcc, krcc,
        plcc, rmse, intervals, by_distortion, by_level, ...) and "paired" (tests between all pairs of
        metrics).
    """
    truth = pairs.scores
    drawn: dict[str, Array] = {}
    metrics: dict[str, Any] = {}
    for result in results:
        oriented = result.oriented(pairs.higher_is_better)
        fit = fit_logistic(result.values, truth)
        mapped = fit.predict(result.values)
        entry: dict[str, Any] = {
            "description": result.description,
            "higher_is_better": result.higher_is_better,
            "srcc": srcc(oriented, truth, names=[pair.key for pair in pairs]),
            "krcc": krcc(oriented, truth),
            "plcc": pearson(mapped, truth),
            "rmse": float(((mapped - truth) ** 2).mean() ** 0.5),
            "logistic": list(fit.parameters),
            "logistic_failed": fit.linear,
            "seconds": round(result.seconds, 2),
            "computed": result.computed,
        }
        if resamples and len(pairs.references) > 1:
            ids = pairs.reference_ids
            drawn[result.metric] = bootstrap_values(oriented, truth, ids, resamples=resamples, seed=seed)
            interval = interval_of(entry["srcc"], drawn[result.metric])
            # The fitted map is kept while references are redrawn: refitting it a thousand times takes minutes
            # and moves the interval by less than its own uncertainty.
            linear = bootstrap_values(
                mapped, truth, ids, statistic=plain_pearson, resamples=resamples, seed=seed
            )
            plcc_interval = interval_of(entry["plcc"], linear)
            entry["srcc_interval"] = [interval.low, interval.high]
            entry["plcc_interval"] = [plcc_interval.low, plcc_interval.high]
        entry["by_distortion"] = groups(pairs, oriented, lambda pair: pair.distortion)
        entry["by_level"] = groups(pairs, oriented, lambda pair: f"{pair.level:g}")
        metrics[result.metric] = entry
    tests = []
    order = [result.metric for result in results]
    for first_index, first in enumerate(order):
        for second in order[first_index + 1 :]:
            if first in drawn and second in drawn:
                difference = metrics[first]["srcc"] - metrics[second]["srcc"]
                test = paired_test_of(difference, drawn[first], drawn[second])
                tests.append({"first": first, "second": second, **vars(test)})
    return {
        "dataset": pairs.name,
        "pairs": len(pairs),
        "references": len(pairs.references),
        "distortions": {code: (names or {}).get(code, code) for code in pairs.distortions},
        "score_direction": "higher is better" if pairs.higher_is_better else "lower is better",
        "resamples": resamples,
        "metrics": metrics,
        "paired": tests,
    }


def plain_pearson(x: Any, y: Any) -> float:
    """Pearson's correlation, as a statistic for the bootstrap."""
    return pearson(x, y)


def groups(pairs: RatedPairs, oriented: Array, of: Callable[[RatedPair], str]) -> dict[str, Any]:
    """SRCC and number of pairs of each group, in sorted order; None where a group is too small."""
    members: dict[str, list[int]] = {}
    for index, pair in enumerate(pairs):
        members.setdefault(of(pair), []).append(index)
    truth = pairs.scores
    return {
        name: {
            "pairs": len(index),
            "srcc": srcc(oriented[index], truth[index]) if len(index) >= MIN_GROUP else None,
        }
        for name, index in sorted(members.items(), key=lambda item: (len(item[0]), item[0]))
    }


def text_table(report: dict[str, Any]) -> str:
    """The report for a terminal: overall table, per distortion, per level, paired tests."""
    metrics = report["metrics"]
    lines = [
        f"{report['dataset']}: {report['pairs']} pairs of {report['references']} references "
        f"({report['score_direction']}); 95 % intervals by bootstrap over references",
        "",
    ]
    rows = [["metric", "SRCC", "interval", "KRCC", "PLCC", "interval", "RMSE"]]
    for name, entry in metrics.items():
        rows.append(
            [
                name,
                f"{entry['srcc']:.4f}",
                interval_text(entry.get("srcc_interval")),
                f"{entry['krcc']:.4f}",
                f"{entry['plcc']:.4f}" + ("*" if entry["logistic_failed"] else ""),
                interval_text(entry.get("plcc_interval")),
                f"{entry['rmse']:.4f}",
            ]
        )
    lines.append(aligned(rows))
    if any(entry["logistic_failed"] for entry in metrics.values()):
        lines.append("* the logistic could not be fitted; PLCC and RMSE are those of the straight line")
    for title, key in (("SRCC by distortion", "by_distortion"), ("SRCC by level", "by_level")):
        codes = list(next(iter(metrics.values()))[key]) if metrics else []
        if len(codes) > 1:
            lines += ["", aligned(group_rows(report, title, key, codes))]
    if report["paired"]:
        rows = [["paired test of SRCC", "difference", "interval", "p"]]
        for test in report["paired"]:
            interval = interval_text([test["low"], test["high"]])
            title = f"{test['first']} - {test['second']}"
            rows.append([title, f"{test['difference']:+.4f}", interval, f"{test['p_value']:.3f}"])
        lines += ["", aligned(rows)]
    return "\n".join(lines) + "\n"


def group_rows(report: dict[str, Any], title: str, key: str, codes: list[str]) -> list[list[str]]:
    """The rows of a table of one SRCC per group and metric."""
    rows = [[title, "pairs", *report["metrics"]]]
    for code in codes:
        cells = [entry[key].get(code, {}) for entry in report["metrics"].values()]
        name = report["distortions"].get(code, code) if key == "by_distortion" else code
        values = ["-" if cell.get("srcc") is None else f"{cell['srcc']:.3f}" for cell in cells]
        rows.append([name if name == code else f"{code} {name}", str(cells[0].get("pairs", 0)), *values])
    return rows


def csv_tables(report: dict[str, Any]) -> dict[str, str]:
    """The report as csv texts by file name: overall, per distortion, per level, paired tests."""
    overall: list[list[Any]] = [
        [
            "metric",
            "srcc",
            "srcc_low",
            "srcc_high",
            "krcc",
            "plcc",
            "plcc_low",
            "plcc_high",
            "rmse",
            "description",
        ]
    ]
    for name, entry in report["metrics"].items():
        low, high = entry.get("srcc_interval") or ("", "")
        plcc_low, plcc_high = entry.get("plcc_interval") or ("", "")
        numbers = [entry["srcc"], low, high, entry["krcc"], entry["plcc"], plcc_low, plcc_high, entry["rmse"]]
        overall.append([name, *numbers, entry["description"]])
    tables = {"overall.csv": overall}
    for key in ("by_distortion", "by_level"):
        rows: list[list[Any]] = [["metric", "group", "name", "pairs", "srcc"]]
        for name, entry in report["metrics"].items():
            for code, cell in entry[key].items():
                meaning = report["distortions"].get(code, code) if key == "by_distortion" else code
                rows.append([name, code, meaning, cell["pairs"], cell["srcc"]])
        tables[f"{key}.csv"] = rows
    tests: list[list[Any]] = [["first", "second", "difference", "low", "high", "p_value"]]
    tests += [[test[column] for column in tests[0]] for test in report["paired"]]
    tables["paired.csv"] = tests
    return {name: csv_text(rows[0], rows[1:]) for name, rows in tables.items()}


def full_text(report: dict[str, Any]) -> str:
    """All of a report for a terminal, RAID's own part included."""
    return text_table(report) + ("\n" + raid_text(report["raid"]) if "raid" in report else "")


def write_report(report: dict[str, Any], folder: Path) -> None:
    """Write ``report.json``, ``report.txt`` and the csv tables into `folder`, each complete or absent."""
    write_result(folder / "report.json", report)
    for name, text in {"report.txt": text_table(report), **csv_tables(report)}.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
