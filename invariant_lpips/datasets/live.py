"""LIVE Image Quality Assessment Database, release 2: 29 references, 5 distortions, 779 rated pictures.

::

    live/
      refimgs/        bikes.bmp .. womanhat.bmp
      jp2k/ jpeg/ wn/ gblur/ fastfading/    img1.bmp .. imgN.bmp    (227, 233, 174, 174, 174)
      refnames_all.mat       refnames_all: the reference of each of the 982 pictures, folders in the order
      above dmos_realigned.mat     dmos_new (realigned DMOS, higher is worse), orgs (1: an undistorted copy)

Undistorted copies are left out. Levels are not published; `RatedPair.level` is 0. LOWER is better.

Reference: H. Sheikh, M. Sabir, A. Bovik, "A statistical evaluation of recent full reference image quality
assessment algorithms", IEEE TIP 15(11), 2006.
"""

from __future__ import annotations

from pathlib import Path

from invariant_lpips.datasets.pairs import RatedPair, RatedPairs
from invariant_lpips.datasets.verification import FolderIndex, Problems, check_pictures, find_entry

__all__ = ["DISTORTIONS", "NAME", "OBTAIN", "load"]

NAME = "live"
OBTAIN = "LIVE release 2 is given by its authors on request: https://live.ece.utexas.edu/research/quality/subjective.htm (the realigned scores are a separate file there)."  # noqa: E501

DISTORTIONS: dict[str, str] = {
    "jp2k": "JPEG 2000 compression",
    "jpeg": "JPEG compression",
    "wn": "white noise",
    "gblur": "Gaussian blur",
    "fastfading": "fast-fading transmission errors",
}
COUNTS = {"jp2k": 227, "jpeg": 233, "wn": 174, "gblur": 174, "fastfading": 174}


def load(root: Path, *, verify: bool = True, allow_missing: bool = False) -> RatedPairs:
    """The rated pairs of LIVE under `root`; see :func:`invariant_lpips.datasets.load_dataset`."""
    from scipy.io import loadmat

    root = Path(root)
    problems = Problems(NAME, root, OBTAIN)
    files = [find_entry(root, name) for name in ("refnames_all.mat", "dmos_realigned.mat")]
    for file in files:
        if not file.is_file():
            problems.add(f"{file} is missing")
    problems.raise_if_any()
    names = [str(cell.item()) for cell in loadmat(files[0])["refnames_all"].reshape(-1)]
    scores = loadmat(files[1])
    dmos, originals = scores["dmos_new"].reshape(-1), scores["orgs"].reshape(-1)
    total = sum(COUNTS.values())
    if not len(names) == len(dmos) == len(originals) == total:
        problems.add(f"the .mat files rate {len(names)}, {len(dmos)}, {len(originals)} pictures, not {total}")
        problems.raise_if_any()
    references = FolderIndex(find_entry(root, "refimgs"))
    pairs: list[RatedPair] = []
    position = 0
    for distortion, count in COUNTS.items():
        folder = FolderIndex(find_entry(root, distortion))
        for number in range(1, count + 1):
            index, position = position, position + 1
            if originals[index]:
                continue
            reference, distorted = references.find(names[index]), folder.find(f"img{number}.bmp")
            for path, name in (
                (reference, references.folder / names[index]),
                (distorted, folder.folder / f"img{number}.bmp"),
            ):
                if path is None and not allow_missing and f"{name} is missing" not in problems.found:
                    problems.add(f"{name} is missing")
            if reference is not None and distorted is not None:
                score = float(dmos[index])
                pairs.append(RatedPair(reference, distorted, score, reference.stem, distortion, 0.0))
    if allow_missing and not pairs:
        problems.add("no rated picture is there")
    if verify:
        check_pictures(pairs, problems)
    problems.raise_if_any()
    return RatedPairs(NAME, tuple(pairs), higher_is_better=False)
