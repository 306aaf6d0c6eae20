"""The benchmark of all databases under one folder: find, run each, compare, report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch

from invariant_lpips.datasets import find_database
from invariant_lpips.datasets.bapps import NAME as BAPPS
from invariant_lpips.datasets.finding import (
    NAMES,
    Finding,
    Found,
    find_databases,
    how_to_obtain,
    open_database,
)
from invariant_lpips.evaluation import bapps, rated
from invariant_lpips.evaluation.metrics import resolve_metric
from invariant_lpips.evaluation.scorers import Scorer
from invariant_lpips.evaluation.speed.clocks import alternate
from invariant_lpips.evaluation.survey.agreement import agreement, judgements
from invariant_lpips.evaluation.survey.changes import changes_since, read_report
from invariant_lpips.evaluation.survey.page import page
from invariant_lpips.evaluation.survey.published import TOLERANCE, learned_from, published_value
from invariant_lpips.evaluation.tables import aligned
from invariant_lpips.files.provenance import provenance, write_result
from invariant_lpips.files.writing import one_line, write_text
from invariant_lpips.registry.download import cache_folder

__all__ = ["BAPPS_JUDGEMENTS", "SurveyBench", "run", "text"]

BAPPS_JUDGEMENTS = 36_344 + 9_600
"""Choices (val) and pairs that are published of BAPPS."""

FAILURES = (ValueError, OSError, ImportError, RuntimeError)  # of one database, which must not cost the others


@dataclass(frozen=True)
class SurveyBench:
    """What to run, and where the results go.

    Attributes:
        root: the folder below which databases lie, in any arrangement
            (:mod:`invariant_lpips.datasets.finding`).
        metrics: names, as :func:`invariant_lpips.evaluation.metrics.resolve_metric` takes them.
        databases: which to look for.
        download: fetch those that are not there into `root`, where their readers can.
        allow_missing: score what is there of incomplete copies.
        verify: look at every file first.
        out: folder for report.html and report.json; None writes none.
        compare: report.json of an earlier run to compare with.
        cache: folder of cached scores; None neither reads nor writes any.
        unpacked: folder for what is unpacked of archives; None for one in the user's cache.
        workers: processes.
        batch_size: pictures at once; None for 1 on a CPU, 16 on a GPU.
        device: where deep metrics run.
        resamples: of the bootstrap; 0 leaves intervals and tests out.
        progress: progress bars on stderr.
        said: is given a sentence on what is done next; None for silence.
    """

    root: Path
    metrics: Sequence[str] = rated.DEFAULT_METRICS
    databases: Sequence[str] = NAMES
    download: bool = False
    allow_missing: bool = False
    verify: bool = True
    out: Path | None = None
    compare: Path | None = None
    cache: Path | None = None
    unpacked: Path | None = None
    workers: int = 1
    batch_size: int | None = None
    device: str = "cpu"
    resamples: int = 1000
    progress: bool = False
    said: Callable[[str], None] | None = None


def run(bench: SurveyBench) -> dict[str, Any]:
    """Find the databases, run each of them, and report; files are written where the settings say.

    What is wrong with one database, or with one metric on it, is reported and costs nothing else.

    Returns:
        Where it comes from, "databases" (name -> its benchmark's report with "where", "complete", "published",
        "learned"), "metrics" (name -> description, milliseconds a pair), "not_found", "problems", "left_out", "remarks"
        and, with `compare`, "compared".

    Raises:
        ValueError: a name is unknown, or the earlier report is none.
        ImportError: no metric's package is installed.
        FileNotFoundError: there is no such folder, or no database lies below it; the message says where to get them.
        OSError: a file cannot be written.
    """
    check(bench)
    earlier = None if bench.compare is None else read_report(bench.compare)
    if bench.out is not None:
        bench.out.mkdir(parents=True, exist_ok=True)
    scorers, left_out = resolved(bench)
    not_there: dict[str, str] = {}
    finding = found_or_fetched(bench, not_there)
    databases: dict[str, Any] = {}
    measured: dict[str, rated.Measured] = {}
    problems: dict[str, str] = {}
    for name in [known for known in NAMES if known in finding.databases]:
        found = finding.databases[name]
        tell(bench, f"{name} in {found.where}")
        try:
            root = open_database(found, bench.unpacked or cache_folder() / "databases")
            if name == BAPPS:
                report = bapps_report(bench, found, root, list(scorers))
            else:
                measured[name] = rated.measure(rated_bench(bench, name, root, list(scorers)))
                report = dict(measured[name].report)
            if not report["metrics"]:
                raise ValueError("; ".join(f"{metric}: {why}" for metric, why in report["left_out"].items()))
        except FAILURES as error:
            measured.pop(name, None)
            problems[name] = str(error) or type(error).__name__
            tell(bench, f"{name} could not be run; why is said at the end")
            continue
        databases[name] = completed(name, report, found)
    result: dict[str, Any] = {
        **provenance(),
        "benchmark": "all",
        "device": bench.device,
        "resamples": bench.resamples,
        "metrics": costs(scorers, bench.device),
        "databases": databases,
        "not_found": not_there,
        "problems": problems,
        "left_out": left_out,
        "remarks": finding.remarks,
    }
    if earlier is not None:
        changes = changes_since(earlier, result)
        result["compared"] = {"with": str(bench.compare), "date": earlier.get("date", ""), "changes": changes}
    if bench.out is not None:
        write_result(bench.out / "report.json", result)
        write_text(bench.out / "report.html", page(result, measured))
    return result


def check(bench: SurveyBench) -> None:
    """ValueError if a setting cannot be meant."""
    if not bench.metrics:
        raise ValueError("At least one metric must be named.")
    if unknown := [name for name in bench.databases if name not in NAMES]:
        raise ValueError(f"Databases must be among {', '.join(NAMES)}, but got {', '.join(unknown)}.")
    if not bench.databases:
        raise ValueError(f"At least one database must be named, of {', '.join(NAMES)}.")
    if bench.resamples < 0:
        raise ValueError(f"Argument `resamples` must be at least 0, but got {bench.resamples}.")


def tell(bench: SurveyBench, sentence: str) -> None:
    """Say what is done next, if anybody listens."""
    if bench.said is not None:
        bench.said(sentence)


def resolved(bench: SurveyBench) -> tuple[dict[str, Scorer], dict[str, str]]:
    """The metrics, and why some cannot be had; an ImportError if none can."""
    scorers: dict[str, Scorer] = {}
    left_out: dict[str, str] = {}
    for name in dict.fromkeys(bench.metrics):
        try:
            scorers[name] = resolve_metric(name, bench.device)
        except (ImportError, FileNotFoundError) as error:
            left_out[name] = one_line(error)
            tell(bench, f"{name} is left out; why is said at the end")
    if not scorers:
        raise ImportError("No metric can be had: " + "; ".join(left_out.values()))
    return scorers, left_out


def found_or_fetched(bench: SurveyBench, not_there: dict[str, str]) -> Finding:
    """The databases below the root, after fetching those that can be; where to get the others goes into `not_there`."""
    if bench.download:
        bench.root.mkdir(parents=True, exist_ok=True)
    tell(bench, f"looks for databases below {bench.root}")
    finding = find_databases(bench.root, bench.databases)
    for name in bench.databases:
        download = None if name == BAPPS else find_database(name).download
        if bench.download and name not in finding.databases and download is not None:
            tell(bench, f"{name} is fetched into {bench.root / name}")
            try:
                download(bench.root / name)
            except FAILURES as error:
                finding.remarks.append(str(error))
            else:
                finding.databases |= find_databases(bench.root, [name]).databases
    not_there |= {name: how_to_obtain(name) for name in bench.databases if name not in finding.databases}
    if not finding.databases:
        lines = [f"No database lies below {bench.root}.", *finding.remarks, *not_there.values()]
        raise FileNotFoundError("\n".join(lines))
    return finding


def rated_bench(bench: SurveyBench, name: str, root: Path, metrics: Sequence[str]) -> rated.RatedBench:
    """The settings of one rated database."""
    return rated.RatedBench(
        dataset=name,
        root=root,
        metrics=metrics,
        allow_missing=bench.allow_missing,
        verify=bench.verify,
        cache=bench.cache,
        workers=bench.workers,
        batch_size=bench.batch_size,
        device=bench.device,
        resamples=bench.resamples,
        go_on=True,
        progress=bench.progress,
    )


def bapps_report(bench: SurveyBench, found: Found, root: Path, metrics: Sequence[str]) -> dict[str, Any]:
    """The report of BAPPS, of the parts that are there."""
    return bapps.run(
        bapps.BappsBench(
            root=root,
            metrics=metrics,
            parts=[part for part in bapps.PARTS if part in found.pieces],
            batch_size=bench.batch_size or bapps.BappsBench.batch_size,
            device=bench.device,
            cache=bench.cache,
            go_on=True,
            progress=bench.progress,
        )
    )


def completed(name: str, report: dict[str, Any], found: Found) -> dict[str, Any]:
    """A database's report with where it lies, whether all of it is there, and what others published."""
    report = {
        key: value for key, value in report.items() if key not in ("command", "date", "versions", "machine")
    }
    count = BAPPS_JUDGEMENTS if name == BAPPS else find_database(name).rated
    beside = {}
    for metric, entry in report["metrics"].items():
        known = published_value(name, metric)
        ours = agreement(entry)
        if known is not None and ours is not None:
            difference = ours - known.value
            beside[metric] = {
                **known._asdict(),
                "ours": ours,
                "difference": difference,
                "flagged": abs(difference) > TOLERANCE,
            }
    return {
        "where": found.where,
        "missing": list(found.missing),
        "rated": count,
        "complete": judgements(report) == count,
        "published": beside,
        "learned": [metric for metric in report["metrics"] if learned_from(metric, name)],
        **report,
    }


def costs(scorers: dict[str, Scorer], device: str, side: int = 256, rounds: int = 3) -> dict[str, Any]:
    """Name -> description and milliseconds of a pair, both pictures read: CPU time, or wall time on another device."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, side // 8, side // 8, generator=generator)
    x = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")
    y = (x + 0.1 * torch.randn(x.shape, generator=generator)).clamp(0, 1)
    x, y = x.to(device), y.to(device)
    calls = {name: lambda scorer=scorer: scorer(x, y) for name, scorer in scorers.items()}
    alternate(calls, 1, device=device)  # what is made at a first call is not counted
    times = alternate(calls, rounds, device=device)
    clock = "cpu" if torch.device(device).type == "cpu" else "wall"
    return {
        name: {
            "description": scorers[name].describe(),
            "milliseconds": max(1e-3, 1e3 * median(times[name][clock])),
        }
        for name in scorers
    }


def text(report: dict[str, Any]) -> str:
    """The report for a terminal: a figure for each metric and database, and what was missing."""
    databases = report["databases"]
    rows = [["metric", *databases, "ms a pair"]]
    for metric, cost in report["metrics"].items():
        cells = []
        for database in databases.values():
            entry = database["metrics"].get(metric, {})
            value = agreement(entry)
            mark = "+" if metric in database["learned"] else ""
            flagged = database["complete"] and database["published"].get(metric, {}).get("flagged")
            flag = "!" if flagged else ""
            cells.append("-" if value is None else f"{value:.3f}{mark}{flag}")
        rows.append([metric, *cells, f"{cost['milliseconds']:.3g}"])
    lines = []
    if databases:
        lines = [
            aligned(rows),
            "SRCC, of bapps the mean 2AFC score; + learned from scores of this database; "
            f"! more than {TOLERANCE:.2f} from the published figure",
        ]
    lines += [
        f"in part: {name}: {judgements(entry):,} of {entry['rated']:,} judgements"
        for name, entry in databases.items()
        if not entry["complete"]
    ]
    if "compared" in report:
        changes = report["compared"]["changes"]
        changed = sum(row["changed"] for row in changes)
        lines.append(f"{changed} of {len(changes)} figures changed since {report['compared']['with']}")
    for title in ("problems", "left_out", "not_found"):
        lines += [f"{title.replace('_', ' ')}: {name}: {why}" for name, why in report[title].items()]
    for name, database in databases.items():
        lines += [
            f"left out on {name}: {metric}: {why}" for metric, why in database.get("left_out", {}).items()
        ]
    return "\n".join([*lines, *report["remarks"]]) + "\n"
