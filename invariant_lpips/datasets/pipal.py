"""PIPAL: 200 reference patches, 40 kinds of distortion, among them restoration, 23,200 rated pictures.

::

    pipal/
      Train_Ref/      A0001.bmp .. A0200.bmp                 (or Ref/)
      Train_Dist/     A0001_00_00.bmp ..                     (or Train_Distort/, Dist/, Distortion_1/ .. _4/)
      Train_Label/    A0001.txt: A0001_00_00.bmp,1455.07     (Elo score, higher is better; or Label/)

Names read reference _ kind _ number; `RatedPair.distortion` is the kind ("00" .. "06") and `level` the
number, which tells the pictures of a kind apart and is no strength.

References:
    [1] J. Gu et al., "PIPAL: a large-scale image quality assessment dataset for perceptual image restoration",
        ECCV 2020.
    [2] J. Gu et al., "Image quality assessment for perceptual image restoration: a new dataset, benchmark and
        metric", arXiv:2011.15002, Table 10.
"""

from __future__ import annotations

import re
from collections import Counter

from invariant_lpips.datasets.collecting import Collector, Database
from invariant_lpips.datasets.verification import FolderIndex, is_number

__all__ = ["DATABASE", "DISTORTIONS"]

REFERENCES = 200

# The release names its kinds nowhere. An author refers to Table 10 of [2] (issue 13 of HaomingCai/PIPAL-dataset), whose
# sub-types differ in how many pictures they have of each reference: that says which is which.
DISTORTIONS: dict[str, str] = {
    "00": "traditional super-resolution",
    "01": "PSNR-oriented super-resolution",
    "02": "super-resolution with kernel mismatch",
    "03": "GAN-based super-resolution",
    "04": "denoising",
    "05": "super-resolution and denoising",
    "06": "traditional distortions",
}
PICTURES_OF_A_KIND = {"00": 12, "01": 16, "02": 10, "03": 24, "04": 13, "05": 14, "06": 27}
"""Code of a kind -> how many pictures of it each reference has, by Table 10 of [2]; 116 in all."""

RATED = REFERENCES * sum(PICTURES_OF_A_KIND.values())

PICTURE = re.compile(r"(a\d{4})_(\d\d)_(\d\d)\.\w+", re.IGNORECASE)


def read(collector: Collector) -> None:
    """Read the labels, a text file for each reference."""
    references = FolderIndex(collector.find("Train_Ref", "Ref"))
    labels = collector.find("Train_Label", "Label")
    parts = [path for path in sorted(collector.root.glob("[Dd]istortion_*")) if path.is_dir()]
    distorted = FolderIndex(*(parts or [collector.find("Train_Dist", "Train_Distort", "Dist", "Distort")]))
    collector.require(labels)
    found: Counter[tuple[str, str]] = Counter()
    for table in sorted(labels.glob("*.txt")):
        for row, line in collector.lines(table):
            name, _, score = line.strip().partition(",")
            match = PICTURE.fullmatch(name.strip())
            if match is None or not is_number(score):
                collector.problems.add(f"{row} must read 'A0001_00_00.bmp,score', but is {line!r}")
                continue
            found[match[1].upper(), match[2]] += 1
            collector.add(
                row,
                (references, f"{match[1]}.bmp"),
                (distorted, match[0]),
                float(score),
                reference_id=match[1].upper(),
                distortion=match[2],
                level=float(match[3]),
            )
    collector.expect(RATED, labels, of="PIPAL's training part")
    if collector.verify and not collector.allow_missing:
        for (reference, kind), count in found.items():
            if count != PICTURES_OF_A_KIND.get(kind):
                collector.lack(
                    f"{labels} rates {count} pictures of kind {kind} of {reference}, but PIPAL has "
                    f"{PICTURES_OF_A_KIND.get(kind, 'no such kind')}"
                )


DATABASE = Database(
    name="pipal",
    summary="PIPAL: 200 reference patches, 40 kinds of distortion, among them restoration, 23,200 rated pictures.",
    obtain="PIPAL's training part is public: its authors' page https://www.jasongt.com/projectpages/pipal.html "
    "links the pictures and the labels.",
    read=read,
    higher_is_better=True,
    distortions=DISTORTIONS,
    order=(),
    rated=RATED,
    parts=(
        ("train_label", "label"),
        ("train_ref", "ref"),
        ("distortion_*", "train_dist", "train_distort", "dist", "distort"),
    ),
)

#: What `load_dataset` calls; its name here in version 0.1.0.
load = DATABASE.load
