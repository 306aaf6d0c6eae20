"""KADID-10k: 81 references, 25 kinds of distortion, 5 levels, 10,125 rated pictures of 512x384.

::

    kadid10k/
      images/    I01.png .. I81.png  and  I01_01_01.png .. I81_25_05.png    (reference _ type _ level)
      dmos.csv   dist_img,ref_img,dmos,var
                 I01_01_01.png,I01.png,4.57,0.496

The column is called ``dmos`` but holds a mean rating on the degradation category scale, 1 (very annoying) to
5 (imperceptible): HIGHER is better. The reader looks whether the file agrees with that (the weakest level of
the pictures must be rated above the strongest) and refuses a table that runs the other way.

Letter case is ignored.

Reference: H. Lin, V. Hosu, D. Saupe, "KADID-10k: a large-scale artificially distorted IQA database", QoMEX
2019.
"""

from __future__ import annotations

import re
from pathlib import Path

from invariant_lpips.datasets.csv_tables import read_rows
from invariant_lpips.datasets.pairs import RatedPair, RatedPairs
from invariant_lpips.datasets.verification import FolderIndex, Problems, check_pictures, find_entry, is_number

__all__ = ["DISTORTIONS", "NAME", "OBTAIN", "load"]

NAME = "kadid10k"
OBTAIN = "KADID-10k is free for research: download kadid10k.zip from http://database.mmsp-kn.de/kadid-10k-database.html and unpack it."  # noqa: E501
REFERENCES, TYPES, LEVELS = 81, 25, 5

DISTORTIONS: dict[str, str] = {
    "01": "Gaussian blur",
    "02": "lens blur",
    "03": "motion blur",
    "04": "colour diffusion",
    "05": "colour shift",
    "06": "colour quantisation",
    "07": "colour saturation 1",
    "08": "colour saturation 2",
    "09": "JPEG 2000",
    "10": "JPEG",
    "11": "white noise",
    "12": "white noise in colour component",
    "13": "impulse noise",
    "14": "multiplicative noise",
    "15": "denoise",
    "16": "brighten",
    "17": "darken",
    "18": "mean shift",
    "19": "jitter",
    "20": "non-eccentricity patch",
    "21": "pixelate",
    "22": "quantisation",
    "23": "colour block",
    "24": "high sharpen",
    "25": "contrast change",
}
"""Code of a distortion -> its name."""

PICTURE = re.compile(r"i(\d\d)_(\d\d)_(\d\d)\.\w+", re.IGNORECASE)


def load(root: Path, *, verify: bool = True, allow_missing: bool = False) -> RatedPairs:
    """The rated pairs of KADID-10k under `root`; see :func:`invariant_lpips.datasets.load_dataset`."""
    root = Path(root)
    problems = Problems(NAME, root, OBTAIN)
    table = find_entry(root, "dmos.csv")
    images = FolderIndex(find_entry(root, "images"), suffixes=(".png",))
    rows = read_rows(table, {"dist_img", "ref_img", "dmos"}, problems)
    pairs: list[RatedPair] = []
    reported: set[str] = set()
    listed: set[str] = set()
    for number, row in enumerate(rows, start=2):
        match = PICTURE.fullmatch((row["dist_img"] or "").strip())
        if match is None or not is_number(row["dmos"] or ""):
            problems.add(f"{table} line {number} does not hold a picture I01_01_01.png and its score")
            continue
        if match[0].lower() in listed:
            problems.add(f"{table} line {number} rates {match[0]} a second time")
            continue
        listed.add(match[0].lower())
        found = {name: images.find(name) for name in (row["ref_img"].strip(), match[0])}
        for name, path in found.items():
            if path is None and not allow_missing and name not in reported:
                reported.add(name)
                problems.add(f"{images.folder / name} is missing")
        reference, distorted = found.values()
        if reference is not None and distorted is not None:
            score, level = float(row["dmos"]), float(match[3])
            pairs.append(RatedPair(reference, distorted, score, f"I{match[1]}", match[2], level))
    expected = REFERENCES * TYPES * LEVELS
    if verify and not allow_missing and len(listed) != expected:
        problems.add(f"{table} rates {len(listed)} pictures, but KADID-10k has {expected}")
    if allow_missing and not pairs:
        problems.add(f"none of the {len(listed)} pictures that {table.name} rates is there")
    if verify:
        check_direction(pairs, table, problems)
        check_pictures(pairs, problems)
    problems.raise_if_any()
    pairs.sort(key=lambda pair: (pair.reference_id, pair.distortion, pair.level))
    return RatedPairs(NAME, tuple(pairs), higher_is_better=True)


def check_direction(pairs: list[RatedPair], table: Path, problems: Problems) -> None:
    """Add a problem if scores leave 1 .. 5 or strong distortions are rated above weak ones."""
    outside = [pair for pair in pairs if not 1 <= pair.score <= 5]
    if outside:
        problems.add(
            f"{table} has {len(outside)} scores outside 1 .. 5, the first for {outside[0].distorted.name}"
        )
    weak = [pair.score for pair in pairs if pair.level == 1]
    strong = [pair.score for pair in pairs if pair.level == LEVELS]
    if weak and strong and sum(weak) / len(weak) <= sum(strong) / len(strong):
        problems.add(
            f"{table} rates level {LEVELS} above level 1 on average; its scores must be higher for better"
        )
