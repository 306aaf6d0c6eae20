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
    axes keep their length: slower, and exactly invariant. See :func:`strongest_phase` for the choice.

    The choice is piecewise constant, so gradients flow through the chosen phase only, and the distance jumps
    where two phases of unequal content change rank.
    """

    def __init__(self, padding: str = "circular") -> None:
        super().__init__()
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        phases = split_phases(dense_max(x, self.padding))
        if phases.shape[1] == 1:
            return phases[:, 0]
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


#: Phases whose squared norms agree to this share are alike: well above the rounding that separates the
#: activations of a picture from those of its shifted copy, and below what separates the phases of photographs.
NORM_TIE = 1e-5
NORM_TIE_HALF = 1e-3


def strongest_phase(phases: Tensor) -> Tensor:
    """Index of the phase to keep, from (N, P, C, h, w) to (N,), int64.

    The phase of largest L2 norm (sums over positions in float64), and among those whose norms agree, the one
    of largest :func:`handedness`: two equal objects an odd number of pixels apart on a flat ground give
    phases of equal norm and mirrored order, and a shift must not change which one is kept. Phases that
    agree in both are taken as equal, and the first is kept.
    """
    half = phases.dtype in (torch.float16, torch.bfloat16)
    energy = (phases.float() if half else phases).square().sum(2)
    energy = energy if energy.device.type == "mps" else energy.double()  # Metal has no float64
    norms = energy.sum((2, 3))
    alike = norms >= norms.amax(1, keepdim=True) * (1 - (NORM_TIE_HALF if half else NORM_TIE))
    # The golden ratio keeps the sum of two axes from cancelling.
    order = handedness(energy.sum(2)) + 0.6180339887 * handedness(energy.sum(3))
    return order.masked_fill(~alike, -torch.inf).argmax(1)


def handedness(profile: Tensor, terms: int = 64) -> Tensor:
    """A number that no circular shift of a profile changes and that its mirror image negates.

    sum_k Im(X_k X_k conj(X_2k)) / k^2 with X the Fourier series of the profile: the imaginary part of its
    bispectrum, the lowest-order spectrum that sees which of two peaks comes first. With weights 1/k^2 it
    doesn't vanish for any distance of two unequal peaks but half the circle, where order has no meaning.

    Args:
        profile: (..., n), float.
        terms: frequencies used at most; a profile that repeats more often than this counts as symmetric.

    Returns:
        (...), of the profile's dtype.

    Example:
        >>> peaks = torch.tensor([0.0, 2.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0])
        >>> handedness(torch.stack([peaks, peaks.roll(3), peaks.flip(0)])).round(decimals=3)
        tensor([-3.5560, -3.5560,  3.5560])
    """
    n = profile.shape[-1]
    k = torch.arange(1, min(terms, n // 2) + 1, device=profile.device)
    place = torch.arange(n, device=profile.device)
    angles = [(place.unsqueeze(1) * f % n).to(profile.dtype) * (2 * torch.pi / n) for f in (k, 2 * k)]
    (c1, s1), (c2, s2) = ((profile @ angle.cos(), profile @ angle.sin()) for angle in angles)
    return (((c1.square() - s1.square()) * s2 - 2 * c1 * s1 * c2) / k.square()).sum(-1)


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
