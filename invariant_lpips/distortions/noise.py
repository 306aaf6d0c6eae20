"""Noise families. The noise field depends on the seed and the image's shape only, so that a stronger setting
scales (or adds to) the same field: PSNR is then monotone in strength and a search on it is well behaved.

Standard deviations are in units of the image's [0, 1] range: 8 grey levels of 255 is 8 / 255 = 0.0314.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from invariant_lpips.distortions.arrays import Array, Image, accept, hand_back
from invariant_lpips.distortions.luma import rgb_to_ycbcr, ycbcr_to_rgb

__all__ = [
    "colour_noise",
    "correlated_noise",
    "gaussian_noise",
    "high_frequency_noise",
    "impulse_noise",
    "masked_noise",
    "multiplicative_noise",
    "random_impulse_noise",
    "ycbcr_noise",
]


def _field(shape: tuple[int, ...], seed: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


def _unit_variance(field: Array) -> Array:
    scaled: Array = field / field.std(axis=(0, 1), keepdims=True)
    return scaled


def gaussian_noise(image: Image, strength: float, *, seed: int = 0) -> Image:
    """White Gaussian noise, independent in R, G and B; `strength` is its deviation (TID 1, KADID 11).

    >>> grey = np.full((64, 64, 3), 0.5)
    >>> round(float(gaussian_noise(grey, 0.05).std()), 3)
    0.05
    """
    x, sigma = accept(image, strength)
    return hand_back(x + sigma * _field(x.shape, seed), image)


def colour_noise(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Noise twice as strong in chroma as in luma; `strength` is the standard deviation in Y (TID 2).

    Independent in Y, Cb and Cr (BT.601, where Y spans 219/255). The factor 2 is not printed in the database's
    papers: it follows from its PSNR of 33 dB in RGB lying 10.6 dB below that of luma.
    """
    x, sigma = accept(image, strength)
    scale = 255.0 * sigma * np.array([1.0, 2.0, 2.0])
    return hand_back(ycbcr_to_rgb(rgb_to_ycbcr(x) + scale * _field(x.shape, seed)), image)


def ycbcr_noise(image: Image, strength: float, *, seed: int = 0) -> Image:
    """White noise equally strong in Y, Cb and Cr; `strength` is its standard deviation (KADID 12)."""
    x, sigma = accept(image, strength)
    return hand_back(ycbcr_to_rgb(rgb_to_ycbcr(x) + 255.0 * sigma * _field(x.shape, seed)), image)


def correlated_noise(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Spatially correlated noise: white noise through a 3x3 box, brought to deviation `strength` (TID 3)."""
    x, sigma = accept(image, strength)
    smooth = ndimage.uniform_filter(_field(x.shape, seed), size=(3, 3, 1), mode="wrap")
    return hand_back(x + sigma * _unit_variance(smooth), image)


def masked_noise(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Noise hidden by texture: its deviation follows the local contrast (TID 4).

    At each pixel the deviation is `strength` times the standard deviation of luma in a 7x7 window, capped at
    40 grey levels of 255, in units of 16 grey levels; flat regions stay clean.
    """
    x, sigma = accept(image, strength)
    y = rgb_to_ycbcr(x)[..., 0]
    mean = ndimage.uniform_filter(y, 7, mode="reflect")
    variance = ndimage.uniform_filter(y * y, 7, mode="reflect") - mean * mean
    contrast = np.minimum(np.sqrt(np.maximum(variance, 0.0)), 40.0) / 16.0
    return hand_back(x + sigma * contrast[..., None] * _field(x.shape, seed), image)


def high_frequency_noise(image: Image, strength: float, *, seed: int = 0) -> Image:
    """White noise less its own Gaussian blur (sigma 1), brought back to deviation `strength` (TID 5)."""
    x, sigma = accept(image, strength)
    white = _field(x.shape, seed)
    high = white - ndimage.gaussian_filter(white, sigma=(1.0, 1.0, 0.0), mode="wrap")
    return hand_back(x + sigma * _unit_variance(high), image)


def impulse_noise(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Salt and pepper: the share `strength` of all samples, drawn in each channel, becomes 0 or 1 (KADID 13).

    A smaller strength hits a subset of the samples that a larger one hits, with the same values.
    """
    x, share = accept(image, strength, 0.0, 1.0)
    rng = np.random.default_rng(seed)
    hit = rng.random(x.shape) < share
    salt = (rng.random(x.shape) < 0.5).astype(np.float64)
    return hand_back(np.where(hit, salt, x), image)


def random_impulse_noise(image: Image, strength: float, *, seed: int = 0, coloured: bool = True) -> Image:
    """Random-valued impulses: the share `strength` of all pixels takes a value uniform in [0, 1] (TID 6).

    `coloured` draws R, G and B apart, otherwise the impulses are grey. Not in the database's papers: its
    PSNRs show it. Over its references they are a quadratic in luma with mean impulse 0.500 and mean square
    0.289 (even references, as three independent uniform channels have) or 0.327 (odd ones; 0.333 for a
    uniform grey) at a constant share, which about doubles from one level to the next.
    """
    x, share = accept(image, strength, 0.0, 1.0)
    rng = np.random.default_rng(seed)
    hit = rng.random(x.shape[:2]) < share
    impulses = rng.random((*x.shape[:2], 3 if coloured else 1))
    return hand_back(np.where(hit[..., None], impulses, x), image)


def multiplicative_noise(image: Image, strength: float, *, seed: int = 0) -> Image:
    """x (1 + strength * n) with n standard normal, independent in R, G and B (TID 19, KADID 14)."""
    x, sigma = accept(image, strength)
    return hand_back(x * (1.0 + sigma * _field(x.shape, seed)), image)
