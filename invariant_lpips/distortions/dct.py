"""Distortions that act on DCT coefficients: what block coders and transform-domain filters leave behind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from invariant_lpips.distortions.arrays import Array, Image, accept, hand_back
from invariant_lpips.distortions.luma import rgb_to_ycbcr, ycbcr_to_rgb

__all__ = ["comfort_noise", "compressed_noisy", "denoised", "sparse_sampling"]

_WINDOW = 8
_CODER_BLOCK = 32
_SAMPLING_THRESHOLDS = (0.3, 0.15, 0.08, 0.04)
_SAMPLING_CORE = 0.03
# Seen from a rounding of the result to 1/255, single precision is exact, and the transforms take half
# the time.
_Coefficients = NDArray[np.float32]
_Change = Callable[[_Coefficients], _Coefficients]


def comfort_noise(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Random signs for the small coefficients of each 32x32 block in YCbCr; the DC term is kept (TID 20).

    A coder that sends no sign for coefficients below a threshold lets the decoder fill in noise of the right
    energy. `strength` is that threshold, for the orthonormal DCT of YCbCr / 255.
    """
    x, threshold = accept(image, strength)
    draws = np.random.default_rng(seed)

    def change(c: _Coefficients) -> _Coefficients:
        flip = (draws.random(c.shape, dtype=np.float32) < 0.5) & (np.abs(c) < threshold)
        flip[:, 0, :, 0] = False
        return np.where(flip, -c, c)

    return hand_back(_in_coder_blocks(x, change), image)


def compressed_noisy(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Lossy compression of a noisy image: white noise of deviation `strength`, then a block coder (TID 21).

    The coder quantises the 32x32 DCT of YCbCr uniformly with step 3 * `strength`, so that the noise, not the
    picture, decides the step. With it, images that meet the database's luma PSNR also lie within 0.3 dB of
    its design targets in RGB, which blocks of 8x8 or of RGB miss by 1 to 2 dB.
    """
    x, sigma = accept(image, strength)
    if sigma == 0.0:
        return hand_back(x, image)
    noisy = np.clip(x + sigma * np.random.default_rng(seed).standard_normal(x.shape), 0.0, 1.0)
    step = np.float32(3.0 * sigma)
    return hand_back(_in_coder_blocks(noisy, lambda c: np.rint(c / step) * step), image)


def denoised(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Noise of deviation `strength`, clipped to [0, 1], then removed by a sliding 8x8 DCT filter (TID 9).

    The filter works on R, G and B apart: it zeroes what lies below 2.7 standard deviations in every window
    and averages the overlapping windows (stepped by 4 pixels).
    """
    x, sigma = accept(image, strength)
    noisy = np.clip(x + sigma * np.random.default_rng(seed).standard_normal(x.shape), 0.0, 1.0)
    return hand_back(_sliding_threshold(noisy, 2.7 * sigma, step=4), image)


def sparse_sampling(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Reconstruction from a random part of the image's DCT coefficients, as in compressed sensing (TID 24).

    A coefficient of the whole image at frequency r (1 at the Nyquist frequency of an axis) is measured with
    probability (1 - strength) ** (16 (r - 0.03 (1 - strength))), at most 1; the rest is unknown.
    Reconstruction alternates a sliding 8x8 DCT threshold, falling from step to step, with putting the
    measured coefficients back. A stronger setting measures a subset of the coefficients that a weaker one
    measures.
    """
    x, loss = accept(image, strength, 0.0, 1.0)
    height, width = x.shape[:2]
    r = np.hypot(np.arange(height)[:, None] / height, np.arange(width)[None, :] / width)
    # Frequencies that matter most are all measured; fewer of them as the loss grows. With one draw a
    # coefficient, a probability that falls with the loss makes the measured sets nested.
    probability = (1.0 - loss) ** (16.0 * np.maximum(r - _SAMPLING_CORE * (1.0 - loss), 0.0))
    measured = (np.random.default_rng(seed).random((height, width)) <= probability)[..., None]
    spectrum = fft.dctn(x.astype(np.float32), axes=(0, 1), norm="ortho")
    estimate = fft.idctn(np.where(measured, spectrum, np.float32(0.0)), axes=(0, 1), norm="ortho")
    for threshold in _SAMPLING_THRESHOLDS:
        smooth = _sliding_threshold(estimate, threshold, step=4)
        filled = fft.dctn(smooth.astype(np.float32), axes=(0, 1), norm="ortho")
        estimate = fft.idctn(np.where(measured, spectrum, filled), axes=(0, 1), norm="ortho")
    return hand_back(estimate, image)


def _in_coder_blocks(x: Array, change: _Change) -> Array:
    """Apply `change` to the DCT of every 32x32 block of YCbCr / 255; sides are mirrored up to a multiple of
    32.
    """
    height, width = x.shape[:2]
    size = _CODER_BLOCK
    padded = np.pad(
        rgb_to_ycbcr(x) / 255.0, ((0, -height % size), (0, -width % size), (0, 0)), mode="symmetric"
    )
    tiled = padded.astype(np.float32).reshape(padded.shape[0] // size, size, padded.shape[1] // size, size, 3)
    changed = fft.idctn(change(fft.dctn(tiled, axes=(1, 3), norm="ortho")), axes=(1, 3), norm="ortho")
    return ycbcr_to_rgb(255.0 * changed.reshape(padded.shape)[:height, :width].astype(np.float64))


def _sliding_threshold(x: Array, threshold: float, *, step: int) -> Array:
    """Mean over shifted 8x8 tilings of a hard threshold of the DCT, in each channel; block means are kept."""
    height, width = x.shape[:2]
    size = _WINDOW
    margins = ((size, size + -height % size), (size, size + -width % size), (0, 0))
    padded = np.pad(x, margins, mode="symmetric").astype(np.float32)
    total = np.zeros((height, width, 3), dtype=np.float32)
    offsets = range(0, size, step)
    for top in offsets:
        for left in offsets:
            tile = padded[top : padded.shape[0] - size + top, left : padded.shape[1] - size + left]
            blocks = tile.reshape(tile.shape[0] // size, size, tile.shape[1] // size, size, 3)
            c = fft.dctn(blocks, axes=(1, 3), norm="ortho")
            keep = np.abs(c) >= threshold
            keep[:, 0, :, 0] = True
            back = fft.idctn(np.where(keep, c, np.float32(0.0)), axes=(1, 3), norm="ortho").reshape(
                tile.shape
            )
            total += back[size - top : size - top + height, size - left : size - left + width]
    mean: Array = (total / np.float32(len(offsets) ** 2)).astype(np.float64)
    return mean
