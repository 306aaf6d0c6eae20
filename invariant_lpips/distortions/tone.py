"""Changes of tone, the same at every pixel: mean, contrast, brightness, quantisation of grey levels."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

from invariant_lpips.distortions.arrays import Array, Image, accept, hand_back, to_uint8
from invariant_lpips.distortions.lab import lab_to_rgb, rgb_to_lab

__all__ = [
    "brighten",
    "contrast_change",
    "contrast_curve",
    "darken",
    "mean_shift",
    "quantisation",
    "threshold_quantisation",
]


def mean_shift(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Add `strength`, which may be negative, to every sample (TID 16, KADID 18). `seed` is not used.

    >>> float(mean_shift(np.full((16, 16, 3), 0.5), -0.1).max())
    0.4
    """
    x, shift = accept(image, strength, -1.0, 1.0)
    return hand_back(x + shift, image)


def contrast_change(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Scale the deviation from the image's mean grey by `1 + strength`, -1 to 10 (TID 17). `seed` is not
    used.
    """
    x, change = accept(image, strength, -1.0, 10.0)
    mean = x.mean()
    return hand_back(mean + (1.0 + change) * (x - mean), image)


def quantisation(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Uniform quantisation: R, G and B rounded to the nearest multiple of `strength` (TID 7).

    `seed` is not used; 0 returns the image.
    """
    x, step = accept(image, strength, 0.0, 1.0)
    if step == 0.0:
        return hand_back(x, image)
    return hand_back(np.rint(x / step) * step, image)


def threshold_quantisation(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Quantisation by `strength` thresholds (1 to 64) of least variance within classes, for all channels (KADID 22).

    A value between two thresholds becomes the upper one, below the first 0, above the last 1. `seed` is not
    used.
    """
    x, count = accept(image, strength, 1, 64, whole=True)
    thresholds = (
        _least_variance_thresholds(
            np.bincount(to_uint8(x).ravel(), minlength=256).astype(np.float64), int(count)
        )
        / 255.0
    )
    values = np.concatenate([[0.0], thresholds[1:], [1.0]])
    return hand_back(values[np.searchsorted(thresholds, x, side="left")], image)


def brighten(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Lift the midtones: 2/3 of a curve on R, G, B and 1/3 of the same curve on lightness (KADID 16).

    The curve is the parabola through (0, 0), (1/2, 1/2 + strength / 2), (1, 1), clipped. `seed` is not used.
    """
    x, amount = accept(image, strength, 0.0, 2.0)
    lab = rgb_to_lab(x)
    lab[..., 0] = 100.0 * _parabola(lab[..., 0] / 100.0, amount)
    return hand_back((2.0 * _parabola(x, amount) + np.clip(lab_to_rgb(lab), 0.0, 1.0)) / 3.0, image)


def darken(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Lower the midtones: the parabola through (0, 0), (1/2, 1/2 - strength / 2), (1, 1), clipped (KADID 17).

    `seed` is not used.
    """
    x, amount = accept(image, strength, 0.0, 2.0)
    return hand_back(_parabola(x, -amount), image)


def contrast_curve(image: Image, strength: float, *, seed: int = 0) -> Image:
    """A curve of tone, flatter for negative and steeper for positive `strength`, -1 to 1 (KADID 25).

    The cubic spline through (0, 0), (0.3, 0.25 - strength / 4), (0.5, 0.5), (0.7, 0.75 + strength / 4), (1,
    1), clipped; 0 is slightly steeper than the identity. `seed` is not used.
    """
    x, amount = accept(image, strength, -1.0, 1.0)
    curve = CubicSpline([0.0, 0.3, 0.5, 0.7, 1.0], [0.0, 0.25 - amount / 4.0, 0.5, 0.75 + amount / 4.0, 1.0])
    return hand_back(curve(x), image)


def _parabola(x: Array, lift: float) -> Array:
    """x + 2 lift x (1 - x), clipped: half the lift at x = 1/2."""
    lifted: Array = np.clip(x + 2.0 * lift * x * (1.0 - x), 0.0, 1.0)
    return lifted


def _least_variance_thresholds(histogram: Array, count: int) -> Array:
    """Otsu's thresholds for several classes, by dynamic programming over the 256 levels (after Otsu 1979)."""
    levels = np.arange(257)
    weight = np.concatenate([[0.0], np.cumsum(histogram)])
    first = np.concatenate([[0.0], np.cumsum(histogram * np.arange(256))])
    mass = weight[None, :] - weight[:, None]
    # Variance between classes is largest where the sum over classes of (sum of values)^2 / (number of values) is.
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(mass > 0.0, (first[None, :] - first[:, None]) ** 2 / mass, 0.0)
    gain[levels[:, None] >= levels[None, :]] = -np.inf  # [start, end): classes are not empty
    best = gain[0].copy()
    cuts: list[Array] = []
    for _ in range(count):
        total = best[:, None] + gain
        cuts.append(total.argmax(axis=0))
        best = total.max(axis=0)
    end = 256
    thresholds = []
    for cut in reversed(cuts):
        end = int(cut[end])
        thresholds.append(end - 1.0)
    return np.array(thresholds[::-1])
