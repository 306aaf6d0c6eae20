"""RAID read as psychophysics: response curves, distances calibrated to JOD, how large a change of 1 JOD is.

RAID asks whether a metric agrees with people *between* kinds of change: is this rotation as visible as that
noise? Pooled rank correlation answers it in one number; the mean curves show where the exchange rate is
wrong. (A rank correlation within single curves shows nothing: every metric grows with the size of a change.)

The calibration from a metric's distance to JOD is monotone and is fitted on all transforms together, so it
cannot repair the exchange rate between them, only the scale. It is a way to read the benchmark, not a
calibrated output: it is fitted on the very responses it is compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from invariant_lpips.datasets.pairs import RatedPairs
from invariant_lpips.datasets.raid import DISTORTIONS, STEP_SIZES
from invariant_lpips.statistics.correlations import pearson, srcc
from invariant_lpips.statistics.mlds import JOD

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = ["Curve", "JODCalibration", "fit_jod", "human_curves", "metric_curves", "raid_report"]


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


def human_curves(pairs: RatedPairs, noise: Sequence[float] | None = None) -> tuple[Curve, ...]:
    """People's mean curve of each transform, Response / 0.6745 averaged over pictures."""
    return curves(pairs, pairs.scores / JOD, noise)


def metric_curves(pairs: RatedPairs, jod: Array, noise: Sequence[float] | None = None) -> tuple[Curve, ...]:
    """A metric's mean curve of each transform, from its distances calibrated to JOD."""
    return curves(pairs, jod, noise)


def curves(pairs: RatedPairs, jod: Array, noise: Sequence[float] | None) -> tuple[Curve, ...]:
    """Mean over pictures at each step of each transform, with a 0 for the undistorted picture in front."""
    import numpy as np

    found = []
    for code in [code for code in DISTORTIONS if code in pairs.distortions]:
        steps = sorted({pair.level for pair in pairs if pair.distortion == code})
        means = [
            float(np.mean([jod[k] for k, p in enumerate(pairs) if p.distortion == code and p.level == step]))
            for step in steps
        ]
        size, unit = STEP_SIZES.get(code, (1.0, "step"))
        sizes = [size * step for step in steps]
        if code == "gn" and noise is not None:
            sizes, unit = list(noise), "RMS difference, grey levels of 255"
        found.append(Curve(code, unit, np.array([0.0, *sizes]), np.array([0.0, *means])))
    return tuple(found)


def noise_sizes(pairs: RatedPairs) -> list[float]:
    """RMS difference of the noisy pictures from their references, in grey levels, a mean per step."""
    import numpy as np

    from invariant_lpips.evaluation.runner import read_unit

    noisy = pairs.select(lambda pair: pair.distortion == "gn")
    found: dict[float, list[float]] = {}
    for pair in noisy:
        difference = (read_unit(pair.reference) - read_unit(pair.distorted)) * 255
        found.setdefault(pair.level, []).append(float(difference.square().mean().sqrt()))
    return [float(np.mean(found[level])) for level in sorted(found)]


def raid_report(
    pairs: RatedPairs,
    distances: dict[str, Array],
    *,
    zeros: dict[str, float] | None = None,
    noise: Sequence[float] | None = None,
) -> dict[str, Any]:
    """What RAID says beyond the common report.

    Args:
        pairs: RAID's pairs.
        distances: metric -> its values, turned so that they rise with difference, shape (N,).
        zeros: metric -> its value for equal pictures, turned likewise; 0 where not given.
        noise: physical size of each step of the noise (:func:`noise_sizes`); None leaves step numbers.

    Returns:
        "human" (curves and the size of 1 JOD for each transform) and, for each metric, SRCC pooled and over
        mean points, SRCC per transform, its mean curves in JOD, the size of 1 JOD, and the RMSE of its
        calibrated distances in JOD.
    """
    import numpy as np

    truth = pairs.scores / JOD
    human = human_curves(pairs, noise)
    points = np.concatenate([curve.jod[1:] for curve in human])
    report: dict[str, Any] = {"human": describe(human), "metrics": {}}
    for name, values in distances.items():
        calibration = fit_jod(values, truth, zero=(zeros or {}).get(name, 0.0))
        predicted = calibration.predict(values)
        own = metric_curves(pairs, predicted, noise)
        raw = np.concatenate([curve.jod[1:] for curve in curves(pairs, values, noise)])
        report["metrics"][name] = {
            "srcc_pooled": srcc(values, pairs.scores),
            "srcc_mean_points": srcc(raw, points),
            "mean_points": len(points),
            "srcc_by_transform": {
                code: srcc(
                    values[[k for k, pair in enumerate(pairs) if pair.distortion == code]],
                    pairs.scores[[k for k, pair in enumerate(pairs) if pair.distortion == code]],
                )
                for code in pairs.distortions
            },
            "calibrated": {
                "rmse_jod": float(np.sqrt(np.mean((predicted - truth) ** 2))),
                "plcc": pearson(predicted, truth),
                "rmse_jod_mean_points": float(
                    np.sqrt(np.mean((np.concatenate([curve.jod[1:] for curve in own]) - points) ** 2))
                ),
            },
            **describe(own),
        }
    return report


def describe(found: Sequence[Curve]) -> dict[str, Any]:
    """Curves and the size of 1 JOD, as plain lists and numbers."""
    return {
        "curves": {
            curve.distortion: {"unit": curve.unit, "sizes": curve.sizes.tolist(), "jod": curve.jod.tolist()}
            for curve in found
        },
        "size_of_1_jod": {curve.distortion: curve.size_of(1.0) for curve in found},
    }


def raid_text(report: dict[str, Any]) -> str:
    """The RAID report for a terminal."""
    from invariant_lpips.evaluation.rated.report import aligned

    codes = list(report["human"]["size_of_1_jod"])
    rows = [["RAID, SRCC", "pooled", "mean points", *codes, "RMSE in JOD"]]
    for name, entry in report["metrics"].items():
        by_transform = [f"{entry['srcc_by_transform'][code]:.3f}" for code in codes]
        pooled, means = f"{entry['srcc_pooled']:.3f}", f"{entry['srcc_mean_points']:.3f}"
        rows.append([name, pooled, means, *by_transform, f"{entry['calibrated']['rmse_jod']:.2f}"])
    units = {code: report["human"]["curves"][code]["unit"] for code in codes}
    sizes = [["size of 1 JOD", *(f"{code} ({units[code]})" for code in codes)]]
    for name, entry in [("people", report["human"]), *report["metrics"].items()]:
        found = [entry["size_of_1_jod"][code] for code in codes]
        sizes.append([name, *("never" if size is None else f"{size:.3g}" for size in found)])
    return "\n".join([*aligned(rows), "", *aligned(sizes)]) + "\n"


def curves_of(entry: dict[str, Any]) -> tuple[Curve, ...]:
    """The curves of a report, back from plain lists."""
    import numpy as np

    return tuple(
        Curve(code, curve["unit"], np.array(curve["sizes"]), np.array(curve["jod"]))
        for code, curve in entry["curves"].items()
    )
