"""Response curves, distances calibrated to JOD, and how large a change of 1 JOD is.

The calibration from a metric's distance to JOD is monotone and is fitted on all kinds of change together, so it
cannot repair the exchange rate between them, only the scale. It is a way to read a benchmark, not a calibrated
output: it is fitted on the very responses it is compared with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = ["Curve", "JODCalibration", "fit_jod", "mean_curve"]


@dataclass(frozen=True)
class Curve:
    """The mean response of one transform at each of its steps.

    Attributes:
        distortion: code of the transform.
        unit: unit of `sizes`.
        sizes: physical size of each step, the undistorted picture (0) first, shape (S,).
        jod: mean distance from the undistorted picture in JOD, shape (S,).
    """

    distortion: str
    unit: str
    sizes: Array
    jod: Array

    def size_of(self, jod: float = 1.0) -> float | None:
        """The physical size at which the mean curve first reaches `jod`, interpolated; None if never."""
        for k in range(1, len(self.jod)):
            if self.jod[k] >= jod:
                below, above = float(self.jod[k - 1]), float(self.jod[k])
                part = (jod - below) / (above - below)
                return float(self.sizes[k - 1] + part * (self.sizes[k] - self.sizes[k - 1]))
        return None


@dataclass(frozen=True)
class JODCalibration:
    """A non-decreasing map from a metric's distance to JOD, linear between knots, constant beyond the last.

    Attributes:
        distances: knots, increasing, shape (K,); the first is the distance of equal pictures.
        jod: their values, non-decreasing, 0 first.
    """

    distances: Array
    jod: Array

    def predict(self, distances: ArrayLike) -> Array:
        """JOD of each distance, float64, same shape."""
        import numpy as np

        return np.interp(np.asarray(distances, dtype=np.float64), self.distances, self.jod)


def fit_jod(distances: ArrayLike, jod: ArrayLike, *, zero: float = 0.0) -> JODCalibration:
    """The least-squares non-decreasing map from distances to JOD (isotonic regression), `zero` taken to 0.

    Args:
        distances: the metric's distances, shape (N,), rising with difference.
        jod: people's distances in JOD, shape (N,).
        zero: the metric's value for equal pictures.

    Example:
        >>> fit = fit_jod([0.1, 0.2, 0.3, 0.4], [1.0, 3.0, 2.0, 4.0])
        >>> [round(float(value), 2) for value in fit.predict([0.0, 0.05, 0.25, 0.4, 0.9])]
        [0.0, 0.5, 2.5, 4.0, 4.0]
    """
    import numpy as np

    x, y = np.asarray(distances, dtype=np.float64), np.asarray(jod, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1 or not len(x) or not np.isfinite([x, y]).all():
        raise ValueError(f"Two finite arrays of one length are needed, but got {x.shape} and {y.shape}.")
    order = np.argsort(x, kind="stable")
    # Pool adjacent violators: blocks of (sum, count, knots) whose means must rise.
    blocks: list[tuple[float, int, float, float]] = []
    for distance, value in zip(x[order].tolist(), y[order].tolist(), strict=True):
        block = (value, 1, distance, distance)
        while blocks and blocks[-1][0] / blocks[-1][1] >= block[0] / block[1]:
            last = blocks.pop()
            block = (last[0] + block[0], last[1] + block[1], last[2], block[3])
        blocks.append(block)
    knots, values = [zero], [0.0]
    for total, count, first, last_distance in blocks:
        for distance in (first, last_distance):
            if distance > knots[-1]:
                knots.append(distance)
                values.append(max(0.0, total / count))
    return JODCalibration(np.array(knots), np.array(values))


def mean_curve(distortion: str, unit: str, sizes: ArrayLike, steps: ArrayLike, jod: ArrayLike) -> Curve:
    """The mean of responses at each step, with a 0 for the undistorted picture in front.

    Args:
        distortion: code of the transform.
        unit: unit of `sizes`.
        sizes: size of each of S different steps, in their order, shape (S,).
        steps: the step of each response, shape (N,).
        jod: the responses in JOD, shape (N,).

    Raises:
        ValueError: there are not as many sizes as different steps.

    Example:
        >>> mean_curve("rot", "degrees", [2, 4], [1, 2, 1, 2], [0.5, 2.0, 1.5, 4.0]).jod.tolist()
        [0.0, 1.0, 3.0]
    """
    import numpy as np

    at, values = np.asarray(steps), np.asarray(jod, dtype=np.float64)
    different = np.unique(at)
    physical = np.asarray(sizes, dtype=np.float64)
    if physical.shape != different.shape:
        raise ValueError(
            f"One size for each step of {distortion!r} is needed, but got {physical.shape} for {len(different)} steps."
        )
    means = [float(np.mean(values[at == step])) for step in different]
    return Curve(distortion, unit, np.concatenate([[0.0], physical]), np.array([0.0, *means]))
