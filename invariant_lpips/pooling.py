"""The downsamplers a trunk may use: max, blur (anti-aliased) and polyphase (phase chosen by content).

A stride of 2 keeps one of four phases of a feature map. `max` always keeps the same one, so moving the
picture by one pixel changes what is kept: the periodic residue that global average pooling can't remove.
`blur` smooths before it subsamples (Zhang 2019, arXiv:1904.11486). `polyphase` keeps, per image, the
phase of largest L2 norm (Chaman & Dokmanic 2021, arXiv:2011.14214): the choice moves with the content, so
with circular padding the means over the map don't change under any integer circular shift.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

POOLINGS = ("max", "blur", "polyphase")
PADDINGS = ("zeros", "circular")


def dense_max(x: Tensor, padding: str) -> Tensor:
    """2x2 maximum at stride 1 that keeps the size: (N, C, H, W) -> (N, C, H, W).

    The window reaches one row and column beyond the map: they are wrapped for `circular` padding (without
    this the residual under circular shifts is .13-.28 of noise of sigma 8/255) and repeated otherwise.
    """
    mode = "circular" if padding == "circular" else "replicate"
    return F.max_pool2d(F.pad(x, (0, 1, 0, 1), mode=mode), kernel_size=2, stride=1)


class BlurPool2d(nn.Module):
    """2x2 max at stride 1, a 3x3 binomial low-pass, then stride 2; (N, C, H, W) -> (N, C, H//2, W//2)."""

    def __init__(self, padding: str = "zeros") -> None:
        super().__init__()
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        mode = "circular" if self.padding == "circular" else "replicate"
        dense = F.pad(dense_max(x, self.padding), (1, 1, 1, 1), mode=mode)
        # The binomial (1 2 1)/4 is two box filters of width 2: averaging twice needs no kernel per channel.
        smooth = F.avg_pool2d(F.avg_pool2d(dense, 2, stride=1), 2, stride=1)
        return smooth[..., 0 : 2 * (height // 2) : 2, 0 : 2 * (width // 2) : 2]

    def extra_repr(self) -> str:
        return f"padding={self.padding!r}"


class PolyphasePool2d(nn.Module):
    """2x2 max at stride 1, then the stride-2 phase of largest L2 norm, chosen per image.

    An axis of even length n has two phases of n/2 samples. An axis of odd length has, on the circle, a
    single phase of n samples (walking in steps of 2 visits every sample once before it returns), so odd
    axes keep their length: slower, and exactly invariant. Norms are summed over channels in the map's
    precision and over positions in float64. Phases whose norms agree to 1e-9 are ordered by their sum, then
    by their largest value; phases alike in all three are taken as equal, and the first is kept.

    The choice is piecewise constant, so gradients flow through the chosen phase only and the distance jumps
    where two phases of unequal content have equal norms.
    """

    def __init__(self, padding: str = "circular") -> None:
        super().__init__()
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        phases = split_phases(dense_max(x, self.padding))
        chosen = strongest_phase(phases.detach())
        return phases[torch.arange(phases.shape[0], device=x.device), chosen]

    def extra_repr(self) -> str:
        return f"padding={self.padding!r}"


def split_phases(x: Tensor) -> Tensor:
    """All stride-2 phases of (N, C, H, W) as (N, P, C, h, w); P is 4, 2 or 1 (see :class:`PolyphasePool2d`).

    Example:
        >>> split_phases(torch.arange(4.0).view(1, 1, 2, 2)).flatten()
        tensor([0., 1., 2., 3.])
        >>> split_phases(torch.arange(3.0).view(1, 1, 1, 3)).flatten()
        tensor([0., 2., 1.])
    """
    for axis in (2, 3):
        length = x.shape[axis]
        if length % 2:
            steps = torch.arange(0, 2 * length, 2, device=x.device) % length
            x = x.index_select(axis, steps)
    rows, columns = (1 if x.shape[axis] % 2 else 2 for axis in (2, 3))
    n, c, h, w = x.shape
    split = x.reshape(n, c, h // rows, rows, w // columns, columns)
    return split.permute(0, 3, 5, 1, 2, 4).flatten(1, 2)


def strongest_phase(phases: Tensor) -> Tensor:
    """Index of the phase to keep, from (N, P, C, h, w) to (N,), int64."""
    if phases.shape[1] == 1:
        return torch.zeros(phases.shape[0], dtype=torch.long, device=phases.device)
    values = phases.float() if phases.dtype in (torch.float16, torch.bfloat16) else phases
    keys = (
        values.square().sum(2).double().sum((2, 3)),
        values.sum(2).double().sum((2, 3)),
        values.amax((2, 3, 4)).double(),
    )
    candidates = torch.ones_like(keys[0], dtype=torch.bool)
    for key in keys:
        best = key.masked_fill(~candidates, -torch.inf).amax(1, keepdim=True)
        candidates = candidates & (key >= best - 1e-9 * best.abs())
    return candidates.to(torch.int64).argmax(1)


def make_pool(pooling: str, padding: str, kernel_size: int = 2, ceil_mode: bool = False) -> nn.Module:
    """The downsampler of a trunk: `max` of any kernel at stride 2, `blur` or `polyphase` of kernel 2.

    Raises:
        ValueError: unknown pooling, or one that this trunk's kernel size doesn't allow.
    """
    if pooling == "max":
        return nn.MaxPool2d(kernel_size, stride=2, ceil_mode=ceil_mode)
    if pooling not in POOLINGS:
        raise ValueError(f"Argument `pooling` must be one of {', '.join(POOLINGS)}, but got {pooling!r}.")
    if kernel_size != 2:
        raise ValueError(f"Pooling {pooling!r} needs a trunk that pools 2x2 (vgg); use pooling='max' with this one.")
    return BlurPool2d(padding) if pooling == "blur" else PolyphasePool2d(padding)
