"""Distortions that act on 8x8 DCT coefficients: what block coders and transform-domain filters leave behind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from invariant_lpips.distortions.arrays import Array, Image, accept, hand_back

__all__ = ["comfort_noise", "compressed_noisy", "denoised", "sparse_sampling"]

_BLOCK = 8
_SAMPLING_THRESHOLDS = (0.4, 0.3, 0.2, 0.15, 0.1, 0.05)
# Seen from a rounding of the result to 1/255, single precision is exact, and the transforms take half the time.
_Coefficients = NDArray[np.float32]
_Change = Callable[[_Coefficients], _Coefficients]


def comfort_noise(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Random signs for the small coefficients of each 8x8 block; the DC term is kept (TID 20).

    A coder that sends no sign for coefficients below a threshold lets the decoder fill in noise of the right
    energy. `strength` is that threshold, in units of the [0, 1] range for the orthonormal DCT.
    """
    x, threshold = accept(image, strength)
    signs = np.random.default_rng(seed)

    def change(c: _Coefficients) -> _Coefficients:
        flip = (signs.random(c.shape, dtype=np.float32) < 0.5) & (np.abs(c) < threshold)
        flip[:, 0, :, 0] = False
        return np.where(flip, -c, c)

    return hand_back(_in_blocks(x, change), image)


def compressed_noisy(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Lossy compression of a noisy image: white noise of deviation `strength`, then a block coder (TID 21).

    The coder is a uniform quantiser of the 8x8 DCT with step 3 * `strength`, the order of magnitude that is
    recommended when the noise, not the picture, decides the step.
    """
    x, sigma = accept(image, strength)
    if sigma == 0.0:
        return hand_back(x, image)
    noisy = x + sigma * np.random.default_rng(seed).standard_normal(x.shape)
    step = np.float32(3.0 * sigma)
    return hand_back(_in_blocks(noisy, lambda c: np.rint(c / step) * step), image)


def denoised(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Noise of deviation `strength`, then removed by a sliding-window 3-D DCT filter (TID 9).

    The filter transforms 8x8 windows jointly with an orthonormal 3-point DCT over the channels, zeroes what is
    below 2.7 standard deviations and averages the overlapping windows (stepped by 2 pixels).
    """
    x, sigma = accept(image, strength)
    noisy = x + sigma * np.random.default_rng(seed).standard_normal(x.shape)
    return hand_back(_sliding_threshold(noisy, 2.7 * sigma, step=2), image)


def sparse_sampling(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Reconstruction from a random part of the image's DCT coefficients, as in compressed sensing (TID 24).

    A coefficient of the whole image at frequency r (1 at the Nyquist frequency of an axis) is measured with
    probability (1 - strength) ** (16 r); the rest is unknown. Reconstruction alternates a sliding 8x8 DCT
    threshold, falling from step to step, with putting the measured coefficients back. A stronger setting
    measures a subset of the coefficients that a weaker one measures.
    """
    x, loss = accept(image, strength, 0.0, 1.0)
    height, width = x.shape[:2]
    r = np.hypot(np.arange(height)[:, None] / height, np.arange(width)[None, :] / width)
    draw = np.random.default_rng(seed).random((height, width))
    with np.errstate(divide="ignore"):
        lost_from = 1.0 - draw ** (1.0 / (16.0 * r))  # the strength from which on a coefficient is lost
    lost_from[0, 0] = 2.0  # the mean is always measured
    measured = (lost_from > loss)[..., None]
    spectrum = fft.dctn(x.astype(np.float32), axes=(0, 1), norm="ortho")
    estimate = fft.idctn(np.where(measured, spectrum, np.float32(0.0)), axes=(0, 1), norm="ortho")
    for threshold in _SAMPLING_THRESHOLDS:
        smooth = _sliding_threshold(estimate, threshold, step=4)
        filled = fft.dctn(smooth.astype(np.float32), axes=(0, 1), norm="ortho")
        estimate = fft.idctn(np.where(measured, spectrum, filled), axes=(0, 1), norm="ortho")
    return hand_back(estimate, image)


def _in_blocks(x: Array, change: _Change) -> Array:
    """Apply `change` to the 8x8 DCT of every block; sides are mirrored up to a multiple of 8."""
    height, width = x.shape[:2]
    padded = np.pad(x, ((0, -height % _BLOCK), (0, -width % _BLOCK), (0, 0)), mode="symmetric")
    tiled = padded.astype(np.float32).reshape(
        padded.shape[0] // _BLOCK, _BLOCK, padded.shape[1] // _BLOCK, _BLOCK, 3
    )
    changed = fft.idctn(change(fft.dctn(tiled, axes=(1, 3), norm="ortho")), axes=(1, 3), norm="ortho")
    result: Array = changed.reshape(padded.shape)[:height, :width].astype(np.float64)
    return result


def _sliding_threshold(x: Array, threshold: float, *, step: int) -> Array:
    """Mean over shifted 8x8 tilings of a hard threshold of the 3-D DCT (two axes of space, one of colour)."""
    height, width = x.shape[:2]
    padded = np.pad(
        x, ((_BLOCK, _BLOCK + -height % _BLOCK), (_BLOCK, _BLOCK + -width % _BLOCK), (0, 0)), mode="symmetric"
    ).astype(np.float32)
    total = np.zeros((height, width, 3), dtype=np.float32)
    offsets = range(0, _BLOCK, step)
    for top in offsets:
        for left in offsets:
            tile = padded[top : padded.shape[0] - _BLOCK + top, left : padded.shape[1] - _BLOCK + left]
            blocks = tile.reshape(tile.shape[0] // _BLOCK, _BLOCK, tile.shape[1] // _BLOCK, _BLOCK, 3)
            c = fft.dctn(blocks, axes=(1, 3, 4), norm="ortho")
            keep = np.abs(c) >= threshold
            keep[:, 0, :, 0, 0] = True  # the mean of a block is signal
            back = fft.idctn(np.where(keep, c, np.float32(0.0)), axes=(1, 3, 4), norm="ortho")
            back = back.reshape(tile.shape)
            total += back[_BLOCK - top : _BLOCK - top + height, _BLOCK - left : _BLOCK - left + width]
    mean: Array = (total / np.float32(len(offsets) ** 2)).astype(np.float64)
    return mean
