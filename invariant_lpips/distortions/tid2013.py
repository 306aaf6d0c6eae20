"""TID2013's 24 families (Ponomarenko et al., Image database TID2013, 2015) as a table: number -> family.

TID2008 (2009) is the first 17 of them, at TID2013's levels 2 to 5. The functions are written anew from the
published descriptions; where those leave a choice open, `approximation` says what was chosen. Which strength
belongs to a level is not published either. Types 7, 8, 10, 16 and 17 give theirs away in the published
PSNRs: with the `levels` below every one of their images has the luma PSNR of the database's own to 0.1 dB
(five of the 24 JPEGs of level 5 miss by up to 0.3). For the others `strength.find_strength` finds the
strength that meets that PSNR.
"""

from __future__ import annotations

from collections.abc import Mapping

from invariant_lpips.distortions import blur, colour, compression, dct, noise, spatial, tone, wavelet
from invariant_lpips.distortions.family import Family

__all__ = ["TID2013"]


_FAMILIES = (
    Family(1, "additive Gaussian noise", noise.gaussian_noise, 0.001, 1.0),
    Family(2, "additive noise, stronger in colour", noise.colour_noise, 0.001, 1.0),
    Family(3, "spatially correlated noise", noise.correlated_noise, 0.001, 1.0),
    Family(
        4,
        "masked noise",
        noise.masked_noise,
        0.001,
        3.0,
        approximation="the law of masking is ours: the deviation of luma in 7x7, up to 40 grey levels",
    ),
    Family(5, "high-frequency noise", noise.high_frequency_noise, 0.001, 2.0),
    Family(
        6,
        "impulse noise",
        noise.random_impulse_noise,
        1e-5,
        1.0,
        by_reference=({"coloured": True}, {"coloured": False}),
    ),
    Family(
        7,
        "quantisation noise",
        tone.quantisation,
        levels=(19 / 255, 27 / 255, 39 / 255, 55 / 255, 76 / 255),
    ),
    Family(
        8,
        "Gaussian blur",
        blur.gaussian_blur,
        levels=(0.5, 0.65, 1.0, 1.7, 4.0),
        options={"window": 11, "black_border": True},
    ),
    Family(
        9,
        "image denoising",
        dct.denoised,
        0.01,
        0.8,
        approximation="the filter is ours: a sliding 8x8 DCT threshold in each channel",
    ),
    Family(10, "JPEG compression", compression.jpeg, levels=(80, 60, 23, 8, 4), whole=True),
    Family(11, "JPEG 2000 compression", compression.jpeg2000, 3.0, 6000.0),
    Family(
        12,
        "JPEG transmission errors",
        compression.jpeg_transmission,
        1e-3,
        1.0,
        trials=8,
        approximation="where errors fall, how far their damage runs and how a decoder shows it is guessed",
    ),
    Family(
        13,
        "JPEG 2000 transmission errors",
        wavelet.jpeg2000_transmission,
        0.1,
        1000.0,
        approximation="damaged wavelet code-blocks in place of a damaged stream",
    ),
    Family(
        14,
        "non-eccentricity pattern noise",
        spatial.displaced_patches,
        1.0,
        1500.0,
        approximation="how far a patch moves is guessed, and with it the number of patches",
    ),
    Family(
        15,
        "local block-wise distortions of different intensity",
        spatial.colour_shifted_blocks,
        0.01,
        1.0,
        by_level=tuple({"blocks": count} for count in (32, 16, 8, 4, 2)),
        approximation="the number of the blocks and their colours are guessed",
    ),
    Family(16, "mean shift", tone.mean_shift, levels=(-6 / 255, 10 / 255, -20 / 255, 30 / 255, -40 / 255)),
    Family(17, "contrast change", tone.contrast_change, levels=(-0.1, 0.2, -0.25, 0.45, -0.5)),
    Family(
        18,
        "change of colour saturation",
        colour.chroma_scaling,
        0.01,
        8.0,
        approximation="luma says nothing here: matched in RGB to the design's 33, 30, 27, 24 and 21 dB",
    ),
    Family(19, "multiplicative Gaussian noise", noise.multiplicative_noise, 0.001, 3.0),
    Family(
        20,
        "comfort noise",
        dct.comfort_noise,
        0.001,
        30.0,
        approximation="the coder is ours: random signs of small 32x32 DCT coefficients in YCbCr",
    ),
    Family(
        21,
        "lossy compression of noisy images",
        dct.compressed_noisy,
        0.002,
        1.0,
        approximation="the coder is ours: a 32x32 DCT in YCbCr with a step of 3 deviations of the noise",
    ),
    Family(
        22,
        "colour quantisation with dither",
        colour.dithered_palette,
        256,
        2,
        whole=True,
        approximation="the palette is a median cut; a whole number of colours meets PSNR coarsely",
    ),
    Family(
        23,
        "chromatic aberrations",
        colour.chromatic_aberration,
        0.02,
        60.0,
        approximation="the direction of the displacement and the share of blur are guessed",
    ),
    Family(
        24,
        "sparse sampling and reconstruction",
        dct.sparse_sampling,
        0.003,
        0.99,
        approximation="the pattern of the samples and the reconstruction are ours",
    ),
)

TID2013: Mapping[int, Family] = {family.number: family for family in _FAMILIES}
"""Type number (1 to 24) -> family."""
