"""What Pillow passes over in a PNG: checksums of the pixels, and colours that are said without a profile."""

from __future__ import annotations

import os
import warnings
import zlib
from typing import Any

from invariant_lpips.pictures.code_points import other_colours
from invariant_lpips.pictures.refusals import PictureWarning, Unsupported

_PIXELS = (b"IDAT", b"fdAT")
_COLOURS = (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM")
_SRGB_GAMMA = 45455  # of 100,000
_SRGB_POINTS = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)  # white, red, green, blue
_NEAR_GAMMA, _NEAR_POINTS = 0.05, 1000


def look_at_chunks(handle: Any) -> str:
    """Check the sums of a PNG's pixel data, and say which colours other than sRGB's it names, as a `Stored` does.

    Leaves the file where it stood.

    Raises:
        Unsupported: its samples leave room below black and above white, as those of videos.
        ValueError: a sum is wrong.

    Warns:
        PictureWarning: a gamma or primaries are said that nothing applies.
    """
    place = handle.tell()
    handle.seek(8)
    colours: dict[bytes, bytes] = {}
    while len(head := handle.read(8)) == 8 and head[4:] != b"IEND":
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind in _PIXELS:
            _check_sum(kind, handle.read(length), length, handle.read(4))
        elif kind in _COLOURS and kind not in colours:
            colours[kind] = handle.read(min(length, 64))
            handle.seek(max(length - 64, 0) + 4, os.SEEK_CUR)
        else:
            handle.seek(length + 4, os.SEEK_CUR)
    handle.seek(place)
    code_points = colours.get(b"cICP", b"")
    if len(code_points) == 4:
        if not code_points[3]:
            raise Unsupported("a PNG of limited range is not handled; convert it to full range")
        return other_colours(code_points[0], code_points[1])
    if not {b"iCCP", b"sRGB"} & colours.keys():
        _mention_what_is_not_applied(colours)
    return ""


def _check_sum(kind: bytes, data: bytes, length: int, stated: bytes) -> None:
    # Where the file ends early Pillow says so.
    if len(data) == length and stated not in (zlib.crc32(data, zlib.crc32(kind)).to_bytes(4, "big"), b""):
        raise ValueError("a checksum of its pixels is wrong")


def _mention_what_is_not_applied(colours: dict[bytes, bytes]) -> None:
    gamma = int.from_bytes(colours.get(b"gAMA", b""), "big") or _SRGB_GAMMA
    said = colours.get(b"cHRM", b"")
    points = [int.from_bytes(said[k : k + 4], "big") for k in range(0, len(said), 4)]
    found = []
    if abs(gamma / _SRGB_GAMMA - 1) > _NEAR_GAMMA:
        found.append(f"a gamma of {gamma / 100_000:g}")
    if len(points) == 8 and any(abs(x - y) > _NEAR_POINTS for x, y in zip(points, _SRGB_POINTS, strict=True)):
        found.append("primaries other than sRGB's")
    if found:  # no file is named, so that a folder of such pictures is told once
        warnings.warn(
            f"a PNG states {' and '.join(found)}, without a profile, which is not applied: its values are taken as "
            "sRGB; convert it to sRGB if it matters",
            PictureWarning,
            stacklevel=2,
        )
