"""Soft windows: means over overlapping regions of a feature map, between one position and the whole picture.

Along an axis of L pixels, windows of size s are n = round(2 L / s) triangles, their centres L / n apart and
their feet on their neighbours' centres, so that inside the picture they sum to one everywhere. They are
separable. A picture of less than 3/4 of s has a single window, which is flat: the plain mean.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from invariant_lpips.functional import captured, transformed

#: Weights in a matrix that is kept for the next picture of that size.
LARGEST_KEPT = 2**16


def window_count(pixels: int, size: float) -> int:
    """Number of windows of `size` pixels along an axis of `pixels` pixels.

    Example:
        >>> window_count(512, 64), window_count(40, 64), window_count(512, float("inf"))
        (16, 1, 1)
    """
    if size == float("inf"):
        return 1
    # round(2 * pixels / size) in whole numbers, which torch.export keeps open where the size is.
    side = int(size)
    return max(1, (4 * pixels + side) // (2 * side))


def window_matrix(cells: int, windows: int, like: Tensor) -> Tensor:
    """Weights of each cell of an axis in each window: (windows, cells), every row summing to 1.

    Example:
        >>> window_matrix(4, 2, torch.zeros(1))
        tensor([[0.4286, 0.4286, 0.1429, 0.0000],
                [0.0000, 0.1429, 0.4286, 0.4286]])
        >>> window_matrix(4, 1, torch.zeros(1))
        tensor([[0.2500, 0.2500, 0.2500, 0.2500]])
    """
    # Making them is a twentieth of a light network's time. What is kept must be an ordinary tensor: not of a graph that
    # is being captured, where sizes may be open, nor of a subclass (FakeTensor), nor large.
    ordinary = type(like) is Tensor and not captured() and not transformed()
    if not ordinary or cells * windows > LARGEST_KEPT:
        return _matrix(cells, windows, like.device, like.dtype)
    return _kept_matrix(cells, windows, like.device, like.dtype)


@lru_cache(maxsize=64)
def _kept_matrix(cells: int, windows: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    with torch.inference_mode(False):  # or no later backward pass could save it
        return _matrix(cells, windows, device, dtype)


def _matrix(cells: int, windows: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    if windows == 1:
        return torch.full((1, cells), 1 / cells, device=device, dtype=dtype)
    # In units of 1 / (2 * windows) of a cell centres and heights are whole numbers, exact on every device.
    centre = (2 * torch.arange(windows, device=device) + 1).unsqueeze(1) * cells
    cell = (2 * torch.arange(cells, device=device) + 1).unsqueeze(0) * windows
    height = (2 * cells - (cell - centre).abs()).clamp_min(0)
    return height.to(dtype) / height.sum(1, keepdim=True).to(dtype)


def window_means(features: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Means of (N, C, h, w) in windows given by their (P, h) and (Q, w) matrices: (N, C, P, Q).

    Rows are reduced first, where they lie: of a channels_last map a product with `columns` would make a copy, and of
    another it reads as much in twice the time.
    """
    n, channels, height, width = features.shape
    # A captured graph may leave sizes open, on which the order in memory depends; under torch.vmap none can be asked.
    if captured() or transformed():
        return rows @ (features @ columns.mT)
    if not features.is_contiguous(memory_format=torch.channels_last):
        planes = features.reshape(n * channels, height, width)
        means = torch.bmm(rows.expand(len(planes), -1, -1), planes) @ columns.mT
        return means.view(n, channels, rows.shape[0], columns.shape[0])
    lines = features.permute(0, 2, 3, 1).reshape(n, height, width * channels)
    reduced = torch.bmm(rows.expand(n, -1, -1), lines).view(n * rows.shape[0], width, channels)
    means = torch.bmm(columns.expand(reduced.shape[0], -1, -1), reduced)
    return means.view(n, rows.shape[0], columns.shape[0], channels).permute(0, 3, 1, 2)
