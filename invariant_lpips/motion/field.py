"""What one motion for the whole picture leaves: a smooth field of displacements, measured window by window.

Parallax, lenses and errors of optical flow displace parts of a picture by different amounts. Once the motion of the
whole is undone, soft evidence is asked of each 64-px window as of a picture of its own (a shift, claimed as
`motion="shift"` claims it), and a claim counts if enough of the windows around it say nearly the same. The other
windows follow their neighbours, and those that match where they are hold the field at 0. Between the windows' centres
the field is linear.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from invariant_lpips.motion.half_way import both_carried
from invariant_lpips.motion.motion import WINDOW, Motion
from invariant_lpips.motion.sampling import pairs_at_once
from invariant_lpips.motion.whole import NEAR, Claims, claims

__all__ = ["grid_size", "with_field"]

#: The most pixels from one window to the next.
STRIDE = 32
#: The share of a window that both pictures must show. Not all of it: at the border a spline reads beyond the picture.
SEEN = 0.9
#: Windows that agree differ by no more than this many pixels, or this share of the displacement if that is more.
APART, APART_SHARE = 1.0, 0.35
#: A claim stands if so many of the eight windows around it agree: more than share half of its pixels.
LEAST_AGREEING = 3
#: So many windows make a field.
LEAST_WINDOWS = 4


def grid_size(size: tuple[int, int]) -> tuple[int, int] | None:
    """Rows and columns of windows of a picture of (H, W) pixels; None for one of fewer than 2 x 2 of them side by side.

    Example:
        >>> grid_size((256, 256)), grid_size((127, 400))
        ((7, 7), None)
    """
    if min(size) < 2 * WINDOW:
        return None
    rows, columns = (math.ceil((side - WINDOW) / STRIDE) + 1 for side in size)
    return rows, columns


def with_field(x: Tensor, y: Tensor, whole: Claims, size: tuple[int, int]) -> tuple[Claims, Tensor]:
    """The field of pairs of luma (N, 1, H, W) beside the motion of the whole, and the claims with it.

    Returns:
        claims: found where either is.
        field: (N, 2, rows, columns) float64, pixels to the right and down; see :attr:`Motion.field`.
    """
    grid = grid_size(size)
    assert grid is not None
    still = torch.zeros(len(x), 2, *grid, dtype=torch.float64)
    everything = torch.ones(len(x), dtype=torch.bool)

    def left_of(field: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        motion = Motion(whole.generator, everything, whole.confidence, whole.overlap, size, field)
        return by_window(*both_carried(x, y, motion), grid)

    moved, claimed, matched = left_of(still)
    claimed &= agreeing(moved, claimed)
    claimed &= (claimed.sum((1, 2)) >= LEAST_WINDOWS).view(-1, 1, 1)
    field = still
    if claimed.any():
        field = filled(moved, claimed, matched)
        # Once more, since a window sees a displacement that varies within it blurred; what is left is small.
        moved, found, _ = left_of(field)
        found &= (moved.norm(dim=1) < 2 * APART) & (field != 0).any(1)
        field = field + torch.where(found.unsqueeze(1), moved, 0.0)
    bent = claimed.any(2).any(1)
    field = torch.where(bent.view(-1, 1, 1, 1), field, 0.0)
    confidence = torch.where(bent & ~whole.found, claimed.double().mean((1, 2)).sqrt(), whole.confidence)
    return Claims(whole.generator, whole.found | bent, confidence, whole.overlap), field


def by_window(x: Tensor, y: Tensor, seen: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """Each window's shift (N, 2, rows, columns), whether it is claimed, and whether it matches where it is."""
    tops, lefts = (starts(side, count) for side, count in zip(x.shape[-2:], grid, strict=True))

    def cut(pictures: Tensor) -> Tensor:
        parts = [pictures[..., t : t + WINDOW, left : left + WINDOW] for t in tops for left in lefts]
        return torch.stack(parts, 1).flatten(0, 1)

    a, b = cut(x), cut(y)
    inside = (cut(seen).flatten(1).float().mean(1) > SEEN).cpu()
    asked = ((a != b).flatten(1).any(1).cpu() & inside).nonzero().flatten()
    shift = torch.zeros(len(a), 2, dtype=torch.float64)
    found = torch.zeros(len(a), dtype=torch.bool)
    matched = inside.clone()
    for some in torch.split(asked, pairs_at_once(a)):
        there = some.to(a.device)
        one = claims(a[there], b[there], (WINDOW, WINDOW), "shift")
        shift[some] = one.generator[:, :, 2] * (WINDOW / 2)
        found[some] = one.found
        matched[some] = ~one.found & (one.confidence > NEAR)
    batch = len(x)
    return (
        shift.view(batch, *grid, 2).permute(0, 3, 1, 2),
        found.view(batch, *grid),
        matched.view(batch, *grid),
    )


def starts(side: int, count: int) -> list[int]:
    """Where the windows along a side begin: evenly, from one border to the other."""
    return [round(k * (side - WINDOW) / (count - 1)) for k in range(count)]


def agreeing(moved: Tensor, found: Tensor) -> Tensor:
    """(N, rows, columns) bool: whether enough of the windows around say nearly the same."""
    rows, columns = found.shape[-2:]
    around = F.pad(moved, (1, 1, 1, 1), value=math.inf)
    claimed = F.pad(found, (1, 1, 1, 1))
    limit = (APART_SHARE * moved.norm(dim=1)).clamp_min(APART)
    count = torch.zeros_like(found, dtype=torch.int64)
    for down in range(3):
        for right in range(3):
            if (down, right) != (1, 1):
                other = around[..., down : down + rows, right : right + columns]
                also = claimed[:, down : down + rows, right : right + columns]
                count += also & ((other - moved).norm(dim=1) <= limit)
    return count >= LEAST_AGREEING


def filled(moved: Tensor, found: Tensor, matched: Tensor) -> Tensor:
    """The field: claims as they are, the rest the weighted mean of what is known around, spreading from near to far."""
    kernel = torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64)
    kernel = (kernel.view(3, 1) * kernel).view(1, 1, 3, 3)
    known = (found | matched).double().unsqueeze(1)
    field = torch.where(found.unsqueeze(1), moved, 0.0)
    fixed = known > 0
    for _ in range(sum(found.shape[-2:])):
        weight = F.conv2d(known, kernel, padding=1)
        both = F.conv2d((field * known).flatten(0, 1).unsqueeze(1), kernel, padding=1)
        mean = both.view_as(field) / weight.clamp_min(1e-12)
        field = torch.where(fixed, field, mean)
        known = torch.where(fixed, known, (weight > 0).double())
    return field
