"""Maximum likelihood difference scaling: a perceptual scale from "which of two pairs differs more?".

An observer sees two pairs of levels (a, b) and (c, d) of one picture and answers which pair differs more.
With a scale psi over the levels and Gaussian noise of the decision,

    P(first pair) = Phi((|psi_a - psi_b| - |psi_c - psi_d|) / sigma),

and the scale that makes the answers likeliest is fitted with psi_1 = 0 and psi_L = 1. What is comparable
between pictures and transforms is the *response* psi / sigma: the scale in units of the observer's noise. A
response difference of 0.6745 against none is told apart in 75 % of trials (Phi(0.6745) = 0.75), which is one
just objectionable difference: distance in JOD = response / 0.6745.

References:
    [1] L. Maloney, J. Yang, "Maximum likelihood difference scaling", Journal of Vision 3(8), 2003.
    [2] P. Dauden-Oliver et al., "RAID-Database", arXiv:2412.10211 (responses.csv follows this definition).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

__all__ = ["JOD", "DifferenceScale", "fit_difference_scale"]

JOD = 0.6744897501960817
"""Response that is told apart in 75 % of trials: the 0.75 quantile of the standard normal distribution."""


@dataclass(frozen=True)
class DifferenceScale:
    """A fitted scale of one stimulus series.

    Attributes:
        psi: the scale at each level, shape (L,), psi[0] = 0 and psi[-1] = 1.
        sigma: standard deviation of the decision noise, in units of psi.
        log_likelihood: of all answers at the fit.
        trials: number of answers.
        at_bound: True if sigma stopped at its lower bound: the answers hold no contradiction, so the noise
            (and with it the response) is only bounded, not measured.
    """

    psi: NDArray[np.float64]
    sigma: float
    log_likelihood: float
    trials: int
    at_bound: bool

    @property
    def response(self) -> NDArray[np.float64]:
        """The scale in units of the noise, psi / sigma, shape (L,)."""
        return self.psi / self.sigma

    @property
    def jod(self) -> NDArray[np.float64]:
        """The distance of each level from level 1 in JOD, shape (L,)."""
        return self.psi / (self.sigma * JOD)


def fit_difference_scale(
    quadruplets: ArrayLike,
    first_larger: ArrayLike,
    levels: int,
    *,
    monotone: bool = False,
    min_sigma: float = 0.02,
) -> DifferenceScale:
    """The scale of L levels that makes the answers to quadruplet trials likeliest [1].

    Args:
        quadruplets: levels (a, b, c, d) of each trial, counted from 0, integers of shape (T, 4).
        first_larger: whether (a, b) was judged to differ more than (c, d), booleans of shape (T,).
        levels: number of levels L >= 3.
        monotone: forbid the scale to decrease from one level to the next.
        min_sigma: lower bound of the noise; answers without any contradiction would drive it to 0.

    Returns:
        The fitted :class:`DifferenceScale`.

    Raises:
        ValueError: shapes do not match, a level is out of range, or there are too few trials for the L - 1
            parameters.

    Example:
        >>> import numpy as np
        >>> truth, random = np.linspace(0, 1, 6) ** 2, np.random.default_rng(0)  # an observer of noise 0.2
        >>> trials = np.array([random.permutation(6)[:4] for _ in range(4000)])
        >>> a, b, c, d = truth[trials].T
        >>> answers = abs(a - b) - abs(c - d) + 0.2 * random.standard_normal(4000) > 0
        >>> scale = fit_difference_scale(trials, answers, 6)
        >>> bool(np.abs(scale.psi - truth).max() < 0.05), round(scale.sigma, 1)
        (True, 0.2)
    """
    import numpy as np
    from scipy import optimize, special

    trials, answers = checked_trials(quadruplets, first_larger, levels)
    sign = np.where(answers, 1.0, -1.0)
    a, b, c, d = trials.T

    def unpack(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([[0.0], parameters[:-1], [1.0]])

    def cost(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        psi, sigma = unpack(parameters), float(np.exp(parameters[-1]))
        ab, cd = psi[a] - psi[b], psi[c] - psi[d]
        z = sign * (np.abs(ab) - np.abs(cd)) / sigma
        log_p = special.log_ndtr(z)
        # d log Phi(z) / dz = phi(z) / Phi(z), taken through logarithms so that far tails do not underflow.
        slope = np.exp(-0.5 * z**2 - 0.5 * np.log(2 * np.pi) - log_p) * sign / sigma
        gradient = np.zeros(levels)
        for index, weight in ((a, np.sign(ab)), (b, -np.sign(ab)), (c, -np.sign(cd)), (d, np.sign(cd))):
            np.add.at(gradient, index, slope * weight)
        by_log_sigma = -float(np.sum(slope * sign * z * sigma))
        return -float(log_p.sum()), -np.concatenate([gradient[1:-1], [by_log_sigma]])

    low = np.log(min_sigma)
    best: Any = None
    for power in (1.0, 0.5, 2.0):
        start = np.concatenate([(np.arange(1, levels - 1) / (levels - 1)) ** power, [np.log(0.2)]])
        bounds = [(-0.5, 1.5)] * (levels - 2) + [(low, np.log(20.0))]
        if monotone:
            found = fit_monotone(cost, start, low, levels)
        else:
            found = optimize.minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds)
        if best is None or found.fun < best.fun:
            best = found
    sigma = float(np.exp(best.x[-1]))
    return DifferenceScale(
        unpack(best.x), sigma, -float(best.fun), len(trials), bool(best.x[-1] <= low + 1e-6)
    )


def fit_monotone(cost: Any, start: NDArray[np.float64], low: float, levels: int) -> Any:
    """Minimise `cost` over scales that never decrease."""
    import numpy as np
    from scipy import optimize

    steps = np.diff(np.eye(levels)[:, 1:-1], axis=0)  # psi[k + 1] - psi[k] as a map of the free levels
    constant = np.zeros(levels - 1)
    constant[-1] = 1.0  # the last level is fixed at 1
    matrix = np.hstack([steps, np.zeros((levels - 1, 1))])
    constraint = {"type": "ineq", "fun": lambda p: matrix @ p + constant, "jac": lambda p: matrix}
    bounds = [(0.0, 1.0)] * (levels - 2) + [(low, np.log(20.0))]
    return optimize.minimize(
        cost,
        start,
        jac=True,
        method="SLSQP",
        bounds=bounds,
        constraints=[constraint],
        options={"maxiter": 500},
    )


def checked_trials(
    quadruplets: ArrayLike, first_larger: ArrayLike, levels: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Both as arrays, after checking shapes, the range of levels and the number of trials."""
    import numpy as np

    trials, answers = np.asarray(quadruplets), np.asarray(first_larger)
    if trials.ndim != 2 or trials.shape[1] != 4 or answers.shape != (len(trials),):
        raise ValueError(
            f"Trials of shape (T, 4) and answers of shape (T,) are needed, "
            f"but got {trials.shape} and {answers.shape}."
        )
    if levels < 3 or len(trials) < levels:
        raise ValueError(f"At least 3 levels and as many trials are needed, got {levels} and {len(trials)}.")
    if trials.min() < 0 or trials.max() >= levels:
        raise ValueError(
            f"Levels must be 0 .. {levels - 1}, but trials hold {trials.min()} .. {trials.max()}; "
            "levels that count from 1 need 1 subtracted."
        )
    return trials.astype(np.int64), answers.astype(bool)
