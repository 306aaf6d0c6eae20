"""TID2013: 25 references, 24 kinds of distortion, 5 levels, 3000 rated pictures of 512x384.

::

    tid2013/
      reference_images/    I01.BMP .. I25.BMP              (I25 is synthetic, the others are Kodak
      photographs) distorted_images/    i01_01_1.bmp .. i25_24_5.bmp    (reference _ type _ level)
      mos_with_names.txt   5.51429 I01_01_1.bmp            (mean opinion score, 0 .. 9, higher is better)

Letter case is ignored and ``.png`` is taken for ``.bmp``. A resynthesised copy has the same layout and may
hold a
subset: load it with ``allow_missing=True``.

Reference: N. Ponomarenko et al., "Image database TID2013: Peculiarities, results and perspectives", Signal
Processing: Image Communication 30, 57-77, 2015.
"""

from __future__ import annotations

from pathlib import Path

from invariant_lpips.datasets.pairs import RatedPairs
from invariant_lpips.datasets.tid import DISTORTIONS, Edition, load_edition

__all__ = ["DISTORTIONS", "NAME", "OBTAIN", "load"]

NAME = "tid2013"
OBTAIN = "TID2013 is free for research: download tid2013.rar (about 0.9 GB) from http://www.ponomarenko.info/tid2013.htm and unpack it."  # noqa: E501
EDITION = Edition(NAME, types=24, levels=5, obtain=OBTAIN)


def load(root: Path, *, verify: bool = True, allow_missing: bool = False) -> RatedPairs:
    """The rated pairs of TID2013 under `root`; see :func:`invariant_lpips.datasets.load_dataset`."""
    return load_edition(EDITION, Path(root), verify=verify, allow_missing=allow_missing)
