"""The pictures of an index nearest to picture files, which are read and measured as the index's own were."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from invariant_lpips.indexing.index import Index
from invariant_lpips.indexing.neighbours import Backend, nearest
from invariant_lpips.indexing.sources import Pictures
from invariant_lpips.indexing.streaming import Embedder

if TYPE_CHECKING:
    from invariant_lpips.metric import InvariantLPIPS


@dataclass(frozen=True)
class Answer:
    """What was found for one picture.

    Attributes:
        query: the file, as it was given.
        paths: names of the nearest pictures, nearest first.
        distances: theirs, the metric's.
        problem: why nothing was found, or None.
    """

    query: str
    paths: tuple[str, ...] = ()
    distances: tuple[float, ...] = ()
    problem: str | None = None


def search(
    index: Index,
    metric: InvariantLPIPS,
    files: Sequence[str | os.PathLike[str]],
    k: int = 10,
    *,
    backend: Backend = "torch",
) -> list[Answer]:
    """The k pictures of an index nearest to each file, exactly; one broken file doesn't stop the others.

    Args:
        index: from `embed_folder` or `open_index`.
        metric: the one the index was made with.
        files: pictures, read with the alpha, size and tiles of the index's.
        k, backend: see :func:`invariant_lpips.indexing.nearest`.

    Returns:
        An :class:`Answer` for each file, in order.

    Raises:
        ValueError: another metric than the index's, an index made of a tensor, or k < 1.

    Example:
        >>> import tempfile
        >>> from invariant_lpips import InvariantLPIPS, embed_folder, write_image
        >>> metric = InvariantLPIPS("alex", head="gap", weights="unit")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("black", "white"):
        ...         image = torch.full((1, 3, 64, 64), -1.0 if name == "black" else 1.0)
        ...         write_image(image, Path(folder) / f"{name}.png")
        ...     index = embed_folder(metric, folder, Path(folder) / "index.npz", workers=0)
        ...     [answer] = search(index, metric, [Path(folder) / "white.png"], k=1)
        ...     answer.paths, answer.distances
        (('white.png',), (0.0,))
    """
    settings = index.settings
    settings.require_metric(metric, index.origin)
    if k < 1:
        raise ValueError(f"Argument `k` must be at least 1, but got {k}.")
    pictures = Pictures(Path(), tuple(os.fspath(file) for file in files))
    embedded: list[Tensor | str] = []
    embedder = Embedder(metric, settings.reading, tile=settings.tile, size=settings.size)
    for position, record in embedder(pictures, range(len(pictures))):
        if position in record.problems:
            embedded.append(record.problems[position])
        elif record.vectors.shape[1] != index.columns:
            embedded.append(
                "has another size than the pictures of the index, and this head's embedding grows with it"
            )
        else:
            embedded.append(record.vectors)
    vectors = [vector for vector in embedded if isinstance(vector, Tensor)]
    found = nearest(index, torch.cat(vectors), k, backend=backend) if vectors else ((), ())
    near = iter(zip(*found, strict=True))
    return [
        Answer(query, problem=result) if isinstance(result, str) else _answer(index, query, *next(near))
        for query, result in zip(pictures.names, embedded, strict=True)
    ]


def _answer(index: Index, query: str, distances: Tensor, rows: Tensor) -> Answer:
    return Answer(query, tuple(index.paths[row] for row in rows.tolist()), tuple(distances.tolist()))
