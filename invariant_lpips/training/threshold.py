"""The distance at which people just notice: what turns a distance into "1 = about just noticeable".

Alabau-Bosque et al. (arXiv:2407.17927) put the detection thresholds of shifts, turns and zooms at
D = 0.445 (0.390 to 0.499) on the scale D = (10 - MOS) / 10 of TID2013. With D = a d^b fitted to rated pairs,
the just noticeable distance is d0 = (0.445 / a)^(1 / b). That a threshold measured on displacements holds for
the distortions of TID is an assumption.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from invariant_lpips.statistics.thresholds import SUBJECTIVE_DISTANCE, SUBJECTIVE_INTERVAL


@dataclass(frozen=True)
class Threshold:
    """The fitted curve D = a d^b and the distances it gives.

    Attributes:
        a, b: of the fit.
        d0: distance at D = 0.445.
        low, high: distances at D = 0.390 and 0.499, the interval of the published thresholds.
        bootstrap_low, bootstrap_high: 2.5 % and 97.5 % of d0 when references are drawn anew.
    """

    a: float
    b: float
    d0: float
    low: float
    high: float
    bootstrap_low: float
    bootstrap_high: float


def fit_power(distance: NDArray[np.float64], quality: NDArray[np.float64]) -> tuple[float, float]:
    """Least-squares a and b of (10 - quality) / 10 = a distance^b.

    Args:
        distance: (N,) distances > 0.
        quality: (N,) MOS of TID, 0 to 9, higher is better.

    Example:
        >>> d = np.array([0.1, 0.2, 0.4])
        >>> a, b = fit_power(d, 10 - 10 * 0.9 * d**0.5)
        >>> round(a, 6), round(b, 6)
        (0.9, 0.5)
    """
    seen = (10 - quality) / 10
    start = np.polyfit(np.log(distance), np.log(np.clip(seen, 0.05, None)), 1)
    (a, b), _ = curve_fit(
        lambda d, a, b: a * d**b, distance, seen, p0=(float(np.exp(start[1])), float(start[0]))
    )
    return float(a), float(b)


def fit_threshold(
    distance: NDArray[np.float64],
    quality: NDArray[np.float64],
    references: Sequence[str],
    *,
    draws: int = 500,
    seed: int = 0,
) -> Threshold:
    """Fit the just noticeable distance and its bootstrap over references.

    Args:
        distance: (N,) distances of TID pairs.
        quality: (N,) their MOS (0 to 9).
        references: (N,) the reference of each pair.
        draws: bootstrap draws.
    """
    seen = distance > 0
    distance, quality = distance[seen], quality[seen]
    groups: dict[str, list[int]] = {}
    for index, reference in enumerate(np.asarray(references)[seen]):
        groups.setdefault(str(reference), []).append(index)
    members = [np.array(group) for group in groups.values()]
    a, b = fit_power(distance, quality)

    def at(level: float, a: float = a, b: float = b) -> float:
        return float((level / a) ** (1 / b))

    generator = np.random.default_rng(seed)
    drawn = []
    for _ in range(draws):
        chosen = np.concatenate([members[i] for i in generator.integers(len(members), size=len(members))])
        drawn.append(at(SUBJECTIVE_DISTANCE, *fit_power(distance[chosen], quality[chosen])))
    low, high = (float(quantile) for quantile in np.quantile(drawn, [0.025, 0.975]))
    least, most = SUBJECTIVE_INTERVAL
    return Threshold(a, b, at(SUBJECTIVE_DISTANCE), at(least), at(most), low, high)
