"""Layers up to a pool on bands of rows, so that no map in between is ever whole.

The maps before the first pools are the largest of a trunk, and the pool throws most of them away. For a large picture
they cost memory and, on a CPU, time: the allocator maps every one anew, and the kernel clears it page by page. Bands
are small enough to lie in memory that is used again. Each reads a few rows of its neighbours, as many as its
convolutions reach, so that its results are those of the whole map.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from invariant_lpips.functional import overwritable


def halo(layers: Sequence[nn.Module]) -> int | None:
    """How many rows of its neighbours a band needs on each side for `layers` to end as on the whole map.

    Returns:
        An even number; None for layers other than 3x3 convolutions with zeros around, ReLUs and one 2x2 max pool
        at the end.

    Example:
        >>> halo([nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)])
        2
    """
    *before, last = layers
    convolutions = [layer for layer in before if not isinstance(layer, nn.ReLU)]
    if not all(map(_is_vgg_convolution, convolutions)) or not _is_vgg_pool(last):
        return None
    # Zeros at a band's edge spoil one more row with each convolution. Even, so that pools meet the rows they would.
    return len(convolutions) + len(convolutions) % 2


def in_bands(run: Callable[[Tensor], Tensor], x: Tensor, rows: int, halo: int) -> Tensor:
    """`run(x)` for layers that end with a 2x2 pool, on bands of about `rows` rows.

    Args:
        run: the layers; (N, C, H, W) -> (N, D, H // 2, W // 2).
        x: (N, C, H, W).
        rows: how high a band may be, without what it reads of its neighbours; at least 2.
        halo: see :func:`halo`.

    Returns:
        (N, D, H // 2, W // 2), in the order in memory of what `run` returns.

    Example:
        >>> pool, x = nn.MaxPool2d(2), torch.rand(1, 3, 11, 8)
        >>> bool((in_bands(pool, x, rows=4, halo=0) == pool(x)).all())
        True
    """
    height = x.shape[2] // 2 * 2
    starts = range(0, height, max(2, rows // 2 * 2))
    whole: Tensor | None = None
    pieces = []
    for start in starts:
        stop = min(start + starts.step, height)
        above, below = min(halo, start), min(halo, x.shape[2] - stop)
        piece = run(x[:, :, start - above : stop + below])
        piece = piece.narrow(2, above // 2, (stop - start) // 2)
        if not overwritable(piece):
            pieces.append(piece)
            continue
        if whole is None:  # bands that waited to be joined would be in memory twice
            images, channels, _, width = piece.shape
            if piece.stride(1) == 1:
                whole = piece.new_empty((images, height // 2, width, channels)).permute(0, 3, 1, 2)
            else:
                whole = piece.new_empty((images, channels, height // 2, width))
        whole[:, :, start // 2 : stop // 2] = piece
    return torch.cat(pieces, dim=2) if whole is None else whole


def _is_vgg_convolution(layer: nn.Module) -> bool:
    return (
        isinstance(layer, nn.Conv2d)
        and (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
        == ((3, 3), (1, 1), (1, 1), (1, 1))
        and layer.padding_mode == "zeros"
    )


def _is_vgg_pool(layer: nn.Module) -> bool:
    return (
        isinstance(layer, nn.MaxPool2d)
        and (layer.kernel_size, layer.stride, layer.padding) == (2, 2, 0)
        and not layer.ceil_mode
    )
