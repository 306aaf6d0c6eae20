"""Files that are no picture, or one that is not read: what they are by their first bytes, in words."""

from __future__ import annotations

import os
from typing import Any

from invariant_lpips.pictures.jpeg_markers import bits_of_samples

_PICTURES = {
    b"qoif": "a QOI file",
    b"DDS ": "a DDS texture",
    b"8BPS": "a Photoshop file",
    b"gimp xcf": "a GIMP file",
    b"\0\0\1\0": "an icon (ICO)",
    b"II\xbc": "a JPEG XR file",
    b"SDPX": "a DPX file",
    b"XPDS": "a DPX file",
    b"SIMPLE  =": "a FITS file",
    b"%!PS": "a PostScript file",
    b"\xc5\xd0\xd3\xc6": "a PostScript file",
    b"%PDF": "a PDF file",
    b"BPG\xfb": "a BPG file",
    b"FLIF": "a FLIF file",
    b"\x01\xda": "an SGI file",
    b"\x0a\x05\x01": "a PCX file",
    b"<svg": "an SVG drawing",
    b"<?xml": "an SVG drawing or another XML file",
}
_WEB_PAGE = "a web page, perhaps in place of a download that failed"
_OTHERS = {
    b"version https://git-lfs": "a pointer of Git LFS; fetch the file that it stands for with git lfs pull",
    b"<!doctype html": _WEB_PAGE,
    b"<!DOCTYPE html": _WEB_PAGE,
    b"<html": _WEB_PAGE,
    b"\x93NUMPY": "a NumPy array; save it as a PNG",
    b"PK\3\4": "a zip archive; unpack it",
    b"\x1f\x8b": "a gzip archive; unpack it",
    b"\x1aE\xdf\xa3": "a video; name it .mkv or .webm",
}


def refusal(handle: Any) -> str:
    """The end of a sentence about a file in which no reader recognised a picture."""
    handle.seek(0)
    start = handle.read(65536)
    begin = start.lstrip()  # text may begin with blank lines
    for signature, what in _PICTURES.items():
        if start.startswith(signature) or begin.startswith(signature):
            return f"not a picture that is read, but {what}; convert it to a PNG"
    for signature, what in _OTHERS.items():
        if start.startswith(signature) or begin.startswith(signature):
            return f"not a picture, but {what}"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        missing = int.from_bytes(start[4:8], "little") + 8 - os.fstat(handle.fileno()).st_size
        if missing > 0:
            return f"the file is cut short ({missing} bytes are missing)"
    if (bits := bits_of_samples(start)) not in (None, 8):
        return f"a JPEG of {bits} bits is not handled; convert it to a 16-bit PNG"
    return "not a picture in a format that is read, or its header is damaged"
