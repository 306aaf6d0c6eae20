"""The paper's third variant: averages and the maps themselves (arXiv:2604.27870)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from invariant_lpips import functional as ILF
from invariant_lpips.heads.base import Head, default_taps
from invariant_lpips.trunks import Summary


class GAPSpatial(Head):
    """The paper's third variant: GAP and the maps themselves, both of maps divided by their spatial norm.

    With u_c a channel's map divided by its L2 norm over positions (+1e-6), g_c the mean of u_c, and P_l positions in
    the maps of tap l,

    d^2 = sum_c ((w_c (g_c(x) - g_c(y)))^2 + sum_p (v_c (u_cp(x) - u_cp(y)))^2) / sum_l C_l (1 + P_l).

    The paper's source leaves its per-map weight layer open: here one weight per channel for each of the two parts.
    """

    name = "gap-spatial"
    eps = 1e-6

    def __init__(self, net: str = "vgg", taps: Sequence[str] | None = None) -> None:
        super().__init__(net, taps or default_taps(net))

    def weights_per_channel(self, tap: str) -> int:
        return 2

    def summary(self, tap: str, features: Tensor, size: tuple[int, int]) -> Summary:
        features = ILF.full_precision(features)
        length = ILF.nan_for_overflow(ILF.safe_sqrt(features.square().sum((2, 3), keepdim=True)))
        return (features / (length + self.eps),)

    def components(self, tap: str, sx: Summary, sy: Summary) -> Tensor:
        difference = sx[0] - sy[0]
        return torch.cat([difference.mean((2, 3)).square(), difference.square().sum((2, 3))], dim=1)

    def count(self, tap: str, summary: Summary) -> int:
        return self.channels[tap] * (1 + summary[0].shape[-2] * summary[0].shape[-1])

    def vector(self, tap: str, summary: Summary) -> Tensor:
        w, v = self.tap_weight(tap).chunk(2)
        return torch.cat([summary[0].mean((2, 3)) * w, (summary[0] * v.view(1, -1, 1, 1)).flatten(1)], dim=1)

    def heat(self, tap: str, fx: Tensor, fy: Tensor, size: tuple[int, int]) -> Tensor:
        difference = self.summary(tap, fx, size)[0] - self.summary(tap, fy, size)[0]
        w, v = (part.view(1, -1, 1, 1) for part in self.strength(tap).chunk(2))
        positions = difference.shape[-2] * difference.shape[-1]
        means = difference.mean((2, 3), keepdim=True)
        density = w * means * difference + v * difference.square() * positions
        return ILF.resize_area(density.sum(1, keepdim=True), size)
