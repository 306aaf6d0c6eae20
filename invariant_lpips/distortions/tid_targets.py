"""What TID2013's and TID2008's tables ask of a resynthesis: images, their scores and the PSNR to meet."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from invariant_lpips.datasets.tid import SATURATION, TYPES_AND_LEVELS

__all__ = ["Target", "read_table", "read_targets"]

# What most types were designed to at levels 1 to 5; SATURATION, which leaves luma as it is, is matched to it.
_DESIGN_RGB_PSNR = (33.0, 30.0, 27.0, 24.0, 21.0)

_T = TypeVar("_T", int, str)


@dataclass(frozen=True)
class Target:
    """One image of a database: its place, its mean opinion score, and the PSNR (dB) of the real image.

    `tid2013_level` is `level` in TID2013 and one more in TID2008, whose level L is TID2013's L + 1.
    """

    reference: str
    type: int
    level: int
    tid2013_level: int
    score: float
    psnr: float

    @property
    def name(self) -> str:
        """The image's file.

        >>> Target("I01", 3, 2, 2, 5.1, 34.7).name
        'i01_03_2.png'
        """
        return f"{self.reference.lower()}_{self.type:02d}_{self.level}.png"


def read_targets(
    root: Path,
    database: str,
    types: Iterable[int] | None = None,
    levels: Iterable[int] | None = None,
    references: Iterable[str] | None = None,
) -> list[Target]:
    """The images asked for, type by type; by default all of the database whose reference is in `root/refs`.

    Raises:
        FileNotFoundError: a table, or every reference, is missing.
        ValueError: unknown database, type, level or reference, or an image without a score or a PSNR.
    """
    if database not in TYPES_AND_LEVELS:
        raise ValueError(f"Argument `database` must be 'tid2013' or 'tid2008', but got {database!r}.")
    last_type, last_level = TYPES_AND_LEVELS[database]
    known = sorted(path.stem for path in (root / "refs").glob("I*.png"))
    if not known:
        raise FileNotFoundError(
            f"Expected reference images {root / 'refs' / 'I01.png'} and so on, but found none."
        )
    chosen_types = _chosen("types", types, range(1, last_type + 1))
    chosen_references = _chosen("references", references, known)
    chosen_levels = _chosen("levels", levels, range(1, last_level + 1))
    psnr = {_place(row): row["luma_psnr_db"] for row in read_table(root / "tid2013.csv")}
    scores = {_place(row): float(row["mos"]) for row in read_table(root / f"{database}.csv")}
    targets = []
    for type_ in chosen_types:
        for reference in chosen_references:
            for level in chosen_levels:
                at = level if database == "tid2013" else level + 1
                score = scores.get((reference, type_, level), math.nan)
                if type_ == SATURATION:
                    goal = _DESIGN_RGB_PSNR[at - 1]
                else:
                    # The table's figures are cut, not rounded: aim at the middle of 37.7 to 37.8.
                    goal = float(psnr.get((reference, type_, at)) or math.nan) + 0.05
                if not math.isfinite(score + goal):
                    raise ValueError(
                        f"Expected a score and a luma PSNR of {reference}, type {type_}, level {level} in "
                        f"the tables of {root}, but found none."
                    )
                targets.append(Target(reference, type_, level, at, score, goal))
    return targets


def read_table(path: Path) -> list[dict[str, str]]:
    """The lines of a csv file with a header."""
    if not path.is_file():
        raise FileNotFoundError(f"Expected the table {path}: reference,type,level,mos,... one image a line.")
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


def _place(row: dict[str, str]) -> tuple[str, int, int]:
    return row["reference"], int(row["type"]), int(row["level"])


def _chosen(argument: str, wanted: Iterable[_T] | None, known: Iterable[_T]) -> list[_T]:
    known = list(known)
    chosen = known if wanted is None else list(dict.fromkeys(wanted))
    for one in chosen:
        if one not in known:
            raise ValueError(f"Argument `{argument}` must be among {known[0]} to {known[-1]}, but got {one}.")
    return chosen
