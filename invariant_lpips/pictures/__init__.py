"""Picture files: decoding, folders and pairs of them, their distances by a metric, heat maps, and moves.

Example::

    from pathlib import Path

    from invariant_lpips import InvariantLPIPS
    from invariant_lpips.pictures import compare, two_folders

    for outcome in compare(InvariantLPIPS(), two_folders(Path("originals"), Path("results"))):
        print(outcome.pair.label, outcome.distance, outcome.problem)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invariant_lpips.files.on_demand import on_demand
from invariant_lpips.pictures.pairing import (
    Pair,
    Pairing,
    by_pattern,
    from_csv,
    one_against_many,
    pair_paths,
    two_files,
    two_folders,
    within_folder,
)
from invariant_lpips.pictures.refusals import PictureWarning

if TYPE_CHECKING:
    from invariant_lpips.pictures.images import Reading, read_image, write_image
    from invariant_lpips.pictures.map_files import MapFiles
    from invariant_lpips.pictures.measuring import Outcome, compare
else:  # needs torch, which finding the pairs doesn't
    __getattr__ = on_demand(
        __name__,
        {
            "MapFiles": "invariant_lpips.pictures.map_files",
            "Outcome": "invariant_lpips.pictures.measuring",
            "Reading": "invariant_lpips.pictures.images",
            "compare": "invariant_lpips.pictures.measuring",
            "read_image": "invariant_lpips.pictures.images",
            "write_image": "invariant_lpips.pictures.images",
        },
    )

__all__ = [
    "MapFiles",
    "Outcome",
    "Pair",
    "Pairing",
    "PictureWarning",
    "Reading",
    "by_pattern",
    "compare",
    "from_csv",
    "one_against_many",
    "pair_paths",
    "read_image",
    "two_files",
    "two_folders",
    "within_folder",
    "write_image",
]
