"""Refining a motion by Gauss-Newton steps on both pictures, each carried half of the way towards the other.

Both are read between their pixels alike, so what reading does to noise cannot speak for a motion; the slopes are
the mean of both (Benhimane & Malis, Real-time image-based tracking of planes using efficient second-order
minimization, 2004). Gain and offset are solved for in each step, as enhanced correlation does (Evangelidis & Psarakis,
Parametric image alignment using enhanced correlation coefficient maximization, 2008), and large residues lose weight.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from invariant_lpips.motion.motion import exponential, unit
from invariant_lpips.motion.sampling import inside, moved_grid, places, sampled

__all__ = ["BASES", "half_way_bands", "refined"]

#: The generators of each model, as (2, 3) matrices in a row: shift in x and y, zoom, turn; then two shears.
BASES = {
    "shift": ((0, 0, 1, 0, 0, 0), (0, 0, 0, 0, 0, 1)),
    "similarity": ((0, 0, 1, 0, 0, 0), (0, 0, 0, 0, 0, 1), (1, 0, 0, 0, 1, 0), (0, -1, 0, 1, 0, 0)),
    "affine": (
        (0, 0, 1, 0, 0, 0),
        (0, 0, 0, 0, 0, 1),
        (1, 0, 0, 0, 0, 0),
        (0, 1, 0, 0, 0, 0),
        (0, 0, 0, 1, 0, 0),
        (0, 0, 0, 0, 1, 0),
    ),
}
#: The logarithms of zoom, turn and shear, and the shift in sides, beyond which no motion is followed.
FURTHEST = 0.6
#: What is left out along a picture's own border, in pixels of a level: frames don't move with the scene.
BORDER = 4.0
#: The most that a step may move a corner, in pixels of its level.
STRIDE = 4.0


def half_way_bands(
    x: Tensor, y: Tensor, generator: Tensor, size: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Two (N, 1, h, w) bands carried half of the way each, and where both are seen, a float mask."""
    level = (x.shape[-2], x.shape[-1])
    maps = exponential(torch.stack([-generator, generator]) / 2)
    grids = [moved_grid(part, level, size, x) for part in maps]
    margin = min(BORDER, min(level) / 16)
    seen = inside(grids[0], level, margin) & inside(grids[1], level, margin)
    return sampled(x, grids[0]), sampled(y, grids[1]), seen.to(x.dtype)


def standardised(a: Tensor, b: Tensor, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Both pictures with mean 0 and mean square 1 over what is seen, 0 where nothing varies, and their correlation.

    Args:
        a, b, seen: (N, 1, h, w); the mask is 0 or 1.

    Returns:
        a, b: as they came in shape; what is not seen means nothing.
        correlation: (N,).
    """
    flat = torch.cat([a, b, torch.ones_like(a)], 1).flatten(2)
    gram = (flat * seen.flatten(2)) @ flat.mT
    gram = gram / gram[:, 2:, 2:].clamp_min(1)
    mean = gram[:, :2, 2]
    covariance = gram[:, :2, :2] - mean.unsqueeze(1) * mean.unsqueeze(2)
    variance = covariance.diagonal(dim1=1, dim2=2)
    scale = torch.where(variance > 1e-8, variance, torch.inf).rsqrt()
    offset = -mean * scale
    scale, offset = scale[..., None, None], offset[..., None, None]
    correlation = covariance[:, 0, 1] * (scale[:, 0] * scale[:, 1]).flatten()
    return (
        torch.addcmul(offset[:, :1], a, scale[:, :1]),
        torch.addcmul(offset[:, 1:], b, scale[:, 1:]),
        correlation,
    )


def refined(x: Tensor, y: Tensor, generator: Tensor, size: tuple[int, int], model: str, steps: int) -> Tensor:
    """The (N, 2, 3) generators after some Gauss-Newton steps on bands (N, 1, h, w) of pictures of `size`."""
    basis = torch.tensor(BASES[model], dtype=torch.float64)
    for _ in range(steps):
        a, b, seen = half_way_bands(x, y, generator, size)
        normal, slope = equations(a, b, seen, size, basis)
        change = -torch.linalg.solve_ex(normal, slope).result
        change = torch.nan_to_num((change[:, : len(basis)] @ basis).view(-1, 2, 3))
        pixel = max(x.shape[-2:]) / 2
        stride = change.abs().amax((1, 2)) * pixel
        change = change * (STRIDE / stride.clamp_min(STRIDE)).view(-1, 1, 1)
        generator = (generator + change).clamp(-FURTHEST, FURTHEST)
    return generator


def equations(
    a: Tensor, b: Tensor, seen: Tensor, size: tuple[int, int], basis: Tensor
) -> tuple[Tensor, Tensor]:
    """The normal equations (N, K, K) and right sides (N, K), float64 on the CPU; the last unknowns: gain and offset."""
    a, b, correlation = standardised(a, b, seen)
    count = len(basis)
    columns = torch.empty(len(a), count + 3, *a.shape[-2:], dtype=a.dtype, device=a.device)
    residue = torch.sub(b, a, out=columns[:, -1:])
    mean = torch.add(a, b, out=columns[:, count : count + 1]).mul_(0.5)
    columns[:, count + 1] = 1
    slopes(mean, size, basis, out=columns)
    # Cauchy's weights: residues of more than twice the usual one count for less and less.
    usual = (2 - 2 * correlation).clamp_min(1e-6).view(-1, 1, 1, 1)
    weight = trimmed(seen / residue.square().div_(4 * usual).add_(1))
    flat = columns.flatten(2)
    gram = ((flat * weight.flatten(2)) @ flat.mT).cpu().double()
    normal, slope = gram[:, :-1, :-1], gram[:, :-1, -1]
    # A millionth of its size keeps what the pictures don't determine where it is.
    ridge = normal.diagonal(dim1=1, dim2=2).mean(1).clamp_min(1e-12) * 1e-6
    return normal + torch.diag_embed(ridge.unsqueeze(1).expand_as(slope)), slope


def slopes(mean: Tensor, size: tuple[int, int], basis: Tensor, out: Tensor) -> None:
    """How each generator of the basis would change a picture, into the first channels of `out`; the border is kept."""
    level = (mean.shape[-2], mean.shape[-1])
    across = (mean[..., 1:-1, 2:] - mean[..., 1:-1, :-2]) * (level[1] * unit(size) / size[1] / 2)
    down = (mean[..., 2:, 1:-1] - mean[..., :-2, 1:-1]) * (level[0] * unit(size) / size[0] / 2)
    x, y = places(level, size, mean)
    x, y = x[:, 1:-1], y[1:-1]
    parts = (x, y, None)
    for channel, row in enumerate(basis.tolist()):
        target = out[:, channel : channel + 1]
        target[..., 0, :] = target[..., -1, :] = 0
        target[..., 0] = target[..., -1] = 0
        target = target[..., 1:-1, 1:-1].zero_()
        for slope, shares in ((across, row[:3]), (down, row[3:])):
            for place, share in zip(parts, shares, strict=True):
                if share:
                    target.addcmul_(slope, torch.ones_like(y) if place is None else place, value=share)


def trimmed(weight: Tensor) -> Tensor:
    """The weights without the picture's own border, where slopes are not known."""
    return F.pad(weight[..., 1:-1, 1:-1], (1, 1, 1, 1))
