"""What a JPEG's markers say that Pillow doesn't ask: how many bits a sample has, and whether the file is whole.

Entropy-coded data has no checksum, and almost any bytes decode to a picture: what was cut off and filled with zeros, as
a download that stopped leaves it, is seen by its missing end only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_START, _END, _SCAN = b"\xff\xd8\xff", b"\xff\xd9", 0xDA
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_ALONE = {0x01, *range(0xD0, 0xD8)}  # markers without a segment


def bits_of_samples(data: bytes) -> int | None:
    """As the first frame header says; None where there is none.

    Example:
        >>> bits_of_samples(bytes.fromhex("ffd8 ffe0 0004 0000 ffc1 0011 0c"))
        12
    """
    for marker, place in _segments(data):
        if marker in _FRAMES and place + 2 < len(data):
            return data[place + 2]
    return None


def check_end(handle: Any) -> None:
    """Raise ValueError where no end comes after the first scan; leaves the file where it stood."""
    place = handle.tell()
    handle.seek(0)
    data = handle.read()
    handle.seek(place)
    for marker, start in _segments(data):
        if marker == _SCAN and data.find(_END, start) < 0:
            raise ValueError("its end is missing")


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Each marker up to the first scan, and where its segment begins (with two bytes of its length)."""
    if not data.startswith(_START):
        return
    place = 2
    while place + 3 < len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # fill
            place += 1
        elif marker in _ALONE:
            place += 2
        else:
            yield marker, place + 2
            if marker == _SCAN:
                return
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
