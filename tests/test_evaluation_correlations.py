"""Correlations against scipy, the logistic fit, 2AFC and JND against worked cases, and the bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from invariant_lpips.statistics.correlations import (
    fit_logistic,
    jnd_map,
    krcc,
    logistic,
    plcc,
    rmse,
    srcc,
    two_afc_score,
)
from invariant_lpips.statistics.resampling import (
    Interval,
    PairedTest,
    bootstrap_values,
    interval_of,
    paired_test_of,
)


def sample(seed: int = 0, count: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Distances and scores that fall with them through a logistic, with noise and ties."""
    random = np.random.default_rng(seed)
    distances = random.gamma(2.0, 0.1, count).round(2)
    scores = 9 / (1 + np.exp((distances - 0.2) / 0.05)) + random.normal(0, 0.5, count)
    return distances, scores


def test_rank_correlations_equal_scipy_with_ties() -> None:
    distances, scores = sample()
    assert srcc(distances, scores) == pytest.approx(stats.spearmanr(distances, scores).statistic, abs=1e-12)
    assert krcc(distances, scores) == pytest.approx(stats.kendalltau(distances, scores).statistic, abs=1e-12)


@pytest.mark.parametrize("scale", [1.0, -1.0, 1e-6, 1e6])
def test_logistic_fit_recovers_the_curve_at_any_scale_and_direction(scale: float) -> None:
    distances, scores = sample()
    fit = fit_logistic(distances * scale, scores)
    assert not fit.linear
    truth = 9 / (1 + np.exp((distances - 0.2) / 0.05))
    np.testing.assert_allclose(fit.predict(distances * scale), truth, atol=0.25)
    linear = abs(stats.pearsonr(distances, scores).statistic)
    assert plcc(distances * scale, scores) == pytest.approx(plcc(distances, scores), abs=1e-4)
    assert plcc(distances * scale, scores) > linear + 0.01
    assert rmse(distances * scale, scores) == pytest.approx(0.5, rel=0.1)


def test_exact_logistic_is_fitted_exactly() -> None:
    x = np.linspace(-3, 3, 40)
    y = logistic(x, 5.0, 1.0, 0.5, 0.7)
    fit = fit_logistic(x, y)
    np.testing.assert_allclose(fit.parameters, (5.0, 1.0, 0.5, 0.7), rtol=1e-4)
    assert plcc(x, y) == pytest.approx(1.0, abs=1e-9)


def test_fit_falls_back_to_the_line() -> None:
    few = fit_logistic([1.0, 2.0, 3.0], [2.0, 4.0, 6.5])
    assert few.linear
    assert plcc([1.0, 2.0, 3.0], [2.0, 4.0, 6.5]) == pytest.approx(stats.pearsonr([1, 2, 3], [2, 4, 6.5])[0])
    constant = fit_logistic([1.0] * 6, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert constant.linear
    assert plcc([1.0] * 6, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) == 0.0
    assert srcc([1.0] * 6, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) == 0.0


def test_fit_is_never_worse_than_the_line() -> None:
    for seed in range(5):
        random = np.random.default_rng(seed)
        x, y = random.normal(size=50), random.normal(size=50)
        assert plcc(x, y) >= abs(stats.pearsonr(x, y).statistic) - 1e-6


def test_values_that_are_not_finite_name_their_pair() -> None:
    with pytest.raises(
        ValueError, match=r"2 of 3 values are not finite; the first is pair b: prediction nan"
    ):
        srcc([1.0, np.nan, np.inf], [1.0, 2.0, 3.0], names=["a", "b", "c"])
    with pytest.raises(ValueError, match="number 1"):
        plcc([1.0, 2.0, 3.0], [1.0, np.nan, 3.0])
    with pytest.raises(ValueError, match=r"\(3,\) and \(2,\)"):
        krcc([1.0, 2.0, 3.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="At least 2"):
        srcc([1.0], [1.0])


def test_two_afc_counts_the_share_of_people_sided_with() -> None:
    judge = [0.0, 0.25, 1.0, 0.6]
    assert two_afc_score([1, 1, 2, 1], [2, 2, 1, 1], judge) == pytest.approx((1 + 0.75 + 1 + 0.5) / 4)
    with pytest.raises(ValueError, match="judge"):
        two_afc_score([1.0], [2.0], [1.5])


def test_jnd_map_equals_average_precision_without_dips() -> None:
    # Precision at each recalled pair, made non-increasing from the end: 1, 2/3, 2/3 of the recall steps.
    same = [1, 0, 1, 1, 0]
    assert jnd_map([0.1, 0.2, 0.3, 0.4, 0.5], same) == pytest.approx((1 + 0.75 + 0.75) / 3)
    assert jnd_map([0.1, 0.2, 0.3], [1, 1, 0]) == 1.0
    with pytest.raises(ValueError, match="at least one pair"):
        jnd_map([0.1, 0.2], [0, 0])


def clustered(seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Scores of 20 references with a bias of each reference that the metric does not see."""
    random = np.random.default_rng(seed)
    ids = [f"R{k:02d}" for k in range(20) for _ in range(30)]
    bias = np.repeat(random.normal(0, 1.0, 20), 30)
    truth = random.normal(size=600)
    return truth + bias, truth, ids


def bootstrap_interval(
    predictions: np.ndarray, truth: np.ndarray, ids: list[str], resamples: int
) -> Interval:
    drawn = bootstrap_values(predictions, truth, ids, resamples=resamples)
    return interval_of(srcc(predictions, truth), drawn)


def paired_bootstrap(
    first: np.ndarray, second: np.ndarray, truth: np.ndarray, ids: list[str], resamples: int
) -> PairedTest:
    drawn = [bootstrap_values(values, truth, ids, resamples=resamples) for values in (first, second)]
    return paired_test_of(srcc(first, truth) - srcc(second, truth), *drawn)


def test_bootstrap_resamples_references_not_pairs() -> None:
    predictions, truth, ids = clustered()
    by_reference = bootstrap_interval(predictions, truth, ids, resamples=300)
    by_pair = bootstrap_interval(predictions, truth, [f"P{k}" for k in range(600)], resamples=300)
    assert by_reference.low < by_reference.value < by_reference.high
    assert by_reference.value == pytest.approx(srcc(predictions, truth))
    assert by_reference == bootstrap_interval(predictions, truth, ids, resamples=300)
    # The pairs of a reference err together, which only the draw of whole references can see.
    spread = [interval.high - interval.low for interval in (by_reference, by_pair)]
    assert spread[0] > 1.3 * spread[1]


def test_paired_test_sees_a_small_difference_that_intervals_hide() -> None:
    predictions, truth, ids = clustered()
    random = np.random.default_rng(1)
    worse = predictions + random.normal(0, 0.7, 600)
    test = paired_bootstrap(predictions, worse, truth, ids, resamples=300)
    assert test.difference == pytest.approx(srcc(predictions, truth) - srcc(worse, truth))
    assert 0 < test.low < test.difference < test.high
    assert test.p_value < 0.05
    intervals = [bootstrap_interval(values, truth, ids, resamples=300) for values in (predictions, worse)]
    assert intervals[0].low < intervals[1].high  # the single intervals overlap
    same = paired_bootstrap(predictions, predictions, truth, ids, resamples=50)
    assert (same.difference, same.low, same.high, same.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_bootstrap_needs_references() -> None:
    with pytest.raises(ValueError, match="At least two references"):
        bootstrap_values([1.0, 2.0], [1.0, 2.0], ["A", "A"])
    with pytest.raises(ValueError, match="got 1 for 2 pairs"):
        bootstrap_values([1.0, 2.0], [1.0, 2.0], ["A"])
