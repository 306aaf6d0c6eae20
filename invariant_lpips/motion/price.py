"""What a motion costs: multiples of its detection thresholds, and how they add up with what else has changed.

A shift, a turn and a zoom are each divided by the size at which people just notice them
(:mod:`invariant_lpips.statistics.thresholds`), and the three multiples are added as perpendicular ones,

    m^2 = (shift / 0.23 degrees of visual angle)^2 + (turn / 3.6 degrees)^2 + (ln zoom / ln 1.026)^2.

A field of displacements beside these costs what its root mean square would as a shift.

A distance d becomes a multiple of the just noticeable one by what people say of TID2013. With D = a d^b fitted to its
scores, so that D = D0 (d / d0)^b with D0 = 0.445 at threshold, and Fechner's law D = D0 + s ln(multiple), which its
scores of noise follow (s = 0.14), the visibility of a distance is

    n(d) = exp(D0 / s ((d / d0)^b - 1))  above threshold,   n(d) = (d / d0)^(b D0 / s)  below,

one smooth curve with n(0) = 0 and n(d0) = 1. Appearance and motion add as perpendicular ones too, and the sum goes
back to the scale of the metric:

    d = n^-1( sqrt(n(d_appearance)^2 + m^2) ).

Why, and what lost against it: docs/motion.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from invariant_lpips.motion.motion import Motion, exponential, unit
from invariant_lpips.statistics.thresholds import (
    FECHNER_SLOPE,
    ROTATION,
    SUBJECTIVE_DISTANCE,
    TRANSLATION,
    ZOOM,
)

__all__ = ["distance_of", "multiples", "visibility", "with_motion"]


def multiples(motion: Motion, pixels_per_degree: float) -> Tensor:
    """(N,) float64: how many detection thresholds each motion is; 0 where none was found.

    A shift is that of the scene point which lies at the centre half way, so that both directions cost the same.
    A motion that isn't a similarity is taken apart into the turn nearest to it and two stretches along
    perpendicular axes, whose logarithms count by their root mean square.
    """
    linear = exponential(motion.generator)[:, :, :2].cpu()
    stretches = torch.linalg.svdvals(linear).log().square().mean(-1).sqrt().to(motion.generator.device)
    ends = (exponential(motion.generator * share)[:, :, 2] for share in (0.5, -0.5))
    shift = (next(ends) - next(ends)).norm(dim=-1) * unit(motion.size)
    parts = [
        shift / (TRANSLATION * pixels_per_degree),
        motion.rotation.abs() / ROTATION,
        stretches / math.log(ZOOM),
        motion.bend / (TRANSLATION * pixels_per_degree),
    ]
    total = torch.stack(parts).square().sum(0).sqrt()
    return torch.where(motion.found, total, torch.zeros_like(total))


def visibility(distance: Tensor, calibration: Mapping[str, float]) -> Tensor:
    """Distances as multiples of the just noticeable one, any shape.

    Args:
        distance: of a metric, >= 0.
        calibration: `b` and `d0` of the metric (:attr:`invariant_lpips.InvariantLPIPS.jnd_fit`).

    Example:
        >>> calibration = {"b": 0.4023, "d0": 0.1}
        >>> visibility(torch.tensor([0.0, 0.1, 0.3]), calibration).round(decimals=2)
        tensor([0.0000, 1.0000, 5.6700])
    """
    b, steepness = calibration["b"], SUBJECTIVE_DISTANCE / FECHNER_SLOPE
    ratio = distance / calibration["d0"]
    # Each branch is kept within its own half, where its slope is finite: infinity times 0 would be NaN.
    below = ratio.clamp(min=1e-12, max=1) ** (b * steepness)
    above = (steepness * (ratio.clamp(min=1) ** b - 1)).exp()
    return torch.where(ratio < 1, torch.where(ratio == 0, 0, below), above)


def distance_of(visible: Tensor, calibration: Mapping[str, float]) -> Tensor:
    """The distance of a visibility: the inverse of :func:`visibility`.

    Example:
        >>> calibration = {"b": 0.4023, "d0": 0.1}
        >>> distance_of(visibility(torch.tensor([0.03, 0.1, 0.3]), calibration), calibration)
        tensor([0.0300, 0.1000, 0.3000])
    """
    b, steepness = calibration["b"], SUBJECTIVE_DISTANCE / FECHNER_SLOPE
    below = visible.clamp(min=1e-12, max=1) ** (1 / (b * steepness))
    above = (1 + visible.clamp(min=1).log() / steepness) ** (1 / b)
    return calibration["d0"] * torch.where(visible < 1, torch.where(visible == 0, 0, below), above)


def with_motion(distance: Tensor, motion: Tensor, calibration: Mapping[str, float]) -> Tensor:
    """The distance of a pair that differs by `distance` once a motion of `motion` thresholds is undone; same shapes.

    Without motion it is `distance`, bit for bit.

    Example:
        >>> calibration = {"b": 0.4023, "d0": 0.1}
        >>> with_motion(torch.tensor([0.05, 0.05, 0.0]), torch.tensor([0.0, 1.0, 1.0]), calibration)
        tensor([0.0500, 0.1066, 0.1000])
    """
    still = motion == 0
    seen = motion.to(distance.dtype).masked_fill(still, 1)
    total = distance_of((visibility(distance, calibration).square() + seen.square()).sqrt(), calibration)
    return torch.where(still, distance, total)
