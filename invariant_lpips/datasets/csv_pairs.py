"""Your own rated pairs: a csv file with a line per pair.

::

    pairs.csv   reference,distorted,score[,reference_id][,distortion][,level]
                photos/a.png,out/a_jpeg_3.png,62.5

Paths are relative to the folder of the csv file (or absolute). `reference_id` falls back to the name of the
reference file without its ending, `distortion` to "all" and `level` to 0. Scores are taken as better when
higher; a first line ``# higher_is_better: false`` says otherwise.
"""

from __future__ import annotations

from invariant_lpips.datasets.collecting import Collector, Database
from invariant_lpips.datasets.pairs import RatedPair
from invariant_lpips.datasets.verification import is_number

__all__ = ["DATABASE"]


def read(collector: Collector) -> None:
    """Read the table; its pictures may lie anywhere, and a pair may be rated several times."""
    table = collector.root / "pairs.csv" if collector.root.is_dir() else collector.root
    problems = collector.problems
    problems.root = table  # the error names the table, also where its folder was given
    text, skipped = collector.text(table), 0
    while text.startswith("#"):
        line, _, text = text.partition("\n")
        key, _, value = line.lstrip("# ").partition(":")
        skipped += 1
        if key.strip() == "higher_is_better":
            if value.strip().lower() not in ("true", "false"):
                problems.add(f"{table}: higher_is_better must be true or false, but is {value.strip()!r}")
            collector.higher_is_better = value.strip().lower() != "false"
    for row, cells in collector.rows(table, {"reference", "distorted", "score"}, text=text, above=skipped):
        level = cells.get("level") or "0"
        if not cells["reference"] or not cells["distorted"] or not is_number(cells["score"] or ""):
            problems.add(f"{row} must hold reference, distorted and a number as score")
            continue
        if not is_number(level):
            problems.add(f"{row} has a level that is not a number: {level!r}")
            continue
        reference = table.parent / cells["reference"].strip()
        distorted = table.parent / cells["distorted"].strip()
        if collector.allow_missing and not (reference.is_file() and distorted.is_file()):
            continue
        reference_id = cells.get("reference_id") or reference.stem
        distortion = cells.get("distortion") or "all"
        collector.pairs.append(
            RatedPair(reference, distorted, float(cells["score"]), reference_id, distortion, float(level))
        )
    if not collector.pairs and not problems.found:
        problems.add(f"{table} holds no pair")


DATABASE = Database(
    name="csv",
    summary="Your own rated pairs: a csv file with a line per pair.",
    obtain="A csv of pairs has a header with the columns reference,distorted,score and a line per pair.",
    read=read,
    higher_is_better=True,
    order=(),
)

#: What `load_dataset` calls; its name here in version 0.1.0.
load = DATABASE.load
