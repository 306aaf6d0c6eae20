"""The default head: statistics of log activations in soft windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from invariant_lpips import functional as ILF
from invariant_lpips.heads.base import Head, MapSizes, default_taps
from invariant_lpips.heads.windows import window_count, window_matrix, window_means
from invariant_lpips.trunks import ARCHITECTURES, Summary

#: Bytes of a map that are compressed at a time.
PIECE = 2**20


class Regional(Head):
    """Ours: mean and deviation of compressed channels in soft windows of 64 pixels.

    Between one position (LPIPS, which feels every shift) and the whole picture (GAP, which forgives any) lie
    statistics over regions: a small window feels a displacement, a large one forgives it, so the window's size
    says how much motion the metric tolerates. With g = log(1 + f / s_l), and m, sd its mean and deviation
    (sqrt(variance + 1e-4)) in a soft window of :mod:`invariant_lpips.heads.windows`,

    d^2 = mean over statistics and channels of w^2 (mean over windows of (difference of m or sd)^2).

    s_l is the tap's typical activation (:class:`~invariant_lpips.trunks.Tap`). Taps too coarse for a deviation within
    a window (pool5 of VGG-16) give their mean only: 2432 weights on `vgg`, 2304 on `alex`. The embedding is the
    concatenation over windows, so its length depends on the image's size. How the size was chosen, and what lost
    against it: docs/heads.md.
    """

    name = "regional"
    #: Window size in pixels of the input.
    window: ClassVar[int] = 64
    variance_floor = 1e-4

    def __init__(self, net: str = "vgg", taps: Sequence[str] | None = None) -> None:
        taps = tuple(taps or default_taps(net))
        known = ARCHITECTURES[net].taps
        #: s_l: the typical activation of each tap, so that the logarithm bends where activations are.
        self.typical = {tap: s for tap in taps if (s := known[tap].typical) is not None}
        if len(self.typical) < len(taps):
            nets = [name for name in ARCHITECTURES if _measured(name)]
            raise ValueError(
                f"Head {self.name!r} needs the typical activation of every tap, which is known of "
                f"net={' and '.join(map(repr, nets))}, but got {net!r}; use head='gap'."
            )
        self._statistics = {tap: 2 if 4 * known[tap].stride <= self.window else 1 for tap in taps}
        super().__init__(net, taps)

    def weights_per_channel(self, tap: str) -> int:
        return self._statistics[tap]

    def summary(self, tap: str, features: Tensor, size: tuple[int, int]) -> Summary:
        features = ILF.full_precision(features)
        rows, columns = self._windows(size, features)
        pieces = [self._moments(tap, piece, rows, columns) for piece in _pieces(features)]
        mean, *squares = (
            pieces[0] if len(pieces) == 1 else (torch.cat(of_all, 1) for of_all in zip(*pieces, strict=True))
        )
        if not squares:
            return (mean,)
        variance = squares[0] - mean.square()
        return mean, (variance.clamp_min(0) + self.variance_floor).sqrt()

    def _moments(self, tap: str, features: Tensor, rows: Tensor, columns: Tensor) -> Summary:
        """Windows' means of compressed channels and, where there is a deviation, of their squares."""
        # One pass for 1 + f / s, and a logarithm whose kernel is ten times as fast as log1p's.
        one = torch.ones((), dtype=features.dtype, device=features.device)
        compressed = torch.add(one, features, alpha=1 / self.typical[tap])
        # Without a graph one map serves for all three: a new one costs as much time as what is written to it.
        reused = ILF.overwritable(compressed)
        compressed = compressed.log_() if reused else compressed.log()
        mean = window_means(compressed, rows, columns)
        if self._statistics[tap] == 1:
            return (mean,)
        squared = compressed.square_() if reused else compressed.square()
        return mean, window_means(squared, rows, columns)

    def masked_summary(self, tap: str, features: Tensor, size: tuple[int, int], weight: Tensor) -> Summary:
        compressed = torch.log1p(ILF.full_precision(features) / self.typical[tap])
        rows, columns = self._windows(size, compressed)
        mass = window_means(weight.to(compressed), rows, columns)
        safe = mass.clamp_min(torch.finfo(mass.dtype).tiny)
        mean = window_means(compressed * weight, rows, columns) / safe
        # Windows count by what they hold of the mask: the root, since differences are squared.
        share = (mass / mass.mean((2, 3), keepdim=True)).sqrt()
        if self._statistics[tap] == 1:
            return (mean * share,)
        variance = window_means(compressed.square() * weight, rows, columns) / safe - mean.square()
        return mean * share, (variance.clamp_min(0) + self.variance_floor).sqrt() * share

    def _windows(self, size: tuple[int, int], features: Tensor) -> tuple[Tensor, Tensor]:
        """The windows down and across; never more of them than cells: then each cell is a window."""
        height, width = features.shape[-2:]
        rows = window_matrix(height, min(height, window_count(size[0], self.window)), features)
        columns = window_matrix(width, min(width, window_count(size[1], self.window)), features)
        return rows, columns

    def components(self, tap: str, sx: Summary, sy: Summary) -> Tensor:
        return torch.cat([(a - b).square().mean((2, 3)) for a, b in zip(sx, sy, strict=True)], dim=1)

    def count(self, tap: str, summary: Summary) -> int:
        return self._statistics[tap] * self.channels[tap]

    def vector(self, tap: str, summary: Summary) -> Tensor:
        statistics = torch.cat(summary, dim=1)
        windows = statistics.shape[-2] * statistics.shape[-1]
        weighted = (statistics * self.tap_weight(tap).view(1, -1, 1, 1)).flatten(1)
        # Not math.sqrt, which would fix the size in an exported graph.
        mean: Tensor = weighted / windows**0.5
        return mean

    def heat(self, tap: str, fx: Tensor, fy: Tensor, size: tuple[int, int]) -> Tensor:
        # Each window's part is spread over the pixels it covers, in proportion to their weight in it.
        sx, sy = self.summary(tap, fx, size), self.summary(tap, fy, size)
        squared = torch.cat([(a - b).square() for a, b in zip(sx, sy, strict=True)], dim=1)
        windows = (squared * self.strength(tap).view(1, -1, 1, 1)).sum(1, keepdim=True)
        height, width = windows.shape[-2:]
        rows = window_matrix(size[0], height, windows) * (size[0] / height)
        columns = window_matrix(size[1], width, windows) * (size[1] / width)
        spread: Tensor = rows.mT @ windows @ columns
        return spread

    def sums(self, maps: MapSizes, size: tuple[int, int]) -> WindowSums:
        return WindowSums(self, maps, size)


def _pieces(features: Tensor) -> Sequence[Tensor]:
    """A map in a few channels at a time, where that is faster: planes one after the other, on a CPU.

    Of a map larger than the cache, copies would be written to memory, and new memory mapped for them.
    """
    if (
        features.device.type != "cpu"
        or ILF.captured()
        or ILF.transformed(features)
        or not features.is_contiguous()
    ):
        return (features,)
    channels = max(1, PIECE * features.shape[1] // max(1, features.nbytes))
    return torch.split(features, channels, dim=1)


def _measured(net: str) -> bool:
    """The typical activation is known of every tap that this head reads by default."""
    return all(ARCHITECTURES[net].taps[tap].typical is not None for tap in default_taps(net))


class Regional32(Regional):
    """`regional` in windows of 32 pixels, of pictures whose colour is as coarse as people see it.

    Nearer to people on pictures that lie in place, and quicker to notice motion. What it charges too much, a
    displacement, `InvariantLPIPS(motion=...)` measures apart: the two belong together. Colour differences go through a
    low-pass before the network (:class:`~invariant_lpips.trunks.chroma.ChromaLowPass`), without which it takes a
    fringe of colour or noise in it for far worse than people do.
    """

    name = "regional-32"
    window = 32
    coarse_colour = True


class WindowSums:
    """Sums over tiles: first and second moments of every soft window. They grow with the picture."""

    def __init__(self, head: Regional, sizes: MapSizes, size: tuple[int, int]) -> None:
        self._head = head
        self._sizes = sizes
        self._windows = window_count(size[0], head.window), window_count(size[1], head.window)
        self._matrices: dict[str, tuple[Tensor, Tensor]] = {}
        self._moments: dict[str, list[Tensor]] = {}

    def add(self, tap: str, part: Tensor, top: int, left: int) -> None:
        compressed = torch.log1p(ILF.full_precision(part) / self._head.typical[tap])
        if tap not in self._matrices:
            self._begin(tap, compressed)
        rows, upper = _touched(self._matrices[tap][0], top, part.shape[-2])
        columns, leftmost = _touched(self._matrices[tap][1], left, part.shape[-1])
        for power, total in enumerate(self._moments[tap], 1):
            powers = compressed if power == 1 else compressed.square()
            block = total[..., upper : upper + rows.shape[0], leftmost : leftmost + columns.shape[0]]
            block += window_means(powers, rows, columns)

    def summary(self, tap: str) -> Summary:
        mean, *squares = self._moments[tap]
        if not squares:
            return (mean,)
        variance = squares[0] - mean.square()
        return mean, (variance.clamp_min(0) + self._head.variance_floor).sqrt()

    def _begin(self, tap: str, like: Tensor) -> None:
        height, width = self._sizes[tap]
        matrices = (
            window_matrix(height, min(height, self._windows[0]), like),
            window_matrix(width, min(width, self._windows[1]), like),
        )
        self._matrices[tap] = matrices
        shape = (like.shape[0], like.shape[1], matrices[0].shape[0], matrices[1].shape[0])
        self._moments[tap] = [like.new_zeros(shape) for _ in range(self._head.weights_per_channel(tap))]


def _touched(matrix: Tensor, start: int, cells: int) -> tuple[Tensor, int]:
    """The weights of `cells` cells from `start` in the windows that reach them, and the first of those windows."""
    part = matrix[:, start : start + cells]
    windows = part.any(1).nonzero()
    first, last = int(windows[0]), int(windows[-1])
    return part[first : last + 1], first
