"""Human-rated image databases, read as their authors publish them.

A rated database is a sequence of pairs (reference picture, distorted picture, what people said about it).
Each module of this package reads one of them, draws its tree on disk in its docstring, checks the tree (one
list of everything that is wrong, in one error) and says where the data come from::

    from invariant_lpips.datasets import load_dataset
    pairs = load_dataset("tid2013", "/data/tid2013")      # RatedPairs

To add a database, write a module with ``NAME``, ``OBTAIN`` (one sentence: where to get it) and
``load(root, *, verify=True, allow_missing=False) -> RatedPairs``, and add its line to :data:`DATASETS`.
Two-alternative sets (BAPPS) have no score per pair: see :mod:`invariant_lpips.datasets.bapps`.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

from invariant_lpips.datasets.pairs import RatedPair, RatedPairs
from invariant_lpips.datasets.verification import DatasetError

__all__ = ["DATASETS", "DatasetError", "RatedPair", "RatedPairs", "dataset_module", "load_dataset"]

DATASETS: dict[str, str] = {
    "kadid10k": "invariant_lpips.datasets.kadid10k",
    "tid2013": "invariant_lpips.datasets.tid2013",
    "tid2008": "invariant_lpips.datasets.tid2008",
    "raid": "invariant_lpips.datasets.raid",
    "csiq": "invariant_lpips.datasets.csiq",
    "live": "invariant_lpips.datasets.live",
    "pipal": "invariant_lpips.datasets.pipal",
    "csv": "invariant_lpips.datasets.csv_pairs",
}
"""Name of a rated database -> the module that reads it."""


def dataset_module(name: str) -> ModuleType:
    """The module that reads database `name` (see :data:`DATASETS`).

    Raises:
        ValueError: no database has this name.
    """
    if name not in DATASETS:
        raise ValueError(f"Argument `name` must be one of {', '.join(DATASETS)}, but got {name!r}.")
    return importlib.import_module(DATASETS[name])


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
    loaded: RatedPairs = dataset_module(name).load(Path(root), verify=verify, allow_missing=allow_missing)
    return loaded
