"""Every family of TID2013 and KADID-10k: shape, range, dtype, seed, order of strengths, refusals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from invariant_lpips.distortions import KADID10K, TID2013, Family, luma_psnr, rgb_psnr
from invariant_lpips.distortions.arrays import to_uint8
from invariant_lpips.distortions.luma import luma

FAMILIES = [
    pytest.param(family, id=f"{name}-{family.number}")
    for name, table in (("tid2013", TID2013), ("kadid10k", KADID10K))
    for family in table.values()
]


def picture(height: int = 72, width: int = 88) -> np.ndarray:
    """A colourful picture with smooth regions, edges and texture, inside [0.1, 0.9]."""
    rows, columns = np.mgrid[:height, :width].astype(float)
    red = rows / height
    green = 0.5 + 0.5 * np.sin(columns / 3.0) * (rows > height / 2)
    blue = ((rows // 16 + columns // 16) % 2) * 0.8
    texture = np.random.default_rng(7).random((height, width)) * (columns > width / 2) * 0.3
    return 0.1 + 0.8 * np.clip(np.stack([red, green, blue], -1) * 0.7 + texture[..., None], 0.0, 1.0)


def a_strength(family: Family) -> float:
    if family.levels:
        return family.levels[-1]
    return family.mild * (family.strong / family.mild) ** 0.5 if not family.whole else 16


def test_numbers_are_complete() -> None:
    assert list(TID2013) == list(range(1, 25))
    assert list(KADID10K) == list(range(1, 26))
    assert all(len(family.levels) == 5 for family in KADID10K.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_keeps_shape_dtype_and_range(family: Family) -> None:
    for dtype in (np.float32, np.float64):
        image = picture(49, 65).astype(dtype)  # sides that no block size divides
        before = image.copy()
        result = family.at()(image, a_strength(family), seed=3)
        assert result.shape == image.shape
        assert result.dtype == dtype
        assert np.isfinite(result).all()
        assert result.min() >= 0.0
        assert result.max() <= 1.0
        assert not np.array_equal(result, image)
        np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("family", FAMILIES)
def test_follows_its_seed_alone(family: Family) -> None:
    image = picture()
    np.random.seed(0)  # the global generator must not matter
    first = family.at()(image, a_strength(family), seed=11)
    np.random.seed(1)
    np.testing.assert_array_equal(first, family.at()(image, a_strength(family), seed=11))


RANDOM = [1, 2, 3, 4, 5, 6, 9, 12, 13, 14, 15, 19, 20, 21, 24]


@pytest.mark.parametrize("number", RANDOM)
def test_other_seeds_give_other_images(number: int) -> None:
    family = TID2013[number]
    a, b = (family.at()(picture(), a_strength(family), seed=seed) for seed in (1, 2))
    assert not np.array_equal(a, b)


@pytest.mark.parametrize("family", [p for p in FAMILIES if p.values[0].mild != p.values[0].strong])
def test_psnr_falls_with_strength(family: Family) -> None:
    image = picture()
    if family.whole:
        strengths = np.unique(np.rint(np.geomspace(family.mild, family.strong, 6)))
        strengths = strengths if family.strong > family.mild else strengths[::-1]
    elif family.mild * family.strong > 0:
        strengths = np.geomspace(family.mild, family.strong, 6)
    else:
        strengths = np.linspace(family.mild, family.strong, 6)
    measure = rgb_psnr if "colour" in family.name else luma_psnr
    psnr = [min(measure(image, family.at()(image, s, seed=5)), 90.0) for s in strengths]
    # A small picture makes some families uneven by fractions of a dB.
    assert psnr[0] > psnr[-1] + 3.0
    slack = 1.5 if family.number == 12 else 0.5
    assert all(weaker > stronger - slack for weaker, stronger in itertools.pairwise(psnr))


@pytest.mark.parametrize("family", FAMILIES)
def test_refuses_what_is_not_an_image_in_0_1(family: Family) -> None:
    distort, strength = family.at(), a_strength(family)
    with pytest.raises(TypeError, match="divide uint8 by 255"):
        distort((255 * picture()).astype(np.uint8), strength)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        distort(picture() * 255.0, strength)
    with pytest.raises(ValueError, match=r"\(H, W, 3\)"):
        distort(picture()[..., 0], strength)
    with pytest.raises(ValueError, match="strength"):
        distort(picture(), float("nan"))
    with pytest.raises(TypeError, match="strength"):
        distort(picture(), "strong")  # type: ignore[arg-type]


def test_refuses_a_level_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="between 1 and 5, but got 6"):
        TID2013[1].at(level=6)


def test_refuses_fractions_of_whole_numbers_and_nan_images() -> None:
    with pytest.raises(ValueError, match=r"whole number, but got 50\.5"):
        TID2013[10].at()(picture(), 50.5)
    with pytest.raises(ValueError, match="nan"):
        TID2013[1].at()(np.full((32, 32, 3), np.nan), 0.1)


def test_luma_is_matlabs() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    skimage_color = pytest.importorskip("skimage.color")
    expected = np.round(skimage_color.rgb2ycbcr(image)[..., 0])
    assert np.abs(luma(image) - expected).max() <= 0.0


@pytest.mark.parametrize("function", ["rgb_to_lab", "lab_to_rgb"])
def test_lab_is_skimages(function: str) -> None:
    skimage_color = pytest.importorskip("skimage.color")
    from invariant_lpips.distortions import lab

    image = np.random.default_rng(0).random((20, 20, 3))
    if function == "rgb_to_lab":
        np.testing.assert_allclose(lab.rgb_to_lab(image), skimage_color.rgb2lab(image), atol=0.02)
    else:
        np.testing.assert_allclose(lab.lab_to_rgb(lab.rgb_to_lab(image)), image, atol=1e-9)


def test_hsv_saturation_is_skimages() -> None:
    skimage_color = pytest.importorskip("skimage.color")
    hsv = skimage_color.rgb2hsv(picture())
    hsv[..., 1] *= 0.4
    np.testing.assert_allclose(KADID10K[7].at()(picture(), 0.4), skimage_color.hsv2rgb(hsv), atol=1e-9)


def test_thresholds_are_otsus() -> None:
    filters = pytest.importorskip("skimage.filters")
    from invariant_lpips.distortions.tone import _least_variance_thresholds

    values = to_uint8(picture())[..., 0]
    ours = _least_variance_thresholds(np.bincount(values.ravel(), minlength=256).astype(float), 3)
    theirs = filters.threshold_multiotsu(values, classes=4, nbins=256)
    # Levels nobody uses may belong to either neighbour, so the classes are compared, not the thresholds.
    np.testing.assert_array_equal(
        np.searchsorted(ours, values, side="left"), np.digitize(values, theirs, right=True)
    )


def test_wavelet_transform_is_inverted() -> None:
    from invariant_lpips.distortions.wavelet import _forward, _inverse, jpeg2000_transmission

    x = np.random.default_rng(0).random((16, 24, 3))
    np.testing.assert_allclose(_inverse(_forward(x, 1), 1), x, atol=1e-12)
    np.testing.assert_allclose(jpeg2000_transmission(picture(), 0.0), picture(), atol=1e-9)


def test_noise_has_the_deviation_it_is_given() -> None:
    grey = np.full((128, 128, 3), 0.5)
    for number in (1, 3, 5):
        assert TID2013[number].at()(grey, 0.05, seed=2).std() == pytest.approx(0.05, rel=0.02)
    assert TID2013[19].at()(grey, 0.1, seed=2).std() == pytest.approx(0.05, rel=0.02)


def test_saturation_leaves_luma_alone() -> None:
    image = 0.3 + 0.4 * np.random.default_rng(0).random((32, 32, 3))
    assert luma_psnr(image, TID2013[18].at()(image, 0.6)) > 50.0
