"""What is added up over the tiles of one picture, for each head whose statistics are sums over positions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from invariant_lpips.functional import full_precision
from invariant_lpips.heads import GAP, Head, Regional
from invariant_lpips.heads.windows import window_count, window_matrix, window_means
from invariant_lpips.trunks import Summary

#: tap -> (rows, columns) of its map over the whole picture.
MapSizes = Mapping[str, tuple[int, int]]


class Sums(Protocol):
    """Adds up the parts of each tap's map and gives the summary that the whole map would have had."""

    def add(self, tap: str, part: Tensor, top: int, left: int) -> None:
        """Add the positions (1, C, h, w) that begin at row `top` and column `left` of the whole map."""

    def summary(self, tap: str) -> Summary:
        """The summary of all that was added, as the head makes it of a whole map."""


class MeanSums:
    """Sums of `gap`: one number per channel, kept in float64 whatever the tiles' precision."""

    def __init__(self, sizes: MapSizes) -> None:
        self._counts = {tap: rows * columns for tap, (rows, columns) in sizes.items()}
        self._totals: dict[str, Tensor] = {}
        self._like: dict[str, Tensor] = {}

    def add(self, tap: str, part: Tensor, top: int, left: int) -> None:
        total = full_precision(part).sum((2, 3))
        self._like[tap] = total
        # On the CPU, since Metal has no float64.
        self._totals[tap] = self._totals.get(tap, 0) + total.cpu().double()

    def summary(self, tap: str) -> Summary:
        return ((self._totals[tap] / self._counts[tap]).to(self._like[tap]),)


class WindowSums:
    """Sums of `regional`: first and second moments of every soft window. They grow with the picture."""

    def __init__(self, head: Regional, sizes: MapSizes, size: tuple[int, int]) -> None:
        self._head = head
        self._sizes = sizes
        self._windows = window_count(size[0], head.window), window_count(size[1], head.window)
        self._matrices: dict[str, tuple[Tensor, Tensor]] = {}
        self._moments: dict[str, list[Tensor]] = {}

    def add(self, tap: str, part: Tensor, top: int, left: int) -> None:
        compressed = torch.log1p(full_precision(part) / self._head.typical[tap])
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


def sums_for(head: Head, sizes: MapSizes, size: tuple[int, int]) -> Sums:
    """The sums of a head for a picture of `size` pixels whose maps have `sizes`.

    Raises:
        ValueError: the head's statistics aren't sums over positions.
    """
    if isinstance(head, GAP):
        return MeanSums(sizes)
    if isinstance(head, Regional):
        return WindowSums(head, sizes, size)
    raise ValueError(
        f"A picture can't be embedded in tiles with head={head.name!r}, which keeps or divides by whole maps; use "
        "head='gap' (constant memory) or head='regional' (its embedding grows with the picture)."
    )
