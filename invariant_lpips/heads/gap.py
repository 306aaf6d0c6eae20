"""The paper's head: one average per channel (arXiv:2604.27870)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from invariant_lpips import functional as ILF
from invariant_lpips.heads.base import Head, MapSizes, default_taps
from invariant_lpips.trunks import Summary


class GAP(Head):
    """The paper's head: global averages of the pooled blocks (arXiv:2604.27870).

    d = sqrt(mean_c (w_c (g_c(x) - g_c(y)))^2), g_c the mean of channel c over the whole map; 1472 channels.
    """

    name = "gap"
    sizeless = True

    def __init__(self, net: str = "vgg", taps: Sequence[str] | None = None) -> None:
        super().__init__(net, taps or default_taps(net))

    def summary(self, tap: str, features: Tensor, size: tuple[int, int]) -> Summary:
        dtype = torch.float64 if features.dtype == torch.float64 else torch.float32
        return (features.mean((2, 3), dtype=dtype),)

    def masked_summary(self, tap: str, features: Tensor, size: tuple[int, int], weight: Tensor) -> Summary:
        return ((ILF.full_precision(features) * weight).mean((2, 3)),)

    def components(self, tap: str, sx: Summary, sy: Summary) -> Tensor:
        return (sx[0] - sy[0]).square()

    def count(self, tap: str, summary: Summary) -> int:
        return self.channels[tap]

    def vector(self, tap: str, summary: Summary) -> Tensor:
        return summary[0] * self.tap_weight(tap)

    def heat(self, tap: str, fx: Tensor, fy: Tensor, size: tuple[int, int]) -> Tensor:
        # Exact: with D_c = g_c(x) - g_c(y), D_c^2 is the mean over positions of D_c (fx_c - fy_c).
        difference = ILF.full_precision(fx) - ILF.full_precision(fy)
        slope = difference.mean((2, 3), keepdim=True) * self.strength(tap).view(1, -1, 1, 1)
        return ILF.resize_area((slope * difference).sum(1, keepdim=True), size)

    def sums(self, maps: MapSizes, size: tuple[int, int]) -> MeanSums:
        return MeanSums(maps)


class MeanSums:
    """Sums over tiles: one number per channel, kept in float64 whatever the tiles' precision."""

    def __init__(self, sizes: MapSizes) -> None:
        self._counts = {tap: rows * columns for tap, (rows, columns) in sizes.items()}
        self._totals: dict[str, Tensor] = {}
        self._like: dict[str, Tensor] = {}

    def add(self, tap: str, part: Tensor, top: int, left: int) -> None:
        total = ILF.full_precision(part).sum((2, 3))
        self._like[tap] = total
        # On the CPU, since Metal has no float64.
        self._totals[tap] = self._totals.get(tap, 0) + total.cpu().double()

    def summary(self, tap: str) -> Summary:
        return ((self._totals[tap] / self._counts[tap]).to(self._like[tap]),)
