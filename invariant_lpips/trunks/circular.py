"""Convolution on a circle of pixels: what leaves on one side comes back on the other.

`torch.nn.Conv2d(padding_mode="circular")` computes the same, but its copy of the input is always laid out
channel by channel, and every layer behind it follows: on a CPU that made the convolutions 1.7 times as slow as
in the channels-last order the trunks run in. Here the order of the input is kept.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from invariant_lpips.functional import captured
from invariant_lpips.trunks.frozen_weights import Conv2d


def wrapped(x: Tensor, rows: int, columns: int) -> Tensor:
    """x (N, C, H, W) with `rows` and `columns` of its other end on each side: (N, C, H + 2 rows, W + 2 columns).

    Raises:
        ValueError: the map is smaller than what is to be added on one side.

    Example:
        >>> wrapped(torch.arange(3.0).view(1, 1, 1, 3), 0, 1).flatten().tolist()
        [2.0, 0.0, 1.0, 2.0, 0.0]
    """
    height, width = x.shape[-2:]
    if rows > height or columns > width:
        raise ValueError(
            f"A map must be at least {rows}x{columns} to be wrapped by as much, but is {height}x{width}."
        )
    if rows:
        x = torch.cat([x[..., height - rows :, :], x, x[..., :rows, :]], dim=2)
    if columns:
        x = torch.cat([x[..., width - columns :], x, x[..., :columns]], dim=3)
    return x


#: Bytes up to which a copy is made in one piece; glibc's allocator keeps blocks below 32 MiB for the next tensor.
REUSED_BLOCK = 2**24


def in_pieces(layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`layer(x)` for a layer that treats images alone, a few images at a time where that is faster.

    On a CPU a copy of a large batch is mapped anew for every layer, and the page faults cost several times the
    copying; copies of a few images lie in memory that is used again.
    """
    # While a graph is captured the batch's size may be left open.
    if captured() or x.device.type != "cpu" or x.nbytes <= REUSED_BLOCK:
        return layer(x)
    images = max(1, REUSED_BLOCK // 2 * x.shape[0] // x.nbytes)
    return torch.cat([layer(piece) for piece in torch.split(x, images)])


class CircularConv2d(Conv2d):
    """`nn.Conv2d(..., padding_mode="circular")` with the order of the dimensions in memory kept."""

    def __init__(self, channels: int, width: int, kernel: int, stride: int = 1, padding: int = 0) -> None:
        super().__init__(channels, width, kernel, stride, padding, padding_mode="circular")
        self.around = padding

    def forward(self, x: Tensor) -> Tensor:
        return in_pieces(self._on_circle, x)

    def _on_circle(self, x: Tensor) -> Tensor:
        weight, bias = self.held("weight", "bias")
        return F.conv2d(wrapped(x, self.around, self.around), weight, bias, self.stride)


def convolution(
    channels: int, width: int, kernel: int, stride: int = 1, *, around: int = 0, padding: str = "zeros"
) -> Conv2d:
    """A convolution that pads by `around` pixels: `zeros` or `circular`."""
    if padding == "circular":
        return CircularConv2d(channels, width, kernel, stride, around)
    return Conv2d(channels, width, kernel, stride, around)
