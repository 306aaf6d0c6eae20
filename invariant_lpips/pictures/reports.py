"""Outcomes as text: numbers, csv, json, or the lines that lpips' own scripts print.

Distances have seven significant digits, all that float32 holds.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from invariant_lpips.files.tables import csv_text

if TYPE_CHECKING:
    from invariant_lpips.pictures.measuring import Outcome
    from invariant_lpips.pictures.pairing import Pairing

#: What a report's file may end in.
SUFFIXES = (".csv", ".json", ".txt")

#: Columns of a pair whose motion was measured: what is left of the distance, the motion in multiples of what people
#: just notice, and its parts in pixels, degrees (clockwise) and as a factor, from reference to distorted.
MOTION = ("appearance", "motion", "dx", "dy", "rotation", "zoom", "bend", "overlap", "confidence")


@dataclass(frozen=True)
class Summary:
    """The distances of many pairs in a few numbers; `worst` is the pair that is furthest apart."""

    count: int
    mean: float
    median: float
    worst: Outcome

    def __str__(self) -> str:
        return (
            f"mean {number(self.mean)}, median {number(self.median)}, worst {number(self.worst.distance)} "
            f"({self.worst.pair})"
        )


def summary(outcomes: Sequence[Outcome]) -> Summary | None:
    """The summary of the pairs that were measured; None where none was."""
    distances = _measured(outcomes)
    if not distances:
        return None
    worst = max(outcomes, key=lambda outcome: -1.0 if outcome.distance is None else outcome.distance)
    return Summary(len(distances), statistics.fmean(distances), statistics.median(distances), worst)


def above(outcomes: Sequence[Outcome], limit: float) -> list[Outcome]:
    """The pairs whose distance, as it is written, is over a limit."""
    return [
        outcome
        for outcome in outcomes
        if outcome.distance is not None and float(number(outcome.distance)) > limit
    ]


def as_text(suffix: str, outcomes: Sequence[Outcome], pairing: Pairing, settings: Mapping[str, Any]) -> str:
    """The whole report in the form that a file of this suffix holds."""
    if suffix == ".json":
        return as_json(outcomes, pairing, settings)
    return as_csv(outcomes) if suffix == ".csv" else as_lpips_lines(outcomes)


def as_csv(outcomes: Sequence[Outcome]) -> str:
    """A row for every pair, broken ones too, with columns reference, distorted, distance, error.

    Where motion was measured, the columns of :data:`MOTION` come between the last two.
    """
    more = MOTION if any(outcome.comparison is not None for outcome in outcomes) else ()
    rows = []
    for outcome in outcomes:
        found = parts(outcome)
        rows.append(
            [
                outcome.pair.reference,
                outcome.pair.distorted,
                number(outcome.distance),
                *(number(found.get(name)) for name in more),
                outcome.problem or "",
            ]
        )
    return csv_text(["reference", "distorted", "distance", *more, "error"], rows)


def as_json(outcomes: Sequence[Outcome], pairing: Pairing, settings: Mapping[str, Any]) -> str:
    """What was measured and with what: settings, summary, pairs in order, and what of the folders is not in them."""
    found = summary(outcomes)
    pairs = [
        {
            "reference": str(outcome.pair.reference),
            "distorted": str(outcome.pair.distorted),
            "distance": None if outcome.distance is None else float(number(outcome.distance)),
            **{name: float(number(value)) for name, value in parts(outcome).items()},
            "error": outcome.problem,
        }
        for outcome in outcomes
    ]
    report = {
        **settings,
        "summary": found
        and {
            "count": found.count,
            "mean": float(number(found.mean)),
            "median": float(number(found.median)),
            "worst": pairs[outcomes.index(found.worst)],
        },
        "pairs": pairs,
        "unmatched": [str(path) for path in pairing.unmatched],
        "skipped": [{"path": str(path), "why": why} for path, why in pairing.skipped],
    }
    return json.dumps(report, indent=2) + "\n"


def as_numbers(outcomes: Sequence[Outcome]) -> str:
    """A line with the distance of every pair measured, and nothing else."""
    return "".join(f"{number(distance)}\n" for distance in _measured(outcomes))


def as_lpips_distance(outcomes: Sequence[Outcome]) -> str:
    """`Distance: 0.123456`, as lpips_2imgs.py writes it."""
    return "".join(f"Distance: {distance:.6f}\n" for distance in _measured(outcomes))


def as_lpips_lines(outcomes: Sequence[Outcome]) -> str:
    """`name: 0.123456` for every pair measured, as lpips_2dirs.py writes it."""
    return "".join(
        f"{outcome.pair.label}: {outcome.distance:.6f}\n"
        for outcome in outcomes
        if outcome.distance is not None
    )


def as_lpips_lines_and_mean(outcomes: Sequence[Outcome]) -> str:
    """The same lines and `Avg: mean +/- standard error`, as lpips_1dir_allpairs.py writes it."""
    distances = _measured(outcomes)
    if not distances:
        return ""
    error = statistics.pstdev(distances) / len(distances) ** 0.5
    return as_lpips_lines(outcomes) + f"Avg: {statistics.fmean(distances):.6f} +/- {error:.6f}\n"


def number(distance: float | None) -> str:
    """Seven significant digits, or nothing.

    Example:
        >>> number(0.12345678), number(None)
        ('0.1234568', '')
    """
    return "" if distance is None else f"{distance:.7g}"


def _measured(outcomes: Sequence[Outcome]) -> list[float]:
    return [outcome.distance for outcome in outcomes if outcome.distance is not None]


def parts(outcome: Outcome) -> dict[str, float]:
    """What was measured of a pair's motion, by the names of :data:`MOTION`; nothing where none was."""
    found = outcome.comparison
    if found is None:
        return {}
    dx, dy = found.shift[0].tolist()
    values = (
        found.appearance,
        found.motion,
        dx,
        dy,
        found.rotation,
        found.zoom,
        found.bend,
        found.overlap,
        found.confidence,
    )
    return {name: float(value) for name, value in zip(MOTION, values, strict=True)}
