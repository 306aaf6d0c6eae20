"""Scores of a metric on rated pairs: references read once, results cached on disk, one process or many.

The order of the scores is that of the pairs, however many processes work on them. Work is cut into tasks of
one reference and a few of its distorted pictures; what a task has computed is on disk when the next one
starts.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from invariant_lpips.datasets.pairs import RatedPair, RatedPairs
from invariant_lpips.evaluation.metrics import resolve_metric
from invariant_lpips.evaluation.score_cache import ScoreCache, pair_key
from invariant_lpips.evaluation.scorers import EmbeddingScorer, Scorer
from invariant_lpips.pictures.images import read_image
from invariant_lpips.trunks.winograd import Filters, kept_filters

__all__ = ["Scores", "score_pairs"]

TASK_PAIRS = 25  # pairs of one task: at most this much work is lost when a run is stopped


@dataclass(frozen=True)
class Scores:
    """What one metric says about the pairs of a database.

    Attributes:
        metric: the name it was asked for by.
        description: implementation, version, weights.
        higher_is_better: True for similarities.
        values: one number a pair, float64 of shape (N,), in the order of the pairs.
        computed: how many of them were computed now; the others came from the cache.
        seconds: how long that took.
    """

    metric: str
    description: str
    higher_is_better: bool
    values: NDArray[np.float64]
    computed: int
    seconds: float

    def oriented(self, higher_is_better: bool) -> NDArray[np.float64]:
        """The values, turned so that they rise with scores of that direction if the metric is any good."""
        return self.values if self.higher_is_better == higher_is_better else -self.values


Task = tuple[list[int], list[RatedPair]]
Result = tuple[list[int], list[float]]


def score_pairs(
    pairs: RatedPairs,
    metric: str | Scorer,
    *,
    device: str = "cpu",
    cache: Path | None = None,
    batch_size: int | None = None,
    workers: int = 1,
    progress: bool = True,
) -> Scores:
    """The metric of every pair.

    Args:
        pairs: the rated pairs.
        metric: a name for :func:`invariant_lpips.evaluation.metrics.resolve_metric`, or a scorer of your own
            (one process only).
        device: where deep metrics run.
        cache: folder of cached scores; None neither reads nor writes any.
        batch_size: distorted pictures that are scored at once; None takes 1 on a processor, where larger
            batches only push activations out of its caches, and 16 on anything else.
        workers: processes; the threads that torch would use are divided between them.
        progress: a progress bar on stderr.

    Returns:
        :class:`Scores`, in the order of the pairs.

    Raises:
        ValueError: a picture's size differs from its reference's, or a score is not finite; the pair is
            named.
    """
    if batch_size is None:
        batch_size = 1 if torch.device(device).type == "cpu" else 16
    if workers < 1 or batch_size < 1:
        raise ValueError(
            f"Arguments `workers` and `batch_size` must be positive, got {workers}, {batch_size}."
        )
    if workers > 1 and not isinstance(metric, str):
        raise ValueError(
            "A scorer object cannot be sent to other processes: give its name, or use workers=1."
        )
    scorer = resolve_metric(metric, device) if isinstance(metric, str) else metric
    values = np.full(len(pairs), np.nan)
    store = None if cache is None else ScoreCache(cache, pairs.name, scorer.name, scorer.describe())
    keys: list[str] = []
    if store is not None:
        keys = [pair_key(pair) for pair in pairs]
        for index, key in enumerate(keys):
            known = store.get(key)
            values[index] = np.nan if known is None else known
    todo = [index for index in range(len(pairs)) if np.isnan(values[index])]
    tasks = make_tasks(pairs, todo)
    start = time.perf_counter()
    for indices, scores in run_tasks(tasks, scorer, device, batch_size, workers, len(todo), progress):
        values[indices] = scores
        if store is not None:
            store.add((keys[index], score) for index, score in zip(indices, scores, strict=True))
    seconds = time.perf_counter() - start
    return Scores(scorer.name, scorer.describe(), scorer.higher_is_better, values, len(todo), seconds)


def make_tasks(pairs: RatedPairs, todo: Sequence[int]) -> list[Task]:
    """The pairs still to be scored, cut into tasks that share one reference."""
    groups: dict[Path, list[int]] = {}
    for index in todo:
        groups.setdefault(pairs[index].reference, []).append(index)
    tasks = []
    for indices in groups.values():
        for first in range(0, len(indices), TASK_PAIRS):
            part = indices[first : first + TASK_PAIRS]
            tasks.append((part, [pairs[index] for index in part]))
    return tasks


def run_tasks(
    tasks: list[Task],
    scorer: Scorer,
    device: str,
    batch_size: int,
    workers: int,
    count: int,
    progress: bool,
) -> Iterator[Result]:
    """The results of all tasks as they are done, in this process or in several."""
    with tqdm(total=count, desc=scorer.name, unit="pair", disable=not progress or not count) as bar:
        if workers == 1 or len(tasks) < 2:
            memory = ReferenceMemory(scorer, device)
            done: Iterable[Result] = (score_task(task, scorer, device, batch_size, memory) for task in tasks)
            for result in done:
                bar.update(len(result[0]))
                yield result
            return
        threads = max(1, torch.get_num_threads() // workers)
        context = multiprocessing.get_context("spawn")  # a fork of a process that has used torch may hang
        start = (scorer.name, device, batch_size, threads)
        with context.Pool(min(workers, len(tasks)), start_worker, start) as pool:
            for result in pool.imap_unordered(worker_task, tasks):
                bar.update(len(result[0]))
                yield result


WORKER: list[Callable[[Task], Result]] = []


def start_worker(name: str, device: str, batch_size: int, threads: int) -> None:
    """Make the metric once per process."""
    torch.set_num_threads(threads)
    scorer = resolve_metric(name, device)
    memory = ReferenceMemory(scorer, device)
    WORKER.append(lambda task: score_task(task, scorer, device, batch_size, memory))


def worker_task(task: Task) -> Result:
    """Score one task in a worker process."""
    return WORKER[0](task)


class ReferenceMemory:
    """The last reference that was read, as a picture and as what the metric makes of it, and a network's filters.

    One reference is enough: tasks come ordered by reference, and activations of many would not fit.
    """

    def __init__(self, scorer: Scorer, device: str) -> None:
        self.scorer, self.device = scorer, device
        self.path: Path | None = None
        self.picture = torch.empty(0)
        self.embedding: Any = None
        self.filters: Filters = {}

    def load(self, path: Path) -> None:
        """Make `path` the reference that is held."""
        if path != self.path:
            self.picture = read_unit(path).to(self.device)
            self.embedding = None  # frees the old one before the new one is made
            if isinstance(self.scorer, EmbeddingScorer):
                self.embedding = self.scorer.embed(self.picture)
            self.path = path


def score_task(task: Task, scorer: Scorer, device: str, batch_size: int, memory: ReferenceMemory) -> Result:
    """The scores of one task's pairs."""
    indices, pairs = task
    with kept_filters(memory.filters):
        return indices, scores_of(pairs, scorer, device, batch_size, memory)


def scores_of(
    pairs: list[RatedPair], scorer: Scorer, device: str, batch_size: int, memory: ReferenceMemory
) -> list[float]:
    """The scores of pairs that share one reference."""
    memory.load(pairs[0].reference)
    scores: list[float] = []
    for first in range(0, len(pairs), batch_size):
        batch = pairs[first : first + batch_size]
        pictures = [read_unit(pair.distorted) for pair in batch]
        for pair, picture in zip(batch, pictures, strict=True):
            if picture.shape != memory.picture.shape:
                raise ValueError(
                    f"Pair {pair.key} must hold pictures of one size, but has {size(memory.picture)} and "
                    f"{size(picture)}: {pair.distorted}."
                )
        distorted = torch.cat(pictures).to(device)
        if isinstance(scorer, EmbeddingScorer):
            values = scorer.distance_embedded(memory.embedding, scorer.embed(distorted), len(batch))
        else:
            values = scorer(memory.picture, distorted)
        if not torch.isfinite(values).all():
            bad = batch[int((~torch.isfinite(values)).nonzero()[0])]
            raise ValueError(f"Metric {scorer.name} gave a value that is not finite for pair {bad.key}.")
        scores.extend(values.double().tolist())
    return scores


def read_unit(path: Path) -> Tensor:
    """A picture as (1, 3, H, W) float32 in [0, 1]."""
    return (read_image(path) + 1) / 2


def size(picture: Tensor) -> str:
    """Width and height of a picture, as an error says them."""
    return f"{picture.shape[-1]}x{picture.shape[-2]}"
