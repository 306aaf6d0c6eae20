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

from invariant_lpips.datasets.collecting import Collector, Database
from invariant_lpips.datasets.verification import FolderIndex, is_number

__all__ = ["DATABASE", "DISTORTIONS"]

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


def read(collector: Collector) -> None:
    """Read the labels, a text file for each reference."""
    references = FolderIndex(collector.find("Train_Ref", "Ref"))
    labels = collector.find("Train_Label", "Label")
    parts = [path for path in sorted(collector.root.glob("Distortion_*")) if path.is_dir()]
    distorted = FolderIndex(*(parts or [collector.find("Train_Dist", "Dist")]))
    collector.require(labels)
    for table in sorted(labels.glob("*.txt")):
        for row, line in collector.lines(table):
            name, _, score = line.strip().partition(",")
            match = PICTURE.fullmatch(name.strip())
            if match is None or not is_number(score):
                collector.problems.add(f"{row} must read 'A0001_00_00.bmp,score', but is {line!r}")
                continue
            collector.add(
                row,
                (references, f"{match[1]}.bmp"),
                (distorted, match[0]),
                float(score),
                reference_id=match[1].upper(),
                distortion=match[2],
                level=float(match[3]),
            )
    collector.expect(REFERENCES * EACH, labels, of="PIPAL's training part")


DATABASE = Database(
    name="pipal",
    summary="PIPAL: 200 reference patches, 40 kinds of distortion, among them restoration, 23,200 rated pictures.",
    obtain="PIPAL's training part is public: its authors' page https://www.jasongt.com/projectpages/pipal.html "
    "links the pictures and the labels.",
    read=read,
    higher_is_better=True,
    distortions=DISTORTIONS,
    order=(),
)
