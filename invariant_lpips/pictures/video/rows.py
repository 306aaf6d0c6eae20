"""The rows of two videos' comparison: counted, and written as csv or json.

None of this holds more of a video than a number for each frame, which the median needs.
"""

from __future__ import annotations

import json
import statistics
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from invariant_lpips.files.tables import write_csv
from invariant_lpips.files.writing import replacing
from invariant_lpips.pictures.measuring import MOTION, Outcome
from invariant_lpips.pictures.reports import Summary, number
from invariant_lpips.pictures.video.comparing import FramePair

#: What a table of frames may end in.
SUFFIXES = (".csv", ".json")


@dataclass(frozen=True)
class Row:
    """An outcome as it is written: numbers with seven digits, parts of a motion by the names of `MOTION`."""

    pair: FramePair
    distance: float | None
    parts: Mapping[str, float]
    error: str | None

    @classmethod
    def of(cls, outcome: Outcome) -> Row:
        assert isinstance(outcome.pair, FramePair)
        return cls(
            outcome.pair,
            _rounded(outcome.distance),
            {name: float(number(value)) for name, value in outcome.parts.items()},
            outcome.problem,
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Row:
        """What :meth:`to_dict` gave."""
        paths = Path(values["reference"]), Path(values["distorted"])
        return cls(
            FramePair(*paths, "", number=values["frame"], time=values["time"]),
            values["distance"],
            {name: values[name] for name in MOTION if name in values},
            values["error"],
        )

    def to_dict(self, noticed: float | None = None) -> dict[str, Any]:
        """As it is kept; with `noticed`, the just noticeable distance, its multiple beside the distance."""
        multiple = None if noticed is None or self.distance is None else self.distance / noticed
        return {
            "reference": str(self.pair.reference),
            "distorted": str(self.pair.distorted),
            "frame": self.pair.number,
            "time": _rounded(self.pair.time),
            "distance": self.distance,
            **({} if noticed is None else {"jnd": _rounded(multiple)}),
            **self.parts,
            "error": self.error,
        }

    def cells(self, *, motion: bool, noticed: float | None = None) -> list[str]:
        """What stands under :func:`header`."""
        values = self.to_dict(noticed)
        found = (values.get(name) for name in header(motion=motion, jnd=noticed is not None))
        return [
            number(value) if isinstance(value, float) else "" if value is None else str(value)
            for value in found
        ]


def header(*, motion: bool, jnd: bool = False) -> list[str]:
    """The names of a table's columns: those of a table of pictures, and the number and time of the frame."""
    measured = ["distance", *(["jnd"] if jnd else []), *(MOTION if motion else ())]
    return ["reference", "distorted", "frame", "time", *measured, "error"]


class Tally:
    """What is said of all rows: counts, mean, median, worst, the first that failed or are above a limit."""

    FIRST = 10

    def __init__(self, limit: float | None) -> None:
        self.limit = limit
        self.rows = self.failed = self.above = 0
        self.first_problems: list[str] = []
        self.first_above: list[Row] = []
        self.last_frame = -1
        self.worst: Row | None = None
        self._distances = array("d")

    def add(self, row: Row) -> None:
        self.rows += 1
        self.last_frame = row.pair.number
        if row.error is not None:
            self.failed += 1
            if len(self.first_problems) < self.FIRST:
                self.first_problems.append(f"{row.pair}: {row.error}")
        if row.distance is None:
            return
        self._distances.append(row.distance)
        if self.worst is None or row.distance > (self.worst.distance or 0):
            self.worst = row
        if self.limit is not None and row.distance > self.limit:
            self.above += 1
            if len(self.first_above) < self.FIRST:
                self.first_above.append(row)

    @property
    def measured(self) -> int:
        """Rows with a distance; one may have a problem too, as a map that could not be written."""
        return len(self._distances)

    def summary(self) -> Summary | None:
        """Of the frames that were measured; None where none was."""
        if self.worst is None:
            return None
        return Summary(
            self.measured,
            statistics.fmean(self._distances),
            statistics.median(self._distances),
            Outcome(self.worst.pair, self.worst.distance),
        )


def write_table(
    out: Path, rows: Iterable[Row], *, motion: bool, report: Mapping[str, Any], noticed: float | None = None
) -> None:
    """Rows as a csv file, or with `report` before them as json; whole or not at all, and row by row.

    With `noticed`, the just noticeable distance, `jnd` beside the distances has its multiples.
    """
    with (
        replacing(out) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream,
    ):
        if out.suffix.lower() == ".csv":
            names = header(motion=motion, jnd=noticed is not None)
            write_csv(stream, names, (row.cells(motion=motion, noticed=noticed) for row in rows))
        else:
            _write_json(stream, (row.to_dict(noticed) for row in rows), report)


def _write_json(stream: TextIO, rows: Iterable[Mapping[str, Any]], report: Mapping[str, Any]) -> None:
    stream.write(json.dumps(report, indent=2).removesuffix("\n}") + ',\n  "pairs": [')
    comma = ""
    for row in rows:
        stream.write(f"{comma}\n    {json.dumps(row)}")
        comma = ","
    stream.write("\n  ]\n}\n")


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(number(value))
