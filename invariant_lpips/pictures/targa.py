"""What a TGA leaves open: whether its last band is opacity, and which way round."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from invariant_lpips.pictures.channels import Stored
from invariant_lpips.pictures.refusals import Unsupported

_FOOTER = b"TRUEVISION-XFILE.\0"
_UNDEFINED, _PREMULTIPLIED = (1, 2), 4  # kinds of alpha in the extension area


def opacity_decided(stored: Stored, handle: Any) -> Stored:
    """The same picture with an opaque last band where the file says, or its pixels show, that it is no opacity.

    Raises:
        Unsupported: programs differ in what it means.
    """
    if not stored.has_alpha:
        return stored
    handle.seek(0)
    header = handle.read(18)
    bits_of_alpha = header[17] & 15
    alpha = stored.samples[..., -1]
    kind = _kind_of_alpha(handle)
    if kind == _PREMULTIPLIED:
        raise Unsupported(
            "a TGA with premultiplied alpha is not handled; save it with straight alpha, or as a PNG"
        )
    if 16 in (header[16] if header[2] & 7 == 2 else 0, header[7]):
        # One bit: to Pillow 1 is transparent, to GIMP and ImageMagick 0 is, others ignore it.
        if bits_of_alpha and alpha.min() != alpha.max():
            raise Unsupported(
                "programs differ in which value of the one bit of alpha in a TGA of 16 bits is transparent; save it as "
                "a PNG"
            )
        unused = True
    else:
        unused = kind in _UNDEFINED or (bits_of_alpha == 0 and not alpha.any())
    if not unused:
        return stored
    samples = stored.samples.copy()
    samples[..., -1] = stored.full_scale
    return replace(stored, samples=samples)


def _kind_of_alpha(handle: Any) -> int | None:
    """As the extension area of a TGA 2.0 says; None where there is none."""
    size = handle.seek(0, os.SEEK_END)
    handle.seek(max(size - 26, 0))
    footer = handle.read(26)
    if not footer.endswith(_FOOTER):
        return None
    handle.seek(int.from_bytes(footer[:4], "little") + 494)
    kind = handle.read(1)
    return kind[0] if kind and any(footer[:4]) else None
