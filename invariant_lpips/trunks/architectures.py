"""The networks as lists of layers with named taps: VGG-16, AlexNet and SqueezeNet 1.1, and one that is none.

The layers are torchvision's `features`, defined here so that nothing of torchvision is imported; their parameters
are torchvision's IMAGENET1K_V1. Taps are the places a head may read: `relu1_2 ... relu5_3` and `pool1 ... pool5` for
VGG-16. A network is one function that lists its layers and one line in :data:`ARCHITECTURES`. `pixels`
(:mod:`invariant_lpips.trunks.pixels`) has filters in place of a network, and fits the same form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from invariant_lpips.trunks.circular import convolution
from invariant_lpips.trunks.frozen_weights import Conv2d
from invariant_lpips.trunks.pixels import CHANNELS as PIXEL_CHANNELS
from invariant_lpips.trunks.pixels import pixel_layers
from invariant_lpips.trunks.pooling import BlurredReLU, make_pool

Padding = Literal["zeros", "circular"]


class Tap(NamedTuple):
    """A place to read: the layer it follows, its channels, its stride in input pixels, and how active it is."""

    layer: int
    channels: int
    stride: int
    #: Mean activation over photographs, where a logarithm should bend; None where nobody measured it. Of `vgg` over six
    #: photographs, of the others over four that come with scikit-image (`benchmarks/typical_activations.py`).
    typical: float | None = None


class Architecture(NamedTuple):
    """What makes a trunk: its layers, the layer each lpips slice ends with, and its taps."""

    name: str
    layers: Callable[[str, Padding], list[nn.Module]]
    slice_ends: tuple[int, ...]
    taps: dict[str, Tap]
    lpips_taps: tuple[str, ...]
    minimum_side: int
    #: Its parameters were learned; LPIPS and classifiers stand on such networks only.
    trained: bool = True


def _vgg16_layers(pooling: str, padding: Padding) -> list[nn.Module]:
    # Configuration D of Simonyan & Zisserman 2015; "M" is a 2x2 pool.
    layers: list[nn.Module] = []
    channels = 3
    for width in (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"):
        if isinstance(width, str):
            layers.append(make_pool(pooling, padding))
        else:
            layers += [convolution(channels, width, 3, around=1, padding=padding), nn.ReLU(inplace=True)]
            channels = width
    return layers


def _alexnet_layers(pooling: str, padding: Padding) -> list[nn.Module]:
    def conv(cin: int, cout: int, kernel: int, stride: int, pad: int) -> list[nn.Module]:
        return [convolution(cin, cout, kernel, stride, around=pad, padding=padding), nn.ReLU(inplace=True)]

    if pooling == "blur":  # a stride of 4 right behind the picture aliases more than all pools
        first = [convolution(3, 64, 11, 2, around=2, padding=padding), BlurredReLU(padding)]
    else:
        first = conv(3, 64, 11, 4, 2)
    return [
        *first,
        make_pool(pooling, padding, kernel_size=3),
        *conv(64, 192, 5, 1, 2),
        make_pool(pooling, padding, kernel_size=3),
        *conv(192, 384, 3, 1, 1),
        *conv(384, 256, 3, 1, 1),
        *conv(256, 256, 3, 1, 1),
    ]


class Fire(nn.Module):
    """SqueezeNet's block: a 1x1 squeeze, then 1x1 and 3x3 expansions side by side (Iandola et al. 2016)."""

    def __init__(self, channels: int, squeezed: int, expanded: int, padding: Padding) -> None:
        super().__init__()
        self.squeeze = Conv2d(channels, squeezed, 1)
        self.expand1x1 = Conv2d(squeezed, expanded, 1)
        self.expand3x3 = convolution(squeezed, expanded, 3, around=1, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.squeeze(x))
        return torch.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], dim=1))


def _squeezenet_layers(pooling: str, padding: Padding) -> list[nn.Module]:
    def pool() -> nn.Module:
        return make_pool(pooling, padding, kernel_size=3, ceil_mode=True)

    return [
        Conv2d(3, 64, 3, stride=2),
        nn.ReLU(inplace=True),
        pool(),
        Fire(64, 16, 64, padding),
        Fire(128, 16, 64, padding),
        pool(),
        Fire(128, 32, 128, padding),
        Fire(256, 32, 128, padding),
        pool(),
        Fire(256, 48, 192, padding),
        Fire(384, 48, 192, padding),
        Fire(384, 64, 256, padding),
        Fire(512, 64, 256, padding),
    ]


ARCHITECTURES = {
    "vgg": Architecture(
        name="vgg16",
        layers=_vgg16_layers,
        slice_ends=(3, 8, 15, 22, 29),
        taps={
            "relu1_2": Tap(3, 64, 1),
            "pool1": Tap(4, 64, 2, 1.0813),
            "relu2_2": Tap(8, 128, 2),
            "pool2": Tap(9, 128, 4, 1.8379),
            "relu3_3": Tap(15, 256, 4),
            "pool3": Tap(16, 256, 8, 2.052),
            "relu4_3": Tap(22, 512, 8),
            "pool4": Tap(23, 512, 16, 0.6896),
            "relu5_3": Tap(29, 512, 16),
            "pool5": Tap(30, 512, 32, 0.2334),
        },
        lpips_taps=("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3"),
        minimum_side=16,
    ),
    "alex": Architecture(
        name="alexnet",
        layers=_alexnet_layers,
        slice_ends=(1, 4, 7, 9, 11),
        taps={
            "relu1": Tap(1, 64, 4, 0.3781),
            "relu2": Tap(4, 192, 8, 0.5972),
            "relu3": Tap(7, 384, 16, 0.5187),
            "relu4": Tap(9, 256, 16, 0.4987),
            "relu5": Tap(11, 256, 16, 0.2195),
        },
        lpips_taps=("relu1", "relu2", "relu3", "relu4", "relu5"),
        minimum_side=31,
    ),
    "squeeze": Architecture(
        name="squeezenet1_1",
        layers=_squeezenet_layers,
        slice_ends=(1, 4, 7, 9, 10, 11, 12),
        taps={
            "relu1": Tap(1, 64, 2),
            "relu2": Tap(4, 128, 4),
            "relu3": Tap(7, 256, 8),
            "relu4": Tap(9, 384, 16),
            "relu5": Tap(10, 384, 16),
            "relu6": Tap(11, 512, 16),
            "relu7": Tap(12, 512, 16),
        },
        lpips_taps=("relu1", "relu2", "relu3", "relu4", "relu5", "relu6", "relu7"),
        minimum_side=17,
    ),
    "pixels": Architecture(
        name="pixels",
        layers=pixel_layers,
        slice_ends=(1, 3, 5, 7),
        taps={
            "octave1": Tap(1, PIXEL_CHANNELS, 1, 1.0),
            "octave2": Tap(3, PIXEL_CHANNELS, 2, 1.0),
            "octave3": Tap(5, PIXEL_CHANNELS, 4, 1.0),
            "octave4": Tap(7, PIXEL_CHANNELS, 8, 1.0),
        },
        lpips_taps=("octave1", "octave2", "octave3", "octave4"),
        minimum_side=16,
        trained=False,
    ),
}

#: Names by which people ask for the same network.
ALIASES = {"vgg16": "vgg", "alexnet": "alex", "squeezenet": "squeeze", "squeezenet1_1": "squeeze"}


def canonical_net(net: str, *, trained: bool = False) -> str:
    """`vgg`, `alex`, `squeeze` or `pixels` for any accepted name; `trained` refuses the last, which never was.

    Raises:
        ValueError: the network is unknown.

    Example:
        >>> canonical_net("vgg16")
        'vgg'
    """
    name = ALIASES.get(net, net) if isinstance(net, str) else ""
    known = [each for each, architecture in ARCHITECTURES.items() if architecture.trained or not trained]
    if name not in known:
        *others, last = map(repr, known)
        raise ValueError(f"Argument `net` must be one of {', '.join(others)} or {last}, but got {net!r}.")
    return name
