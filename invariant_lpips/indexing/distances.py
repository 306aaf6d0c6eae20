"""Exact distances between many embeddings at the speed of a matrix product.

||x - y||^2 = ||x||^2 + ||y||^2 - 2 x.y is one matrix product, and in float32 it is worthless for near-duplicates:
its rounding is a share of ||x||^2, not of the distance. Here it is taken in float64, where that share is 1e-16, and
distances below a ten-thousandth of the vectors' lengths, for which even that might show, are taken again from the
differences themselves. Equal rows are at exactly 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from invariant_lpips.functional import euclidean_distances

#: Distances below this share of the vectors' lengths are taken from differences.
NEAR = 1e-4
#: Differences are formed for this many numbers at a time.
DIFFERENCES_AT_ONCE = 2**21


def exact_distances(x: Tensor, y: Tensor) -> Tensor:
    """Euclidean distances between the rows of (N, D) and (M, D): (N, M) float32.

    Example:
        >>> x = torch.full((1, 1000), 100.0)
        >>> y = torch.cat([x, x])
        >>> y[1, 0] += 1e-3
        >>> exact_distances(x, y)
        tensor([[0.0000, 0.0010]])
        >>> torch.cdist(x, y, compute_mode="use_mm_for_euclid_dist").max() < 0.0005  # the usual way: rounding
        tensor(True)
    """
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"Embeddings must have one length, but have {x.shape[1]} and {y.shape[1]} columns.")
    if x.device.type == "mps":  # no float64
        return euclidean_distances(x, y)
    double_x, double_y = x.double(), y.double()
    squares = double_x.square().sum(1)[:, None] + double_y.square().sum(1)
    squared = torch.addmm(squares, double_x, double_y.mT, alpha=-2)
    near = squared <= squares * NEAR**2
    distances = squared.clamp_min_(0).sqrt_().float()
    rows, columns = near.nonzero(as_tuple=True)
    step = max(1, DIFFERENCES_AT_ONCE // x.shape[1])
    for start in range(0, len(rows), step):
        i, j = rows[start : start + step], columns[start : start + step]
        distances[i, j] = torch.linalg.vector_norm(x[i].double() - y[j].double(), dim=1).float()
    return distances
