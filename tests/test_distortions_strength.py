"""The search for a strength: it meets PSNRs, keeps its bounds, and says what it cannot do."""

from __future__ import annotations

import numpy as np
import pytest

from invariant_lpips.distortions import TID2013, find_strength, luma_psnr, rgb_psnr


def picture() -> np.ndarray:
    rows, columns = np.mgrid[:96, :128].astype(float)
    waves = 0.5 + 0.4 * np.sin(rows[..., None] / np.array([5.0, 9.0, 4.0])) * np.cos(columns[..., None] / 7.0)
    return np.clip(waves + 0.05 * np.random.default_rng(0).standard_normal((96, 128, 3)), 0.0, 1.0)


# Families without a whole-number strength, and the PSNR within reach of a small picture.
CONTINUOUS = [1, 2, 3, 4, 5, 6, 8, 9, 14, 16, 19, 20, 21, 23, 24]


@pytest.mark.parametrize("number", CONTINUOUS)
@pytest.mark.parametrize("target", [32.0, 26.0])
def test_meets_a_psnr(number: int, target: float) -> None:
    family = TID2013[number]
    mild, strong = {8: (0.2, 30.0), 16: (-0.001, -0.4)}.get(number, (family.mild, family.strong))
    distort = family.at()
    image = picture()

    found = find_strength(lambda x, s: distort(x, s, seed=4), image, target, mild=mild, strong=strong)

    assert found.psnr == pytest.approx(target, abs=0.06 if number not in (16, 24) else 0.4)
    assert found.psnr == luma_psnr(image, found.image)
    np.testing.assert_array_equal(found.image, distort(image, found.strength, seed=4))


def test_meets_a_psnr_on_a_photograph() -> None:
    data = pytest.importorskip("skimage.data")
    image = data.astronaut()[:256, 128:384] / 255.0
    for target in (34.8, 25.7):
        found = find_strength(TID2013[1].at(), image, target, mild=0.001, strong=1.0)
        assert abs(found.psnr - target) <= 0.06


def test_takes_the_nearest_whole_number() -> None:
    family, image = TID2013[10], picture()
    found = find_strength(family.at(), image, 30.0, mild=100, strong=1, whole=True)
    misses = {q: abs(luma_psnr(image, family.at()(image, q)) - 30.0) for q in range(1, 101)}
    assert found.strength == round(found.strength)
    assert misses[int(found.strength)] <= min(misses.values()) + 0.1


def test_stays_at_an_end_that_is_not_strong_enough() -> None:
    found = find_strength(TID2013[1].at(), picture(), 10.0, mild=0.01, strong=0.02)
    assert found.strength == pytest.approx(0.02)
    assert found.psnr > 30.0


def test_measures_as_it_is_told() -> None:
    found = find_strength(TID2013[18].at(), picture(), 30.0, mild=0.01, strong=4.0, measure=rgb_psnr)
    assert found.psnr == pytest.approx(30.0, abs=0.06)


def test_does_not_make_more_images_than_allowed() -> None:
    made = 0

    def distort(x: np.ndarray, strength: float) -> np.ndarray:
        nonlocal made
        made += 1
        return TID2013[1].at()(x, strength)

    find_strength(distort, picture(), 30.0, mild=0.001, strong=1.0, tolerance=0.0, evaluations=5)
    assert made <= 7


@pytest.mark.parametrize(
    ("target", "ends", "message"), [(np.inf, (0.1, 1.0), "finite"), (30.0, (1, 1), "differ")]
)
def test_refuses(target: float, ends: tuple[float, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find_strength(TID2013[1].at(), picture(), target, mild=ends[0], strong=ends[1])
