"""Human-rated image databases, read as their authors publish them.

A rated database is a sequence of pairs (reference picture, distorted picture, what people said about it).
Each module of this package reads one of them, draws its tree on disk in its docstring, checks the tree (one
list of everything that is wrong, in one error) and says where the data come from::

    from invariant_lpips.datasets import load_dataset
    pairs = load_dataset("tid2013", "/data/tid2013")      # RatedPairs

To add a database, write a module with a :class:`Database` called ``DATABASE``, and add its line to
:data:`DATASETS`. Two-alternative sets (BAPPS) have no score per pair: see
:mod:`invariant_lpips.datasets.bapps`.
"""

from __future__ import annotations

import pkgutil
from pathlib import Path

from invariant_lpips.datasets.collecting import Database
from invariant_lpips.datasets.pairs import RatedPair, RatedPairs, select_pairs
from invariant_lpips.datasets.verification import DatasetError

__all__ = [
    "DATASETS",
    "Database",
    "DatasetError",
    "RatedPair",
    "RatedPairs",
    "find_database",
    "load_dataset",
    "select_pairs",
]

DATASETS: dict[str, str] = {
    "kadid10k": "invariant_lpips.datasets.kadid10k:DATABASE",
    "tid2013": "invariant_lpips.datasets.tid:EDITION_2013",
    "tid2008": "invariant_lpips.datasets.tid:EDITION_2008",
    "raid": "invariant_lpips.datasets.raid:DATABASE",
    "csiq": "invariant_lpips.datasets.csiq:DATABASE",
    "live": "invariant_lpips.datasets.live:DATABASE",
    "pipal": "invariant_lpips.datasets.pipal:DATABASE",
    "csv": "invariant_lpips.datasets.csv_pairs:DATABASE",
}
"""Name of a rated database -> its :class:`Database`, as "module:name"."""


def find_database(name: str) -> Database:
    """The database called `name`: what is in it, where to get it, how to read it.

    Raises:
        ValueError: no database has this name.

    Example:
        >>> find_database("tid2008").distortions["17"]
        'contrast change'
    """
    if name not in DATASETS:
        raise ValueError(f"Argument `name` must be one of {', '.join(DATASETS)}, but got {name!r}.")
    database: Database = pkgutil.resolve_name(DATASETS[name])
    return database


def load_dataset(
    name: str, root: str | Path, *, verify: bool = True, allow_missing: bool = False
) -> RatedPairs:
    """The rated pairs of database `name` under the folder `root`.

    Args:
        name: a key of :data:`DATASETS`.
        root: the folder its authors' archive unpacks to (for ``csv``, the csv file).
        verify: check that every picture is there and whole, and that counts are as published.
        allow_missing: leave out the pairs whose pictures are not there, in place of an error.

    Raises:
        ValueError: no database has this name.
        DatasetError: the tree is not as published; the error lists everything that is wrong.
    """
    return find_database(name).load(root, verify=verify, allow_missing=allow_missing)
