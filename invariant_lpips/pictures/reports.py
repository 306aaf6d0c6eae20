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


@dataclass(frozen=True)
class Summary:
    """The distances of many pairs in a few numbers; `worst` is the pair that is furthest apart."""

    count: int
    mean: float
    median: float
    worst: Outcome

    def __str__(self) -> str:
        return self.said()

    def said(self, noticed: float | None = None) -> str:
        """The numbers in words; with `noticed`, the just noticeable distance, its multiple beside each."""

        def value(distance: float) -> str:
            return number(distance) + (
                "" if noticed is None else f" ({distance / noticed:.3g} times just noticeable)"
            )

        assert self.worst.distance is not None
        return (
            f"mean {value(self.mean)}, median {value(self.median)}, worst {value(self.worst.distance)} "
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


def as_text(
    suffix: str,
    outcomes: Sequence[Outcome],
    pairing: Pairing,
    settings: Mapping[str, Any],
    noticed: float | None = None,
) -> str:
    """The whole report in the form that a file of this suffix holds; `noticed` as for :func:`as_csv`."""
    if suffix == ".json":
        return as_json(outcomes, pairing, settings, noticed)
    return as_csv(outcomes, noticed) if suffix == ".csv" else as_lpips_lines(outcomes)


def as_csv(outcomes: Sequence[Outcome], noticed: float | None = None) -> str:
    """A row for every pair, broken ones too, with columns reference, distorted, distance, error.

    With `noticed`, the just noticeable distance, a column `jnd` beside the distances has its multiples. Where motion
    was measured, its parts have columns before the last.
    """
    more = next((tuple(outcome.parts) for outcome in outcomes if outcome.parts), ())
    rows = []
    for outcome in outcomes:
        rows.append(
            [
                outcome.pair.reference,
                outcome.pair.distorted,
                number(outcome.distance),
                *_multiples(outcome, noticed),
                *(number(outcome.parts.get(name)) for name in more),
                outcome.problem or "",
            ]
        )
    multiples = [] if noticed is None else ["jnd"]
    return csv_text(["reference", "distorted", "distance", *multiples, *more, "error"], rows)


def as_json(
    outcomes: Sequence[Outcome], pairing: Pairing, settings: Mapping[str, Any], noticed: float | None = None
) -> str:
    """What was measured and with what: settings, summary, pairs in order, and what of the folders is not in them."""
    found = summary(outcomes)
    pairs = [
        {
            "reference": str(outcome.pair.reference),
            "distorted": str(outcome.pair.distorted),
            "distance": _float(number(outcome.distance)),
            **({} if noticed is None else {"jnd": _float(_multiples(outcome, noticed)[0])}),
            **{name: float(number(value)) for name, value in outcome.parts.items()},
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


def as_numbers(outcomes: Sequence[Outcome], noticed: float | None = None) -> str:
    """A line with the distance of every pair measured, and nothing else; with `noticed` its multiple, after a tab."""
    return "".join(
        "\t".join([number(outcome.distance), *_multiples(outcome, noticed)]) + "\n"
        for outcome in outcomes
        if outcome.distance is not None
    )


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


def _float(text: str) -> float | None:
    return float(text) if text else None


def _multiples(outcome: Outcome, noticed: float | None) -> list[str]:
    """What the column `jnd` holds, if there is one."""
    if noticed is None:
        return []
    return [number(None if outcome.distance is None else outcome.distance / noticed)]


def _measured(outcomes: Sequence[Outcome]) -> list[float]:
    return [outcome.distance for outcome in outcomes if outcome.distance is not None]
