"""At what size people just notice that a photograph was moved, turned, zoomed or made noisy.

Alabau-Bosque et al. 2024 (arXiv:2407.17927) measured the detection thresholds of affine changes: a shift of 0.23
degrees of visual angle, a turn of 3.6 degrees, a zoom by 1.026. All three equal the same subjective distance,
D = 0.445 (0.390 to 0.499), on the scale D = (10 - MOS) / 10 of TID2013. How many pixels a degree of visual angle
has depends on display and distance: that study takes about 29, RAID's display had about 71.
"""

from __future__ import annotations

import math

__all__ = [
    "FECHNER_SLOPE",
    "NOISE",
    "PIXELS_PER_DEGREE",
    "ROTATION",
    "SUBJECTIVE_DISTANCE",
    "SUBJECTIVE_INTERVAL",
    "TRANSLATION",
    "ZOOM",
    "multiples",
]

TRANSLATION = 0.23
"""Degrees of visual angle."""

ROTATION = 3.6
"""Degrees."""

ZOOM = 1.026
"""Factor."""

NOISE = 6.5
"""Grey levels (of 255) of Gaussian noise at which TID2013's own scores reach D = 0.445."""

SUBJECTIVE_DISTANCE = 0.445
"""D of all of these, on D = (10 - MOS) / 10."""

SUBJECTIVE_INTERVAL = (0.390, 0.499)
"""The interval published with it."""

FECHNER_SLOPE = 0.1425
"""s of D = D0 + s ln(sigma / NOISE): how D grows with noise on the mean scores of TID2013's type 1 (sigma 5.7 to 22.6
give D = 0.433, 0.477, 0.515, 0.575, 0.623: within 0.01 of this line). Types 3, 5 and 19, other noises, give 0.13 to
0.15."""

PIXELS_PER_DEGREE = {"the study": 29.0, "RAID": 71.0}
"""Whose viewing conditions -> pixels per degree of visual angle."""


def multiples(kind: str, amount: float, pixels_per_degree: float) -> float:
    """How many detection thresholds a change is; a zoom by its logarithm, so that two steps of it add up.

    Args:
        kind: "shift" (`amount` in pixels), "turn" (degrees), "zoom" (factor) or "noise" (grey levels of 255).
        amount: size of the change.
        pixels_per_degree: of the viewing conditions assumed; only shifts depend on it.

    Raises:
        ValueError: no threshold is known for this kind.

    Example:
        >>> round(multiples("shift", 4, 29.0), 2), round(multiples("zoom", 1.026**2, 29.0), 2)
        (0.6, 2.0)
    """
    if kind == "shift":
        return amount / (TRANSLATION * pixels_per_degree)
    if kind == "turn":
        return amount / ROTATION
    if kind == "zoom":
        return math.log(amount) / math.log(ZOOM)
    if kind == "noise":
        return amount / NOISE
    raise ValueError(f"Argument `kind` must be shift, turn, zoom or noise, but got {kind!r}.")
