"""lpips' module of classes, for `from lpips.lpips import ...`; all of it is in `invariant_lpips` too."""

from __future__ import annotations

from invariant_lpips import pretrained_networks as pn
from invariant_lpips.functional import normalize_tensor, spatial_average, upsample
from invariant_lpips.inputs import ScalingLayer
from invariant_lpips.lpips_compat.ranking import BCERankingLoss, Dist2LogitLayer
from invariant_lpips.stock import LPIPS, NetLinLayer

__all__ = [
    "LPIPS",
    "BCERankingLoss",
    "Dist2LogitLayer",
    "NetLinLayer",
    "ScalingLayer",
    "normalize_tensor",
    "pn",
    "spatial_average",
    "upsample",
]
