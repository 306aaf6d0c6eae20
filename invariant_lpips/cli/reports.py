"""Outcomes as text: one number, csv, json, or the lines that lpips' own scripts print.

Distances have seven significant digits, all that float32 holds.
"""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from invariant_lpips.files.writing import replacing
from invariant_lpips.pictures.measuring import Outcome

SUFFIXES = (".csv", ".json", ".txt")


def as_text(
    suffix: str, outcomes: Sequence[Outcome], unmatched: Sequence[Path], settings: Mapping[str, Any]
) -> str:
    """The whole report in the form that a file of this suffix holds."""
    if suffix == ".json":
        return as_json(outcomes, unmatched, settings)
    return as_csv(outcomes) if suffix == ".csv" else as_lpips_lines(outcomes)


def as_csv(outcomes: Sequence[Outcome]) -> str:
    """A row for every pair, broken ones too, with columns reference, distorted, distance, error."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["reference", "distorted", "distance", "error"])
    for outcome in outcomes:
        writer.writerow(
            [outcome.pair.reference, outcome.pair.distorted, number(outcome.distance), outcome.problem or ""]
        )
    return text.getvalue()


def as_json(outcomes: Sequence[Outcome], unmatched: Sequence[Path], settings: Mapping[str, Any]) -> str:
    """What was measured and with what: settings, pairs in order, and pictures that had no partner."""
    pairs = [
        {
            "reference": str(outcome.pair.reference),
            "distorted": str(outcome.pair.distorted),
            "distance": None if outcome.distance is None else float(number(outcome.distance)),
            "error": outcome.problem,
        }
        for outcome in outcomes
    ]
    report = {**settings, "pairs": pairs, "unmatched": [str(path) for path in unmatched]}
    return json.dumps(report, indent=2) + "\n"


def as_lpips_lines(outcomes: Sequence[Outcome], *, average: bool = False) -> str:
    """`name: 0.123456` for every pair measured, as lpips' scripts write it; `average` adds a last line."""
    measured = [outcome for outcome in outcomes if outcome.distance is not None]
    lines = [f"{outcome.pair.label}: {outcome.distance:.6f}" for outcome in measured]
    distances = [outcome.distance for outcome in measured if outcome.distance is not None]
    if average and distances:
        error = statistics.pstdev(distances) / len(distances) ** 0.5
        lines.append(f"Avg: {statistics.fmean(distances):.6f} +/- {error:.6f}")
    return "".join(f"{line}\n" for line in lines)


def number(distance: float | None) -> str:
    """Seven significant digits, or nothing."""
    return "" if distance is None else f"{distance:.7g}"


def write(path: Path, text: str) -> None:
    """Write a report so that it is there completely or not at all."""
    with replacing(path) as temporary:
        # Names of files need not be UTF-8; what is not goes through as it came.
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")
