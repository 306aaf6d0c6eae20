"""BAPPS, the benchmark of the LPIPS paper: 2AFC agreement and JND average precision of metrics, by subset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from invariant_lpips.datasets import bapps
from invariant_lpips.evaluation.metrics import resolve_metric
from invariant_lpips.evaluation.runner import read_unit
from invariant_lpips.evaluation.scorers import Scorer
from invariant_lpips.evaluation.tables import aligned
from invariant_lpips.files.provenance import provenance, write_result
from invariant_lpips.statistics.correlations import jnd_map, two_afc_score

__all__ = ["DEFAULT_METRICS", "PARTS", "BappsBench", "run", "score_2afc", "score_jnd", "text"]

DEFAULT_METRICS = ("default", "gap", "lpips-vgg", "lpips-alex", "psnr")
PARTS = ("2afc", "jnd")

T = TypeVar("T")
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
    out: Path | None = None
    progress: bool = False


def run(bench: BappsBench) -> dict[str, Any]:
    """Score every metric on the parts asked for; the file is written where the settings say.

    Returns:
        Where it comes from, "size" and "metrics": name -> description, and for each part agreement by subset.

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
        "progress": bench.progress,
    }
    metrics: dict[str, Any] = {}
    for name in bench.metrics:
        scorer = resolve_metric(name, bench.device)
        entry: dict[str, Any] = {"description": scorer.describe()}
        if choices:
            entry["2afc"] = score_2afc(scorer, choices, **options)
        if pairs:
            entry["jnd"] = score_jnd(scorer, pairs, **options)
        metrics[scorer.name] = entry
    report = {**provenance(), "dataset": "bapps", "size": bench.size, "metrics": metrics}
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
    progress: bool = False,
) -> dict[str, float]:
    """Agreement with people for each subset, and "mean" over subsets, all in [0, 1]."""

    def both(batch: Sequence[bapps.TwoAFC]) -> Tensor:
        reference, first, second = (
            stack([getattr(choice, side) for choice in batch], size, device)
            for side in ("reference", "first", "second")
        )
        return torch.stack([distances(scorer, reference, first), distances(scorer, reference, second)], dim=1)

    table = {}
    for subset in dict.fromkeys(choice.subset for choice in choices):
        part = [choice for choice in choices if choice.subset == subset]
        values = batched(part, both, batch_size, f"{scorer.name} 2AFC {subset}", progress)
        table[subset] = two_afc_score(values[:, 0], values[:, 1], [choice.judge for choice in part])
    return with_mean(table)


def score_jnd(
    scorer: Scorer,
    pairs: Sequence[bapps.SamePair],
    *,
    size: int = 64,
    batch_size: int = 50,
    device: str = "cpu",
    progress: bool = False,
) -> dict[str, float]:
    """Average precision for each subset, and "mean" over subsets, all in [0, 1]."""

    def one(batch: Sequence[bapps.SamePair]) -> Tensor:
        first = stack([pair.first for pair in batch], size, device)
        second = stack([pair.second for pair in batch], size, device)
        return distances(scorer, first, second)

    table = {}
    for subset in dict.fromkeys(pair.subset for pair in pairs):
        part = [pair for pair in pairs if pair.subset == subset]
        values = batched(part, one, batch_size, f"{scorer.name} JND {subset}", progress)
        table[subset] = jnd_map(values, [pair.same for pair in part])
    return with_mean(table)


def distances(scorer: Scorer, reference: Tensor, distorted: Tensor) -> Tensor:
    """The metric, turned so that it rises with difference."""
    values = scorer(reference, distorted).double()
    return -values if scorer.higher_is_better else values


def batched(
    items: Sequence[T], function: Callable[[Sequence[T]], Tensor], batch_size: int, title: str, progress: bool
) -> Array:
    """`function` of all items, a batch at a time, as one array."""
    parts = []
    with tqdm(total=len(items), desc=title, disable=not progress) as bar:
        for first in range(0, len(items), batch_size):
            batch = items[first : first + batch_size]
            parts.append(function(batch).cpu())
            bar.update(len(batch))
    values: Array = torch.cat(parts).numpy()
    return values


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
