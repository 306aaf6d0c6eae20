"""How well a metric's numbers follow people's: rank and linear correlations, 2AFC and JND scores.

All functions take one-dimensional arrays of equal length and return a Python float. A NaN or infinite value
is an error that names the pair it belongs to: a correlation computed around it would be a number about
nothing.

References:
    [1] VQEG, "Final report from the Video Quality Experts Group on the validation of objective models of
        video quality assessment, phase II", 2003: the logistic between a metric and the scores, PLCC and RMSE
        after it.
    [2] R. Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", CVPR 2018:
        2AFC agreement and JND average precision (BAPPS).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = ["LogisticFit", "fit_logistic", "jnd_map", "krcc", "plcc", "rmse", "srcc", "two_afc_score"]


def srcc(predictions: ArrayLike, scores: ArrayLike, *, names: Sequence[str] | None = None) -> float:
    """Spearman's rank correlation, in [-1, 1]; ties share their mean rank.

    Args:
        predictions: the metric's values, shape (N,), N >= 2.
        scores: people's scores, shape (N,).
        names: what the pairs are called, for the error about a value that is not finite.

    Raises:
        ValueError: lengths differ, fewer than two pairs, or a value is NaN or infinite.

    Example:
        >>> round(srcc([1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 4.0]), 6)
        0.8
    """
    from scipy import stats

    x, y = checked(predictions, scores, names)
    return 0.0 if is_constant(x) or is_constant(y) else float(stats.spearmanr(x, y).statistic)


def krcc(predictions: ArrayLike, scores: ArrayLike, *, names: Sequence[str] | None = None) -> float:
    """Kendall's rank correlation tau-b, in [-1, 1]. Arguments and errors as :func:`srcc`.

    Example:
        >>> round(krcc([1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 4.0]), 6)
        0.666667
    """
    from scipy import stats

    x, y = checked(predictions, scores, names)
    return 0.0 if is_constant(x) or is_constant(y) else float(stats.kendalltau(x, y).statistic)


def plcc(predictions: ArrayLike, scores: ArrayLike, *, names: Sequence[str] | None = None) -> float:
    """Pearson's correlation of the scores with the metric mapped by a fitted logistic [1], in [-1, 1].

    The fit takes care of the metric's direction and bend, so the value is the same for a metric and for any
    increasing affine map of it. Arguments and errors as :func:`srcc`; the fit is :func:`fit_logistic`.

    Example:
        >>> d = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
        >>> round(plcc(d, [9.0, 8.8, 8.0, 6.1, 4.0, 2.1, 1.2, 1.0]), 4)
        0.9997
    """
    x, y = checked(predictions, scores, names)
    return pearson(fit_logistic(x, y).predict(x), y)


def rmse(predictions: ArrayLike, scores: ArrayLike, *, names: Sequence[str] | None = None) -> float:
    """Root mean square difference of the scores and the metric mapped by a logistic, in units of score.

    Arguments and errors as :func:`srcc`.

    Example:
        >>> round(rmse([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 1.2, 2.9, 4.2, 5.1, 5.0]), 2)
        0.13
    """
    import numpy as np

    x, y = checked(predictions, scores, names)
    return float(np.sqrt(np.mean((fit_logistic(x, y).predict(x) - y) ** 2)))


@dataclass(frozen=True)
class LogisticFit:
    """A fitted map from a metric to scores.

    Attributes:
        parameters: (b1, b2, b3, b4) of q(d) = b2 + (b1 - b2) / (1 + exp(-(d - b3) / |b4|)), or, where
            `linear`, (slope, intercept).
        linear: the straight line was used because the logistic could not be fitted.
    """

    parameters: tuple[float, ...]
    linear: bool

    def predict(self, predictions: ArrayLike) -> Array:
        """The scores that the map gives to values of the metric, float64, same shape."""
        import numpy as np

        x = np.asarray(predictions, dtype=np.float64)
        if self.linear:
            slope, intercept = self.parameters
            return slope * x + intercept
        return logistic(x, *self.parameters)


def fit_logistic(predictions: ArrayLike, scores: ArrayLike) -> LogisticFit:
    """Least-squares fit of the monotone 4-parameter logistic of [1] from a metric to scores.

    The metric is standardised and the fit is started from several slopes, of which the best end counts. Rule
    for failure: with fewer than five pairs, with a constant metric, or where no start ends at a fit at least
    as good as the straight line, the straight line is taken (`LogisticFit.linear` is then True), so PLCC falls
    back to the plain Pearson correlation.

    Args:
        predictions: the metric's values, shape (N,).
        scores: people's scores, shape (N,).

    Example:
        >>> fit = fit_logistic([0, 1, 2, 3, 4, 5, 6], [1.0, 1.05, 1.35, 3.0, 4.65, 4.95, 5.0])
        >>> fit.linear, round(float(fit.predict(3.0)), 2)
        (False, 3.0)
    """
    import numpy as np
    from scipy import optimize

    x, y = checked(predictions, scores, None)
    line = fit_line(x, y)
    spread = float(np.std(x))
    if len(x) < 5 or spread == 0.0:
        return line
    centre = float(np.mean(x))
    z = (x - centre) / spread
    best: tuple[float, Array] | None = None
    rising = pearson(x, y) >= 0
    top, bottom = (float(y.max()), float(y.min())) if rising else (float(y.min()), float(y.max()))
    for start in (0.25, 1.0, 4.0):
        for middle in (0.0, float(np.median(z))):
            solution = optimize.least_squares(
                lambda p: logistic(z, *p) - y, [top, bottom, middle, start], method="trf", max_nfev=400
            )
            if np.all(np.isfinite(solution.x)) and (best is None or solution.cost < best[0]):
                best = (float(solution.cost), solution.x)
    line_cost = 0.5 * float(np.sum((line.predict(x) - y) ** 2))
    if best is None or best[0] > line_cost * (1 + 1e-6) + 1e-12:
        return line
    b1, b2, b3, b4 = (float(value) for value in best[1])
    return LogisticFit((b1, b2, b3 * spread + centre, b4 * spread), linear=False)


def two_afc_score(d0: ArrayLike, d1: ArrayLike, judge: ArrayLike) -> float:
    """Agreement with people on which of two pictures is nearer to the reference [2], in [0, 1].

    Args:
        d0: distance of picture 0 to its reference, shape (N,).
        d1: distance of picture 1, shape (N,).
        judge: share of people who found picture 1 nearer, in [0, 1], shape (N,).

    Returns:
        The mean share of people that the metric sides with; a tie counts one half.

    Raises:
        ValueError: lengths differ, a value is not finite, or `judge` leaves [0, 1].

    Example:
        >>> round(two_afc_score([0.1, 0.4, 0.2], [0.3, 0.1, 0.2], [0.2, 1.0, 0.6]), 6)
        0.766667
    """
    import numpy as np

    x0, x1 = checked(d0, d1, None, minimum=1)
    share, _ = checked(judge, d0, None, minimum=1)
    if share.min() < 0 or share.max() > 1:
        raise ValueError(
            f"Argument `judge` must be shares in [0, 1], but got {share.min():g} to {share.max():g}."
        )
    sides = np.where(x0 < x1, 1 - share, np.where(x1 < x0, share, 0.5))
    return float(sides.mean())


def jnd_map(distances: ArrayLike, same: ArrayLike) -> float:
    """Average precision with which small distances pick the pairs that people called the same [2], in [0, 1].

    The area under the precision-recall curve after making precision non-increasing (the VOC rule), pairs
    ordered by distance; `same` may be a share of people in [0, 1].

    Example:
        >>> round(jnd_map([0.1, 0.2, 0.3, 0.4], [1, 0, 1, 0]), 6)
        0.833333
    """
    import numpy as np

    x, share = checked(distances, same, None, minimum=1)
    if share.sum() <= 0:
        raise ValueError("Argument `same` must hold at least one pair that somebody called the same.")
    ordered = share[np.argsort(x, kind="stable")]
    hits = np.cumsum(ordered)
    precision = hits / np.arange(1, len(ordered) + 1)
    recall = hits / hits[-1]
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


def logistic(x: Array, b1: float, b2: float, b3: float, b4: float) -> Array:
    """b2 + (b1 - b2) / (1 + exp(-(x - b3) / |b4|)), without overflow."""
    from scipy import special

    return b2 + (b1 - b2) * special.expit((x - b3) / max(abs(b4), 1e-12))  # type: ignore[no-any-return]


def fit_line(x: Array, y: Array) -> LogisticFit:
    """The least-squares straight line; horizontal where `x` is constant."""
    import numpy as np

    variance = float(np.var(x))
    slope = float(np.mean((x - x.mean()) * (y - y.mean()))) / variance if variance > 0 else 0.0
    return LogisticFit((slope, float(y.mean() - slope * x.mean())), linear=True)


def pearson(x: Array, y: Array) -> float:
    """Pearson's correlation; 0 where either side is constant."""
    import numpy as np

    return 0.0 if is_constant(x) or is_constant(y) else float(np.corrcoef(x, y)[0, 1])


def is_constant(x: Array) -> bool:
    """True if all values are equal."""
    return bool((x == x[0]).all())


def checked(
    predictions: ArrayLike, scores: ArrayLike, names: Sequence[str] | None, minimum: int = 2
) -> tuple[Array, Array]:
    """Both as float64 arrays of shape (N,), after checking that they match and are finite."""
    import numpy as np

    x = np.asarray(predictions, dtype=np.float64)
    y = np.asarray(scores, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(
            f"Two one-dimensional arrays of equal length are needed, but got {x.shape} and {y.shape}."
        )
    if len(x) < minimum:
        raise ValueError(f"At least {minimum} pairs are needed, but got {len(x)}.")
    bad = np.flatnonzero(~(np.isfinite(x) & np.isfinite(y)))
    if len(bad):
        first = int(bad[0])
        name = names[first] if names is not None else f"number {first}"
        raise ValueError(
            f"{len(bad)} of {len(x)} values are not finite; the first is pair {name}: "
            f"prediction {x[first]}, score {y[first]}."
        )
    return x, y
