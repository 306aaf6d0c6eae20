"""RAID curves, the JOD calibration, and photographs at detection threshold."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from invariant_lpips.datasets.pairs import RatedPair, RatedPairs
from invariant_lpips.evaluation.ladder.threshold_stimuli import THRESHOLDS, threshold_stimuli
from invariant_lpips.statistics.mlds import JOD
from invariant_lpips.statistics.psychophysics import fit_jod, human_curves, raid_report, raid_text

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
    curves = {curve.distortion: curve for curve in human_curves(raid_pairs(), noise=list(range(2, 20, 2)))}
    np.testing.assert_allclose(curves["rot"].jod, 0.5 * np.arange(10), atol=1e-9)
    assert curves["rot"].size_of(1.0) == pytest.approx(4.0)  # 2 steps of 2 degrees
    assert curves["trans"].size_of(1.0) == pytest.approx(0.28)  # 4 steps of 0.07 degrees of visual angle
    assert curves["scale"].size_of(1.0) is None  # 0.9 JOD at most
    assert curves["gn"].size_of(1.0) == pytest.approx(2.5)  # 1.25 steps of 2 grey levels
    assert curves["gn"].unit.startswith("RMS")


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


def photograph(height: int = 180, width: int = 240) -> torch.Tensor:
    """A smooth picture whose value at each point is known."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    values = [0.5 + 0.3 * torch.sin(0.05 * x + 0.03 * k * y) * torch.cos(0.04 * y) for k in range(3)]
    return torch.stack(values)[None].double()


def test_threshold_crops_are_the_changes_they_claim() -> None:
    picture = photograph()
    stimuli = threshold_stimuli(picture, 29.0)
    height, width = stimuli.reference.shape[-2:]
    top, left = (180 - height) // 2, (240 - width) // 2
    assert width > 180  # not much is cut away
    assert height > 130
    window = picture[..., top : top + height, left : left + width]
    assert torch.equal(stimuli.reference, window)
    # 0.23 degrees at 29 pixels per degree are 6.67 pixels, rounded to 7; the scene moves to the right.
    assert torch.equal(stimuli.translation, picture[..., top : top + height, left - 7 : left - 7 + width])
    assert stimuli.sizes["translation"] == pytest.approx(7 / 29)
    assert (stimuli.sizes["rotation"], stimuli.sizes["zoom"]) == (pytest.approx(3.6), pytest.approx(1.026))
    assert not stimuli.mirrored
    for name, factor, angle in (("zoom", 1.026, 0.0), ("rotation", 1.0, math.radians(3.6))):
        y, x = torch.meshgrid(
            torch.arange(height) - (height - 1) / 2, torch.arange(width) - (width - 1) / 2, indexing="ij"
        )
        sx = (math.cos(angle) * x - math.sin(angle) * y) / factor + 119.5
        sy = (math.sin(angle) * x + math.cos(angle) * y) / factor + 89.5
        assert 0 <= float(sx.min()) < float(sx.max()) <= 239  # nothing is made up at the border
        assert 0 <= float(sy.min()) < float(sy.max()) <= 179
        for k in range(3):
            exact = 0.5 + 0.3 * torch.sin(0.05 * sx + 0.03 * k * sy) * torch.cos(0.04 * sy)
            torch.testing.assert_close(getattr(stimuli, name)[0, k], exact.double(), atol=2e-3, rtol=0)


def test_threshold_options() -> None:
    picture = photograph().float()
    exact = threshold_stimuli(picture, 29.0, whole_pixels=False, direction=90.0)
    assert exact.sizes["translation"] == pytest.approx(THRESHOLDS["translation"])
    moved = exact.translation[..., 20:-20, 20:-20]
    start = (180 - exact.reference.shape[-2]) // 2
    for side, sign in ((7, 1), (6, 1)):  # upwards by 6.67 pixels lies between 6 and 7
        rows = slice(start + 20 + sign * side, start + 20 + sign * side + moved.shape[-2])
        columns = slice((240 - exact.reference.shape[-1]) // 2 + 20, None)
        near = picture[..., rows, columns][..., : moved.shape[-1]]
        assert float((near - moved).abs().max()) < 0.02
    mirrored = threshold_stimuli(picture, 29.0, border="mirror")
    assert mirrored.reference.shape == picture.shape
    assert mirrored.mirrored
    torch.testing.assert_close(mirrored.translation[..., 7:], picture[..., :-7], atol=1e-5, rtol=0)
    torch.testing.assert_close(mirrored.translation[..., :7], picture[..., :7].flip(-1), atol=1e-5, rtol=0)
    still = threshold_stimuli(picture, 29.0, strength=0.0)
    torch.testing.assert_close(still.rotation, still.reference, atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="too small to be cropped"):
        threshold_stimuli(picture[..., :20, :20], 71.0)
    with pytest.raises(ValueError, match="'crop' or 'mirror'"):
        threshold_stimuli(picture, 29.0, border="zeros")
    with pytest.raises(ValueError, match=r"\(N, C, H, W\)"):
        threshold_stimuli(picture[0], 29.0)
