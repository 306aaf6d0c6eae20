"""3x3 convolutions of wide maps with 4/9 of the multiplications, on a CPU.

F(2x2, 3x3) of Lavin and Gray (2016): of every 4x4 patch of the map, two pixels apart, sums and differences along rows
and columns; one product of matrices for each of the 16, over all patches; and sums of those for the four outputs in
the middle of the patch. Sums cost as much as what they save where channels are few, so that a network's first layers
stay as they are. Results are nearer to those in float64 than torch's: each product adds up channels alone.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from invariant_lpips.functional import eager_on_cpu

#: Channels on both sides, and positions in all images, from which it was faster on the machine of docs/speed.md.
FEWEST_CHANNELS = 128
FEWEST_POSITIONS = 512

#: Bytes of patches at a time: the weights are read once for each, and what lies between is in no one's cache.
PATCHES = 2**23


def serves(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether :func:`convolved` may, and is expected to be faster: a wide map of even sides, and a fixed weight."""
    if bias is None or not eager_on_cpu(x, weight, bias):
        return False
    if weight.shape[2:] != (3, 3) or min(weight.shape[:2]) < FEWEST_CHANNELS or x.dim() != 4:
        return False
    images, _, height, width = x.shape
    return (
        height % 2 == width % 2 == 0
        and images * height * width >= FEWEST_POSITIONS
        and x.stride(1) == 1  # in channels-last, of which a slice is taken too
    )


def convolved(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """`conv2d(x, weight, bias, padding=1)` to rounding; gradients of any order flow to x alone.

    Args:
        x: (N, C, H, W) in channels-last, H and W even.
        weight: (D, C, 3, 3).
        bias: (D,).

    Returns:
        (N, D, H, W) in channels-last.

    Example:
        >>> x, weight = torch.ones(1, 1, 4, 4), torch.ones(1, 1, 3, 3)
        >>> convolved(x, weight, torch.zeros(1))[0, 0, 0]
        tensor([4., 6., 6., 4.])
    """
    result: Tensor = _Convolved.apply(x, weight, bias)
    return result


class _Convolved(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(weight)
        return _convolved(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (weight,) = ctx.saved_tensors
        turned = weight.flip(2, 3).transpose(0, 1)
        bias = weight.new_zeros(weight.shape[1])
        through = convolved if serves(gradient, turned, bias) else partial(F.conv2d, padding=1)
        return through(gradient, turned, bias), None, None


def _convolved(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    images, _, height, width = x.shape
    filters = _filters(weight)
    # Not a view, which no ReLU could write over in a graph.
    result = torch.empty((images, weight.shape[0], height, width), memory_format=torch.channels_last)
    lines, written = x.permute(0, 2, 3, 1), result.permute(0, 2, 3, 1)
    per_row = 16 * images * (width // 2) * max(weight.shape[:2]) * x.element_size()
    rows = 2 * max(1, PATCHES // per_row)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        above, below = int(top == 0), int(bottom == height)
        part = lines[:, top - 1 + above : bottom + 1 - below]
        patches = _patches(F.pad(part, (0, 0, 1, 1, above, below)))
        products = torch.bmm(patches.flatten(2, 4).flatten(0, 1), filters).view(*patches.shape[:5], -1)
        _write_outputs(products, bias, written[:, top:bottom])
    return result


def _filters(weight: Tensor) -> Tensor:
    """(16, C, D): what each product multiplies with, of (D, C, 3, 3)."""
    side = weight.new_tensor([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
    return (torch.kron(side, side) @ weight.reshape(-1, 9).mT).view(16, *weight.shape[:2]).mT


def _patches(padded: Tensor) -> Tensor:
    """(4, 4, N, H / 2, W / 2, C): sums and differences down and across of the patches of (N, H + 2, W + 2, C)."""
    images, height, width, channels = padded.shape
    down = padded.new_empty(4, images, height // 2 - 1, width, channels)
    _differences([padded[:, row : row + height - 3 : 2] for row in range(4)], down)
    both = padded.new_empty(4, 4, images, height // 2 - 1, width // 2 - 1, channels)
    _differences(
        [down[:, :, :, column : column + width - 3 : 2] for column in range(4)], both.transpose(0, 1)
    )
    return both


def _differences(cells: list[Tensor], result: Tensor) -> None:
    """Of four neighbours along an axis the first less the third, the middle two's sum and difference, and so on."""
    first, second, third, fourth = cells
    torch.sub(first, third, out=result[0])
    torch.add(second, third, out=result[1])
    torch.sub(third, second, out=result[2])
    torch.sub(second, fourth, out=result[3])


def _write_outputs(products: Tensor, bias: Tensor, result: Tensor) -> None:
    """Write (N, H, W, D) from products (4, 4, N, H / 2, W / 2, D), which are written over."""
    products[1, 1] += bias  # the one that counts once in each of the four outputs
    images, height, width, channels = result.shape
    outputs = result.view(images, height // 2, 2, width // 2, 2, channels)
    upper = torch.add(products[0], products[1]).add_(products[2])
    lower = products[1].sub_(products[2]).sub_(products[3])
    for row, (first, second, third, fourth) in enumerate((upper, lower)):
        left, right = outputs[:, :, row, :, 0], outputs[:, :, row, :, 1]
        torch.add(second, third, out=left)
        left += first
        torch.sub(second, third, out=right)
        right -= fourth
