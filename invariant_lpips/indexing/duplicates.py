"""Groups of near-duplicates: pictures that a chain of distances below a threshold joins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from invariant_lpips.indexing.distances import exact_distances
from invariant_lpips.indexing.index import Index

#: Below how many times the just noticeable distance two pictures are taken for copies, by network and head; measured by
#: benchmarks/duplicates.py. It lies half way, on a logarithmic scale, between photographs that were compressed down to
#: JPEG 50 or halved and doubled, and other parts of one scene. With head `gap` those meet: what textures two parts
#: share, it takes for the same. There it lies below the other parts, and misses what is compressed harder than JPEG 90.
COPIES = {
    ("vgg", "regional"): 2.0,
    ("alex", "regional"): 2.5,
    ("alex", "regional-32"): 2.4,
    ("pixels", "regional"): 3.6,
    ("pixels", "regional-32"): 3.4,
    ("vgg", "gap"): 1.0,
    ("alex", "gap"): 1.0,
    ("pixels", "gap"): 1.0,
}


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
    first = torch.arange(len(index))  # of each row's group, as far as it is known
    nearest = torch.full((len(index),), torch.inf)
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
            _join(first, rows, columns)
    members: dict[int, list[int]] = {}
    for row in nearest.isfinite().nonzero().flatten().tolist():
        members.setdefault(int(first[row]), []).append(row)
    return [Group(rows, nearest[rows].tolist()) for _, rows in sorted(members.items())]


def _join(first: Tensor, rows: Tensor, columns: Tensor) -> None:
    """Make one of the groups of `rows[k]` and `columns[k]` for every k, in place.

    A group is known by its first row. All groups that have a lower neighbour move to it at once, until none has: a few
    passes over the pairs, however many they are.
    """
    while True:
        lower, upper = torch.minimum(first[rows], first[columns]), torch.maximum(first[rows], first[columns])
        apart = lower != upper
        if not bool(apart.any()):
            return
        rows, columns = rows[apart], columns[apart]
        first.scatter_reduce_(0, upper[apart], lower[apart], "amin")
        while not torch.equal(first[first], first):
            first.copy_(first[first])


def _blocks_from(index: Index, start: int) -> Iterator[tuple[int, Tensor]]:
    for other in range(start, len(index), index.block_rows):
        yield other, index.rows(other, other + index.block_rows)
