"""TID2008: 25 references, 17 kinds of distortion, 4 levels, 1700 rated pictures of 512x384.

::

    tid2008/
      reference_images/    I01.BMP .. I25.BMP
      distorted_images/    i01_01_1.bmp .. i25_17_4.bmp    (reference _ type _ level)
      mos_with_names.txt   5.9706 I01_01_1.bmp             (mean opinion score, 0 .. 9, higher is better)

Its types are the first 17 of TID2013 and its references are the same, so the two share most of their scenes:
a metric trained on one is not validated by the other. Letter case is ignored and ``.png`` is taken for
``.bmp``.

Reference: N. Ponomarenko et al., "TID2008 - A database for evaluation of full-reference visual quality
assessment metrics", Advances of Modern Radioelectronics 10, 30-45, 2009.
"""

from __future__ import annotations

from pathlib import Path

from invariant_lpips.datasets.pairs import RatedPairs
from invariant_lpips.datasets.tid import DISTORTIONS, Edition, load_edition

__all__ = ["DISTORTIONS", "NAME", "OBTAIN", "load"]

NAME = "tid2008"
OBTAIN = "TID2008 is free for research: download tid2008.rar (about 0.55 GB) from http://www.ponomarenko.info/tid2008.htm and unpack it."  # noqa: E501
EDITION = Edition(NAME, types=17, levels=4, obtain=OBTAIN)


def load(root: Path, *, verify: bool = True, allow_missing: bool = False) -> RatedPairs:
    """The rated pairs of TID2008 under `root`; see :func:`invariant_lpips.datasets.load_dataset`."""
    return load_edition(EDITION, Path(root), verify=verify, allow_missing=allow_missing)
