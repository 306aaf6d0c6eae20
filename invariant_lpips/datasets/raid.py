"""RAID: how different 24 photographs look to people after a rotation, a translation, a scaling or noise.

::

    raid/
      imagenes_bd/    gn_img_01_level_01.png .. gn_img_24_level_10.png        Gaussian noise
                      rot_img_.., trans_img_.., scale_img_..                  (transform _ image _ level)
      responses.csv   Reference,Distorted,Curve_Value,Sigmas,Response,Estimated_MOS
                      img_01.png,rot_img_01_level_02.png,0.11,0.22,0.52,5.28
                      (Response = Curve_Value / Sigmas)
      answers.csv     gender,age_group,transformation,image_id_01,distortion_level_11,distortion_level_12,
                      distortion_level_21,distortion_level_22,reaction_time_ms,answer

Level 01 is the undistorted picture: it is the reference of its own transform (a rotated picture is cropped
like the unrotated one), and levels 02 .. 10 are the 864 distorted pictures. A pair's score is ``Response``:
the MLDS scale in units of the observers' internal noise, 0 for no difference, so LOWER is better, and 1 JOD
is 0.6745 of it. `RatedPair.level` is the step 1 .. 9, one less than the number in the file name;
:data:`STEP_SIZES` gives its size.

``answers.csv`` holds the raw trials: two pairs of levels of one picture, and which pair differed more. They
are read by :func:`load_trials`; :mod:`invariant_lpips.statistics.mlds` turns them into scales.

Reference: P. Dauden-Oliver et al., "RAID-Database: human responses to affine image distortions", 2024,
arXiv:2412.10211.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from invariant_lpips.datasets.collecting import Collector, Database
from invariant_lpips.datasets.hub_download import download_from_hub
from invariant_lpips.datasets.verification import FolderIndex, is_number

__all__ = ["DATABASE", "DISTORTIONS", "STEP_SIZES", "Trial", "download", "load_trials"]

HUB_REPOSITORY = "paudauo/Affine_Transformation_Database"
IMAGES, LEVELS = 24, 10

# Checked against arXiv:2412.10211 and its analysis, arXiv:2603.26267: 24 references; rotation, translation, scaling and
# Gaussian noise at nine levels each; 864 distorted pictures.
DISTORTIONS: dict[str, str] = {
    "gn": "Gaussian noise",
    "rot": "rotation",
    "trans": "translation",
    "scale": "scaling",
}
"""Code of a transform in file names -> its name."""

RATED = IMAGES * len(DISTORTIONS) * (LEVELS - 1)

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


def read(collector: Collector) -> None:
    """Read ``responses.csv``; undistorted pictures (level 01) are references only: their distance is 0."""
    table = collector.find("responses.csv")
    images = FolderIndex(picture_folder(collector), suffixes=(".png",))
    for row, cells in collector.rows(table, {"distorted", "response"}):
        match = PICTURE.fullmatch((cells["distorted"] or "").strip())
        if match is None or not is_number(cells["response"] or ""):
            collector.problems.add(f"{row} does not hold rot_img_01_level_02.png and a Response")
            continue
        distortion, image, level = match[1].lower(), int(match[2]), int(match[3])
        if level > 1:
            collector.add(
                row,
                (images, f"{distortion}_img_{match[2]}_level_01.png"),
                (images, match[0]),
                float(cells["response"]),
                reference_id=f"img_{image:02d}",
                distortion=distortion,
                level=float(level - 1),
            )
    collector.expect(RATED, table, of="RAID", what="distorted pictures")


def picture_folder(collector: Collector) -> Path:
    """Where the pictures lie: ``imagenes_bd`` as on the Hub, ``images``, or the root itself."""
    found = collector.find("imagenes_bd", "images")
    return collector.root if not found.is_dir() and any(collector.root.glob("*_level_*")) else found


def load_trials(root: str | Path) -> tuple[Trial, ...]:
    """The raw quadruplet trials of ``answers.csv``, unanswered ones (answer other than 1 or 2) left out.

    Raises:
        DatasetError: the file is missing, or lines of it cannot be read (all of them listed).
    """
    collector = Collector(DATABASE, Path(root))
    trials = []
    for row, cells in collector.rows(collector.find("answers.csv")):
        try:
            trial = read_trial(cells)
        except (KeyError, ValueError, AttributeError, TypeError):
            collector.problems.add(f"{row} is not a transform, a picture, four levels and an answer")
            continue
        if trial is not None:
            trials.append(trial)
    collector.problems.raise_if_any()
    return tuple(trials)


def read_trial(cells: dict[str, str]) -> Trial | None:
    """The trial of one row of ``answers.csv``, or None if it was left unanswered."""
    distortion = TRIAL_NAMES[cells["transformation"].strip()]
    image, answer = int(cells["image_id_01"]), int(cells["answer"])
    a, b, c, d = (int(cells[f"distortion_level_{k}"]) for k in ("11", "12", "21", "22"))
    if not all(1 <= level <= LEVELS for level in (a, b, c, d)):
        raise ValueError(f"Levels must be 1 to {LEVELS}, but are {a}, {b}, {c} and {d}.")
    return Trial(distortion, f"img_{image:02d}", (a, b), (c, d), answer == 1) if answer in (1, 2) else None


def download(root: Path, *, revision: str | None = None) -> Path:
    """Fetch RAID from the Hugging Face Hub into `root`; see :func:`.hub_download.download_from_hub`."""
    patterns = ["imagenes_bd/*", "*.csv"]
    return download_from_hub(HUB_REPOSITORY, root, name=DATABASE.name, patterns=patterns, revision=revision)


DATABASE = Database(
    name="raid",
    summary="RAID: how different 24 photographs look to people after a rotation, a translation, a scaling or noise.",
    obtain="RAID is on the Hugging Face Hub as the data set paudauo/Affine_Transformation_Database: fetch it with "
    "`invariant-lpips bench raid --root FOLDER --download` (or from doi:10.5281/zenodo.15341729).",
    read=read,
    higher_is_better=False,
    distortions=DISTORTIONS,
    order=("distortion", "reference_id", "level"),
    download=download,
    rated=RATED,
    parts=(("responses.csv",), ("imagenes_bd", "images")),
)

#: What `load_dataset` calls; its name here in version 0.1.0.
load = DATABASE.load
