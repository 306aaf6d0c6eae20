"""Changes of colour: saturation, palettes with dither, chromatic aberration."""

from __future__ import annotations

import numpy as np
import PIL.Image
from scipy import ndimage

from invariant_lpips.distortions.arrays import Image, accept, hand_back, to_uint8
from invariant_lpips.distortions.luma import rgb_to_ycbcr, ycbcr_to_rgb

__all__ = ["chroma_scaling", "chromatic_aberration", "dithered_palette"]


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
