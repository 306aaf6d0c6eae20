"""Retrained LPIPS on the pooled taps: the baseline of arXiv:2604.27870."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from invariant_lpips import functional as ILF
from invariant_lpips.heads.base import Head, default_taps
from invariant_lpips.trunks import Summary


class Spatial(Head):
    """Retrained LPIPS, the paper's baseline: unit-normalised activations compared position by position.

    d = sum_l mean_p sum_c w_c (fx_cp/|fx_p| - fy_cp/|fy_p|)^2 at the pooled taps, eps 1e-6. Not a root, so not
    Euclidean: no embedding.
    """

    name = "spatial"
    euclidean = False
    eps = 1e-6

    def __init__(self, net: str = "vgg", taps: Sequence[str] | None = None) -> None:
        super().__init__(net, taps or default_taps(net))

    def summary(self, tap: str, features: Tensor, size: tuple[int, int]) -> Summary:
        return (ILF.unit_normalize(features, self.eps),)

    def masked_summary(self, tap: str, features: Tensor, size: tuple[int, int], weight: Tensor) -> Summary:
        return (ILF.unit_normalize(features, self.eps) * weight.sqrt(),)

    def components(self, tap: str, sx: Summary, sy: Summary) -> Tensor:
        return (sx[0] - sy[0]).square().mean((2, 3))

    def count(self, tap: str, summary: Summary) -> int:
        return 0

    def heat(self, tap: str, fx: Tensor, fy: Tensor, size: tuple[int, int]) -> Tensor:
        return ILF.resize_area(ILF.lpips_layer(fx, fy, self.strength(tap), self.eps), size)
