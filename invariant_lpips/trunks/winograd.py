"""3x3 convolutions of wide maps with a quarter of the multiplications, on a CPU.

F(4x4, 3x3) of Lavin and Gray (2016): patches of 6x6, four pixels apart, are transformed along columns and rows; one
product of matrices for each of the 36 numbers, over all patches; and what comes out is transformed into the 4x4 outputs
in the middle of the patch. The transforms are those of Toom and Cook, evaluation at points and interpolation. Results
are about as near to those in float64 as torch's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from invariant_lpips.functional import eager_on_cpu

#: And infinity. They round off half as much as 1 and 2, which are usual: 4e-7 of the result for 64 channels, 6e-7 for
#: 512 (torch's convolution: 2e-7 and 4e-7).
POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)

#: Channels on both sides, and positions in all images, from which it was faster on the machine of docs/speed.md.
FEWEST_CHANNELS = 64
FEWEST_POSITIONS = 512

#: Bytes of patches at a time, which stay in a cache; twice as many if that is all of them.
PATCHES = 2**23

#: Channels of the result at a time where all patches are there at once: as few filters as stay in a cache.
BLOCK = 128


def _transforms() -> tuple[Tensor, Tensor, Tensor]:
    """(6, 6) for six pixels, (36, 9) for the taps of a filter, (4, 6) for what comes out, of :data:`POINTS`."""
    others = [[q for q in POINTS if q != p] for p in POINTS]
    data = [[*np.poly(zeros)[::-1], 0] for zeros in others] + [np.poly(POINTS)[::-1]]
    taps = [
        np.power(p, range(3)) / np.subtract(p, zeros).prod() for p, zeros in zip(POINTS, others, strict=True)
    ]
    taps.append(np.array([0, 0, 1]))
    outputs = [[*np.power(POINTS, k), k == 3] for k in range(4)]
    found = (np.array(data), np.kron(taps, taps), np.array(outputs))
    return tuple(torch.tensor(each, dtype=torch.float32) for each in found)  # type: ignore[return-value]


DATA, TAPS, OUTPUTS = _transforms()


#: Transformed filters by where their weights lie, with those weights, so that nothing else comes to lie there.
Filters = dict[int, tuple[Tensor, Tensor]]
_KEPT: ContextVar[Filters | None] = ContextVar("kept filters", default=None)


@contextmanager
def kept_filters(filters: Filters) -> Iterator[None]:
    """Filters are transformed once meanwhile and kept in `filters`, 16 bytes for each weight (VGG-16: 235 MB), for many
    images one by one; of weights that stay as they are.
    """
    before = _KEPT.set(filters)
    try:
        yield
    finally:
        _KEPT.reset(before)


def serves(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether :func:`convolved` may, and is expected to be faster: a wide map, and a fixed weight."""
    if bias is None or not eager_on_cpu(x, weight, bias):
        return False
    if weight.shape[2:] != (3, 3) or min(weight.shape[:2]) < FEWEST_CHANNELS or x.dim() != 4:
        return False
    images, _, height, width = x.shape
    return (
        images * height * width >= FEWEST_POSITIONS
        and 8 * _tiles(height) * _tiles(width) <= height * width  # of 16, where all of them are used
        and x.stride(1) == 1  # in channels-last, of which a slice is taken too
    )


def convolved(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """`conv2d(x, weight, bias, padding=1)` to rounding; gradients of any order flow to x alone.

    Args:
        x: (N, C, H, W) in channels-last.
        weight: (D, C, 3, 3).
        bias: (D,).

    Returns:
        (N, D, H, W) in channels-last.

    Example:
        >>> x, weight = torch.ones(1, 1, 4, 4), torch.ones(1, 1, 3, 3)
        >>> convolved(x, weight, torch.zeros(1))[0, 0, 0].round(decimals=4)
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
    # Not a view, which no ReLU could write over in a graph.
    result = torch.empty((images, weight.shape[0], height, width), memory_format=torch.channels_last)
    lines, written = x.permute(0, 2, 3, 1), result.permute(0, 2, 3, 1)
    parts = list(_parts(images, _tiles(height), _tiles(width), 36 * max(weight.shape[:2]) * x.element_size()))
    block = BLOCK if len(parts) == 1 else len(weight)
    filters = _filters_in_blocks(weight, block)
    if len(parts) > 1:
        filters = list(filters)
    for some, first, last in parts:
        patches = _patches(lines[some], first, last)
        places = torch.split(written[some, 4 * first : 4 * last], block, dim=3)
        for each, added, place in zip(filters, torch.split(bias, block), places, strict=True):
            _write_outputs(torch.bmm(patches, each), added, place)
    return result


def _tiles(length: int) -> int:
    return -(-length // 4)


def _parts(images: int, down: int, across: int, size: int) -> Iterator[tuple[slice, int, int]]:
    """Images, and the first and last row of their tiles, for patches of `size` bytes a tile."""
    if images * down * across * size <= 2 * PATCHES:
        yield slice(images), 0, down
        return
    at_once = max(1, PATCHES // size)
    some = max(1, at_once // (down * across))
    rows = -(-down // -(-down // max(1, at_once // across)))  # as many as fit, in parts of about one size
    for image in range(0, images, some):
        for first in range(0, down, rows):
            yield slice(image, image + some), first, min(first + rows, down)


def _filters_in_blocks(weight: Tensor, block: int) -> Iterable[Tensor]:
    kept = _KEPT.get()
    if kept is None:
        return map(_filters, torch.split(weight, block))
    place = weight.data_ptr()
    if place not in kept:
        kept[place] = weight, _filters(weight)
    return torch.split(kept[place][1], block, dim=2)


def _filters(weight: Tensor) -> Tensor:
    """(36, C, D): what each product multiplies with, of (D, C, 3, 3)."""
    return (TAPS @ weight.reshape(-1, 9).mT).view(36, *weight.shape[:2]).mT


def _patches(lines: Tensor, first: int, last: int) -> Tensor:
    """(36, tiles, C) of these rows of tiles in (N, H, W, C)."""
    height, width, channels = lines.shape[1:]
    top, bottom = 4 * first - 1, 4 * last + 1
    around = (0, 0, 1, 1 + -width % 4, max(0, -top), max(0, bottom - height))
    padded = F.pad(lines[:, max(0, top) : bottom], around)
    cells = padded.unfold(1, 6, 4).unfold(2, 6, 4).permute(5, 4, 0, 1, 2, 3).reshape(6, 6, -1)  # across, down
    data = DATA.expand(6, 6, 6)
    cells = torch.bmm(data, torch.bmm(data, cells).transpose(0, 1))
    return cells.view(36, -1, channels)


def _write_outputs(products: Tensor, bias: Tensor, result: Tensor) -> None:
    """Write (N, H, W, D) from (36, tiles, D)."""
    images, height, width, channels = result.shape
    down, across = _tiles(height), _tiles(width)
    rows = torch.bmm(OUTPUTS.expand(6, 4, 6), products.view(6, 6, -1))
    cells = torch.bmm(OUTPUTS.expand(4, 4, 6), rows.transpose(0, 1)).view(
        4, 4, images, down, across, channels
    )
    cells = cells.permute(2, 3, 1, 4, 0, 5)
    if height % 4 == width % 4 == 0:
        torch.add(cells, bias, out=result.view(images, down, 4, across, 4, channels))
    else:
        whole = cells.reshape(images, 4 * down, 4 * across, channels)
        torch.add(whole[:, :height, :width], bias, out=result)
