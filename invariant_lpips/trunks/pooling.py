"""The downsamplers a trunk may use: max, blur (anti-aliased) and polyphase (phase chosen by content).

A stride of 2 keeps one of four phases of a feature map. `max` always keeps the same one, so moving the
picture by one pixel changes what is kept: the periodic residue that global average pooling can't remove.
`blur` smooths before it subsamples (Zhang 2019, arXiv:1904.11486). `polyphase` keeps, per image, the
phase of largest L2 norm (Chaman & Dokmanic 2021, arXiv:2011.14214): the choice moves with the content, so
with circular padding the means over the map don't change under any integer circular shift.

To add one, write a :class:`Pool2d` and its place in :data:`POOLINGS`. Linear weights and calibrations are fitted
with one pooling: a new one uses those fitted with `max` until it has its own (`invariant-lpips train linear
--pooling`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from invariant_lpips.functional import in_float64
from invariant_lpips.trunks.circular import in_pieces

PADDINGS = ("zeros", "circular")


def dense_max(x: Tensor, padding: str) -> Tensor:
    """2x2 maximum at stride 1 that keeps the size: (N, C, H, W) -> (N, C, H, W).

    The window reaches one row and column beyond the map: they are wrapped for `circular` padding (without
    this the residual under circular shifts is .13-.28 of noise of sigma 8/255) and repeated otherwise.
    """
    for axis in (2, 3):
        x = torch.maximum(x, _neighbours(x, axis, padding))
    return x


def _neighbours(x: Tensor, axis: int, padding: str) -> Tensor:
    """Each sample's next one along an axis; the last one's is the first for `circular`, itself otherwise."""
    length = x.shape[axis]
    beyond = x.narrow(axis, 0 if padding == "circular" else length - 1, 1)
    return torch.cat([x.narrow(axis, 1, length - 1), beyond], axis)


class Window(NamedTuple):
    """What the outputs of one layer read along one axis."""

    kernel: int
    stride: int
    padding: int
    #: How the number of outputs is rounded: "floor" and "ceil" as torch has them, "half" for n // 2.
    rounding: str

    def outputs(self, cells: int) -> int:
        """How many outputs an axis of `cells` gives."""
        if self.rounding == "half":
            return cells // 2
        room = cells + 2 * self.padding - self.kernel
        if self.rounding == "floor":
            return room // self.stride + 1
        count = -(-room // self.stride) + 1
        # torch drops a last window that would begin beyond the axis.
        return count - 1 if (count - 1) * self.stride >= cells + self.padding else count


class Pool2d(nn.Module):
    """What every downsampler says of itself. It is made as `(padding, kernel_size, ceil_mode)`."""

    name: ClassVar[str]
    #: Why it needs the whole picture, in words that go on after "which"; empty where a picture may be cut into tiles.
    needs_whole: ClassVar[str] = ""

    def window(self) -> Window:
        """What its outputs read, for pools that do not need the whole picture."""
        raise NotImplementedError


class MaxPool2d(Pool2d, nn.MaxPool2d):
    """The network's own: maxima of any kernel at stride 2."""

    name = "max"

    def __init__(self, padding: str = "zeros", kernel_size: int = 2, ceil_mode: bool = False) -> None:
        super().__init__(kernel_size, stride=2, ceil_mode=ceil_mode)  # its windows never reach beyond the map

    def window(self) -> Window:
        assert isinstance(self.kernel_size, int)
        assert isinstance(self.stride, int)
        return Window(self.kernel_size, self.stride, 0, "ceil" if self.ceil_mode else "floor")


class _DensePool2d(Pool2d):
    """What begins with a dense maximum, in place of pools of these kernels only, and a few images at a time."""

    #: Kernels of the pools that it may replace, and the network that has them.
    kernels: ClassVar[dict[int, str]] = {2: "vgg"}

    def __init__(self, padding: str, kernel_size: int = 2, ceil_mode: bool = False) -> None:
        super().__init__()
        if kernel_size not in self.kernels or ceil_mode:
            pools = " or ".join(f"{side}x{side} ({net})" for side, net in self.kernels.items())
            rounding = " and rounds up" if ceil_mode else ""
            raise ValueError(
                f"Pooling {self.name!r} needs a trunk that pools {pools}, but this one pools "
                f"{kernel_size}x{kernel_size}{rounding}; use pooling='max' with it."
            )
        self.padding = padding
        self.kernel_size = kernel_size

    def forward(self, x: Tensor) -> Tensor:
        return in_pieces(self.pool, x)

    def pool(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def extra_repr(self) -> str:
        return f"padding={self.padding!r}"


class BlurPool2d(_DensePool2d):
    """The pool's maxima at stride 1, a 3x3 binomial low-pass, then stride 2; the output has the size of the pool's.

    Of 2x2 maxima there is one for each cell, (N, C, H, W) -> (N, C, H // 2, W // 2). Those of 3x3 cells lie within the
    map, (N, C, H, W) -> (N, C, (H - 1) // 2, (W - 1) // 2); with circular padding they go around it, and the halves
    are rounded up.
    """

    name = "blur"
    kernels: ClassVar[dict[int, str]] = {2: "vgg", 3: "alex"}

    def __init__(self, padding: str = "zeros", kernel_size: int = 2, ceil_mode: bool = False) -> None:
        super().__init__(padding, kernel_size, ceil_mode)

    def window(self) -> Window:
        # Maxima of 2 or 3 cells, of which 3 are averaged: one before, the rest behind.
        return Window(4, 2, 1, "half") if self.kernel_size == 2 else Window(5, 2, 1, "floor")

    def pool(self, x: Tensor) -> Tensor:
        if self.kernel_size == 2:
            x = dense_max(x, self.padding)
        else:
            if self.padding == "circular":
                x = torch.cat([x, x[..., :2, :]], dim=2)
                x = torch.cat([x, x[..., :2]], dim=3)
            x = nn.functional.max_pool2d(x, 3, 1)
        for axis in (2, 3):
            x = _smooth_half(x, axis, self.padding, up=self.kernel_size == 3)
        return x


class BlurredReLU(Pool2d):
    """A ReLU, a 3x3 binomial low-pass, then stride 2: (N, C, H, W) -> (N, C, (H + 1) // 2, (W + 1) // 2).

    Behind a convolution of half its stride it takes the place of a ReLU behind the whole stride (Zhang 2019).
    """

    name = "blurred-relu"

    def __init__(self, padding: str) -> None:
        super().__init__()
        self.padding = padding

    def window(self) -> Window:
        return Window(3, 2, 1, "floor")

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(x)
        for axis in (2, 3):
            x = _smooth_half(x, axis, self.padding, up=True)
        return x

    def extra_repr(self) -> str:
        return f"padding={self.padding!r}"


def _smooth_half(x: Tensor, axis: int, padding: str, *, up: bool) -> Tensor:
    """Every second sample of (1 2 1)/4 along one axis, half of them rounded up or down: only these are computed."""
    length = x.shape[axis]
    half = (length + 1) // 2 if up else length // 2
    even, odd = (x[..., k : 2 * half : 2, :] if axis == 2 else x[..., k : 2 * half : 2] for k in (0, 1))
    ends = (length - 1, 0) if padding == "circular" else (0, length - 1)
    before, after = (x.narrow(axis, end, 1) for end in ends)
    left = torch.cat([before, odd.narrow(axis, 0, half - 1)], axis)
    right = torch.cat([odd, after], axis).narrow(axis, 0, half) if up else odd
    return (left + right).mul(0.25).add(even, alpha=0.5)


class PolyphasePool2d(_DensePool2d):
    """2x2 max at stride 1, then the stride-2 phase of largest L2 norm, chosen per image.

    An axis of even length n has two phases of n/2 samples. An axis of odd length has, on the circle, a
    single phase of n samples (walking in steps of 2 visits every sample once before it returns), so odd
    axes keep their length: slower, and exactly invariant. See :func:`strongest_phase` for the choice.

    The choice is piecewise constant, so gradients flow through the chosen phase only, and the distance jumps
    where two phases of unequal content change rank: pictures of 64 pixels that differ by 6e-8, found by
    bisection, lie as far apart as a fifth to a half of noise of sigma 8/255 puts them. Shifted copies of
    either of them still agree.
    """

    name = "polyphase"
    needs_whole = "chooses phases by the content of the whole picture"

    def __init__(self, padding: str = "circular", kernel_size: int = 2, ceil_mode: bool = False) -> None:
        super().__init__(padding, kernel_size)

    def pool(self, x: Tensor) -> Tensor:
        phases = dense_phases(x, self.padding)
        kept = phases[0]
        if len(phases) > 1:
            chosen = strongest_phase([phase.detach() for phase in phases]).view(-1, 1, 1, 1)
            for index, phase in enumerate(phases[1:], 1):
                kept = torch.where(chosen == index, phase, kept)
        return kept


def dense_phases(x: Tensor, padding: str) -> list[Tensor]:
    """The stride-2 phases of the dense 2x2 maximum of (N, C, H, W): 4, 2 or 1 of (N, C, h, w), rows first.

    The same numbers as slicing :func:`dense_max`, a third of its memory traffic: each axis is halved as soon
    as its maxima are taken.

    Example:
        >>> x = torch.arange(16.0).view(1, 1, 4, 4)
        >>> dense = dense_max(x, "circular")
        >>> slices = [dense[..., row::2, column::2] for row in (0, 1) for column in (0, 1)]
        >>> all(torch.equal(a, b) for a, b in zip(dense_phases(x, "circular"), slices))
        True
        >>> [phase.flatten().tolist() for phase in dense_phases(torch.arange(3.0).expand(1, 1, 1, 3), "circular")]
        [[1.0, 2.0, 2.0]]
    """
    return [phase for rows in _axis_phases(x, 2, padding) for phase in _axis_phases(rows, 3, padding)]


def _axis_phases(x: Tensor, axis: int, padding: str) -> list[Tensor]:
    """Maxima of neighbours along one axis, split into its two phases; one phase where its length is odd."""
    length = x.shape[axis]
    beyond = x.narrow(axis, 0 if padding == "circular" else length - 1, 1)
    if length % 2:
        dense = torch.maximum(x, _neighbours(x, axis, padding))
        return [dense.index_select(axis, torch.arange(0, 2 * length, 2, device=x.device) % length)]
    even, odd = (x[..., k::2, :] if axis == 2 else x[..., k::2] for k in (0, 1))
    after_odd = torch.cat([even.narrow(axis, 1, length // 2 - 1), beyond], axis)
    return [torch.maximum(even, odd), torch.maximum(odd, after_odd)]


#: Phases are alike when their squared norms differ by no more than this share of how much the energy varies
#: over the map: well above the rounding that separates the activations of a picture from those of its shifted
#: copy, below what separates the phases of a photograph. Shares of the norm itself would take all phases of a
#: faint picture for alike. In half precision a wider share is alike, and no wider than this: the phases of a
#: photograph's first pool may lie 2e-4 apart, and where float32 tells them apart so must half precision.
NORM_TIE = 1e-5
NORM_TIE_HALF = 1e-4


def strongest_phase(phases: Sequence[Tensor]) -> Tensor:
    """Index of the phase to keep, from P of (N, C, h, w) to (N,), int64.

    The phase of largest L2 norm (sums over positions in float64 where the device has it), and among those whose
    norms agree, the one of largest :func:`handedness`: two equal objects an odd number of pixels apart on a flat
    ground give phases of equal norm and mirrored order, and a shift must not change which one is kept. Phases that
    agree in both are taken as equal, and the first is kept.
    """
    half = phases[0].dtype in (torch.float16, torch.bfloat16)
    lengths = [torch.linalg.vector_norm(phase.float() if half else phase, dim=1) for phase in phases]
    stacked = torch.stack(lengths, 1)
    energy = in_float64(stacked).square()
    norms = energy.sum((2, 3))
    variation = (energy - energy.mean((2, 3), keepdim=True)).abs().sum((2, 3)).amax(1, keepdim=True)
    alike = norms >= norms.amax(1, keepdim=True) - variation * (NORM_TIE_HALF if half else NORM_TIE)
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


#: name -> downsampler.
POOLINGS: dict[str, type[Pool2d]] = {pool.name: pool for pool in (MaxPool2d, BlurPool2d, PolyphasePool2d)}


def default_padding(pooling: str) -> str:
    """The padding that goes with a pooling where none is chosen: polyphase is invariant on a circle only.

    Example:
        >>> default_padding("polyphase"), default_padding("max")
        ('circular', 'zeros')
    """
    return "circular" if pooling == "polyphase" else "zeros"


def make_pool(pooling: str, padding: str, kernel_size: int = 2, ceil_mode: bool = False) -> Pool2d:
    """The downsampler of a trunk, in place of its own max pool of this kernel at stride 2.

    Raises:
        ValueError: unknown pooling, or one that this trunk's kernel size doesn't allow.
    """
    if pooling not in POOLINGS:
        raise ValueError(f"Argument `pooling` must be one of {', '.join(POOLINGS)}, but got {pooling!r}.")
    return POOLINGS[pooling](padding, kernel_size, ceil_mode)
