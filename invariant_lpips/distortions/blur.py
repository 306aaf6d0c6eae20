"""Blurs: Gaussian, lens (a disc) and motion (a line), and sharpening. Edges are continued by their last pixel."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from invariant_lpips.distortions.arrays import Array, Image, accept, hand_back
from invariant_lpips.distortions.lab import lab_to_rgb, rgb_to_lab

__all__ = ["gaussian_blur", "high_sharpen", "lens_blur", "motion_blur"]

_SUPERSAMPLING = 8


def gaussian_blur(
    image: Image, strength: float, *, seed: int = 0, window: int | None = None, black_border: bool = False
) -> Image:
    """Gaussian blur; `strength` is sigma in pixels (TID 8, KADID 1). `seed` is taken and not used.

    `window` cuts the kernel to an odd number of pixels a side (by default 4 sigmas each way); `black_border`
    takes the outside of the image as black, which darkens its edges, instead of continuing its last pixel.

    >>> step = np.zeros((32, 32, 3))
    >>> step[:, 16:] = 1.0
    >>> round(float(gaussian_blur(step, 2.0)[16, 16, 0]), 3)
    0.6
    """
    x, sigma = accept(image, strength)
    if window is not None and (window < 1 or window % 2 == 0):
        raise ValueError(f"Argument `window` must be an odd number of pixels, but got {window}.")
    radius = math.ceil(4.0 * sigma) if window is None else window // 2
    mode = "constant" if black_border else "nearest"
    # At least a tenth of a pixel: the kernel is then a single 1, and a sigma of 0 needs no case of its own.
    blurred = ndimage.gaussian_filter(x, max(sigma, 0.1), mode=mode, radius=max(radius, 1), axes=(0, 1))
    return hand_back(blurred, image)


def lens_blur(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Defocus: mean over a disc whose radius in pixels is `strength` (KADID 2). `seed` is not used."""
    x, radius = accept(image, strength)
    if radius == 0.0:
        return hand_back(x, image)
    return hand_back(_convolve(x, _coverage(_disc, radius, radius)), image)


def motion_blur(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Linear motion over `strength` pixels at an angle drawn from the seed (KADID 3)."""
    x, length = accept(image, strength)
    if length == 0.0:
        return hand_back(x, image)
    angle = float(np.random.default_rng(seed).uniform(0.0, math.pi))

    def line(u: Array, v: Array, size: float) -> Array:
        along = u * math.cos(angle) + v * math.sin(angle)
        across = -u * math.sin(angle) + v * math.cos(angle)
        return ((np.abs(along) <= size / 2.0) & (np.abs(across) <= 0.5)).astype(np.float64)

    # A line shorter than a pixel is the pixel itself: the kernel then has one cell.
    return hand_back(_convolve(x, _coverage(line, max(length, 1.0), max(length, 1.0) / 2.0)), image)


def high_sharpen(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Unsharp masking: L* plus `strength` times its difference to a Gaussian blur, sigma 3 (KADID 24).

    `seed` is not used.
    """
    x, amount = accept(image, strength)
    lab = rgb_to_lab(x)
    lightness = lab[..., 0]
    lab[..., 0] = np.clip(
        lightness + amount * (lightness - ndimage.gaussian_filter(lightness, 3.0)), 0.0, 100.0
    )
    return hand_back(lab_to_rgb(lab), image)


def _disc(u: Array, v: Array, radius: float) -> Array:
    return (u * u + v * v <= radius * radius).astype(np.float64)


def _coverage(inside: object, size: float, reach: float) -> Array:
    """Kernel whose cells hold the share of their area that a shape covers, by 8x8 samples a cell."""
    assert callable(inside)
    half = max(math.ceil(reach - 0.5), 0) + 1
    cells = 2 * half + 1
    centres = (np.arange(cells * _SUPERSAMPLING) + 0.5) / _SUPERSAMPLING - half - 0.5
    v, u = np.meshgrid(centres, centres, indexing="ij")
    covered = inside(u, v, size).reshape(cells, _SUPERSAMPLING, cells, _SUPERSAMPLING).mean(axis=(1, 3))
    kernel: Array = covered / covered.sum()
    return kernel


def _convolve(x: Array, kernel: Array) -> Array:
    blurred: Array = ndimage.convolve(x, kernel[..., None], mode="nearest")
    return blurred
