"""RAID: how different 24 photographs look to people after a rotation, a translation, a scaling or noise.

::

    raid/
      imagenes_bd/    gn_img_01_level_01.png .. gn_img_24_level_10.png        Gaussian noise
                      rot_img_.., trans_img_.., scale_img_..                  (transform _ image _ level)
      responses.csv   Reference,Distorted,Curve_Value,Sigmas,Response,Estimated_MOS
                      img_01.png,rot_img_01_level_02.png,0.11,0.22,0.52,5.28  (Response = Curve_Value /
                      Sigmas)
      answers.csv     gender,age_group,transformation,image_id_01,distortion_level_11,distortion_level_12,
                      distortion_level_21,distortion_level_22,reaction_time_ms,answer

Level 01 is the undistorted picture: it is the reference of its own transform (a rotated picture is cropped
like the unrotated one), and levels 02 .. 10 are the 864 distorted pictures. A pair's score is ``Response``:
the MLDS scale in units of the observers' internal noise, 0 for no difference, so LOWER is better, and 1 JOD
is 0.6745 of it. `RatedPair.level` is the step 1 .. 9, one less than the number in the file name;
:data:`STEP_SIZES` gives its size.

``answers.csv`` holds the raw trials: two pairs of levels of one picture, and which pair differed more. They
are read by :func:`load_trials`; :mod:`invariant_lpips.statistics.mlds` turns them into scales.

Reference: P. Dauden-Oliver et al., "RAID-Database: human responses to affine image distortions",
arXiv:2412.10211.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from invariant_lpips.datasets.csv_tables import read_rows
from invariant_lpips.datasets.hub_download import download_from_hub
from invariant_lpips.datasets.pairs import RatedPair, RatedPairs
from invariant_lpips.datasets.verification import FolderIndex, Problems, check_pictures, find_entry, is_number

__all__ = ["DISTORTIONS", "NAME", "OBTAIN", "STEP_SIZES", "Trial", "download", "load", "load_trials"]

NAME = "raid"
HUB_REPOSITORY = "paudauo/Affine_Transformation_Database"
OBTAIN = (
    "RAID is on the Hugging Face Hub as the data set paudauo/Affine_Transformation_Database: fetch it with "
    "`invariant-lpips bench raid --root FOLDER --download` (or from doi:10.5281/zenodo.15341729)."
)
IMAGES, LEVELS = 24, 10

DISTORTIONS: dict[str, str] = {
    "gn": "Gaussian noise",
    "rot": "rotation",
    "trans": "translation",
    "scale": "scaling",
}
"""Code of a transform in file names -> its name."""

TRIAL_NAMES = {"gaussian_noise": "gn", "rotation": "rot", "translation": "trans", "scale": "scale"}

STEP_SIZES: dict[str, tuple[float, str]] = {
    "rot": (2.0, "degrees"),
    "trans": (0.07, "degrees of visual angle"),
    "scale": (1.0, "percent"),
}
"""Transform -> (size of one step, unit): the published maxima (18 degrees, 0.63 degrees of visual angle,
9 %) in nine equal steps. The noise has no published step; measure it on the pictures."""

PICTURE = re.compile(r"(gn|rot|trans|scale)_img_(\d+)_level_(\d+)\.\w+", re.IGNORECASE)


@dataclass(frozen=True)
class Trial:
    """One answer of one observer: did levels `first` differ more than levels `second`?

    Attributes:
        distortion: transform, a key of :data:`DISTORTIONS`.
        reference_id: picture, "img_01" .. "img_24".
        first: the two levels shown as pair 1, as numbers 1 .. 10.
        second: the two levels shown as pair 2.
        first_larger: True if pair 1 was judged the more different one.
    """

    distortion: str
    reference_id: str
    first: tuple[int, int]
    second: tuple[int, int]
    first_larger: bool


def load(root: Path, *, verify: bool = True, allow_missing: bool = False) -> RatedPairs:
    """The 864 rated pairs of RAID under `root`; see :func:`invariant_lpips.datasets.load_dataset`.

    Undistorted pictures (level 01) appear as references only: their distance is 0 by definition.
    """
    root = Path(root)
    problems = Problems(NAME, root, OBTAIN)
    table = find_entry(root, "responses.csv")
    images = FolderIndex(picture_folder(root), suffixes=(".png",))
    rows = read_rows(table, {"Distorted", "Response"}, problems)
    pairs: list[RatedPair] = []
    reported: set[str] = set()
    listed: set[str] = set()
    for number, row in enumerate(rows, start=2):
        match = PICTURE.fullmatch((row["Distorted"] or "").strip())
        if match is None or not is_number(row["Response"] or ""):
            problems.add(f"{table} line {number} does not hold rot_img_01_level_02.png and a Response")
            continue
        distortion, image, level = match[1].lower(), int(match[2]), int(match[3])
        if level == 1:
            continue
        listed.add(match[0].lower())
        reference_name = f"{distortion}_img_{match[2]}_level_01.png"
        found = {name: images.find(name) for name in (reference_name, match[0])}
        for name, path in found.items():
            if path is None and not allow_missing and name not in reported:
                reported.add(name)
                problems.add(f"{images.folder / name} is missing")
        reference, distorted = found.values()
        if reference is not None and distorted is not None:
            score = float(row["Response"])
            pairs.append(
                RatedPair(reference, distorted, score, f"img_{image:02d}", distortion, float(level - 1))
            )
    expected = IMAGES * len(DISTORTIONS) * (LEVELS - 1)
    if verify and not allow_missing and len(listed) != expected:
        problems.add(f"{table} rates {len(listed)} distorted pictures, but RAID has {expected}")
    if allow_missing and not pairs:
        problems.add(f"none of the {len(listed)} distorted pictures that {table.name} rates is there")
    if verify:
        check_pictures(pairs, problems)
    problems.raise_if_any()
    pairs.sort(key=lambda pair: (pair.distortion, pair.reference_id, pair.level))
    return RatedPairs(NAME, tuple(pairs), higher_is_better=False)


def load_trials(root: Path) -> tuple[Trial, ...]:
    """The raw quadruplet trials of ``answers.csv``, unanswered ones (answer other than 1 or 2) left out.

    Raises:
        DatasetError: the file is missing, or lines of it cannot be read (all of them listed).
    """
    root = Path(root)
    problems = Problems(NAME, root, OBTAIN)
    table = find_entry(root, "answers.csv")
    trials = list(parse_trials(read_rows(table, (), problems), table, problems))
    problems.raise_if_any()
    return tuple(trials)


def parse_trials(rows: Iterable[dict[str, str]], table: Path, problems: Problems) -> Iterable[Trial]:
    """The trials of the rows of ``answers.csv``; a row that cannot be read is added to `problems`."""
    for number, row in enumerate(rows, start=2):
        try:
            distortion = TRIAL_NAMES[row["transformation"].strip()]
            image, answer = int(row["image_id_01"]), int(row["answer"])
            levels = [int(row[f"distortion_level_{k}"]) for k in ("11", "12", "21", "22")]
            if not all(1 <= level <= LEVELS for level in levels):
                raise ValueError
        except (KeyError, ValueError, AttributeError, TypeError):
            problems.add(f"{table} line {number} is not a transform, a picture, four levels and an answer")
            continue
        if answer in (1, 2):
            first, second = (levels[0], levels[1]), (levels[2], levels[3])
            yield Trial(distortion, f"img_{image:02d}", first, second, answer == 1)


def picture_folder(root: Path) -> Path:
    """Where the pictures lie: ``imagenes_bd`` as on the Hub, ``images``, or `root` itself."""
    for name in ("imagenes_bd", "images"):
        if find_entry(root, name).is_dir():
            return find_entry(root, name)
    return root if any(root.glob("*_level_*")) else root / "imagenes_bd"


def download(root: Path, *, revision: str | None = None) -> Path:
    """Fetch RAID from the Hugging Face Hub into `root`; see :func:`.hub_download.download_from_hub`."""
    patterns = ["imagenes_bd/*", "*.csv"]
    return download_from_hub(HUB_REPOSITORY, root, name=NAME, patterns=patterns, revision=revision)
