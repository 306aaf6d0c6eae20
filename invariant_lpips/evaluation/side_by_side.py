"""Several metrics on the same pairs of picture files, each picture read once."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from invariant_lpips.evaluation.scorers import Scorer
from invariant_lpips.files.writing import one_line
from invariant_lpips.pictures.masks import require_size
from invariant_lpips.pictures.pairing import Pair
from invariant_lpips.pictures.reading_ahead import read_ahead


@dataclass(frozen=True)
class Scores:
    """A pair with what each metric says of it.

    Attributes:
        values: of the metrics, in their order; None of one that can't measure this pair.
        problem: why the pair can't be measured at all.
        refusals: name of a metric that can't measure this pair -> why.
    """

    pair: Pair
    values: tuple[float | None, ...]
    problem: str | None = None
    refusals: Mapping[str, str] = field(default_factory=dict)

    @property
    def error(self) -> str | None:
        """All that went wrong, in one text."""
        of_metrics = [f"{name}: {why}" for name, why in self.refusals.items()]
        return "; ".join([*([self.problem] if self.problem else []), *of_metrics]) or None


@dataclass(frozen=True)
class Refusal:
    """Why a metric did not measure some pairs, said of the first of them: sizes may differ in the others."""

    metric: str
    why: str
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class MetricSummary:
    """A metric's values of many pairs; `worst` is the pair it calls furthest apart."""

    count: int
    mean: float
    median: float
    worst: Scores
    worst_value: float


def score_files(
    scorers: Sequence[Scorer],
    pairs: Sequence[Pair],
    reading: Callable[[Path], Tensor],
    *,
    distorted_reading: Callable[[Path], Tensor] | None = None,
    masks: Callable[[Path], Tensor] | None = None,
) -> Iterator[Scores]:
    """What each metric says of each pair, in order; pictures are decoded ahead.

    A picture that can't be read is the problem of its pair, a metric that can't measure it (a size that it refuses) its
    own: the others go on. A reference that several pairs in a row share goes through each deep metric once.

    Args:
        scorers: from :func:`invariant_lpips.evaluation.metrics.resolve_metric`.
        pairs: of picture files.
        reading: a file to (1, 3, H, W) in [-1, 1]; called in threads.
        distorted_reading: the same for distorted pictures, where they are not read as references are.
        masks: the path of a reference to the mask of its pair, (1, 1, H, W) in [0, 1]; for scorers with `takes_masks`.

    Raises:
        ValueError: `masks`, and a metric that takes none.
    """
    if masks is not None and not all(scorer.takes_masks for scorer in scorers):
        without = ", ".join(scorer.name for scorer in scorers if not scorer.takes_masks)
        raise ValueError(
            f"Masks are for metrics that take them, and {without} does not; leave one of them out."
        )
    held: dict[str, tuple[Path, Any]] = {}  # each deep metric's reading of the last reference
    read = read_ahead(reading, pairs, ahead=3, threads=2, distorted_reading=distorted_reading)
    for pair, reference, distorted in read:
        try:
            x, y = reference(), distorted()
            if x.shape != y.shape:
                raise ValueError(
                    f"{pair.reference} and {pair.distorted} differ in size ({x.shape[-1]} x {x.shape[-2]} and "
                    f"{y.shape[-1]} x {y.shape[-2]}); use --resize"
                )
            mask = None if masks is None else masks(pair.reference)
            if mask is not None:
                require_size(mask, x)
        except (OSError, ValueError) as error:
            yield Scores(pair, (None,) * len(scorers), str(error))
            continue
        x, y = (x + 1) / 2, (y + 1) / 2
        values: list[float | None] = []
        refusals = {}
        for scorer in scorers:
            try:
                if mask is not None:
                    values.append(float(scorer.masked(x, y, mask)))
                    continue
                if not scorer.embeds:
                    values.append(float(scorer(x, y)))
                    continue
                if held.get(scorer.name, (None,))[0] != pair.reference:
                    held[scorer.name] = pair.reference, scorer.embed(x)
                values.append(float(scorer.distance_embedded(held[scorer.name][1], scorer.embed(y), 1)))
            except (OSError, ValueError, RuntimeError, MemoryError, AssertionError) as error:
                values.append(None)
                refusals[scorer.name] = one_line(error)
        yield Scores(pair, tuple(values), refusals=refusals)


def summaries(scorers: Sequence[Scorer], rows: Sequence[Scores]) -> dict[str, MetricSummary]:
    """Each metric's summary, by its name; none of a metric that measured nothing."""
    found = {}
    for k, scorer in enumerate(scorers):
        measured = [(value, row) for row in rows if (value := row.values[k]) is not None]
        if measured:
            furthest = (min if scorer.higher_is_better else max)(measured, key=lambda item: item[0])
            values = [value for value, _ in measured]
            found[scorer.name] = MetricSummary(
                len(values), statistics.fmean(values), statistics.median(values), furthest[1], furthest[0]
            )
    return found


def refusals(rows: Sequence[Scores]) -> list[Refusal]:
    """What metrics refused, once for each metric and reason; reasons that differ in numbers are one."""
    found: dict[tuple[str, str], tuple[str, list[Pair]]] = {}
    for row in rows:
        for name, why in row.refusals.items():
            found.setdefault((name, re.sub(r"\d+", "0", why)), (why, []))[1].append(row.pair)
    return [Refusal(name, why, tuple(pairs)) for (name, _), (why, pairs) in found.items()]
