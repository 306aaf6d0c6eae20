"""AVIF, HEIC, JPEG 2000 and JPEG XL: formats in ISO boxes, whose headers say what their decoders leave out.

Pillow reads AVIF and JPEG 2000 of 8 bits, and cuts deeper ones to 8. So the depth is looked up first, and deeper
files, HEIC and JPEG XL are read through an extra that keeps every bit.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from invariant_lpips.pictures.channels import Stored
from invariant_lpips.pictures.code_points import other_colours
from invariant_lpips.pictures.pillow_files import check_frame, check_pixels, read_with_pillow
from invariant_lpips.pictures.refusals import EXTRA, Unsupported

_JPEG_2000 = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
_JPEG_XL = (b"\0\0\0\x0cJXL \r\n\x87\n", b"\xff\x0a")
_AVIF = (b"avif", b"avis")
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")

#: Boxes that hold others, and how many bytes of their own come first.
_HOLDERS = {b"jp2h": 0, b"meta": 4, b"iprp": 0, b"ipco": 0}


def read_boxed(handle: Any, frame: int, max_pixels: int | None) -> Stored | None:
    """A frame of a file in one of these formats; None where it is in none.

    Raises:
        Unsupported: a package is missing, there is no such frame, it is too large, or its kind can't be read.
    """
    start = handle.peek(64)[:64]
    if start.startswith(_JPEG_2000):
        return _jpeg_2000(handle, frame, max_pixels)
    if start.startswith(_JPEG_XL):
        return _jpeg_xl(handle, frame, max_pixels)
    if start[4:8] != b"ftyp":
        return None
    brands = [start[place : place + 4] for place in (8, *range(16, min(len(start), start[3]), 4))]
    if any(brand in _AVIF for brand in brands):
        return _avif(handle, frame, max_pixels)
    return _heic(handle, frame, max_pixels) if any(brand in _HEIC for brand in brands) else None


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the contents of every box, those within the `_HOLDERS` too."""
    end = len(data) if end is None else end
    while start + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, start)
        inside = start + 8
        if length == 1 and start + 16 <= end:
            length, inside = struct.unpack_from(">Q", data, inside)[0], inside + 8
        after = end if length == 0 else start + length
        if not inside <= after <= end:
            raise ValueError(f"its box {kind!r} is cut short")
        yield kind, inside, after
        if kind in _HOLDERS:
            yield from boxes(data, inside + _HOLDERS[kind], after)
        start = after


def _avif(handle: Any, frame: int, max_pixels: int | None) -> Stored:
    Image.init()
    if "AVIF" not in Image.OPEN:
        raise Unsupported("AVIF needs Pillow 11.3 or later; pip install --upgrade pillow")
    data = handle.read()
    bits, colours = 8, ""
    for kind, start, end in boxes(data):
        if kind == b"av1C" and end - start > 2 and data[start + 2] & 0x40:
            bits = 12 if data[start + 2] & 0x20 else 10
        if kind == b"colr" and data[start : start + 4] == b"nclx" and not colours:
            colours = other_colours(*struct.unpack_from(">HH", data, start + 4))
    handle.seek(0)
    stored = read_with_pillow(handle, ("AVIF",), frame, max_pixels)  # profile, orientation, frames
    if bits > 8:
        try:
            import imagecodecs
        except ImportError:
            raise Unsupported(f"an AVIF of {bits} bits needs imagecodecs; {EXTRA}") from None
        samples = imagecodecs.avif_decode(data, index=frame)
        stored = _of_bits(samples if samples.ndim == 3 else samples[..., None], bits, stored)
    return stored if stored.profile is not None else replace(stored, other_colours=colours)


def _of_bits(samples: Any, bits: int, like: Stored) -> Stored:
    """Grey or RGB samples of some bits, perhaps with alpha, about which all else is known."""
    bands = samples.shape[2]
    colours, alpha = {1: (1, False), 2: (1, True), 3: (3, False), 4: (3, True)}.get(bands, (None, False))
    return replace(like, samples=samples, full_scale=2**bits - 1, colours=colours, has_alpha=alpha)


def _heic(handle: Any, frame: int, max_pixels: int | None) -> Stored:
    try:
        import pillow_heif
    except ImportError:
        raise Unsupported(f"HEIC needs the package pillow-heif; {EXTRA}") from None
    file = pillow_heif.open_heif(handle, convert_hdr_to_8bit=False)
    check_frame(frame, len(file))
    order = sorted(range(len(file)), key=lambda number: number != file.primary_index)
    image = file[order[frame]]
    check_pixels(image.size[0], image.size[1], max_pixels)
    mode, _, deep = image.mode.partition(";")
    if mode not in ("L", "LA", "RGB", "RGBA"):
        raise Unsupported(f"a HEIC of mode {image.mode} is not handled; convert it to a 16-bit PNG")
    bits = image.info["bit_depth"] if deep else 8
    samples = np.asarray(image).reshape(image.size[1], image.size[0], len(mode)) >> (16 - bits if deep else 0)
    profile = image.info.get("icc_profile") or None
    nclx = image.info.get("nclx_profile")
    return Stored(
        samples,
        2**bits - 1,
        1 if mode.startswith("L") else 3,
        mode.endswith("A"),
        frames=len(file),
        profile=profile,
        other_colours=other_colours(nclx["color_primaries"], nclx["transfer_characteristics"])
        if nclx and profile is None
        else "",
    )


def _jpeg_2000(handle: Any, frame: int, max_pixels: int | None) -> Stored:
    check_frame(frame, 1)
    data = handle.read()
    profile, place, end, known, palette = None, 0, len(data), True, False
    if not data.startswith(_JPEG_2000[1]):
        for kind, start, after in boxes(data):
            if kind == b"jp2c":
                place, end = start, after
            palette |= kind == b"pclr"
            if kind == b"colr":
                known = data[start] != 1 or data[start + 3 : start + 7] in (b"\0\0\0\x10", b"\0\0\0\x11")
                profile = data[start + 3 : after] if data[start] == 2 else profile
    if data[end - 2 : end].rstrip(b"\0") != b"\xff\xd9" and b"\xff\xd9" not in data[end - 16 : end]:
        raise ValueError("its end is missing")
    right, low, left, top = struct.unpack_from(">4I", data, place + 8)
    check_pixels(right - left, low - top, max_pixels)
    (bands,) = struct.unpack_from(">H", data, place + 40)
    depths = {data[place + 42 + 3 * band] for band in range(bands)}
    if depths == {7}:  # 8 bits, unsigned
        handle.seek(0)
        return replace(read_with_pillow(handle, ("JPEG2000",), frame, max_pixels), profile=profile)
    bits = min(depths) + 1
    if len(depths) > 1 or bits > 16 or palette or not known:
        raise Unsupported(
            "a JPEG 2000 of signed samples, or of this kind of more than 8 bits, is not handled; convert it to a "
            "16-bit PNG"
        )
    try:
        import imagecodecs
    except ImportError:
        raise Unsupported(f"a JPEG 2000 of {bits} bits needs imagecodecs; {EXTRA}") from None
    samples = imagecodecs.jpeg2k_decode(data)
    return _of_bits(
        samples.reshape(low - top, right - left, bands), bits, Stored(samples, None, None, profile=profile)
    )


def _jpeg_xl(handle: Any, frame: int, max_pixels: int | None) -> Stored:
    try:
        import imagecodecs
        import pillow_jxl
    except ImportError:
        raise Unsupported(f"JPEG XL needs the packages imagecodecs and pillow-jxl-plugin; {EXTRA}") from None
    data = handle.read()
    header = _JpegXlHeader(_codestream(data))
    check_pixels(header.width, header.height, max_pixels)
    # Only this package hands out the profile, and a JPEG that was packed without loss: that is read as the JPEG it is.
    is_jpeg, about, jpeg, profile, _ = pillow_jxl.Decoder(num_threads=1)(data)
    if is_jpeg:
        return read_with_pillow(io.BufferedReader(io.BytesIO(bytes(jpeg))), ("JPEG",), frame, max_pixels)
    samples = np.asarray(imagecodecs.jpegxl_decode(data))
    frames = 1
    if header.animated and samples.ndim == 3 + (about.num_channels > 1):
        frames = len(samples)
    check_frame(frame, frames)
    samples = samples[frame] if frames > 1 else samples
    samples = samples if samples.ndim == 3 else samples[..., None]
    stored = Stored(samples, 1, None, frames=frames, profile=bytes(profile) or None)
    stored = _of_bits(samples, header.bits, stored)
    return replace(stored, full_scale=1) if samples.dtype.kind == "f" else stored


def _codestream(data: bytes) -> bytes:
    if data.startswith(_JPEG_XL[1]):
        return data
    parts = [
        data[start + 4 * (kind == b"jxlp") : end]
        for kind, start, end in boxes(data)
        if kind in (b"jxlc", b"jxlp")
    ]
    return b"".join(parts)


class _JpegXlHeader:
    """What the start of a codestream says (ISO/IEC 18181-1, Annex D): size, bits, and whether it moves."""

    def __init__(self, codestream: bytes) -> None:
        self._bits = int.from_bytes(codestream[2:64], "little")
        self.height, self.width = self._size()
        self.bits, self.animated = 8, False
        if self._take(1):  # all default
            return
        if self._take(1):  # extra fields
            self._take(3)  # orientation, which the decoder applies
            if self._take(1):
                self._size()  # intrinsic
            if self._take(1):
                self._preview()
            self.animated = bool(self._take(1))
            if self.animated:
                for choices in (
                    ((0, 100), (0, 1000), (10, 1), (30, 1)),
                    ((0, 1), (0, 1001), (8, 1), (10, 1)),
                    ((0, 0), (3, 0), (16, 0), (32, 0)),
                ):
                    self._choose(choices)
                self._take(1)
        if self._take(1):  # floating-point
            self.bits = self._choose(((0, 32), (0, 16), (0, 24), (6, 1)))
        else:
            self.bits = self._choose(((0, 8), (0, 10), (0, 12), (6, 1)))

    def _take(self, count: int) -> int:
        value = self._bits & ((1 << count) - 1)
        self._bits >>= count
        return value

    def _choose(self, choices: tuple[tuple[int, int], ...]) -> int:
        count, offset = choices[self._take(2)]
        return self._take(count) + offset

    def _size(self) -> tuple[int, int]:
        return self._sides(((9, 1), (13, 1), (18, 1), (30, 1)), lambda: self._take(5) + 1)

    def _preview(self) -> tuple[int, int]:
        eighths = ((0, 16), (0, 32), (5, 1), (9, 33))
        return self._sides(((6, 1), (8, 65), (10, 321), (12, 1345)), lambda: self._choose(eighths))

    def _sides(self, plain: tuple[tuple[int, int], ...], eighths: Any) -> tuple[int, int]:
        in_eighths = self._take(1)
        height = eighths() * 8 if in_eighths else self._choose(plain)
        ratio = self._take(3)
        if ratio:
            up, down = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio - 1]
            return height, height * up // down
        return height, eighths() * 8 if in_eighths else self._choose(plain)
