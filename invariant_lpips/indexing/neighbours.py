"""The k nearest pictures of an index, by the metric itself: every row is looked at, none is approximated."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from invariant_lpips.indexing.distances import exact_distances
from invariant_lpips.indexing.files import BLOCK_ROWS
from invariant_lpips.indexing.index import Index

Backend = Literal["torch", "faiss"]
BACKENDS: tuple[Backend, ...] = ("torch", "faiss")


class Neighbours(NamedTuple):
    """The nearest rows of each query, nearest first; among equal distances the lower row first.

    Attributes:
        distances: (Q, k) float32, the metric's.
        rows: (Q, k) int64, into the index.
    """

    distances: Tensor
    rows: Tensor


def nearest(index: Index, queries: Tensor, k: int = 10, *, backend: Backend = "torch") -> Neighbours:
    """The k rows of an index nearest to each query, exactly.

    Args:
        index: from `embed_folder`, `open_index` or `Index.of_tensor`.
        queries: (Q, D), as `metric.embed(x)` returns; the metric must be that of the index
            (`index.settings.require_metric(metric, ...)` asks).
        k: how many; all rows where the index has fewer.
        backend: `torch` reads the index block by block; `faiss` holds it in memory and lets a faiss.IndexFlatL2 propose
            candidates, which are measured again. Both give the same answer.

    Returns:
        :class:`Neighbours`.

    Raises:
        ValueError: lengths of embeddings differ, or k < 1.
        ImportError: faiss isn't installed; the message names the command.

    Example:
        >>> index = Index.of_tensor(torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]), ["a", "b", "c"])
        >>> found = nearest(index, torch.tensor([[0.0, 0.0]]), k=2)
        >>> [index.paths[row] for row in found.rows[0]], found.distances
        (['a', 'c'], tensor([[0., 1.]]))
    """
    if backend not in BACKENDS:
        raise ValueError(f"Argument `backend` must be one of {', '.join(BACKENDS)}, but got {backend!r}.")
    if k < 1:
        raise ValueError(f"Argument `k` must be at least 1, but got {k}.")
    if queries.dim() != 2 or queries.shape[1] != index.columns:
        raise ValueError(
            f"Queries must be embeddings of shape (Q, {index.columns}), as those of the index, but have shape "
            f"{tuple(queries.shape)}; with head 'regional' pictures must have the size of those of the index."
        )
    queries = queries.detach().float().cpu()
    k = min(k, len(index))
    if backend == "faiss":
        return _by_faiss(index, queries, k)
    parts = [_by_torch(index, part, k) for part in torch.split(queries, BLOCK_ROWS)]
    return Neighbours(torch.cat([part.distances for part in parts]), torch.cat([part.rows for part in parts]))


def _by_torch(index: Index, queries: Tensor, k: int) -> Neighbours:
    best = Neighbours(queries.new_empty(len(queries), 0), torch.empty(len(queries), 0, dtype=torch.int64))
    for start, block in index.blocks():
        rows = torch.arange(start, start + len(block)).expand(len(queries), -1)
        best = _merge(best, Neighbours(exact_distances(queries, block), rows), k)
    return best


def _merge(best: Neighbours, more: Neighbours, k: int) -> Neighbours:
    """The k nearest of both; rows of `best` are lower than those of `more`, and a stable sort keeps ties that way."""
    distances = torch.cat([best.distances, more.distances], 1)
    rows = torch.cat([best.rows, more.rows], 1)
    order = distances.sort(dim=1, stable=True).indices[:, :k]
    return Neighbours(distances.gather(1, order), rows.gather(1, order))


def _by_faiss(index: Index, queries: Tensor, k: int) -> Neighbours:
    try:
        import faiss
    except ImportError:
        raise ImportError("This backend needs faiss: pip install 'invariant-lpips[faiss]'") from None

    flat = faiss.IndexFlatL2(index.columns)
    longest = queries.square().sum(1).max()
    for _, block in index.blocks():
        flat.add(block.numpy())
        longest = torch.maximum(longest, block.square().sum(1).max())
    # What FAISS's float32 sums may be off by; candidates are asked for until none outside them could be nearer.
    slack = float(longest) * index.columns**0.5 * 1e-6
    found = [_from_candidates(index, flat, queries[q : q + 1], k, slack) for q in range(len(queries))]
    return Neighbours(torch.cat([f.distances for f in found]), torch.cat([f.rows for f in found]))


def _from_candidates(index: Index, flat: Any, query: Tensor, k: int, slack: float) -> Neighbours:
    count = min(len(index), 2 * k + 16)
    while True:
        squared, proposed = flat.search(query.numpy(), count)
        rows = torch.from_numpy(proposed[0]).sort().values
        candidates = torch.from_numpy(flat.reconstruct_batch(rows.numpy()))
        none = Neighbours(query.new_empty(1, 0), torch.empty(1, 0, dtype=torch.int64))
        best = _merge(none, Neighbours(exact_distances(query, candidates), rows[None]), k)
        if count == len(index) or float(best.distances[0, -1]) ** 2 + slack < float(squared[0, -1]):
            return best
        count = min(len(index), 4 * count)
