"""Whether a motion is claimed: how well the pictures match once it is undone, and that no accident explains it.

A motion must make the pictures match in most of their textured blocks; it must match them better than its own
opposite, which blurs them alike, in nearly all; it must be many times its own standard error (of blocks: the
residues next to each other are not independent); and it must be visible.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from invariant_lpips.motion.motion import exponential, unit
from invariant_lpips.motion.refining import BASES, half_way_bands, slopes, standardised, trimmed

__all__ = ["Evidence", "evidence", "furthest"]

#: Blocks along each side of a picture.
BLOCKS = 8
#: A block counts if it holds this share of the mean block's energy.
TEXTURED = 0.1


@dataclass(frozen=True)
class Evidence:
    """What speaks for each motion of a batch, (N,) float64 each, on the CPU.

    Attributes:
        match: the median over textured blocks of the correlation of both pictures, the motion undone.
        better: the share of textured blocks that match better than with the opposite motion.
        significance: Wald's statistic, the squared motion in units of its covariance.
        error: the standard error of the motion at the worst corner, in pixels.
        textured: how many blocks hold texture in both pictures.
    """

    match: Tensor
    better: Tensor
    significance: Tensor
    error: Tensor
    textured: Tensor


def evidence(x: Tensor, y: Tensor, generator: Tensor, size: tuple[int, int], model: str) -> Evidence:
    """The evidence in bands (N, 1, h, w) for (N, 2, 3) generators."""
    a, b, seen = half_way_bands(x, y, generator, size)
    a, b, seen = aligned(a, b, seen)
    energy = by_block(a.square() * seen), by_block(b.square() * seen)
    both = (energy[0] * energy[1]).sqrt()
    textured = both > TEXTURED * both.mean(1, keepdim=True)
    correlation = by_block(a * b * seen) / both.clamp_min(1e-6)
    match = torch.nanmedian(torch.where(textured, correlation, torch.nan), 1).values.nan_to_num(0.0)
    significance, error = against_its_error(a, b, seen, generator, size, model)
    opposite = aligned(*half_way_bands(x, y, -generator, size))
    gain = by_block((opposite[0] - opposite[1]).square() * opposite[2]) - by_block((a - b).square() * seen)
    textured, won = textured.cpu(), (gain > 0).cpu()  # counted in float64, which not every device has
    blocks = textured.double().sum(1)
    better = (won & textured).double().sum(1) / blocks.clamp_min(1)
    return Evidence(match.cpu().double(), better, significance, error, blocks)


def aligned(a: Tensor, b: Tensor, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Both standardised over what is seen of them, less the border."""
    seen = trimmed(seen)
    a, b, _ = standardised(a, b, seen)
    return a, b, seen


def by_block(maps: Tensor) -> Tensor:
    """(N, C, h, w) -> the means (N, C * blocks) over the blocks of a regular grid."""
    return F.adaptive_avg_pool2d(maps, BLOCKS).flatten(1)


def against_its_error(
    a: Tensor, b: Tensor, seen: Tensor, generator: Tensor, size: tuple[int, int], model: str
) -> tuple[Tensor, Tensor]:
    """Wald's statistic, and the standard error at the worst corner in pixels, by White's sandwich over blocks."""
    basis = torch.tensor(BASES[model], dtype=torch.float64)
    columns = a.new_empty(len(a), len(basis), *a.shape[-2:])
    slopes((a + b) / 2, size, basis, out=columns)
    pulls = by_block(columns * (b - a) * seen).view(len(a), len(basis), -1).cpu().double()
    count = pulls.shape[2]
    curvature = ((columns * seen).flatten(2) @ columns.flatten(2).mT).cpu().double() / seen[0].numel()
    inverse = torch.linalg.pinv(curvature, rtol=1e-6, hermitian=True)
    covariance = inverse @ (pulls @ pulls.mT) @ inverse / count**2
    squares = basis.square().sum(1)
    parameters = (generator.flatten(1) @ basis.mT / squares).unsqueeze(-1)
    precision = torch.linalg.pinv(covariance, rtol=1e-9, hermitian=True)
    wald = (parameters.mT @ precision @ parameters).flatten()
    fields = basis.view(-1, 2, 3)
    reach = torch.stack([fields[..., :2] @ corner for corner in corners(size)])
    moved = reach + fields[..., 2]  # (corner, parameter, coordinate)
    variance = torch.einsum("cki,nkl,cli->nc", moved, covariance, moved)
    return wald, variance.clamp_min(0).sqrt().amax(1) * unit(size)


def corners(size: tuple[int, int]) -> Tensor:
    """(4, 2): the corners of a picture in centred coordinates."""
    signs = torch.tensor([[-1, -1], [-1, 1], [1, -1], [1, 1]], dtype=torch.float64)
    return signs * torch.tensor([size[1], size[0]], dtype=torch.float64) / 2 / unit(size)


def furthest(generator: Tensor, size: tuple[int, int]) -> Tensor:
    """(...): how far the corner moves that moves furthest, there or back, in pixels."""
    maps = exponential(torch.stack([generator, -generator]))
    corner = corners(size).mT
    moves = maps[..., :2] @ corner + maps[..., 2:] - corner
    return moves.square().sum(-2).amax(-1).amax(0).sqrt() * unit(size)
