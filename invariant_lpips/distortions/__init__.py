"""The distortion families of the rated databases, written anew from their descriptions: one function each.

Every one is called `distort(image, strength, *, seed=0)`: an (H, W, 3) float array of RGB in [0, 1] in, an
array of the same shape and dtype out, equal for equal seeds. What `strength` measures, its docstring says.
The tables `TID2013` and `KADID10K` say which function and which strengths make up a database's types;
`find_strength` finds the strength that meets a PSNR, and `resynthesise` makes TID2013 or TID2008 anew from their
references, scores and PSNRs.

>>> import numpy as np
>>> image = np.full((32, 32, 3), 0.5, dtype=np.float32)
>>> noisy = gaussian_noise(image, 8 / 255, seed=1)
>>> noisy.shape, noisy.dtype, bool((noisy == gaussian_noise(image, 8 / 255, seed=1)).all())
((32, 32, 3), dtype('float32'), True)
>>> strong_blur = KADID10K[1].at()(image, KADID10K[1].levels[4])
"""

from __future__ import annotations

from invariant_lpips.distortions.blur import gaussian_blur, high_sharpen, lens_blur, motion_blur
from invariant_lpips.distortions.colour import (
    chroma_scaling,
    chromatic_aberration,
    colour_diffusion,
    colour_shift,
    dithered_palette,
    saturation_hsv,
    saturation_lab,
)
from invariant_lpips.distortions.compression import jpeg, jpeg2000, jpeg_transmission
from invariant_lpips.distortions.dct import comfort_noise, compressed_noisy, denoised, sparse_sampling
from invariant_lpips.distortions.family import Distortion, Family
from invariant_lpips.distortions.kadid10k import KADID10K
from invariant_lpips.distortions.luma import luma_psnr, rgb_psnr
from invariant_lpips.distortions.noise import (
    colour_noise,
    correlated_noise,
    gaussian_noise,
    high_frequency_noise,
    impulse_noise,
    masked_noise,
    multiplicative_noise,
    random_impulse_noise,
    ycbcr_noise,
)
from invariant_lpips.distortions.resynthesis import Made, resynthesise
from invariant_lpips.distortions.spatial import (
    colour_blocks,
    colour_shifted_blocks,
    displaced_patches,
    jitter,
    pixelate,
)
from invariant_lpips.distortions.strength import Found, find_strength
from invariant_lpips.distortions.tid2013 import TID2013
from invariant_lpips.distortions.tone import (
    brighten,
    contrast_change,
    contrast_curve,
    darken,
    mean_shift,
    quantisation,
    threshold_quantisation,
)
from invariant_lpips.distortions.wavelet import jpeg2000_transmission

__all__ = [
    "KADID10K",
    "TID2013",
    "Distortion",
    "Family",
    "Found",
    "Made",
    "brighten",
    "chroma_scaling",
    "chromatic_aberration",
    "colour_blocks",
    "colour_diffusion",
    "colour_noise",
    "colour_shift",
    "colour_shifted_blocks",
    "comfort_noise",
    "compressed_noisy",
    "contrast_change",
    "contrast_curve",
    "correlated_noise",
    "darken",
    "denoised",
    "displaced_patches",
    "dithered_palette",
    "find_strength",
    "gaussian_blur",
    "gaussian_noise",
    "high_frequency_noise",
    "high_sharpen",
    "impulse_noise",
    "jitter",
    "jpeg",
    "jpeg2000",
    "jpeg2000_transmission",
    "jpeg_transmission",
    "lens_blur",
    "luma_psnr",
    "masked_noise",
    "mean_shift",
    "motion_blur",
    "multiplicative_noise",
    "pixelate",
    "quantisation",
    "random_impulse_noise",
    "resynthesise",
    "rgb_psnr",
    "saturation_hsv",
    "saturation_lab",
    "sparse_sampling",
    "threshold_quantisation",
    "ycbcr_noise",
]
