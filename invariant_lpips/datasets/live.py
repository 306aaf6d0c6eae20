"""LIVE Image Quality Assessment Database, release 2: 29 references, 5 distortions, 779 rated pictures.

::

    live/
      refimgs/        bikes.bmp .. womanhat.bmp
      jp2k/ jpeg/ wn/ gblur/ fastfading/    img1.bmp .. imgN.bmp    (227, 233, 174, 174, 174)
      refnames_all.mat       refnames_all: the reference of each of the 982 pictures, in the order above
      dmos_realigned.mat     dmos_new (realigned DMOS, higher is worse), orgs (1: an undistorted copy)

Undistorted copies are left out. Levels are not published; `RatedPair.level` is 0. LOWER is better.

Reference: H. Sheikh, M. Sabir, A. Bovik, "A statistical evaluation of recent full reference image quality
assessment algorithms", IEEE TIP 15(11), 2006.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from invariant_lpips.datasets.collecting import Collector, Database
from invariant_lpips.datasets.verification import FolderIndex

__all__ = ["DATABASE", "DISTORTIONS"]

# Kinds, their order in the .mat files and how many pictures each has: checked against the lists of five other public
# readers, among them one in MATLAB that repeats the comments of release 2.
DISTORTIONS: dict[str, str] = {
    "jp2k": "JPEG 2000 compression",
    "jpeg": "JPEG compression",
    "wn": "white noise",
    "gblur": "Gaussian blur",
    "fastfading": "fast-fading transmission errors",
}
COUNTS = {"jp2k": 227, "jpeg": 233, "wn": 174, "gblur": 174, "fastfading": 174}
RATED = 779  # of 982 pictures, the others are undistorted copies


def read(collector: Collector) -> None:
    """Read the two ``.mat`` files, whose rows are the pictures of the folders one after the other."""
    from scipy.io import loadmat  # a third of a second that the other readers need not pay

    names_table, scores_table = (collector.find(f"{name}.mat") for name in ("refnames_all", "dmos_realigned"))
    collector.require(names_table, scores_table)
    names = [str(cell.item()) for cell in loadmat(names_table)["refnames_all"].reshape(-1)]
    scores = loadmat(scores_table)
    dmos, originals = scores["dmos_new"].reshape(-1), scores["orgs"].reshape(-1)
    total = sum(COUNTS.values())
    if not len(names) == len(dmos) == len(originals) == total:
        collector.problems.stop(
            f"the .mat files rate {len(names)}, {len(dmos)}, {len(originals)} pictures, not {total}"
        )
    references = FolderIndex(collector.find("refimgs"))
    rows = zip(names, dmos, originals, strict=True)
    for distortion, count in COUNTS.items():
        folder = FolderIndex(collector.find(distortion))
        for number, (name, score, original) in enumerate(islice(rows, count), start=1):
            if not original:
                collector.add(
                    f"{distortion}, picture {number}",
                    (references, name),
                    (folder, f"img{number}.bmp"),
                    float(score),
                    reference_id=Path(name).stem,
                    distortion=distortion,
                )
    collector.expect(None, scores_table)


DATABASE = Database(
    name="live",
    summary="LIVE Image Quality Assessment Database, release 2: 29 references, 5 distortions, 779 rated pictures.",
    obtain="LIVE release 2 is given by its authors on request: "
    "https://live.ece.utexas.edu/research/quality/subjective.htm (the realigned scores are a separate file there).",
    read=read,
    higher_is_better=False,
    distortions=DISTORTIONS,
    order=(),
    rated=RATED,
    parts=(("dmos_realigned.mat",), ("refnames_all.mat",), ("refimgs",), *((folder,) for folder in COUNTS)),
)

#: What `load_dataset` calls; its name here in version 0.1.0.
load = DATABASE.load
