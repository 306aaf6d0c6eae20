"""What TID2008 and TID2013 have in common: one layout, one score file, one naming of pictures.

The two editions are read by :mod:`~invariant_lpips.datasets.tid2008` and
:mod:`~invariant_lpips.datasets.tid2013`; their trees differ only in how many types and levels there are.

The letter case of file names differs between copies (``I01.BMP``, ``i01.bmp``) and is ignored; PNG files in
place of BMP are taken, so a resynthesised or losslessly repacked copy loads the same way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from invariant_lpips.datasets.pairs import RatedPair, RatedPairs
from invariant_lpips.datasets.verification import FolderIndex, Problems, check_pictures, find_entry, is_number

__all__ = ["DISTORTIONS", "Edition", "load_edition"]

DISTORTIONS: dict[str, str] = {
    "01": "additive Gaussian noise",
    "02": "noise stronger in colour components",
    "03": "spatially correlated noise",
    "04": "masked noise",
    "05": "high-frequency noise",
    "06": "impulse noise",
    "07": "quantisation noise",
    "08": "Gaussian blur",
    "09": "image denoising",
    "10": "JPEG compression",
    "11": "JPEG 2000 compression",
    "12": "JPEG transmission errors",
    "13": "JPEG 2000 transmission errors",
    "14": "non-eccentricity pattern noise",
    "15": "local block-wise distortions",
    "16": "mean shift",
    "17": "contrast change",
    "18": "change of colour saturation",
    "19": "multiplicative Gaussian noise",
    "20": "comfort noise",
    "21": "lossy compression of noisy images",
    "22": "colour quantisation with dither",
    "23": "chromatic aberrations",
    "24": "sparse sampling and reconstruction",
}
"""Code of a distortion -> its name. TID2008 has the first 17."""

PICTURE = re.compile(r"i(\d\d)_(\d\d)_(\d)\.\w+", re.IGNORECASE)


@dataclass(frozen=True)
class Edition:
    """What is published in one edition of TID."""

    name: str
    types: int
    levels: int
    obtain: str
    references: int = 25


def load_edition(edition: Edition, root: Path, *, verify: bool, allow_missing: bool) -> RatedPairs:
    """The rated pairs of one edition of TID: higher score is better, level 1 is the weakest.

    Raises:
        DatasetError: something is missing or unreadable, unless `allow_missing`, which leaves such pairs out
            (an error remains if none is left).
    """
    problems = Problems(edition.name, root, edition.obtain)
    table = find_entry(root, "mos_with_names.txt")
    references = FolderIndex(find_entry(root, "reference_images"))
    distorted = FolderIndex(find_entry(root, "distorted_images"))
    if not table.is_file():
        problems.add(f"{table} is missing")
        problems.raise_if_any()
    pairs = []
    listed: set[tuple[str, str, int]] = set()
    missing_references: set[str] = set()
    for number, line in enumerate(table.read_text().splitlines(), start=1):
        if not line.strip():
            continue
        fields = line.split()
        match = PICTURE.fullmatch(fields[1]) if len(fields) == 2 else None
        if match is None or not is_number(fields[0]):
            problems.add(f"{table} line {number} must read 'score i01_01_1.bmp', but is {line!r}")
            continue
        reference_id, distortion, level = f"I{match[1]}", match[2], int(match[3])
        if (reference_id, distortion, level) in listed:
            problems.add(f"{table} line {number} rates {fields[1]} a second time")
            continue
        listed.add((reference_id, distortion, level))
        reference, picture = references.find(f"{reference_id}.bmp"), distorted.find(fields[1])
        if reference is None and reference_id not in missing_references and not allow_missing:
            missing_references.add(reference_id)
            problems.add(f"{references.folder / (reference_id + '.BMP')} is missing")
        if picture is None and not allow_missing:
            problems.add(f"{distorted.folder / fields[1]} is missing")
        if reference is not None and picture is not None:
            score = float(fields[0])
            pairs.append(RatedPair(reference, picture, score, reference_id, distortion, float(level)))
    if not allow_missing:
        expected = edition.references * edition.types * edition.levels
        if verify and len(listed) != expected:
            problems.add(f"{table} rates {len(listed)} pictures, but {edition.name} has {expected}")
    elif not pairs:
        problems.add(f"none of the {len(listed)} pictures that {table.name} rates is there")
    if verify:
        check_pictures(pairs, problems)
    problems.raise_if_any()
    pairs.sort(key=lambda pair: (pair.reference_id, pair.distortion, pair.level))
    return RatedPairs(edition.name, tuple(pairs), higher_is_better=True)
