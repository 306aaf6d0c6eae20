"""Learning what the metric measures with: linear weights from people's scores, a trunk from classes of pictures.

`train_linear` fits a head's linear weights to a rated database, `train_backbone` trains a classifier whose trunk a
metric can read. Both are what the commands `invariant-lpips train linear` and `train backbone` call.
"""

from __future__ import annotations

from invariant_lpips.training.backbone import train_backbone
from invariant_lpips.training.backbone_config import BackboneConfig
from invariant_lpips.training.linear import TrainedHead, TrainLinearSettings, train_linear
from invariant_lpips.training.strengths import FitSettings

__all__ = [
    "BackboneConfig",
    "FitSettings",
    "TrainLinearSettings",
    "TrainedHead",
    "train_backbone",
    "train_linear",
]
