"""Your own rated pairs: a csv file with a line per pair.

::

    pairs.csv   reference,distorted,score[,reference_id][,distortion][,level]
                photos/a.png,out/a_jpeg_3.png,62.5

Paths are relative to the folder of the csv file (or absolute). `reference_id` falls back to the name of the
reference file without its ending, `distortion` to "all" and `level` to 0. Scores are taken as better when
higher; a first line ``# higher_is_better: false`` says otherwise.
"""

from __future__ import annotations

from pathlib import Path

from invariant_lpips.datasets.csv_tables import parse_rows, read_text
from invariant_lpips.datasets.pairs import RatedPair, RatedPairs
from invariant_lpips.datasets.verification import Problems, check_pictures, is_number

__all__ = ["NAME", "OBTAIN", "load"]

NAME = "csv"
OBTAIN = "A csv of pairs has a header with the columns reference,distorted,score and a line per pair."


def load(root: Path, *, verify: bool = True, allow_missing: bool = False) -> RatedPairs:
    """The rated pairs of the csv file `root` (or of ``pairs.csv`` in the folder `root`), in its order.

    Raises:
        DatasetError: the file is missing or malformed, or pictures are missing or unreadable; all are listed.
    """
    root = Path(root)
    table = root / "pairs.csv" if root.is_dir() else root
    problems = Problems(NAME, table, OBTAIN)
    text = read_text(table, problems)
    skipped, higher_is_better = 0, True
    while text.startswith("#"):
        line, _, text = text.partition("\n")
        key, _, value = line.lstrip("# ").partition(":")
        skipped += 1
        if key.strip() == "higher_is_better":
            if value.strip().lower() not in ("true", "false"):
                problems.add(f"{table}: higher_is_better must be true or false, but is {value.strip()!r}")
            higher_is_better = value.strip().lower() != "false"
    rows = parse_rows(text, {"reference", "distorted", "score"}, table, problems)
    pairs = []
    for number, row in enumerate(rows, start=skipped + 2):
        level = row.get("level") or "0"
        if not row["reference"] or not row["distorted"] or not is_number(row["score"] or ""):
            problems.add(f"{table} line {number} must hold reference, distorted and a number as score")
            continue
        if not is_number(level):
            problems.add(f"{table} line {number} has a level that is not a number: {level!r}")
            continue
        reference = table.parent / row["reference"].strip()
        distorted = table.parent / row["distorted"].strip()
        if allow_missing and not (reference.is_file() and distorted.is_file()):
            continue
        reference_id = row.get("reference_id") or reference.stem
        distortion = row.get("distortion") or "all"
        pairs.append(
            RatedPair(reference, distorted, float(row["score"]), reference_id, distortion, float(level))
        )
    if not pairs and not problems.found:
        problems.add(f"{table} holds no pair")
    if verify:
        check_pictures(pairs, problems)
    problems.raise_if_any()
    return RatedPairs(NAME, tuple(pairs), higher_is_better=higher_is_better)
