"""PBM, PGM, PPM, PAM and PFM: a header in words, then samples, each from 0 to the maximum that the header states.

Pillow spreads every maximum over 8 or 16 bits, rounds, cuts colour of more than 8 bits, clamps samples above the
maximum, and passes over the pictures after the first. Here samples stay as they are stored, with their maximum.
https://netpbm.sourceforge.net/doc/index.html#formats
"""

from __future__ import annotations

import os
import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from invariant_lpips.pictures.channels import Stored
from invariant_lpips.pictures.pillow_files import check_frame, check_pixels
from invariant_lpips.pictures.refusals import Unsupported

_LONGEST_HEADER = 4096
_MOST_PICTURES = 100_000
_SPACE = rb"(?:\s|#[^\n\r]*[\n\r])+"
_SIZE = rb"P[1-6]" + _SPACE + rb"(\d{1,9})" + _SPACE + rb"(\d{1,9})"
_BITMAP = re.compile(_SIZE + rb"\s")
_PIXMAP = re.compile(_SIZE + _SPACE + rb"(\d{1,9})\s")
_FLOATS = re.compile(rb"P[fF]\s+(\d{1,9})\s+(\d{1,9})\s+([-+]?[0-9.]+(?:[eE][-+]?\d+)?)\s")
_ANY = re.compile(rb"P7\n(?:[^\n]*\n)*?ENDHDR\n")
_MAGIC = re.compile(rb"P[1-6fF](?=[\s#])|P7\n")

#: Kinds of PAM: bands that are colours, and whether alpha comes after them.
_TUPLES = {
    "BLACKANDWHITE": (1, False),
    "GRAYSCALE": (1, False),
    "RGB": (3, False),
    "BLACKANDWHITE_ALPHA": (1, True),
    "GRAYSCALE_ALPHA": (1, True),
    "RGB_ALPHA": (3, True),
}


class _Header(NamedTuple):
    """`maximum` is 0 in front of floats; `start` is where the samples begin."""

    kind: bytes
    width: int
    height: int
    bands: int
    maximum: int
    dtype: np.dtype[Any]
    colours: int | None
    has_alpha: bool
    start: int

    @property
    def length(self) -> int:
        """Bytes of the samples, where they are binary."""
        if self.kind == b"P4":
            return (self.width + 7) // 8 * self.height
        return self.width * self.height * self.bands * self.dtype.itemsize


def read_netpbm(handle: Any, frame: int, max_pixels: int | None) -> Stored | None:
    """A picture of a file in one of these formats; None where it is in none.

    Raises:
        Unsupported: there is no such picture, it is too large, or a guess would be needed.
        ValueError: it is damaged or cut short.
    """
    if not _MAGIC.match(handle.peek(4)[:4]):
        return None
    headers = [_header_at(handle, 0)]
    while len(headers) < _MOST_PICTURES and (place := _next(handle, headers[-1])) is not None:
        headers.append(_header_at(handle, place))
    check_frame(frame, len(headers))
    header = headers[frame]
    check_pixels(header.width, header.height, max_pixels)
    handle.seek(header.start)
    samples = _plain(handle, header) if header.kind in (b"P1", b"P2", b"P3") else _binary(handle, header)
    samples = samples.reshape(header.height, header.width, header.bands)
    if header.maximum == 0:
        return Stored(samples[::-1], 1, header.colours, frames=len(headers))  # rows run upwards
    if samples.max() > header.maximum:
        raise ValueError(f"its samples go up to {samples.max()}, above its maximum of {header.maximum}")
    if header.kind in (b"P1", b"P4"):
        samples = 1 - samples  # 1 is black
    return Stored(samples, header.maximum, header.colours, header.has_alpha, frames=len(headers))


def _header_at(handle: Any, place: int) -> _Header:
    handle.seek(place)
    text = handle.read(_LONGEST_HEADER)
    kind = text[:2]
    if kind in (b"Pf", b"PF"):
        header = _floats(text, place)
    elif kind == b"P7":
        header = _any(text, place)
    else:
        match = (_BITMAP if kind in (b"P1", b"P4") else _PIXMAP).match(text)
        if match is None:
            raise ValueError("its header is damaged")
        maximum = 1 if match.re is _BITMAP else int(match[3])
        bands = 3 if kind in (b"P3", b"P6") else 1
        header = _Header(
            kind,
            *(int(match[1]), int(match[2]), bands, maximum),
            _unsigned(maximum),
            *(bands, False, place + match.end()),
        )
    if not (header.width and header.height and header.bands):
        raise ValueError("its header is damaged")
    return header


def _unsigned(maximum: int) -> np.dtype[Any]:
    if not 0 < maximum < 65536:
        raise ValueError(f"its maximum is {maximum}, but from 1 to 65535 was expected")
    return np.dtype(np.uint8) if maximum < 256 else np.dtype(">u2")


def _floats(text: bytes, place: int) -> _Header:
    match = _FLOATS.match(text)
    if match is None:
        raise ValueError("its header is damaged")
    scale = float(match[3])
    if abs(scale) != 1:
        raise Unsupported(
            f"a PFM of scale {abs(scale):g} is not handled, since some programs multiply by it and some do not; "
            "apply it and save with 1 or -1"
        )
    bands = 3 if text[:2] == b"PF" else 1
    order = "<" if scale < 0 else ">"
    size = int(match[1]), int(match[2])
    return _Header(text[:2], *size, bands, 0, np.dtype(f"{order}f4"), bands, False, place + match.end())


def _any(text: bytes, place: int) -> _Header:
    match = _ANY.match(text)
    if match is None:
        raise ValueError("its header is damaged")
    lines = [line.split(None, 1) for line in match[0].decode("ascii").splitlines()[1:-1]]
    said = {line[0]: line[1].strip() for line in lines if len(line) == 2 and not line[0].startswith("#")}
    width, height, bands, maximum = (int(said[name]) for name in ("WIDTH", "HEIGHT", "DEPTH", "MAXVAL"))
    colours, has_alpha = _TUPLES.get(said.get("TUPLTYPE", ""), (None, False))
    return _Header(
        b"P7", width, height, bands, maximum, _unsigned(maximum), colours, has_alpha, place + match.end()
    )


def _next(handle: Any, header: _Header) -> int | None:
    """Where another picture begins after this one; of the plain formats there is none."""
    if header.kind in (b"P1", b"P2", b"P3"):
        return None
    place = header.start + header.length
    handle.seek(place)
    text: bytes = handle.read(64)
    blank = len(text) - len(text.lstrip())
    return place + blank if _MAGIC.match(text[blank:]) else None


def _binary(handle: Any, header: _Header) -> NDArray[Any]:
    left = os.fstat(handle.fileno()).st_size - header.start
    if left < header.length:
        raise ValueError(f"{header.length - left} bytes are missing")
    read = np.frombuffer(handle.read(header.length), header.dtype)
    if header.kind == b"P4":
        return np.unpackbits(read.reshape(header.height, -1), axis=1, count=header.width)
    return read.astype(header.dtype.newbyteorder("="))


def _plain(handle: Any, header: _Header) -> NDArray[Any]:
    text = re.sub(rb"#[^\n\r]*", b"", handle.read())
    count = header.width * header.height * header.bands
    # The digits of a bitmap may stand close together.
    words = re.findall(rb"[01]", text) if header.kind == b"P1" else text.split(None, count)[:count]
    if len(words) < count:
        raise ValueError(f"it ends after {len(words)} of {count} samples")
    samples = np.array([int(word) for word in words[:count]])
    if samples.min() < 0 or samples.max() > header.maximum:
        raise ValueError(f"its samples must lie between 0 and its maximum of {header.maximum}")
    return samples.astype(header.dtype.newbyteorder("="))
