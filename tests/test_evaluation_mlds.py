"""MLDS recovers the scale and the noise of simulated observers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from invariant_lpips.datasets.pairs import RatedPair, RatedPairs
from invariant_lpips.datasets.raid import Trial
from invariant_lpips.evaluation.rated.raid import fit_trials, scales_report
from invariant_lpips.statistics.mlds import JOD, fit_difference_scale

SCALES = {
    "linear": np.linspace(0, 1, 10),
    "compressive": np.linspace(0, 1, 10) ** 0.5,
    "expansive": np.linspace(0, 1, 10) ** 2,
}


def simulate_observer(
    psi: np.ndarray, sigma: float, *, trials: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Trials of two pairs of levels, and the answers of an observer with scale `psi` and noise `sigma`."""
    random = np.random.default_rng(seed)
    quadruplets = np.array([random.permutation(len(psi))[:4] for _ in range(trials)], dtype=np.int64)
    a, b, c, d = quadruplets.T
    evidence = np.abs(psi[a] - psi[b]) - np.abs(psi[c] - psi[d])
    return quadruplets, evidence + sigma * random.standard_normal(trials) > 0


@pytest.mark.parametrize("shape", SCALES)
@pytest.mark.parametrize("sigma", [0.1, 0.3])
def test_scale_and_noise_are_recovered(shape: str, sigma: float) -> None:
    trials, answers = simulate_observer(SCALES[shape], sigma, trials=3000, seed=1)
    scale = fit_difference_scale(trials, answers, 10)
    assert scale.psi[0] == 0
    assert scale.psi[-1] == 1
    assert not scale.at_bound
    np.testing.assert_allclose(scale.psi, SCALES[shape], atol=0.08)
    assert scale.sigma == pytest.approx(sigma, rel=0.12)
    np.testing.assert_allclose(scale.jod, scale.response / 0.6745, rtol=1e-4)


def test_fit_is_likelier_than_the_truth_and_gradient_is_right() -> None:
    from scipy.stats import norm

    psi, sigma = SCALES["compressive"], 0.2
    trials, answers = simulate_observer(psi, sigma, trials=400, seed=2)
    scale = fit_difference_scale(trials, answers, 10)

    def likelihood(values: np.ndarray, noise: float) -> float:
        a, b, c, d = trials.T
        z = (np.abs(values[a] - values[b]) - np.abs(values[c] - values[d])) / noise
        return float(norm.logcdf(np.where(answers, z, -z)).sum())

    assert scale.log_likelihood == pytest.approx(likelihood(scale.psi, scale.sigma), rel=1e-9)
    assert scale.log_likelihood >= likelihood(psi, sigma)
    for step in (0.97, 1.03):  # a maximum: no neighbour is likelier
        assert likelihood(scale.psi, scale.sigma * step) <= scale.log_likelihood
        moved = scale.psi.copy()
        moved[4] *= step
        assert likelihood(moved, scale.sigma) <= scale.log_likelihood


def test_monotone_fit_never_decreases() -> None:
    trials, answers = simulate_observer(SCALES["linear"], 0.6, trials=150, seed=5)
    free, monotone = (fit_difference_scale(trials, answers, 10, monotone=flag) for flag in (False, True))
    assert np.diff(free.psi).min() < 0
    assert np.diff(monotone.psi).min() > -1e-8
    assert monotone.log_likelihood <= free.log_likelihood + 1e-6


def test_answers_without_contradiction_are_said_to_bound_the_noise_only() -> None:
    trials, answers = simulate_observer(SCALES["linear"] ** 1.3, 1e-9, trials=500, seed=3)
    scale = fit_difference_scale(trials, answers, 10)
    assert scale.at_bound
    np.testing.assert_allclose(scale.psi, SCALES["linear"] ** 1.3, atol=0.05)


def test_raid_trials_are_grouped_by_transform_and_picture() -> None:
    trials = []
    for transform, sigma in (("rot", 0.1), ("gn", 0.4)):
        quadruplets, answers = simulate_observer(SCALES["linear"], sigma, trials=800, seed=4)
        for (a, b, c, d), answer in zip(quadruplets + 1, answers, strict=True):
            trials.append(Trial(transform, "img_01", (int(a), int(b)), (int(c), int(d)), bool(answer)))
    scales = fit_trials(trials)
    assert list(scales) == [("gn", "img_01"), ("rot", "img_01")]
    assert scales["rot", "img_01"].jod[-1] == pytest.approx(10 / JOD, rel=0.2)
    assert scales["gn", "img_01"].jod[-1] == pytest.approx(2.5 / JOD, rel=0.2)
    name = Path("rot_img_01_level_02.png")
    pairs = RatedPairs(
        "raid",
        tuple(RatedPair(name, name, 10 * step / 9, "img_01", "rot", float(step)) for step in range(1, 10)),
        higher_is_better=False,
    )
    report = scales_report(pairs, scales)
    assert report["rot"]["srcc"] == pytest.approx(1)
    assert report["rot"]["median_ratio"] == pytest.approx(1, rel=0.2)
    assert (report["gn"]["series"], report["gn"]["trials"], report["gn"]["srcc"]) == (1, 800, None)
    assert fit_trials(trials[:9]) == {}  # too few for ten levels
    monotone = fit_trials(trials, monotone=True)["gn", "img_01"]
    assert np.diff(monotone.psi).min() > -1e-8


def test_wrong_trials_are_refused() -> None:
    with pytest.raises(ValueError, match="subtracted"):
        fit_difference_scale([[1, 2, 3, 10]] * 20, [True] * 20, 10)
    with pytest.raises(ValueError, match=r"shape \(T, 4\)"):
        fit_difference_scale([[1, 2, 3]], [True], 10)
    with pytest.raises(ValueError, match="as many trials"):
        fit_difference_scale([[1, 2, 3, 4]], [True], 10)
