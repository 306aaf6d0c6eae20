"""Soft windows: means over overlapping regions of a feature map, between one position and the whole picture.

Along an axis of L pixels, windows of size s are n = round(2 L / s) triangles, their centres L / n apart and
their feet on their neighbours' centres, so that inside the picture they sum to one everywhere. They are
separable. A picture of less than 3/4 of s has a single window, which is flat: the plain mean.
"""

from __future__ import annotations

import torch
from torch import Tensor

from invariant_lpips.functional import captured, transformed


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
    if windows == 1:
        return torch.full((1, cells), 1 / cells, device=like.device, dtype=like.dtype)
    # In units of 1 / (2 * windows) of a cell centres and heights are whole numbers, exact on every device.
    centre = (2 * torch.arange(windows, device=like.device) + 1).unsqueeze(1) * cells
    cell = (2 * torch.arange(cells, device=like.device) + 1).unsqueeze(0) * windows
    height = (2 * cells - (cell - centre).abs()).clamp_min(0)
    return height.to(like.dtype) / height.sum(1, keepdim=True).to(like.dtype)


def window_means(features: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Means of (N, C, h, w) in windows given by their (P, h) and (Q, w) matrices: (N, C, P, Q).

    The rows of a channels_last map are reduced where they lie; a product of matrices would copy it first.
    """
    n, channels, height, width = features.shape
    # A captured graph may leave sizes open, on which the order in memory depends; under torch.vmap none can be asked.
    plain = captured() or transformed()
    if plain or not features.is_contiguous(memory_format=torch.channels_last):
        return rows @ (features @ columns.mT)
    lines = features.permute(0, 2, 3, 1).reshape(n, height, width * channels)
    reduced = torch.bmm(rows.expand(n, -1, -1), lines).view(n * rows.shape[0], width, channels)
    means = torch.bmm(columns.expand(reduced.shape[0], -1, -1), reduced)
    return means.view(n, rows.shape[0], columns.shape[0], channels).permute(0, 3, 1, 2)
