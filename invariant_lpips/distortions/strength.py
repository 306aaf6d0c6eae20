"""The search for the strength at which a distortion reaches a given PSNR."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from invariant_lpips.distortions.arrays import Image
from invariant_lpips.distortions.luma import luma_psnr

__all__ = ["Found", "find_strength"]


@dataclass(frozen=True)
class Found:
    """Where a search ended: the strength, the PSNR reached there in dB, and the distorted image."""

    strength: float
    psnr: float
    image: Image


def find_strength(
    distort: Callable[[Image, float], Image],
    reference: Image,
    target: float,
    *,
    mild: float,
    strong: float,
    whole: bool = False,
    tolerance: float = 0.06,
    measure: Callable[[Image, Image], float] = luma_psnr,
    evaluations: int = 24,
) -> Found:
    """Find the strength between `mild` and `strong` whose image has a PSNR of `target` dB to the reference.

    Assumes PSNR to fall from `mild` to `strong`. Steps are linear interpolations of the bracket (regula
    falsi, Illinois variant) that turn into halvings where those stall; strengths of one sign are
    interpolated by their logarithm. Whole-number strengths are halved. What comes nearest is returned,
    whether or not within `tolerance`: compare `Found.psnr` with the target.

    Args:
        distort: (image, strength) -> image.
        reference: image in [0, 1].
        target: PSNR in dB, finite.
        mild, strong: the ends of the search, of highest and of lowest PSNR; `strong` may be the
            smaller number.
        whole: only whole numbers are strengths (the quality of a JPEG, the colours of a palette).
        tolerance: stop once |PSNR - target| is at most this many dB.
        measure: (reference, distorted) -> PSNR in dB; the TID luma PSNR by default.
        evaluations: the most images to make.

    Raises:
        ValueError: `target` is not finite, or `mild` equals `strong`.

    >>> import numpy as np
    >>> from invariant_lpips.distortions import gaussian_noise
    >>> grey = np.full((64, 64, 3), 0.5)
    >>> found = find_strength(gaussian_noise, grey, 31.8, mild=0.001, strong=0.5)
    >>> round(found.psnr, 1), round(255 * found.strength)
    (31.8, 12)
    """
    if not math.isfinite(target):
        raise ValueError(f"Argument `target` must be a finite PSNR in dB, but got {target:g}.")
    if mild == strong:
        raise ValueError(f"Arguments `mild` and `strong` must differ, but both are {mild:g}.")
    seen: dict[float, Found] = {}
    by_logarithm = mild * strong > 0.0 and not whole

    def at(position: float) -> float:
        """Excess of PSNR over the target at a position from 0 (mild) to 1 (strong)."""
        if by_logarithm:  # noqa: SIM108
            strength = mild * (strong / mild) ** position
        else:
            strength = mild + (strong - mild) * position
        if whole:
            strength = float(round(strength))
        if strength not in seen:
            image = distort(reference, strength)
            seen[strength] = Found(strength, measure(reference, image), image)
        # An identical image has an infinite PSNR; any large number serves the interpolation.
        return min(seen[strength].psnr, 120.0) - target

    low, high = 0.0, 1.0
    above, below = at(low), at(high)
    side = 0
    if above > 0.0 > below:
        for step in range(evaluations):
            if min(abs(found.psnr - target) for found in seen.values()) <= tolerance:
                break
            if whole and abs(strong - mild) * (high - low) <= 1.0:
                break
            halve = whole or step % 4 == 3 or above > 60.0
            middle = 0.5 * (low + high) if halve else low + (high - low) * above / (above - below)
            excess = at(middle)
            if excess > 0.0:
                low, above = middle, excess
                below *= 0.5 if side == 1 else 1.0
                side = 1
            else:
                high, below = middle, excess
                above *= 0.5 if side == -1 else 1.0
                side = -1
            if high - low < 1e-9:
                break
    return min(seen.values(), key=lambda found: abs(found.psnr - target))
