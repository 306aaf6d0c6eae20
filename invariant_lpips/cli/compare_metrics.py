"""`invariant-lpips compare --metrics A,B,...`: several metrics side by side, by the names that `bench` uses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from invariant_lpips.cli.compare_options import Comparison
from invariant_lpips.cli.output import Exit, print_text, say, stays
from invariant_lpips.cli.pair_run import PairRun, conclude
from invariant_lpips.evaluation.metrics import resolve_metric
from invariant_lpips.evaluation.scorers import Scorer
from invariant_lpips.evaluation.side_by_side import (
    MetricSummary,
    Scores,
    refusals,
    score_files,
    summaries,
)
from invariant_lpips.files.tables import csv_text
from invariant_lpips.files.writing import write_text
from invariant_lpips.pictures.pairing import Pair, Pairing
from invariant_lpips.pictures.reports import number

#: Settings of :meth:`Comparison.settings` that are said of each metric apart.
OF_ONE_METRIC = ("metric", "dtype", "unequal_sizes")


def run(asked: Comparison) -> Exit:
    """Measure, write and say it, and return the exit status.

    Raises:
        ImportError: a package is missing.
    """
    scorers = [resolve_metric(name, asked.metric.device) for name in asked.metrics]
    reading, distorted_reading = asked.readings()
    pairing, masks = asked.pairing, asked.masks()
    settings = {name: value for name, value in asked.settings("").items() if name not in OF_ONE_METRIC}

    def measure(pairs: Sequence[Pair]) -> Iterator[Scores]:
        return score_files(scorers, pairs, reading, distorted_reading=distorted_reading, masks=masks)

    def write(rows: Sequence[Scores]) -> None:
        assert asked.out is not None
        if stays(asked.out, sum(value is not None for row in rows for value in row.values)):
            return
        found = summaries(scorers, rows)
        write_text(asked.out, _text(asked.out.suffix.lower(), scorers, rows, found, pairing, settings))
        say("compare", f"{len(rows)} rows written to {asked.out}")

    rows, interrupted = PairRun(
        pairing.pairs,
        measure,
        lambda row: {"values": row.values, "problem": row.problem, "refusals": dict(row.refusals)},
        lambda pair, kept: Scores(pair, tuple(kept["values"]), kept["problem"], kept["refusals"]),
        asked.out,
        {**settings, "metrics": {scorer.name: scorer.describe() for scorer in scorers}},
        asked.mask_files(),
        asked.quiet,
    ).run(write)
    total = len(pairing.pairs)
    found = summaries(scorers, rows)
    if asked.out is None:
        print_text(_lines(scorers, rows) if total == 1 else _csv(scorers, rows))
    for name, summary in found.items() if total > 1 else ():
        of = "" if summary.count == total else f" of {summary.count} of {total} pairs"
        say(
            "compare",
            f"{name}{of}: mean {number(summary.mean)}, median {number(summary.median)}, worst "
            f"{number(summary.worst_value)} ({summary.worst.pair})",
        )
    for refusal in refusals(rows):
        of = "" if total == 1 else f" {len(refusal.pairs)} of {total} pairs, first {refusal.pairs[0]}"
        say("compare", f"{refusal.metric} could not measure{of}: {refusal.why}")
    problems: dict[str, list[Pair]] = {}
    for row in rows:
        if row.problem is not None:
            problems.setdefault(row.problem, []).append(row.pair)
    for problem, pairs in problems.items():
        more = f" and {len(pairs) - 1} more" if len(pairs) > 1 else ""
        say("compare", problem if total == 1 else f"{pairs[0]}{more}: {problem}")
    return conclude(
        asked,
        len(rows),
        failed=sum(row.problem is not None for row in rows),
        nothing=all(value is None for row in rows for value in row.values),
        refused=any(row.refusals for row in rows),
        interrupted=interrupted,
    )


def _text(
    suffix: str,
    scorers: Sequence[Scorer],
    rows: Sequence[Scores],
    found: Mapping[str, MetricSummary],
    pairing: Pairing,
    settings: Mapping[str, Any],
) -> str:
    if suffix == ".json":
        return _json(scorers, rows, found, pairing, settings)
    return _csv(scorers, rows) if suffix == ".csv" else _lines(scorers, rows)


def _lines(scorers: Sequence[Scorer], rows: Sequence[Scores]) -> str:
    """Metric and value, a line each; of several pairs each line begins with the pair's name."""
    return "".join(
        ("" if len(rows) == 1 else f"{row.pair.label}: ") + f"{scorer.name} {number(value)}\n"
        for row in rows
        for scorer, value in zip(scorers, row.values, strict=True)
        if value is not None
    )


def _csv(scorers: Sequence[Scorer], rows: Sequence[Scores]) -> str:
    """A row for every pair and a column for every metric, by its name."""
    return csv_text(
        ["reference", "distorted", *(scorer.name for scorer in scorers), "error"],
        [[row.pair.reference, row.pair.distorted, *map(number, row.values), row.error or ""] for row in rows],
    )


def _json(
    scorers: Sequence[Scorer],
    rows: Sequence[Scores],
    found: Mapping[str, MetricSummary],
    pairing: Pairing,
    settings: Mapping[str, Any],
) -> str:
    def rounded(value: float | None) -> float | None:
        return None if value is None else float(number(value))

    def pair(row: Scores) -> dict[str, Any]:
        return {"reference": str(row.pair.reference), "distorted": str(row.pair.distorted)}

    report = {
        **settings,
        "metrics": {
            scorer.name: {"description": scorer.describe(), "higher_is_better": scorer.higher_is_better}
            for scorer in scorers
        },
        "summary": {
            name: {
                "count": summary.count,
                "mean": rounded(summary.mean),
                "median": rounded(summary.median),
                "worst": {**pair(summary.worst), "value": rounded(summary.worst_value)},
            }
            for name, summary in found.items()
        },
        "pairs": [
            {
                **pair(row),
                "values": {
                    scorer.name: rounded(value) for scorer, value in zip(scorers, row.values, strict=True)
                },
                "error": row.error,
            }
            for row in rows
        ],
        "unmatched": [str(path) for path in pairing.unmatched],
        "skipped": [{"path": str(path), "why": why} for path, why in pairing.skipped],
    }
    return json.dumps(report, indent=2) + "\n"
