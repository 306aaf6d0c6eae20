"""TID2013 and TID2008: 25 references, 24 (17) kinds of distortion at 5 (4) levels, pictures of 512x384.

::

    tid2013/
      reference_images/    I01.BMP .. I25.BMP              (I25 is synthetic, the others are photographs)
      distorted_images/    i01_01_1.bmp .. i25_24_5.bmp    (reference _ type _ level; TID2008: i25_17_4.bmp)
      mos_with_names.txt   5.51429 I01_01_1.bmp            (mean opinion score, 0 .. 9, higher is better)

TID2008's types are the first 17 of TID2013, its levels are TID2013's 2 to 5 and its references are the same,
so the two share most of their scenes: a metric trained on one is not validated by the other.

Letter case is ignored and ``.png`` is taken for ``.bmp``, so a resynthesised or losslessly repacked copy loads
the same way. One that holds a subset is loaded with ``allow_missing=True``.

References:
    [1] N. Ponomarenko et al., "Image database TID2013: Peculiarities, results and perspectives", Signal
        Processing: Image Communication 30, 57-77, 2015.
    [2] N. Ponomarenko et al., "TID2008 - A database for evaluation of full-reference visual quality
        assessment metrics", Advances of Modern Radioelectronics 10, 30-45, 2009.
"""

from __future__ import annotations

import re
from functools import partial

from invariant_lpips.datasets.collecting import Collector, Database
from invariant_lpips.datasets.verification import FolderIndex, is_number

__all__ = ["DISTORTIONS", "EDITION_2008", "EDITION_2013", "PROTOCOL_TYPES", "SATURATION", "TYPES_AND_LEVELS"]

# Checked against Table I of TID2013's readme, as public readers repeat it word for word, and for 01 to 17 against a
# list of TID2008's.
DISTORTIONS: dict[str, str] = {
    "01": "additive Gaussian noise",
    "02": "noise stronger in colour components",
    "03": "spatially correlated noise",
    "04": "masked noise",
    "05": "high-frequency noise",
    "06": "impulse noise",
    "07": "quantisation noise",
    "08": "Gaussian blur",
    "09": "image denoising",
    "10": "JPEG compression",
    "11": "JPEG 2000 compression",
    "12": "JPEG transmission errors",
    "13": "JPEG 2000 transmission errors",
    "14": "non-eccentricity pattern noise",
    "15": "local block-wise distortions",
    "16": "mean shift",
    "17": "contrast change",
    "18": "change of colour saturation",
    "19": "multiplicative Gaussian noise",
    "20": "comfort noise",
    "21": "lossy compression of noisy images",
    "22": "colour quantisation with dither",
    "23": "chromatic aberrations",
    "24": "sparse sampling and reconstruction",
}
"""Code of a kind of distortion -> its name. TID2008 has the first 17."""

TYPES_AND_LEVELS: dict[str, tuple[int, int]] = {"tid2013": (24, 5), "tid2008": (17, 4)}
"""Edition -> how many kinds of distortion it has, and how many levels of each."""

REFERENCES = 25

SATURATION = 18
"""The type that leaves luma as it is: its strength shows in RGB only."""

PROTOCOL_TYPES: tuple[int, ...] = (*range(1, 12), 14, *range(16, 25))
"""The types that count where pictures are resynthesised: without transmission errors (12, 13) and local blocks
(15), whose stand-ins are the weakest."""

PICTURE = re.compile(r"i(\d\d)_(\d\d)_(\d)\.\w+", re.IGNORECASE)


def read(collector: Collector, edition: str) -> None:
    """Read ``mos_with_names.txt`` of one edition."""
    table = collector.find("mos_with_names.txt")
    references = FolderIndex(collector.find("reference_images"))
    distorted = FolderIndex(collector.find("distorted_images"))
    for row, line in collector.lines(table):
        score, *names = line.split()
        match = PICTURE.fullmatch(names[0]) if len(names) == 1 else None
        if match is None or not is_number(score):
            collector.problems.add(f"{row} must read 'score i01_01_1.bmp', but is {line!r}")
            continue
        collector.add(
            row,
            (references, f"I{match[1]}.BMP"),
            (distorted, match[0]),
            float(score),
            reference_id=f"I{match[1]}",
            distortion=match[2],
            level=float(match[3]),
        )
    collector.expect(rated(edition), table, of=edition)


def rated(edition: str) -> int:
    """How many pictures an edition rates."""
    types, levels = TYPES_AND_LEVELS[edition]
    return REFERENCES * types * levels


def is_of(table: str, edition: str) -> bool:
    """Whether the text of a ``mos_with_names.txt`` is of this edition: TID2013 has a fifth level and further types.

    Example:
        >>> is_of("5.5 I01_01_1.bmp\\n4.0 I01_18_1.bmp", "tid2013"), is_of("5.5 I01_01_1.bmp", "tid2013")
        (True, False)
    """
    types, levels = TYPES_AND_LEVELS["tid2008"]
    newer = any(int(match[2]) > types or int(match[3]) > levels for match in PICTURE.finditer(table))
    return newer == (edition == "tid2013")


PARTS = (("mos_with_names.txt",), ("reference_images",), ("distorted_images",))

EDITION_2013 = Database(
    name="tid2013",
    summary="TID2013: 25 references, 24 kinds of distortion, 5 levels, 3000 rated pictures of 512x384.",
    obtain="TID2013 is free for research: download tid2013.rar (about 0.9 GB) from "
    "http://www.ponomarenko.info/tid2013.htm and unpack it.",
    read=partial(read, edition="tid2013"),
    higher_is_better=True,
    distortions=DISTORTIONS,
    rated=rated("tid2013"),
    parts=PARTS,
    recognise=partial(is_of, edition="tid2013"),
)

EDITION_2008 = Database(
    name="tid2008",
    summary="TID2008: 25 references, 17 kinds of distortion, 4 levels, 1700 rated pictures of 512x384.",
    obtain="TID2008 is free for research: download tid2008.rar (about 0.55 GB) from "
    "http://www.ponomarenko.info/tid2008.htm and unpack it.",
    read=partial(read, edition="tid2008"),
    higher_is_better=True,
    distortions=DISTORTIONS,
    rated=rated("tid2008"),
    parts=PARTS,
    recognise=partial(is_of, edition="tid2008"),
)
