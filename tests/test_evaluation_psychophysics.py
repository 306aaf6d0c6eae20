"""RAID curves and the JOD calibration."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from invariant_lpips.datasets.pairs import RatedPair, RatedPairs
from invariant_lpips.evaluation.rated.raid import curves, raid_report, raid_text
from invariant_lpips.statistics.mlds import JOD
from invariant_lpips.statistics.psychophysics import fit_jod

GROWTH = {"gn": 0.8, "rot": 0.5, "trans": 0.25, "scale": 0.1}  # JOD per step


def raid_pairs(images: int = 4) -> RatedPairs:
    """People whose response grows linearly, at another rate for each transform."""
    pairs = []
    for code, rate in GROWTH.items():
        for image in range(images):
            for step in range(1, 10):
                score = JOD * rate * step * (1 + 0.1 * (image - (images - 1) / 2))
                name = Path(f"{code}_{image}_{step}.png")
                pairs.append(RatedPair(name, name, score, f"img_{image:02d}", code, float(step)))
    return RatedPairs("raid", tuple(pairs), higher_is_better=False)


def test_human_curves_give_the_size_of_one_jod() -> None:
    pairs = raid_pairs()
    found = {curve.distortion: curve for curve in curves(pairs, pairs.scores / JOD, list(range(2, 20, 2)))}
    np.testing.assert_allclose(found["rot"].jod, 0.5 * np.arange(10), atol=1e-9)
    assert found["rot"].size_of(1.0) == pytest.approx(4.0)  # 2 steps of 2 degrees
    assert found["trans"].size_of(1.0) == pytest.approx(0.28)  # 4 steps of 0.07 degrees of visual angle
    assert found["scale"].size_of(1.0) is None  # 0.9 JOD at most
    assert found["gn"].size_of(1.0) == pytest.approx(2.5)  # 1.25 steps of 2 grey levels
    assert found["gn"].unit.startswith("RMS")


def test_report_tells_a_wrong_exchange_rate_from_a_right_one() -> None:
    pairs = raid_pairs()
    right = pairs.scores**2  # any increasing function of people's response is right
    wrong = np.array([pair.level for pair in pairs])  # the same for all transforms
    report = raid_report(pairs, {"right": right, "wrong": wrong})
    assert report["metrics"]["right"]["srcc_pooled"] == pytest.approx(1.0)
    assert report["metrics"]["right"]["srcc_mean_points"] == pytest.approx(1.0)
    assert report["metrics"]["right"]["mean_points"] == 36
    assert report["metrics"]["right"]["calibrated"]["rmse_jod"] == pytest.approx(0.0, abs=1e-9)
    found = report["metrics"]["right"]["size_of_1_jod"]
    assert found["rot"] == pytest.approx(report["human"]["size_of_1_jod"]["rot"], rel=0.05)
    assert report["metrics"]["wrong"]["srcc_pooled"] < 0.7
    assert report["metrics"]["wrong"]["calibrated"]["rmse_jod"] > 0.5
    assert report["metrics"]["wrong"]["srcc_by_transform"]["rot"] > 0.9  # within one transform it looks fine
    text = raid_text(report)
    assert "never" in text
    assert "people" in text


def test_jod_calibration_is_monotone_and_keeps_zero() -> None:
    random = np.random.default_rng(0)
    distances = random.uniform(0, 1, 500)
    truth = 3 * distances**2
    fit = fit_jod(distances, truth + random.normal(0, 0.3, 500))
    line = np.linspace(0, 1, 50)
    assert np.diff(fit.predict(line)).min() >= 0
    np.testing.assert_allclose(fit.predict(line), 3 * line**2, atol=0.5)
    assert fit.predict(0.0) == 0
    exact = fit_jod([1.0, 2.0, 4.0], [1.0, 2.0, 3.0])
    np.testing.assert_allclose(exact.predict([0.5, 3.0, 9.0]), [0.5, 2.5, 3.0])
    similarity = fit_jod([-0.9, -0.5], [1.0, 2.0], zero=-1.0)  # 1 - SSIM turned round
    np.testing.assert_allclose(similarity.predict([-1.0, -0.95, -0.5]), [0.0, 0.5, 2.0])
    with pytest.raises(ValueError, match="finite"):
        fit_jod([1.0, math.nan], [1.0, 2.0])
