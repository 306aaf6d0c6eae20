"""Undoing a motion by carrying both pictures half of the way towards each other, so that both blur alike."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from invariant_lpips.functional import full_precision, without_autocast
from invariant_lpips.motion.motion import WINDOW, Motion, exponential
from invariant_lpips.motion.sampling import (
    field_at,
    inside,
    moved_grid,
    pairs_at_once,
    spline_coefficients,
    spline_read,
    strips,
)

__all__ = ["compensated", "displacement", "half_way"]

#: This far inside its border, in pixels, a spline reads real pixels only.
SUPPORT = 1.5
#: The places of a field begin and end this far inside the border, in pixels: at the middle of a window.
FIELD_MARGIN = (WINDOW - 1) / 2


def half_way(x: Tensor, y: Tensor, motion: Motion) -> tuple[Tensor, Tensor, Tensor]:
    """Both pictures where their scene is half of the way from one to the other.

    By cubic splines, which may leave the range of the pictures a little; outside a picture its border is repeated.
    Gradients flow to the pictures; the motion is held fixed. `half_way(y, x, motion.inverse())` is the same, exchanged.

    Args:
        x, y: (N, C, H, W), floating point.
        motion: from x to y.

    Returns:
        x, y: (N, C, H, W) of their own dtypes; bit for bit the arguments for pairs without a claim.
        mask: (N, 1, H, W) bool, where both pictures show something.

    Raises:
        ValueError: the motion is of another number of pairs, or of another size.
    """
    return in_parts(both_carried, x, y, motion)


def compensated(x: Tensor, y: Tensor, motion: Motion) -> tuple[Tensor, Tensor, Tensor]:
    """:func:`half_way`, with the same content in both pictures wherever not both show something.

    What only one picture shows is copied into the other, so that nothing outside the overlap adds to a distance and
    no edge is made up where the overlap ends: the scene goes on. What neither shows is the mean of both, whose
    borders are repeated. The copies carry no gradient.
    """
    return in_parts(both_filled, x, y, motion)


Way = Callable[[Tensor, Tensor, Motion], tuple[Tensor, Tensor, Tensor]]


def in_parts(way: Way, x: Tensor, y: Tensor, motion: Motion) -> tuple[Tensor, Tensor, Tensor]:
    """A way of carrying both pictures, a few pairs at a time; the arguments themselves where nothing moved."""
    for pictures in (x, y):
        if tuple(pictures.shape[-2:]) != motion.size or len(pictures) != len(motion):
            raise ValueError(
                f"Argument `motion` was estimated for {len(motion)} pairs of {motion.size[0]}x{motion.size[1]}, but "
                f"got {len(pictures)} pictures of {pictures.shape[-2]}x{pictures.shape[-1]}."
            )
    if not motion.found.any():
        return x, y, everywhere(x)
    step = pairs_at_once(x)
    if step >= len(x):
        return way(x, y, motion)
    parts = [slice(start, start + step) for start in range(0, len(x), step)]
    there, here, seen = zip(*(way(x[part], y[part], motion[part]) for part in parts), strict=True)
    return torch.cat(there), torch.cat(here), torch.cat(seen)


def both_carried(x: Tensor, y: Tensor, motion: Motion) -> tuple[Tensor, Tensor, Tensor]:
    there, seen_x = carried(x, motion, -0.5)
    here, seen_y = carried(y, motion, 0.5)
    return there, here, seen_x & seen_y


def both_filled(x: Tensor, y: Tensor, motion: Motion) -> tuple[Tensor, Tensor, Tensor]:
    there, seen_x = carried(x, motion, -0.5)
    here, seen_y = carried(y, motion, 0.5)
    with torch.no_grad():
        fill = torch.where(seen_x, there, torch.where(seen_y, here, (there + here) / 2))
    both = seen_x & seen_y
    return torch.where(both, there, fill), torch.where(both, here, fill), both


def carried(pictures: Tensor, motion: Motion, share: float) -> tuple[Tensor, Tensor]:
    """Pictures read where a share of the motion takes each pixel, and where that is inside: (N, 1, H, W) bool."""
    pairs = motion.found.nonzero().flatten()
    if not len(pairs):
        return pictures, everywhere(pictures)
    moving = motion[pairs]
    maps = exponential(moving.generator * share)
    pairs = pairs.to(pictures.device)
    with without_autocast(pictures.device.type):
        chosen = full_precision(pictures[pairs])
        coefficients = spline_coefficients(chosen)
        parts = []
        for rows in strips(chosen, motion.size[0]):
            bent = None if moving.field is None else displacement(moving, chosen, rows) * share
            grid = moved_grid(maps, motion.size, motion.size, chosen, rows, bent)
            moved = spline_read(coefficients, grid).to(pictures.dtype)
            parts.append((moved, inside(grid, motion.size, SUPPORT)))
    moved, seen = (torch.cat(part, dim=-2) for part in zip(*parts, strict=True))
    if len(pairs) == len(pictures):
        return moved, seen
    return pictures.index_copy(0, pairs, moved), everywhere(pictures).index_copy(0, pairs, seen)


def everywhere(pictures: Tensor) -> Tensor:
    """(N, 1, H, W) bool, True."""
    return torch.ones_like(pictures[:, :1], dtype=torch.bool)


def displacement(motion: Motion, like: Tensor, rows: slice = slice(None)) -> Tensor:
    """(N, 2, h, W), dtype and device of `like`: the field of a motion at the pixels of some rows; 0 without one."""
    height, width = motion.size
    if motion.field is None:
        return like.new_zeros(len(motion), 2, len(range(height)[rows]), width)
    return field_at(motion.field, motion.size, FIELD_MARGIN, rows, like)
