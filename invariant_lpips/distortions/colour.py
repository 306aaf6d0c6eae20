"""Changes of colour: saturation, palettes with dither, aberration, diffusion and displacement of colour."""

from __future__ import annotations

import numpy as np
import PIL.Image
from scipy import ndimage

from invariant_lpips.distortions.arrays import Image, accept, hand_back, to_uint8
from invariant_lpips.distortions.lab import lab_to_rgb, rgb_to_lab
from invariant_lpips.distortions.luma import rgb_to_ycbcr, ycbcr_to_rgb

__all__ = [
    "chroma_scaling",
    "chromatic_aberration",
    "colour_diffusion",
    "colour_shift",
    "dithered_palette",
    "saturation_hsv",
    "saturation_lab",
]


def chroma_scaling(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Scale Cb and Cr by `1 - strength`; luma is untouched (TID 18). `seed` is not used.

    At 1 the picture is grey; beyond, colours turn into their complements.
    """
    x, loss = accept(image, strength)
    ycbcr = rgb_to_ycbcr(x)
    ycbcr[..., 1:] = 128.0 + (1.0 - loss) * (ycbcr[..., 1:] - 128.0)
    return hand_back(ycbcr_to_rgb(ycbcr), image)


def dithered_palette(image: Image, strength: float, *, seed: int = 0) -> Image:
    """A palette of `strength` colours (2 to 256, median cut) with Floyd-Steinberg dither (TID 22, KADID 6).

    The image is rounded to uint8 first and comes back on that grid. `seed` is not used.
    """
    x, colours = accept(image, strength, 2, 256, whole=True)
    picture = PIL.Image.fromarray(to_uint8(x))
    palette = picture.quantize(int(colours), method=PIL.Image.Quantize.MEDIANCUT)
    # Pillow dithers only towards a palette that is given; asked for colours alone, it leaves bands.
    dithered = picture.quantize(palette=palette, dither=PIL.Image.Dither.FLOYDSTEINBERG)
    return hand_back(np.asarray(dithered.convert("RGB"), dtype=np.float64) / 255.0, image)


def chromatic_aberration(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Red and blue planes moved apart by `strength` pixels along the diagonal, each way, and blurred (TID 23).

    All three planes are blurred, by a Gaussian of sigma 0.3 times the displacement. `seed` is not used.
    """
    x, distance = accept(image, strength)
    result = x.copy()
    for channel, sign in ((0, 1.0), (2, -1.0)):
        offset = sign * distance / np.sqrt(2.0)
        result[..., channel] = ndimage.shift(x[..., channel], offset, order=1, mode="nearest")
    return hand_back(ndimage.gaussian_filter(result, 0.3 * distance, mode="nearest", axes=(0, 1)), image)


def saturation_hsv(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Multiply saturation in HSV by `strength`; 1 is the identity, 0 grey, below 0 complements (KADID 7).

    `seed` is not used.
    """
    x, factor = accept(image, strength, -10.0, 10.0)
    # In HSV, saturation scales each channel's distance to the largest one.
    value = x.max(axis=2, keepdims=True)
    return hand_back(value - factor * (value - x), image)


def saturation_lab(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Multiply a* and b* of CIE L*a*b* by `strength`; 1 is the identity (KADID 8). `seed` is not used."""
    x, factor = accept(image, strength, -100.0, 100.0)
    lab = rgb_to_lab(x)
    lab[..., 1:] *= factor
    return hand_back(lab_to_rgb(lab), image)


def colour_diffusion(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Blur a* and b* with a Gaussian of sigma 1.5 * strength + 2 and multiply them by `strength` (KADID 4).

    So 1 spreads colours only, and above that they get stronger too. `seed` is not used.
    """
    x, amount = accept(image, strength)
    lab = rgb_to_lab(x)
    sigma = 1.5 * amount + 2.0
    lab[..., 1:] = amount * ndimage.gaussian_filter(lab[..., 1:], sigma, mode="nearest", axes=(0, 1))
    return hand_back(lab_to_rgb(lab), image)


def colour_shift(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Move the green plane by `strength` pixels in a random direction, where there are edges (KADID 5).

    The moved plane is blended in by a map of edges: the gradient of grey, blurred (sigma 4), scaled to
    [0, 1] between its first and last percentile. Displacements are whole pixels down and right.
    """
    x, distance = accept(image, strength)
    grey = x @ np.array([0.2989, 0.5870, 0.1140])
    edges = ndimage.gaussian_filter(np.hypot(*np.gradient(grey)), 4.0, mode="nearest")
    low, high = np.percentile(edges, [1, 99])
    share = np.clip((edges - low) / max(high - low, 1e-12), 0.0, 1.0)
    direction = np.random.default_rng(seed).random(2)
    moved = np.rint(distance * direction / np.linalg.norm(direction))
    shifted = ndimage.shift(x[..., 1], moved, order=0, mode="nearest")
    x[..., 1] += share * (shifted - x[..., 1])
    return hand_back(x, image)
