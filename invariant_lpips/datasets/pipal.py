"""PIPAL: 200 reference patches, 40 kinds of distortion, among them restoration, 23,200 rated pictures.

::

    pipal/
      Train_Ref/      A0001.bmp .. A0200.bmp                 (or Ref/)
      Train_Dist/     A0001_00_00.bmp ..                     (or Dist/, or Distortion_1/ .. Distortion_4/)
      Train_Label/    A0001.txt: A0001_00_00.bmp,1455.07     (Elo score, higher is better; or Label/)

Names read reference _ kind _ number; `RatedPair.distortion` is the kind ("00" .. "06") and `level` the
number.

Reference: J. Gu et al., "PIPAL: a large-scale image quality assessment dataset for perceptual image
restoration", ECCV 2020.
"""

from __future__ import annotations

import re
from pathlib import Path

from invariant_lpips.datasets.pairs import RatedPair, RatedPairs
from invariant_lpips.datasets.verification import FolderIndex, Problems, check_pictures, find_entry, is_number

__all__ = ["DISTORTIONS", "NAME", "OBTAIN", "load"]

NAME = "pipal"
OBTAIN = "PIPAL's training part is public: its authors' page https://www.jasongt.com/projectpages/pipal.html links the pictures and the labels."  # noqa: E501
REFERENCES, EACH = 200, 116

DISTORTIONS: dict[str, str] = {
    "00": "traditional distortions",
    "01": "traditional super-resolution",
    "02": "PSNR-oriented super-resolution",
    "03": "super-resolution with kernel mismatch",
    "04": "GAN-based super-resolution",
    "05": "denoising",
    "06": "denoising and super-resolution",
}
PICTURE = re.compile(r"(a\d{4})_(\d\d)_(\d\d)\.\w+", re.IGNORECASE)


def load(root: Path, *, verify: bool = True, allow_missing: bool = False) -> RatedPairs:
    """The rated pairs of PIPAL's training part; see :func:`invariant_lpips.datasets.load_dataset`."""
    root = Path(root)
    problems = Problems(NAME, root, OBTAIN)
    references = FolderIndex(first_folder(root, "Train_Ref", "Ref"))
    labels = first_folder(root, "Train_Label", "Label")
    parts = [path for path in sorted(root.glob("Distortion_*")) if path.is_dir()] if root.is_dir() else []
    distorted = [FolderIndex(path) for path in parts or [first_folder(root, "Train_Dist", "Dist")]]
    if not labels.is_dir():
        problems.add(f"{labels} is missing")
        problems.raise_if_any()
    pairs: list[RatedPair] = []
    listed = 0
    for table in sorted(labels.glob("*.txt")):
        for number, line in enumerate(table.read_text().splitlines(), start=1):
            name, _, score = line.strip().partition(",")
            match = PICTURE.fullmatch(name.strip())
            if not line.strip():
                continue
            if match is None or not is_number(score):
                problems.add(f"{table} line {number} must read 'A0001_00_00.bmp,score', but is {line!r}")
                continue
            listed += 1
            reference = references.find(f"{match[1]}.bmp")
            picture = next((path for path in (part.find(match[0]) for part in distorted) if path), None)
            if not allow_missing and reference is None:
                missing = f"{references.folder / match[1]}.bmp is missing"
                if missing not in problems.found:
                    problems.add(missing)
            if not allow_missing and picture is None:
                problems.add(f"{distorted[0].folder / match[0]} is missing")
            if reference is not None and picture is not None:
                pair_id = match[1].upper()
                pairs.append(RatedPair(reference, picture, float(score), pair_id, match[2], float(match[3])))
    if verify and not allow_missing and listed != REFERENCES * EACH:
        problems.add(f"{labels} rates {listed} pictures, but PIPAL's training part has {REFERENCES * EACH}")
    if allow_missing and not pairs:
        problems.add(f"none of the {listed} rated pictures is there")
    if verify:
        check_pictures(pairs, problems)
    problems.raise_if_any()
    return RatedPairs(NAME, tuple(pairs), higher_is_better=True)


def first_folder(root: Path, *names: str) -> Path:
    """The first of `names` that is a folder of `root`, in any letter case; the first name if none is."""
    for name in names:
        if find_entry(root, name).is_dir():
            return find_entry(root, name)
    return root / names[0]
