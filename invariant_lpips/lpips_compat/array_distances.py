"""Distances of two numpy pictures by their pixels, as lpips 0.1.4 defines them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def l2(p0: NDArray[Any], p1: NDArray[Any], range: float = 255.0) -> np.floating[Any]:
    """`lpips.l2`: half the mean squared difference of two arrays of one shape, in units of `range`.

    Example:
        >>> import numpy as np
        >>> round(float(l2(np.full((2, 2, 3), 51.0), np.zeros((2, 2, 3)))), 6)
        0.02
    """
    half_mean_square: np.floating[Any] = 0.5 * np.mean((p0 / range - p1 / range) ** 2)
    return half_mean_square


def psnr(p0: NDArray[Any], p1: NDArray[Any], peak: float = 255.0) -> np.floating[Any]:
    """`lpips.psnr`: peak signal-to-noise ratio in dB, 10 log10(peak^2 / mean square); inf for equal arrays.

    Example:
        >>> import numpy as np
        >>> round(float(psnr(np.full((2, 2, 3), 16, np.uint8), np.zeros((2, 2, 3), np.uint8))), 3)
        24.048
    """
    with np.errstate(divide="ignore"):
        decibels: np.floating[Any] = 10 * np.log10(peak**2 / np.mean((1.0 * p0 - 1.0 * p1) ** 2))
    return decibels


def dssim(p0: NDArray[Any], p1: NDArray[Any], range: float = 255.0) -> np.floating[Any]:
    """`lpips.dssim`: structural dissimilarity (1 - SSIM) / 2 of two arrays (H, W, C), 0 for equal ones.

    lpips calls a function that scikit-image removed in 0.18; this is the same SSIM (7 x 7 uniform window,
    sample covariance, mean over channels) under its present name. Raises ImportError where scikit-image is
    missing.

    Example:
        >>> import numpy as np
        >>> float(dssim(np.ones((8, 8, 3)), np.ones((8, 8, 3))))
        0.0
    """
    try:
        from skimage.metrics import structural_similarity
    except ImportError:
        raise ImportError("dssim needs scikit-image: pip install 'invariant-lpips[demo]'") from None
    similarity: np.floating[Any] = structural_similarity(p0, p1, data_range=range, channel_axis=-1)
    return (1 - similarity) / 2.0
