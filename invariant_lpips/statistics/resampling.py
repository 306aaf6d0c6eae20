"""How far a correlation can be trusted: bootstrap over references, paired tests between two metrics.

References are resampled, not pairs: the pairs made from one photograph are not independent, and what a
benchmark should say is how the metric would do on *other photographs*. Resampling single pairs gives
intervals that are far too narrow (24 references, not 3000 pictures, is the sample size of TID2013).

Reference: B. Efron and R. Tibshirani, "An introduction to the bootstrap", 1993 (percentile interval, cluster
resampling).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from invariant_lpips.statistics.correlations import srcc

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = [
    "Interval",
    "PairedTest",
    "bootstrap_values",
    "interval_of",
    "paired_test_of",
]

Statistic = Callable[[Any, Any], float]


@dataclass(frozen=True)
class Interval:
    """A statistic with its percentile interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PairedTest:
    """The difference of a statistic between two metrics on the same pairs.

    Attributes:
        difference: statistic of the first metric minus that of the second.
        low: lower end of the percentile interval of the difference.
        high: upper end.
        p_value: two-sided bootstrap p-value of "no difference", never below 1 / (resamples + 1).
    """

    difference: float
    low: float
    high: float
    p_value: float


def bootstrap_values(
    predictions: ArrayLike,
    scores: ArrayLike,
    references: Sequence[str],
    *,
    statistic: Statistic = srcc,
    resamples: int = 1000,
    seed: int = 0,
) -> Array:
    """The statistic on each set of resampled references, shape (resamples,).

    The same references and seed give the same draws, so the values of two metrics can be subtracted:
    :func:`interval_of` makes an interval of the values, :func:`paired_test_of` a test of two metrics' values.

    Args:
        predictions: the metric's values, shape (N,).
        scores: people's scores, shape (N,).
        references: the reference of each pair, length N; whole references are drawn with replacement.
        statistic: a function of two arrays (default SRCC).
        resamples: how many times references are drawn.
        seed: seed of the draws.

    Raises:
        ValueError: lengths differ, values are not finite, or there are fewer than two references.

    Example:
        >>> y = [float(i) for i in range(12)]
        >>> noisy = [3.0, 0.0, 2.0, 1.0, 7.0, 4.0, 6.0, 5.0, 11.0, 8.0, 10.0, 9.0]
        >>> scenes = ["A"] * 4 + ["B"] * 4 + ["C"] * 4
        >>> exact, drawn = (bootstrap_values(x, y, scenes, resamples=200) for x in (y, noisy))
        >>> interval = interval_of(srcc(noisy, y), drawn)
        >>> interval.low <= interval.value <= interval.high <= 1
        True
        >>> test = paired_test_of(1 - srcc(noisy, y), exact, drawn)
        >>> test.low > 0 and test.p_value < 0.05
        True
    """
    import numpy as np

    x, y = np.asarray(predictions, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    return np.array([statistic(x[index], y[index]) for index in draws(references, len(x), resamples, seed)])


def interval_of(value: float, drawn: Array, level: float = 0.95) -> Interval:
    """The percentile interval of resampled values around `value`, covering the share `level` of them."""
    import numpy as np

    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))


def paired_test_of(difference: float, first: Array, second: Array, level: float = 0.95) -> PairedTest:
    """The test of a difference from the resampled values of both metrics, drawn with the same seed."""
    import numpy as np

    drawn = first - second
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    # Adding one to both counts keeps the p-value honest: a finite bootstrap cannot show p = 0.
    tail = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return PairedTest(difference, float(low), float(high), min(1.0, 2 * (tail + 1) / (len(drawn) + 1)))


def draws(references: Sequence[str], count: int, resamples: int, seed: int) -> list[NDArray[np.int64]]:
    """For each resample, the indices of all pairs of references drawn with replacement."""
    import numpy as np

    if len(references) != count:
        raise ValueError(f"One reference per pair is needed, but got {len(references)} for {count} pairs.")
    names = sorted(set(references))
    if len(names) < 2:
        raise ValueError(f"At least two references are needed to resample, but got {names}.")
    members = {name: [] for name in names}  # type: dict[str, list[int]]
    for index, name in enumerate(references):
        members[name].append(index)
    groups = [np.array(members[name], dtype=np.int64) for name in names]
    random = np.random.default_rng(seed)
    picks = random.integers(0, len(groups), size=(resamples, len(groups)))
    return [np.concatenate([groups[k] for k in pick]) for pick in picks]
