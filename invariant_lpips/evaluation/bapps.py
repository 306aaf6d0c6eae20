"""BAPPS, the benchmark of the LPIPS paper: 2AFC agreement and JND average precision of metrics, by subset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from invariant_lpips.datasets import bapps
from invariant_lpips.evaluation import metric_names
from invariant_lpips.evaluation.metrics import resolve_metric
from invariant_lpips.evaluation.runner import read_unit
from invariant_lpips.evaluation.score_cache import ScoreCache, files_key
from invariant_lpips.evaluation.scorers import METRIC_ERRORS, Scorer
from invariant_lpips.evaluation.tables import aligned
from invariant_lpips.files.provenance import provenance, write_result
from invariant_lpips.files.writing import one_line
from invariant_lpips.statistics.correlations import jnd_map, two_afc_score

__all__ = ["DEFAULT_METRICS", "PARTS", "BappsBench", "run", "score_2afc", "score_jnd", "text"]

DEFAULT_METRICS = metric_names.BAPPS
PARTS = ("2afc", "jnd")

Array = NDArray[np.float64]


@dataclass(frozen=True)
class BappsBench:
    """What to score, with what, and where the results go.

    Attributes:
        root: where the data lie.
        metrics: names, as :func:`invariant_lpips.evaluation.metrics.resolve_metric` takes them.
        parts: "2afc", "jnd" or both.
        split: of 2AFC, "val" or "train".
        subsets: only these; None for all.
        size: side that patches are resized to, as lpips does.
        batch_size: patches at once.
        device: where deep metrics run.
        cache: folder of cached scores; None neither reads nor writes any.
        go_on: leave out a metric that fails, and say so in the report.
        out: file for everything, as JSON; None writes none.
        progress: progress bars on stderr.
    """

    root: Path
    metrics: Sequence[str] = DEFAULT_METRICS
    parts: Sequence[str] = PARTS
    split: str = "val"
    subsets: Sequence[str] | None = None
    size: int = 64
    batch_size: int = 50
    device: str = "cpu"
    cache: Path | None = None
    go_on: bool = False
    out: Path | None = None
    progress: bool = False


def run(bench: BappsBench) -> dict[str, Any]:
    """Score every metric on the parts asked for; the file is written where the settings say.

    Returns:
        Where it comes from, "size", "choices" and "pairs" (how many), "metrics": name -> description, and for each
        part agreement by subset, and "left_out": metric -> what went wrong, for those that failed.

    Raises:
        ValueError: a name is unknown, or the data are not as published.
        ImportError: a metric's package is not installed.
        OSError: a file cannot be read or written.
    """
    if not bench.parts or set(bench.parts) - set(PARTS):
        raise ValueError(
            f"Parts of BAPPS must be among {', '.join(PARTS)}, but got {','.join(bench.parts)!r}."
        )
    choices: Sequence[bapps.TwoAFC] = ()
    pairs: Sequence[bapps.SamePair] = ()
    if "2afc" in bench.parts:
        choices = bapps.load_2afc(bench.root, split=bench.split, subsets=bench.subsets)
    if "jnd" in bench.parts:
        pairs = bapps.load_jnd(bench.root, subsets=bench.subsets)
    options: dict[str, Any] = {
        "size": bench.size,
        "batch_size": bench.batch_size,
        "device": bench.device,
        "cache": bench.cache,
        "progress": bench.progress,
    }
    metrics: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    for name in bench.metrics:
        try:
            scorer = resolve_metric(name, bench.device)
            entry: dict[str, Any] = {"description": scorer.describe()}
            if choices:
                entry["2afc"] = score_2afc(scorer, choices, **options)
            if pairs:
                entry["jnd"] = score_jnd(scorer, pairs, **options)
            metrics[scorer.name] = entry
        except METRIC_ERRORS as error:
            if not bench.go_on:
                raise
            left_out[name] = one_line(error)
    report = {
        **provenance(),
        "dataset": "bapps",
        "size": bench.size,
        "choices": len(choices),
        "pairs": len(pairs),
        "metrics": metrics,
        "left_out": left_out,
    }
    return report if bench.out is None else write_result(bench.out, report)


def text(report: dict[str, Any]) -> str:
    """The report for a terminal: a table for each part, a column for each subset."""
    parts = []
    for part, title in (("2afc", "2AFC agreement"), ("jnd", "JND mAP")):
        tables = {name: entry[part] for name, entry in report["metrics"].items() if part in entry}
        if tables:
            columns = list(next(iter(tables.values())))
            rows = [[name, *(f"{table[column]:.4f}" for column in columns)] for name, table in tables.items()]
            parts.append(aligned([[title, *columns], *rows]) + "\n")
    return "\n".join(parts)


def score_2afc(
    scorer: Scorer,
    choices: Sequence[bapps.TwoAFC],
    *,
    size: int = 64,
    batch_size: int = 50,
    device: str = "cpu",
    cache: Path | None = None,
    progress: bool = False,
) -> dict[str, float]:
    """Agreement with people for each subset, and "mean" over subsets, all in [0, 1]."""
    measure = Patches(scorer, size, batch_size, device, cache, progress)
    table = {}
    for subset in dict.fromkeys(choice.subset for choice in choices):
        part = [choice for choice in choices if choice.subset == subset]
        first = measure([(choice.reference, choice.first) for choice in part], f"2AFC {subset}, p0")
        second = measure([(choice.reference, choice.second) for choice in part], f"2AFC {subset}, p1")
        table[subset] = two_afc_score(first, second, [choice.judge for choice in part])
    return with_mean(table)


def score_jnd(
    scorer: Scorer,
    pairs: Sequence[bapps.SamePair],
    *,
    size: int = 64,
    batch_size: int = 50,
    device: str = "cpu",
    cache: Path | None = None,
    progress: bool = False,
) -> dict[str, float]:
    """Average precision for each subset, and "mean" over subsets, all in [0, 1]."""
    measure = Patches(scorer, size, batch_size, device, cache, progress)
    table = {}
    for subset in dict.fromkeys(pair.subset for pair in pairs):
        part = [pair for pair in pairs if pair.subset == subset]
        values = measure([(pair.first, pair.second) for pair in part], f"JND {subset}")
        table[subset] = jnd_map(values, [pair.same for pair in part])
    return with_mean(table)


class Patches:
    """A metric on pairs of patch files, turned so that it rises with difference; scores may be kept on disk.

    Args:
        scorer: the metric.
        size: side that patches are resized to.
        batch_size: pairs at once.
        device: where the metric runs.
        cache: folder of cached scores; None neither reads nor writes any.
        progress: progress bars on stderr.
    """

    def __init__(
        self, scorer: Scorer, size: int, batch_size: int, device: str, cache: Path | None, progress: bool
    ) -> None:
        self.scorer, self.size, self.batch_size = scorer, size, batch_size
        self.device, self.progress = device, progress
        self.store = None
        if cache is not None:
            self.store = ScoreCache(cache, f"{bapps.NAME}-{size}px", scorer.name, scorer.describe())

    def __call__(self, files: Sequence[tuple[Path, Path]], title: str) -> Array:
        """The metric of each pair, (N,); what is computed is on disk when the next batch starts."""
        keys = [files_key(*pair) for pair in files] if self.store is not None else []
        values = np.array([np.nan if (known := self.known(key)) is None else known for key in keys])
        values = values if self.store is not None else np.full(len(files), np.nan)
        todo = np.flatnonzero(np.isnan(values)).tolist()
        quiet = not (self.progress and todo)
        with tqdm(total=len(todo), desc=f"{self.scorer.name} {title}", disable=quiet) as bar:
            for start in range(0, len(todo), self.batch_size):
                batch = todo[start : start + self.batch_size]
                first, second = (
                    stack([files[index][side] for index in batch], self.size, self.device) for side in (0, 1)
                )
                values[batch] = self.scorer(first, second).double().cpu().numpy()
                if not np.isfinite(values[batch]).all():
                    raise ValueError(f"Metric {self.scorer.name} gave a value that is not finite ({title}).")
                if self.store is not None:
                    self.store.add((keys[index], float(values[index])) for index in batch)
                bar.update(len(batch))
        return -values if self.scorer.higher_is_better else values

    def known(self, key: str) -> float | None:
        """The cached score of a pair, or None."""
        return None if self.store is None else self.store.get(key)


def stack(paths: Sequence[Path], size: int, device: str) -> Tensor:
    """Patches as one batch (N, 3, size, size) in [0, 1]; antialiased bilinear if of another size."""
    patches = []
    for path in paths:
        patch = read_unit(path)
        if patch.shape[-2:] != (size, size):
            patch = torch.nn.functional.interpolate(
                patch, size=(size, size), mode="bilinear", align_corners=False, antialias=True
            )
        patches.append(patch)
    return torch.cat(patches).to(device)


def with_mean(table: dict[str, float]) -> dict[str, float]:
    """The table with the mean over its entries at the end."""
    return {**table, "mean": sum(table.values()) / len(table)}
