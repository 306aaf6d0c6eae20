"""Colours as ITU-T H.273 (ISO/IEC 23091-2) numbers them: in AVIF, HEIC, PNG and videos."""

from __future__ import annotations

# Those of sRGB, or unspecified, and transfers that are shown alike.
_PRIMARIES, _TRANSFERS = (1, 2), (1, 2, 6, 13, 14, 15)
_HDR = {16: "HDR (PQ)", 18: "HDR (HLG)"}


def other_colours(primaries: int, transfer: int) -> str:
    """How colours that are not sRGB's are named; empty where they are.

    Example:
        >>> other_colours(1, 13), other_colours(9, 16)
        ('', 'HDR (PQ)')
    """
    if transfer in _HDR:
        return _HDR[transfer]
    if primaries in _PRIMARIES and transfer in _TRANSFERS:
        return ""
    return f"of primaries {primaries} and transfer {transfer} (as ISO/IEC 23091-2 numbers them)"
