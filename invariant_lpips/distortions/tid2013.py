"""TID2013's 24 families (Ponomarenko et al., Image database TID2013, 2015) as a table: number -> family.

TID2008 (2009) is the first 17 of them, at TID2013's levels 2 to 5. The functions are written anew from the published
descriptions; where those leave a choice open, `approximation` says what was chosen. Which strength belongs to a level
is not published either: `strength.find_strength` finds the one that meets the PSNR of the database's own image.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from invariant_lpips.distortions import blur, colour, compression, dct, noise, spatial, tone, wavelet
from invariant_lpips.distortions.arrays import Image

__all__ = ["TID2013", "Distortion", "Family"]


class Distortion(Protocol):
    """What every distortion can be called as."""

    def __call__(self, image: Image, strength: float, *, seed: int = 0) -> Image:
        """Distort an (H, W, 3) image in [0, 1]."""
        ...


@dataclass(frozen=True)
class Family:
    """One of the database's types, and how its strength is searched.

    Attributes:
        number: the database's number of the type, from 1.
        name: the database's name of the type.
        function: the distortion.
        mild, strong: strengths between which PSNR falls; `strong` is the smaller one for a JPEG quality.
        whole: the strength is a whole number.
        alternates: odd levels use the strength's negative (a darker, a flatter picture), even levels the positive.
        by_level: arguments of `function` that depend on the level, one mapping for each of the five.
        trials: how many seeds a search may try, for families whose PSNR jumps.
        approximation: in which way this may differ from the database's images; empty where nothing is known.
    """

    number: int
    name: str
    function: Distortion
    mild: float
    strong: float
    whole: bool = False
    alternates: bool = False
    by_level: tuple[Mapping[str, Any], ...] = ()
    trials: int = 1
    approximation: str = ""

    def at_level(self, level: int) -> tuple[Distortion, float, float]:
        """The distortion and the ends (mild, strong) of its search at a level from 1 to 5.

        >>> TID2013[16].at_level(1)[1:]
        (-0.001, -0.4)
        """
        if not 1 <= level <= 5:
            raise ValueError(f"Argument `level` must be between 1 and 5, but got {level}.")
        sign = -1.0 if self.alternates and level % 2 == 1 else 1.0
        strong = max(sign * self.strong, -1.0) if self.alternates else self.strong
        function = functools.partial(self.function, **self.by_level[level - 1]) if self.by_level else self.function
        return function, sign * self.mild, strong


_BLOCKS = tuple({"blocks": count} for count in (32, 16, 8, 4, 2))

_FAMILIES = (
    Family(1, "additive Gaussian noise", noise.gaussian_noise, 0.001, 1.0),
    Family(2, "additive noise, stronger in colour", noise.colour_noise, 0.001, 1.0),
    Family(3, "spatially correlated noise", noise.correlated_noise, 0.001, 1.0),
    Family(
        4, "masked noise", noise.masked_noise, 0.001, 3.0,
        approximation="the masking law is ours: deviation follows luma's local deviation in 7x7, capped at 40",
    ),
    Family(5, "high-frequency noise", noise.high_frequency_noise, 0.001, 2.0),
    Family(6, "impulse noise", noise.impulse_noise, 1e-5, 1.0),
    Family(7, "quantisation noise", tone.quantisation, 0.004, 1.0),
    Family(8, "Gaussian blur", blur.gaussian_blur, 0.2, 30.0),
    Family(
        9, "image denoising", dct.denoised, 0.002, 1.0,
        approximation="a sliding 3-D DCT threshold at 2.7 deviations with windows every 2 pixels",
    ),
    Family(10, "JPEG compression", compression.jpeg, 100, 1, whole=True),
    Family(11, "JPEG 2000 compression", compression.jpeg2000, 1.0, 3000.0),
    Family(
        12, "JPEG transmission errors", compression.jpeg_transmission, 0.01, 1.0, trials=40,
        approximation="flipped bits in a JPEG of quality 95 without restart markers, found by trials",
    ),
    Family(
        13, "JPEG 2000 transmission errors", wavelet.jpeg2000_transmission, 0.1, 4000.0,
        approximation="damaged wavelet code-blocks instead of a damaged stream",
    ),
    Family(14, "non-eccentricity pattern noise", spatial.displaced_patches, 0.1, 4000.0),
    Family(
        15, "local block-wise distortions of different intensity", spatial.colour_shifted_blocks, 0.01, 1.0,
        by_level=_BLOCKS, approximation="the number and the colours of the blocks are guessed",
    ),
    Family(16, "mean shift", tone.mean_shift, 0.001, 0.4, alternates=True),
    Family(17, "contrast change", tone.contrast_change, 0.001, 8.0, alternates=True),
    Family(18, "change of colour saturation", colour.chroma_scaling, 0.01, 2.0),
    Family(19, "multiplicative Gaussian noise", noise.multiplicative_noise, 0.001, 3.0),
    Family(20, "comfort noise", dct.comfort_noise, 0.001, 10.0),
    Family(21, "lossy compression of noisy images", dct.compressed_noisy, 0.002, 1.0),
    Family(22, "colour quantisation with dither", colour.dithered_palette, 256, 2, whole=True),
    Family(23, "chromatic aberrations", colour.chromatic_aberration, 0.02, 60.0),
    Family(24, "sparse sampling and reconstruction", dct.sparse_sampling, 1e-3, 0.9999),
)

TID2013: Mapping[int, Family] = {family.number: family for family in _FAMILIES}
"""Type number (1 to 24) -> family."""
