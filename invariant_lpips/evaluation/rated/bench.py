"""The benchmark of a rated database: load, select, score, report."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from invariant_lpips.datasets import RatedPairs, find_database, load_dataset, select_pairs
from invariant_lpips.evaluation.metric_names import RATED
from invariant_lpips.evaluation.rated import figures
from invariant_lpips.evaluation.rated.raid import curves_of, raid_part
from invariant_lpips.evaluation.rated.report import build_report, write_report
from invariant_lpips.evaluation.runner import Scores, score_pairs
from invariant_lpips.evaluation.scorers import METRIC_ERRORS
from invariant_lpips.files.provenance import provenance, write_result
from invariant_lpips.files.writing import one_line

__all__ = ["DEFAULT_METRICS", "Measured", "RatedBench", "measure", "run"]

DEFAULT_METRICS = RATED


@dataclass(frozen=True)
class RatedBench:
    """What to score, with what, and where the results go.

    Attributes:
        dataset: a key of :data:`invariant_lpips.datasets.DATASETS`.
        root: where the database lies.
        metrics: names, as :func:`invariant_lpips.evaluation.metrics.resolve_metric` takes them.
        types, levels, references: which pairs, as :func:`~invariant_lpips.datasets.select_pairs` takes
            them; None for all.
        allow_missing: score what is there of an incomplete copy.
        verify: look at every file first.
        download: fetch the database into `root` first, where its reader can.
        label: what to call the database in the report; None for its own name.
        out: folder for report.json, report.txt, csv tables and figures; None writes none.
        json: file for the report alone; None writes none.
        figures: draw figures into `out`.
        cache: folder of cached scores; None neither reads nor writes any.
        workers: processes.
        batch_size: pictures at once; None for 1 on a CPU, 16 on a GPU.
        device: where deep metrics run.
        resamples: of the bootstrap; 0 leaves intervals and tests out.
        go_on: leave out a metric that fails, and say so in the report.
        scales: RAID only: also fit difference scales to the raw trials, "free" or "monotone"; None leaves them out.
        progress: progress bars on stderr.
    """

    dataset: str
    root: Path
    metrics: Sequence[str] = DEFAULT_METRICS
    types: str | None = None
    levels: str | None = None
    references: str | None = None
    allow_missing: bool = False
    verify: bool = True
    download: bool = False
    label: str | None = None
    out: Path | None = None
    json: Path | None = None
    figures: bool = True
    cache: Path | None = None
    workers: int = 1
    batch_size: int | None = None
    device: str = "cpu"
    resamples: int = 1000
    go_on: bool = False
    scales: str | None = None
    progress: bool = False


class Measured(NamedTuple):
    """A report, and what it was made from."""

    report: dict[str, Any]
    pairs: RatedPairs
    results: list[Scores]


def run(bench: RatedBench) -> dict[str, Any]:
    """Load, score and report; files are written where the settings say.

    Returns:
        The report of :func:`~invariant_lpips.evaluation.rated.report.build_report` with where it comes from, and
        "raid" with what :mod:`~invariant_lpips.evaluation.rated.raid` says of RAID.

    Raises:
        ValueError: a name or a selection is unknown, a picture's size or a score is wrong, or the database is not
            as published (:class:`~invariant_lpips.datasets.DatasetError`, with a list of all that is wrong).
        ImportError: a metric's package is not installed.
        OSError: a file cannot be read or written.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     lines = ["reference,distorted,score"]
        ...     for level in range(4):
        ...         Image.new("RGB", (32, 32), (100 + 9 * level,) * 3).save(Path(folder) / f"{level}.png")
        ...         lines.append(f"0.png,{level}.png,{9 - level}")
        ...     _ = (Path(folder) / "pairs.csv").write_text("\\n".join(lines))
        ...     report = run(RatedBench("csv", Path(folder) / "pairs.csv", metrics=["psnr"]))
        >>> report["pairs"], round(report["metrics"]["psnr"]["srcc"], 6)
        (4, 1.0)
    """
    report, pairs, results = measure(bench)
    if bench.json:
        write_result(bench.json, report)
    if bench.out:
        write_report(report, bench.out)
        if bench.figures:
            draw(report, pairs, results, bench.out)
    return report


def measure(bench: RatedBench) -> Measured:
    """The same without writing anything; with `go_on`, "left_out" in the report says of each failed metric why."""
    if not bench.metrics:
        raise ValueError("At least one metric must be named.")
    if bench.resamples < 0:
        raise ValueError(
            f"Argument `resamples` must be at least 0, which leaves intervals out, but got {bench.resamples}."
        )
    database = find_database(bench.dataset)
    if bench.download and database.download is not None:
        database.download(bench.root)
    pairs = load_dataset(bench.dataset, bench.root, verify=bench.verify, allow_missing=bench.allow_missing)
    pairs = select_pairs(pairs, types=bench.types, levels=bench.levels, references=bench.references)
    results: list[Scores] = []
    left_out: dict[str, str] = {}
    for name in bench.metrics:
        try:
            result = score_pairs(
                pairs,
                name,
                device=bench.device,
                cache=bench.cache,
                batch_size=bench.batch_size,
                workers=bench.workers,
                progress=bench.progress,
            )
            results.append(result)
        except METRIC_ERRORS as error:
            if not bench.go_on:
                raise
            left_out[name] = one_line(error)
    if bench.label:
        pairs = dataclasses.replace(pairs, name=bench.label)
    names = database.distortions
    report = {**provenance(), **build_report(pairs, results, names=names, resamples=bench.resamples)}
    if bench.dataset == "raid":
        report["raid"] = raid_part(pairs, results, bench.device, root=bench.root, scales=bench.scales)
    if bench.go_on:
        report["left_out"] = left_out
    return Measured(report, pairs, results)


def draw(report: dict[str, Any], pairs: RatedPairs, results: Sequence[Scores], folder: Path) -> None:
    """All figures of a report."""
    for result in results:
        slug = result.metric.replace("/", "_").replace(":", "_")
        entry = report["metrics"][result.metric]
        figures.draw_scatter(folder / f"scatter_{slug}.png", pairs, result.values, entry, result.metric)
    if len(report["distortions"]) > 1:
        figures.draw_bars(folder / "by_distortion.png", report)
    if "raid" in report:
        metrics = {name: curves_of(entry) for name, entry in report["raid"]["metrics"].items()}
        figures.draw_curves(folder / "curves.png", curves_of(report["raid"]["human"]), metrics)
