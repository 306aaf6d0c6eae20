"""TID2013 and TID2008 (resynthesised): the databases' distorted images made anew where only references and scores exist.

Every image gets the distortion of its type, at the strength at which its luma PSNR to the reference meets that of
the database's own image. What comes out resembles what people rated; it is not what they rated.

Read from `root`:

    refs/I01.png ... I24.png      the references
    tid2013.csv                   reference, type, level, mos, mos_std, luma_psnr_db (cut to 0.1 dB)
    tid2008.csv                   reference, type, level, mos, mos_std; level L takes TID2013's PSNR of level L + 1

Written to `out`, as the database's authors lay it out, so that its reader loads it:

    reference_images/I01.png ...
    distorted_images/i01_01_1.png ...       reference, type, level
    mos_with_names.txt                      score and name, one image a line
    manifest.csv                            reference, type, level, strength, seed, target_psnr, reached_psnr, rgb_psnr

Scores of references, types or levels left out are left out of `mos_with_names.txt` too.
"""

from __future__ import annotations

import csv
import io
import math
import multiprocessing
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TypeVar

import numpy as np
import PIL.Image
from tqdm import tqdm

from invariant_lpips.distortions.arrays import Image, to_uint8
from invariant_lpips.distortions.luma import luma_psnr, rgb_psnr
from invariant_lpips.distortions.strength import Found, find_strength
from invariant_lpips.distortions.tid2013 import TID2013

__all__ = ["PROTOCOL_TYPES", "Made", "distort_to_psnr", "resynthesise"]

PROTOCOL_TYPES: tuple[int, ...] = (*range(1, 12), 14, *range(16, 25))
"""The types that count: without errors of transmission (12, 13) and local blocks (15), which are stand-ins."""

_DESIGN_RGB_PSNR = (33.0, 30.0, 27.0, 24.0, 21.0)
_SATURATION = 18
_TOLERANCE = 0.045

_T = TypeVar("_T", int, str)


@dataclass(frozen=True)
class Made:
    """One line of the manifest. PSNRs in dB; for type 18, whose luma is untouched, the target is one in RGB."""

    reference: str
    type: int
    level: int
    strength: float
    seed: int
    target_psnr: float
    reached_psnr: float
    rgb_psnr: float


@dataclass(frozen=True)
class _Task:
    root: Path
    out: Path
    reference: str
    type: int
    level: int
    name: str
    tid2013_level: int
    target: float


def distort_to_psnr(
    image: Image, type: int, level: int, target: float, *, reference: int = 1
) -> tuple[Found, int]:
    """One TID2013 image: distort a reference by a type at a level so that its PSNR meets a target.

    Args:
        image: the reference, (H, W, 3) in [0, 1].
        type: 1 to 24.
        level: 1 to 5, TID2013's.
        target: PSNR in dB, of luma (see `distortions.luma`), for type 18 of RGB.
        reference: the reference's number, which the seed and, in type 6, the kind of impulse depend on.

    Returns:
        What was found (strength, PSNR reached, image) and the seed. Types whose strengths are known for each level
        use those and leave the target unread.
    """
    family = TID2013[type]
    distort = family.at(level, reference)
    measure = rgb_psnr if type == _SATURATION else luma_psnr
    first_seed = ((reference * 100 + type) * 10 + level) * 100
    if family.levels:
        strength = family.levels[level - 1]
        made = distort(image, strength, seed=first_seed)
        return Found(strength, measure(image, made), made), first_seed
    best: tuple[float, Found, int] | None = None
    for seed in range(first_seed, first_seed + family.trials):

        def with_seed(x: Image, strength: float, seed: int = seed) -> Image:
            return distort(x, strength, seed=seed)

        found = find_strength(
            with_seed,
            image,
            target,
            mild=family.mild,
            strong=family.strong,
            whole=family.whole,
            tolerance=_TOLERANCE,
            measure=measure,
        )
        miss = abs(found.psnr - target)
        if best is None or miss < best[0]:
            best = (miss, found, seed)
        if miss <= _TOLERANCE:
            break
    assert best is not None
    return best[1], best[2]


def resynthesise(
    root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    database: str = "tid2013",
    types: Iterable[int] | None = None,
    levels: Iterable[int] | None = None,
    references: Iterable[str] | None = None,
    workers: int = 1,
    progress: bool = True,
) -> list[Made]:
    """Resynthesise TID2013 or TID2008 into a tree that their reader loads.

    Deterministic: seeds follow from reference, type and level. Resumable: an image that exists with its line in the
    manifest is kept, and files are written beside and then renamed. Types are made one after the other, in the
    order given.

    Args:
        root: folder with `refs/`, `tid2013.csv` and, for TID2008, `tid2008.csv` (see the module's docstring).
        out: folder to write to; made if missing.
        database: "tid2013" (types 1-24, levels 1-5) or "tid2008" (types 1-17, levels 1-4).
        types, levels, references: which to make; by default all whose reference image exists.
        workers: processes.
        progress: show a progress bar on stderr.

    Returns:
        The lines of the manifest that belong to what was asked for, old and new.

    Raises:
        FileNotFoundError: a table or all references are missing.
        ValueError: unknown database, type, level or reference.
    """
    root, out = Path(root), Path(out)
    tasks, scores = _plan(root, out, database, types, levels, references)
    for folder in ("reference_images", "distorted_images"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for reference in dict.fromkeys(task.reference for task in tasks):
        target = out / "reference_images" / f"{reference}.png"
        if not target.exists():
            _copy(root / "refs" / f"{reference}.png", target)
    made = {(line.reference, line.type, line.level): line for line in _read_manifest(out / "manifest.csv")}
    missing = [
        task
        for task in tasks
        if (task.reference, task.type, task.level) not in made
        or not (out / "distorted_images" / task.name).exists()
    ]
    bar = tqdm(total=len(tasks), initial=len(tasks) - len(missing), disable=not progress, unit="image")
    try:
        for line in _run(missing, workers):
            made[line.reference, line.type, line.level] = line
            _write_manifest(out / "manifest.csv", made.values())
            bar.update()
    finally:
        bar.close()
    _write_scores(out, scores)
    return [made[task.reference, task.type, task.level] for task in tasks]


def _run(tasks: Sequence[_Task], workers: int) -> Iterable[Made]:
    if workers <= 1 or len(tasks) <= 1:
        yield from map(_make, tasks)
        return
    # Spawned, not forked: a fork of a process whose torch has started threads can hang.
    with multiprocessing.get_context("spawn").Pool(min(workers, len(tasks))) as pool:
        yield from pool.imap(_make, tasks)


def _make(task: _Task) -> Made:
    with PIL.Image.open(task.root / "refs" / f"{task.reference}.png") as picture:
        image = np.asarray(picture.convert("RGB"), dtype=np.float64) / 255.0
    found, seed = distort_to_psnr(
        image, task.type, task.tid2013_level, task.target, reference=int(task.reference[1:])
    )
    path = task.out / "distorted_images" / task.name
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    PIL.Image.fromarray(to_uint8(found.image)).save(beside, format="PNG")
    beside.replace(path)
    return Made(
        task.reference,
        task.type,
        task.level,
        found.strength,
        seed,
        round(task.target, 3),
        round(found.psnr, 4),
        round(rgb_psnr(image, found.image), 4),
    )


def _plan(
    root: Path,
    out: Path,
    database: str,
    types: Iterable[int] | None,
    levels: Iterable[int] | None,
    references: Iterable[str] | None,
) -> tuple[list[_Task], dict[str, float]]:
    """The images to make, type by type, and the score of every image of the database."""
    counts = {"tid2013": (24, 5), "tid2008": (17, 4)}
    if database not in counts:
        raise ValueError(f"Argument `database` must be 'tid2013' or 'tid2008', but got {database!r}.")
    last_type, last_level = counts[database]
    all_references = sorted(path.stem for path in (root / "refs").glob("I*.png"))
    if not all_references:
        raise FileNotFoundError(
            f"Expected reference images {root / 'refs' / 'I01.png'} and so on, found none."
        )
    wanted_types = _chosen("types", types, range(1, last_type + 1))
    wanted_levels = _chosen("levels", levels, range(1, last_level + 1))
    wanted_references = _chosen("references", references, all_references)
    psnr = {
        (row["reference"], int(row["type"]), int(row["level"])): row["luma_psnr_db"]
        for row in _table(root / "tid2013.csv")
    }
    rows = {
        (row["reference"], int(row["type"]), int(row["level"])): float(row["mos"])
        for row in _table(root / f"{database}.csv")
    }
    tasks: list[_Task] = []
    scores: dict[str, float] = {}
    for type_ in wanted_types:
        for reference in wanted_references:
            for level in wanted_levels:
                name = f"{reference.lower()}_{type_:02d}_{level}.png"
                if (reference, type_, level) not in rows:
                    raise ValueError(f"Expected a score of {name} in {database}.csv, found none.")
                at = level if database == "tid2013" else level + 1
                if type_ == _SATURATION:
                    target = _DESIGN_RGB_PSNR[at - 1]
                else:
                    # The table's figures are cut, not rounded: the middle of 37.7 to 37.8 is nearest to the truth.
                    target = float(psnr[reference, type_, at] or math.nan) + 0.05
                if not math.isfinite(target):
                    raise ValueError(f"Expected a luma PSNR of {name} in tid2013.csv, found none.")
                tasks.append(_Task(root, out, reference, type_, level, name, at, target))
                scores[name] = rows[reference, type_, level]
    return tasks, scores


def _chosen(argument: str, wanted: Iterable[_T] | None, known: Iterable[_T]) -> list[_T]:
    known = list(known)
    chosen = known if wanted is None else list(dict.fromkeys(wanted))
    for one in chosen:
        if one not in known:
            raise ValueError(f"Argument `{argument}` must be among {known[0]} to {known[-1]}, but got {one}.")
    return chosen


def _table(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise FileNotFoundError(f"Expected the table {path}: reference,type,level,mos,... one image a line.")
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


def _copy(source: Path, target: Path) -> None:
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(source, beside)
    beside.replace(target)


def _read_manifest(path: Path) -> list[Made]:
    if not path.is_file():
        return []
    return [
        Made(
            row["reference"],
            int(row["type"]),
            int(row["level"]),
            float(row["strength"]),
            int(row["seed"]),
            float(row["target_psnr"]),
            float(row["reached_psnr"]),
            float(row["rgb_psnr"]),
        )
        for row in _table(path)
    ]


def _write_manifest(path: Path, lines: Iterable[Made]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Made)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(line) for line in sorted(lines, key=lambda x: (x.reference, x.type, x.level)))
    _write(path, text.getvalue())


def _write_scores(out: Path, scores: dict[str, float]) -> None:
    """Scores of this call and of earlier ones whose images are there."""
    path = out / "mos_with_names.txt"
    if path.is_file():
        for line in path.read_text().splitlines():
            score, name = line.split()
            scores.setdefault(name, float(score))
    _write(path, "".join(f"{scores[name]:.5f} {name}\n" for name in sorted(scores)))


def _write(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text)
    beside.replace(path)
