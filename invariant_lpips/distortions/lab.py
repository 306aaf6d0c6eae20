"""CIE L*a*b* of sRGB colours under D65 (IEC 61966-2-1; CIE 15)."""

from __future__ import annotations

from typing import Final

import numpy as np

from invariant_lpips.distortions.arrays import Array

__all__ = ["lab_to_rgb", "rgb_to_lab"]

_TO_XYZ: Final[Array] = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE: Final[Array] = _TO_XYZ.sum(axis=1)
_DELTA: Final = 6.0 / 29.0


def rgb_to_lab(image: Array) -> Array:
    """sRGB in [0, 1], (..., 3), to L* in 0..100 and a*, b*.

    >>> rgb_to_lab(np.array([1.0, 0.0, 0.0])).round(1)
    array([53.2, 80.1, 67.2])
    """
    linear = np.where(image <= 0.04045, image / 12.92, ((image + 0.055) / 1.055) ** 2.4)
    t = (linear @ _TO_XYZ.T) / _WHITE
    f = np.where(t > _DELTA**3, np.cbrt(t), t / (3.0 * _DELTA**2) + 4.0 / 29.0)
    return np.stack(
        [116.0 * f[..., 1] - 16.0, 500.0 * (f[..., 0] - f[..., 1]), 200.0 * (f[..., 1] - f[..., 2])], axis=-1
    )


def lab_to_rgb(lab: Array) -> Array:
    """The inverse of :func:`rgb_to_lab`. Colours outside sRGB come out outside [0, 1]."""
    y = (lab[..., 0] + 16.0) / 116.0
    f = np.stack([y + lab[..., 1] / 500.0, y, y - lab[..., 2] / 200.0], axis=-1)
    xyz = _WHITE * np.where(f > _DELTA, f**3, 3.0 * _DELTA**2 * (f - 4.0 / 29.0))
    linear = xyz @ np.linalg.inv(_TO_XYZ).T
    positive = np.maximum(linear, 0.0031308)
    rgb: Array = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * positive ** (1 / 2.4) - 0.055)
    return rgb
