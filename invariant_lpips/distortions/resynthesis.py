"""TID2013 and TID2008 (resynthesised): the rated images made anew where only references and scores exist.

Every image gets the distortion of its type, at the strength at which its luma PSNR to the reference meets
that of the database's own image. What comes out resembles what people rated; it is not what they rated.

Read from `root`:

    refs/I01.png ... I24.png    the references
    tid2013.csv                 reference, type, level, mos, mos_std, luma_psnr_db (cut to 0.1 dB)
    tid2008.csv                 reference, type, level, mos, mos_std; level L takes TID2013's PSNR of L + 1

Written to `out`, as the database's authors lay it out, so that its reader loads it:

    reference_images/I01.png ...
    distorted_images/i01_01_1.png ...    reference, type, level
    mos_with_names.txt                   score and name of every image made
    manifest.csv                         reference, type, level, strength, seed, and PSNRs: aimed at, reached,
                                         and over R, G and B
"""

from __future__ import annotations

import csv
import io
import multiprocessing
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import PIL.Image
from tqdm import tqdm

from invariant_lpips.datasets.tid import SATURATION
from invariant_lpips.distortions.arrays import Image, to_uint8
from invariant_lpips.distortions.luma import luma_psnr, rgb_psnr
from invariant_lpips.distortions.strength import Found, find_strength
from invariant_lpips.distortions.tid2013 import TID2013
from invariant_lpips.distortions.tid_targets import Target, read_table, read_targets
from invariant_lpips.files.writing import replacing

__all__ = ["Made", "distort_to_psnr", "read_manifest", "resynthesise"]

_TOLERANCE = 0.045


@dataclass(frozen=True)
class Made:
    """One line of the manifest. PSNRs in dB, of luma; type 18, which leaves luma as it is, aims in RGB."""

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
    target: Target

    @property
    def image(self) -> Path:
        return self.out / "distorted_images" / self.target.name

    @property
    def place(self) -> tuple[str, int, int]:
        return self.target.reference, self.target.type, self.target.level


def distort_to_psnr(
    image: Image, type: int, level: int, target: float, *, reference: int = 1
) -> tuple[Found, int]:
    """One TID2013 image: distort a reference by a type at a level so that its PSNR meets a target.

    Args:
        image: the reference, (H, W, 3) in [0, 1].
        type: 1 to 24.
        level: 1 to 5, TID2013's.
        target: PSNR in dB, of luma (see `distortions.luma`); for type 18 of RGB.
        reference: the reference's number, on which the seed and, in type 6, the kind of impulse depend.

    Returns:
        What was found (strength, PSNR reached, image) and the seed. Types whose strengths are known for each
        level use those and leave the target unread.
    """
    family = TID2013[type]
    distort = family.at(level, reference)
    measure = rgb_psnr if type == SATURATION else luma_psnr
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

    Deterministic: seeds follow from reference, type and level. Resumable: an image that exists with its line
    in the manifest is kept, and files are written beside and then renamed. Types are made one after the
    other, in the order given. One call at a time writes to one `out`.

    Args:
        root: folder with `refs/`, `tid2013.csv` and, for TID2008, `tid2008.csv` (see the module's docstring).
        out: folder to write to; made if missing.
        database: "tid2013" (types 1-24, levels 1-5) or "tid2008" (types 1-17, levels 1-4).
        types, levels, references: which to make, e.g. `[1, 8]`, `[3]`, `["I04"]`; by default all.
        workers: processes.
        progress: show a progress bar on stderr.

    Returns:
        The lines of the manifest that belong to what was asked for, old and new.

    Raises:
        FileNotFoundError: a table, or every reference, is missing.
        ValueError: unknown database, type, level or reference, or an image without a score or a PSNR.
    """
    root, out = Path(root), Path(out)
    tasks = [_Task(root, out, target) for target in read_targets(root, database, types, levels, references)]
    for folder in ("reference_images", "distorted_images"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for reference in dict.fromkeys(task.target.reference for task in tasks):
        copy = out / "reference_images" / f"{reference}.png"
        if not copy.exists():
            with replacing(copy) as temporary:
                shutil.copyfile(root / "refs" / f"{reference}.png", temporary)
    manifest = out / "manifest.csv"
    made = {(line.reference, line.type, line.level): line for line in read_manifest(manifest)}
    missing = [task for task in tasks if task.place not in made or not task.image.exists()]
    bar = tqdm(total=len(tasks), initial=len(tasks) - len(missing), disable=not progress, unit="image")
    try:
        for line in _run(missing, workers):
            made[line.reference, line.type, line.level] = line
            _write_manifest(manifest, made.values())
            bar.update()
    finally:
        bar.close()
    _write_scores(out / "mos_with_names.txt", {task.target.name: task.target.score for task in tasks})
    return [made[task.place] for task in tasks]


def read_manifest(path: Path) -> list[Made]:
    """The lines of a `manifest.csv`; none where there is no such file."""
    if not path.is_file():
        return []
    kinds = {"reference": str, "type": int, "level": int, "seed": int}
    return [
        Made(**{field.name: kinds.get(field.name, float)(row[field.name]) for field in fields(Made)})
        for row in read_table(path)
    ]


def _run(tasks: Sequence[_Task], workers: int) -> Iterable[Made]:
    if workers <= 1 or len(tasks) <= 1:
        yield from map(_make, tasks)
        return
    # Spawned, not forked: a fork of a process whose torch has started threads can hang.
    with multiprocessing.get_context("spawn").Pool(min(workers, len(tasks))) as pool:
        yield from pool.imap(_make, tasks)


def _make(task: _Task) -> Made:
    target = task.target
    with PIL.Image.open(task.root / "refs" / f"{target.reference}.png") as picture:
        image = np.asarray(picture.convert("RGB"), dtype=np.float64) / 255.0
    found, seed = distort_to_psnr(
        image, target.type, target.tid2013_level, target.psnr, reference=int(target.reference[1:])
    )
    with replacing(task.image) as temporary:
        PIL.Image.fromarray(to_uint8(found.image)).save(temporary, format="PNG")
    return Made(
        *task.place,
        strength=found.strength,
        seed=seed,
        target_psnr=round(target.psnr, 3),
        reached_psnr=round(found.psnr, 4),
        rgb_psnr=round(rgb_psnr(image, found.image), 4),
    )


def _write_manifest(path: Path, lines: Iterable[Made]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Made)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(line) for line in sorted(lines, key=lambda x: (x.reference, x.type, x.level)))
    with replacing(path) as temporary:
        temporary.write_text(text.getvalue())


def _write_scores(path: Path, scores: dict[str, float]) -> None:
    """Scores of this call and of earlier ones into the same tree."""
    if path.is_file():
        for line in path.read_text().splitlines():
            score, name = line.split()
            scores.setdefault(name, float(score))
    with replacing(path) as temporary:
        temporary.write_text("".join(f"{scores[name]:.5f} {name}\n" for name in sorted(scores)))
