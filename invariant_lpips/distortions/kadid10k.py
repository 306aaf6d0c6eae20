"""KADID-10k's 25 families (Lin, Hosu & Saupe 2019) as a table: number -> family, each with five strengths.

The strengths are those of the authors' public MATLAB generator for KADID-10k and KADIS-700k; its noise
levels are variances, ours standard deviations. The functions are written anew from its description and
differ from it where `approximation` says so. Levels of mean shift (18) and contrast (25) go from brighter to
darker and from steeper to flatter through an unchanged, or hardly changed, level 3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from invariant_lpips.distortions import blur, colour, compression, dct, noise, spatial, tone
from invariant_lpips.distortions.family import Family

__all__ = ["KADID10K"]


def _deviations(*variances: float) -> tuple[float, ...]:
    return tuple(math.sqrt(variance) for variance in variances)


_FAMILIES = (
    Family(1, "Gaussian blur", blur.gaussian_blur, 0.2, 30.0, levels=(0.1, 0.5, 1, 2, 5)),
    Family(2, "lens blur", blur.lens_blur, 0.5, 30.0, levels=(1, 2, 4, 6, 8)),
    Family(
        3,
        "motion blur",
        blur.motion_blur,
        1.0,
        60.0,
        levels=(1, 2, 4, 6, 10),
        approximation="the edge of the line is cut, not tapered",
    ),
    Family(4, "colour diffusion", colour.colour_diffusion, 1.0, 20.0, levels=(1, 3, 6, 8, 12)),
    Family(5, "colour shift", colour.colour_shift, 1.0, 12.0, levels=(1, 3, 6, 8, 12)),
    Family(
        6,
        "colour quantisation",
        colour.dithered_palette,
        256,
        2,
        whole=True,
        levels=(64, 48, 32, 16, 8),
        approximation="the palette is a median cut, not of least variance",
    ),
    Family(7, "colour saturation 1 (HSV)", colour.saturation_hsv, 1.0, -1.0, levels=(0.4, 0.2, 0.1, 0, -0.4)),
    Family(8, "colour saturation 2 (Lab)", colour.saturation_lab, 1.0, 12.0, levels=(1, 2, 3, 6, 9)),
    Family(9, "JPEG 2000", compression.jpeg2000, 3.0, 6000.0, levels=(16, 32, 45, 120, 400)),
    Family(10, "JPEG", compression.jpeg, 100, 1, whole=True, levels=(43, 36, 24, 7, 4)),
    Family(
        11,
        "white noise",
        noise.gaussian_noise,
        0.001,
        1.0,
        levels=_deviations(0.001, 0.002, 0.003, 0.005, 0.01),
    ),
    Family(
        12,
        "white noise in colour component",
        noise.ycbcr_noise,
        0.001,
        1.0,
        levels=_deviations(0.0001, 0.0005, 0.001, 0.002, 0.003),
    ),
    Family(13, "impulse noise", noise.impulse_noise, 1e-5, 1.0, levels=(0.001, 0.005, 0.01, 0.02, 0.03)),
    Family(
        14,
        "multiplicative noise",
        noise.multiplicative_noise,
        0.001,
        3.0,
        levels=_deviations(0.001, 0.005, 0.01, 0.02, 0.05),
    ),
    Family(
        15,
        "denoise",
        dct.denoised,
        0.01,
        0.8,
        levels=_deviations(0.01, 0.03, 0.05, 0.1, 0.15),
        approximation="a sliding DCT threshold in place of the network (DnCNN) of the authors",
    ),
    Family(16, "brighten", tone.brighten, 0.001, 2.0, levels=(0.1, 0.2, 0.4, 0.7, 1.1)),
    Family(17, "darken", tone.darken, 0.001, 2.0, levels=(0.05, 0.1, 0.2, 0.4, 0.8)),
    Family(18, "mean shift", tone.mean_shift, 0.001, 1.0, levels=(0.15, 0.08, 0, -0.08, -0.15)),
    Family(19, "jitter", spatial.jitter, 0.01, 10.0, levels=(0.05, 0.1, 0.2, 0.5, 1)),
    Family(
        20,
        "non-eccentricity patch",
        spatial.displaced_patches,
        1.0,
        1500.0,
        levels=(20, 40, 60, 80, 100),
        options={"patch": 16, "reach": 8},
    ),
    Family(21, "pixelate", spatial.pixelate, 0.0, 0.8, levels=(0.01, 0.05, 0.1, 0.2, 0.5)),
    Family(22, "quantisation", tone.threshold_quantisation, 60, 1, whole=True, levels=(20, 16, 13, 10, 7)),
    Family(23, "colour block", spatial.colour_blocks, 0.01, 300.0, levels=(2, 4, 6, 8, 10)),
    Family(
        24,
        "high sharpen",
        blur.high_sharpen,
        0.001,
        60.0,
        levels=(1, 2, 3, 6, 12),
        approximation="the radius of the authors' filter is read as a sigma of 3",
    ),
    Family(25, "contrast change", tone.contrast_curve, 0.0, 1.0, levels=(0.3, 0.15, 0, -0.4, -0.6)),
)

KADID10K: Mapping[int, Family] = {family.number: family for family in _FAMILIES}
"""Type number (1 to 25) -> family."""
