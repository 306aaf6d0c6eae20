"""All distances between the pictures of an index, block by block."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from invariant_lpips.files.tables import Writable, write_csv
from invariant_lpips.files.writing import naming, replacing, set_aside_room
from invariant_lpips.indexing.distances import exact_distances
from invariant_lpips.indexing.index import Index

SUFFIXES = (".csv", ".npz")


def distance_matrix(index: Index, *, unit: float = 1.0) -> NDArray[np.float32]:
    """Distances of all pairs of an index: (N, N) float32, symmetric, exactly 0 on the diagonal.

    For matrices that don't fit into memory use :func:`write_matrix`.

    Args:
        index: from `embed_folder`, `open_index` or `Index.of_tensor`.
        unit: what distances are divided by, such as `metric.jnd_fit["d0"]`.

    Example:
        >>> import torch
        >>> distance_matrix(Index.of_tensor(torch.tensor([[0.0, 0.0], [3.0, 4.0]])))
        array([[0., 5.],
               [5., 0.]], dtype=float32)
    """
    matrix = np.empty((len(index), len(index)), dtype=np.float32)
    _fill(index, matrix, unit)
    return matrix


def write_matrix(index: Index, path: str | os.PathLike[str], *, unit: float = 1.0) -> None:
    """Write the distances of all pairs to a .csv (names in the first row and column) or .npz file.

    The matrix is built in a file beside `path` (4 N^2 bytes), so memory doesn't grow with it. An .npz holds
    `distances` (N, N) float32 and `paths`. The file appears complete or not at all.

    Raises:
        ValueError: another suffix.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"a matrix must end in one of {', '.join(SUFFIXES)}, but got {path}")
    with replacing(path) as target:
        scratch = target.with_name(f"{target.name}.parts")
        with naming(path, scratch):
            scratch.mkdir()
        try:
            _write_through(index, target, scratch, unit)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _write_through(index: Index, target: Path, scratch: Path, unit: float) -> None:
    plain = scratch / "distances.npy"
    matrix: Any = np.lib.format.open_memmap(plain, mode="w+", dtype="<f4", shape=(len(index), len(index)))
    set_aside_room(plain)
    _fill(index, matrix, unit)
    matrix.flush()
    if target.suffix.lower() == ".csv":
        with target.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            write_rows(index, matrix, file)
        return
    np.save(scratch / "paths.npy", np.array(index.paths))
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for part in (plain, scratch / "paths.npy"):
            # A fixed date: the same distances give the same bytes.
            member = zipfile.ZipInfo(part.name, (1980, 1, 1, 0, 0, 0))
            with part.open("rb") as numbers, archive.open(member, "w", force_zip64=True) as place:
                shutil.copyfileobj(numbers, place)


def write_rows(index: Index, matrix: NDArray[np.float32], stream: Writable) -> None:
    """The matrix as csv: a header of names, then a name and its distances (7 digits) in each row."""
    rows = (
        [name, *(f"{distance:.7g}" for distance in row.tolist())]
        for name, row in zip(index.paths, matrix, strict=True)
    )
    write_csv(stream, ["", *index.paths], rows)


def _fill(index: Index, matrix: NDArray[np.float32], unit: float) -> None:
    step = index.block_rows
    for start, block in index.blocks():
        for other in range(start, len(index), step):
            distances = exact_distances(block, index.rows(other, other + step))
            if other == start:  # one half is taken from the other, so that no rounding tells them apart
                distances = distances.triu(1) + distances.triu(1).mT
            found = (distances / unit).numpy()
            matrix[start : start + len(block), other : other + found.shape[1]] = found
            matrix[other : other + found.shape[1], start : start + len(block)] = found.T
