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

from invariant_lpips.datasets.collecting import Collector, Database
from invariant_lpips.datasets.verification import FolderIndex, is_number

__all__ = ["DATABASE", "DISTORTIONS"]

REFERENCES, TYPES, LEVELS = 81, 25, 5
RATED = REFERENCES * TYPES * LEVELS

# Checked against the numbered lists of other public readers and the groups of the paper: blurs 01-03, colour 04-08,
# compression 09-10, noise 11-15, brightness 16-18, spatial 19-23, sharpness and contrast 24-25.
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


def read(collector: Collector) -> None:
    """Read ``dmos.csv``."""
    table = collector.find("dmos.csv")
    images = FolderIndex(collector.find("images"), suffixes=(".png",))
    for row, cells in collector.rows(table, {"dist_img", "ref_img", "dmos"}):
        match = PICTURE.fullmatch((cells["dist_img"] or "").strip())
        if match is None or not is_number(cells["dmos"] or ""):
            collector.problems.add(f"{row} does not hold a picture I01_01_01.png and its score")
            continue
        collector.add(
            row,
            (images, (cells["ref_img"] or "").strip()),
            (images, match[0]),
            float(cells["dmos"]),
            reference_id=f"I{match[1]}",
            distortion=match[2],
            level=float(match[3]),
        )
    collector.expect(RATED, table, of="KADID-10k")
    if collector.verify:
        check_direction(collector, table)


def check_direction(collector: Collector, table: Path) -> None:
    """Add a problem if scores leave 1 .. 5 or strong distortions are rated above weak ones."""
    outside = [pair for pair in collector.pairs if not 1 <= pair.score <= 5]
    if outside:
        collector.problems.add(
            f"{table} has {len(outside)} scores outside 1 .. 5, the first for {outside[0].distorted.name}"
        )
    weak = [pair.score for pair in collector.pairs if pair.level == 1]
    strong = [pair.score for pair in collector.pairs if pair.level == LEVELS]
    if weak and strong and sum(weak) / len(weak) <= sum(strong) / len(strong):
        collector.problems.add(
            f"{table} rates level {LEVELS} above level 1 on average; its scores must be higher for better"
        )


DATABASE = Database(
    name="kadid10k",
    summary="KADID-10k: 81 references, 25 kinds of distortion, 5 levels, 10,125 rated pictures of 512x384.",
    obtain="KADID-10k is free for research: download kadid10k.zip from "
    "http://database.mmsp-kn.de/kadid-10k-database.html and unpack it.",
    read=read,
    higher_is_better=True,
    distortions=DISTORTIONS,
    rated=RATED,
    parts=(("dmos.csv",), ("images",)),
)

#: What `load_dataset` calls; its name here in version 0.1.0.
load = DATABASE.load
