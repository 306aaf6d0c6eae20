"""The loss that learns which of two pictures people prefer from its two distances (arXiv:1801.03924).

Names of modules and parameters are lpips 0.1.4's, so that its files of ranking weights (`*_net_rank.pth`)
load.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Dist2LogitLayer(nn.Module):
    """Two distances to the probability that people prefer the second picture, by three 1x1 convolutions.

    Args:
        chn_mid: channels of the two hidden layers.
        use_sigmoid: end in a sigmoid; False returns the logit.

    Shape:
        d0, d1: (N, 1, H, W), distances of a reference to the first and the second picture.
        returns: (N, 1, H, W), in [0, 1] with the sigmoid.

    Example:
        >>> Dist2LogitLayer()(torch.rand(4, 1, 1, 1), torch.rand(4, 1, 1, 1)).shape
        torch.Size([4, 1, 1, 1])
    """

    def __init__(self, chn_mid: int = 32, use_sigmoid: bool = True) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(5, chn_mid, 1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(chn_mid, chn_mid, 1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(chn_mid, 1, 1),
        )
        if use_sigmoid:
            self.model.append(nn.Sigmoid())

    def forward(self, d0: Tensor, d1: Tensor, eps: float = 0.1) -> Tensor:
        evidence = torch.cat((d0, d1, d0 - d1, d0 / (d1 + eps), d1 / (d0 + eps)), dim=1)
        prediction: Tensor = self.model(evidence)
        return prediction


class BCERankingLoss(nn.Module):
    """Binary cross-entropy between predicted and human preference.

    Args:
        chn_mid: hidden channels of the :class:`Dist2LogitLayer` in `net`.

    Shape:
        d0, d1: (N, 1, 1, 1) distances.
        judge: (N, 1, 1, 1) in [-1, 1]: -1 where everybody preferred the first picture, 1 the second.
        returns: a scalar; the prediction stays in the attribute `logit`, as in lpips (it is a probability).

    Example:
        >>> _ = torch.manual_seed(0)
        >>> loss = BCERankingLoss()
        >>> loss(torch.rand(4, 1, 1, 1), torch.rand(4, 1, 1, 1), torch.ones(4, 1, 1, 1)).shape
        torch.Size([])
    """

    def __init__(self, chn_mid: int = 32) -> None:
        super().__init__()
        self.net = Dist2LogitLayer(chn_mid=chn_mid)
        self.loss = nn.BCELoss()
        self.logit: Tensor | None = None

    def forward(self, d0: Tensor, d1: Tensor, judge: Tensor) -> Tensor:
        self.logit = self.net(d0, d1)
        loss: Tensor = self.loss(self.logit, (judge + 1.0) / 2.0)
        return loss
