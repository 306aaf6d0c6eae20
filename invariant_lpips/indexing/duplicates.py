"""Groups of near-duplicates: pictures that a chain of distances below a threshold joins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from invariant_lpips.indexing.distances import exact_distances
from invariant_lpips.indexing.index import Index


class Group(NamedTuple):
    """Rows that belong together.

    Attributes:
        rows: ascending, at least two.
        distances: of each row to the nearest other row of the group.
    """

    rows: list[int]
    distances: list[float]


def near_duplicates(index: Index, below: float) -> list[Group]:
    """The groups of rows that pairs at a distance < `below` connect; rows without a partner are in none.

    Groups are chains: a and c are in one group where a-b and b-c are near, however far a-c. Every pair is measured,
    block by block, so time grows with the square of the index; memory doesn't.

    Args:
        index: from `embed_folder`, `open_index` or `Index.of_tensor`.
        below: threshold, > 0, in the metric's unit.

    Returns:
        Groups in the order of their first rows.

    Example:
        >>> index = Index.of_tensor(torch.tensor([[0.0], [5.0], [0.5], [5.0], [9.0], [1.0]]))
        >>> near_duplicates(index, below=0.6)
        [Group(rows=[0, 2, 5], distances=[0.5, 0.5, 0.5]), Group(rows=[1, 3], distances=[0.0, 0.0])]
    """
    if not below > 0:
        raise ValueError(f"Argument `below` must be a distance above 0, but got {below}.")
    parents = list(range(len(index)))
    nearest = torch.full((len(index),), torch.inf)

    def root(row: int) -> int:
        while parents[row] != row:
            parents[row] = parents[parents[row]]
            row = parents[row]
        return row

    for start, block in index.blocks():
        for other, later in _blocks_from(index, start):
            distances = exact_distances(block, later)
            if other == start:  # each pair once, none with itself
                above = torch.ones_like(distances, dtype=torch.bool).triu(1)
                distances = distances.masked_fill(~above, torch.inf)
            rows, columns = (distances < below).nonzero(as_tuple=True)
            found = distances[rows, columns]
            rows, columns = rows + start, columns + other
            for ends in (rows, columns):
                nearest.scatter_reduce_(0, ends, found, "amin")
            for a, b in zip(rows.tolist(), columns.tolist(), strict=True):
                first, second = sorted((root(a), root(b)))
                parents[second] = first
    members: dict[int, list[int]] = {}
    for row in nearest.isfinite().nonzero().flatten().tolist():
        members.setdefault(root(row), []).append(row)
    return [Group(rows, nearest[rows].tolist()) for _, rows in sorted(members.items())]


def _blocks_from(index: Index, start: int) -> Iterator[tuple[int, Tensor]]:
    for other in range(start, len(index), index.block_rows):
        yield other, index.rows(other, other + index.block_rows)
