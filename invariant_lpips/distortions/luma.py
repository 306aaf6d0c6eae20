"""Luma, chroma and PSNR exactly as the TID databases' figures were computed (ITU-R BT.601, studio range).

`luma` is MATLAB's `rgb2ycbcr` on uint8: Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255, rounded, in
16..235. The PSNR of two images keeps 255 as its peak although luma spans 219 levels, as TID's published
values do.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from invariant_lpips.distortions.arrays import Array, Image, to_uint8

__all__ = ["luma", "luma_psnr", "rgb_psnr", "rgb_to_ycbcr", "ycbcr_to_rgb"]

# Rows: Y, Cb, Cr; columns: R, G, B; for RGB in [0, 1], results in units of 1/255 as in BT.601.
_FROM_RGB: Final[Array] = np.array(
    [[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]
)
_TO_RGB: Final[Array] = np.linalg.inv(_FROM_RGB).astype(np.float64)
_OFFSET: Final[Array] = np.array([16.0, 128.0, 128.0])


def rgb_to_ycbcr(image: Image) -> Array:
    """RGB in [0, 1] to YCbCr in 0..255 (Y 16..235, Cb and Cr 16..240), not rounded."""
    converted: Array = image @ _FROM_RGB.T + _OFFSET
    return converted


def ycbcr_to_rgb(ycbcr: Array) -> Array:
    """The inverse of :func:`rgb_to_ycbcr`, not clipped."""
    converted: Array = (ycbcr - _OFFSET) @ _TO_RGB.T
    return converted


def luma(image: NDArray[np.uint8]) -> Array:
    """MATLAB's rounded luma of a uint8 RGB image, as float64 in 16..235.

    >>> luma(np.array([[[0, 0, 0], [255, 255, 255], [200, 100, 50]]], dtype=np.uint8))
    array([[ 16., 235., 123.]])
    """
    # The tiny offset makes exact halves round up as MATLAB does, whatever the order of the sum.
    exact = 16.0 + image.astype(np.float64) @ (_FROM_RGB[0] / 255.0)
    rounded: Array = np.floor(exact + 0.5 + 1e-9)
    return rounded


def _psnr(error: Array) -> float:
    mean_square = float(np.mean(np.square(error)))
    return math.inf if mean_square == 0.0 else 10.0 * math.log10(255.0**2 / mean_square)


def luma_psnr(reference: Image, distorted: Image) -> float:
    """PSNR in dB between the rounded lumas of two images in [0, 1], each rounded to uint8 first.

    Infinite where the lumas agree everywhere (TID2013's change of saturation does that).

    >>> grey = np.full((16, 16, 3), 0.5)
    >>> round(luma_psnr(grey, grey + 6 / 255), 2)
    34.15
    """
    return _psnr(luma(to_uint8(reference)) - luma(to_uint8(distorted)))


def rgb_psnr(reference: Image, distorted: Image) -> float:
    """PSNR in dB over the three channels of two images in [0, 1], each rounded to uint8 first.

    >>> grey = np.full((16, 16, 3), 0.5)
    >>> round(rgb_psnr(grey, grey + 6 / 255), 2)
    32.57
    """
    return _psnr(to_uint8(reference).astype(np.float64) - to_uint8(distorted).astype(np.float64))
