"""Changes of tone, the same at every pixel: mean, contrast, quantisation of grey levels."""

from __future__ import annotations

import numpy as np

from invariant_lpips.distortions.arrays import Image, accept, hand_back

__all__ = ["contrast_change", "mean_shift", "quantisation"]


def mean_shift(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Add `strength`, which may be negative, to every sample (TID 16, KADID 18). `seed` is not used.

    >>> float(mean_shift(np.full((16, 16, 3), 0.5), -0.1).max())
    0.4
    """
    x, shift = accept(image, strength, -1.0, 1.0)
    return hand_back(x + shift, image)


def contrast_change(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Scale the deviation from the image's mean grey by `1 + strength`, -1 to 10 (TID 17). `seed` is not used."""
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
