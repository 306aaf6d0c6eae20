"""lpips' module of networks: `vgg16`, `alexnet` and `squeezenet`, which give named activations.

from invariant_lpips import pretrained_networks as pn

activations = pn.vgg16()(images)     # .relu1_2 ... .relu5_3, of images scaled as the network expects them
"""

from __future__ import annotations

from typing import Any

from invariant_lpips.registry import load_weights
from invariant_lpips.trunks import Trunk

__all__ = ["alexnet", "squeezenet", "vgg16"]


class _Pretrained(Trunk):
    network: str

    def __init__(self, requires_grad: bool = False, pretrained: bool = True) -> None:
        super().__init__(self.network)
        if pretrained:
            self.load_features(load_weights(self.architecture.name))
        self.requires_grad_(requires_grad)


class vgg16(_Pretrained):
    """VGG-16 up to relu5_3.

    Args:
        requires_grad: its parameters are trained.
        pretrained: with ImageNet's weights; random ones otherwise.

    Example:
        >>> import torch
        >>> vgg16()(torch.zeros(1, 3, 32, 32)).relu3_3.shape
        torch.Size([1, 256, 8, 8])
    """

    network = "vgg"


class alexnet(_Pretrained):
    """AlexNet's five convolutions; arguments as of :class:`vgg16`."""

    network = "alex"


class squeezenet(_Pretrained):
    """SqueezeNet 1.1; arguments as of :class:`vgg16`."""

    network = "squeeze"


def __getattr__(name: str) -> Any:
    if name == "resnet":
        raise AttributeError(
            "invariant_lpips does not provide lpips' `resnet`: use torchvision.models instead."
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
