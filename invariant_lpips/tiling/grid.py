"""How a picture is cut: tiles that own every position of every tap once, and the crop each of them reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from invariant_lpips.tiling.reach import TapReach


class Span(NamedTuple):
    """One tile along one axis."""

    #: Pixels [start, stop) to run the trunk on.
    start: int
    stop: int
    #: tap -> positions [start, stop) this tile owns, counted over the whole picture.
    owned: dict[str, tuple[int, int]]
    #: tap -> where position 0 of the crop lies in the whole picture.
    origin: dict[str, int]

    def within_crop(self, tap: str) -> slice:
        """The owned positions as they are counted in the crop."""
        start, stop = self.owned[tap]
        return slice(start - self.origin[tap], stop - self.origin[tap])


def spans(pixels: int, tile: int, reaches: Mapping[str, TapReach], minimum: int) -> Iterator[Span]:
    """Cut an axis of `pixels` pixels into tiles of at least `tile` pixels and give each its crop.

    Tiles and crops begin at multiples of the coarsest stride, so that every pool of a crop meets the pixels that it
    meets in the picture. At the picture's borders a crop ends where the picture ends: there the trunk pads as
    it does without tiles.

    Args:
        pixels: length of the axis.
        tile: side of a tile, rounded up to a multiple of the coarsest stride.
        reaches: how far each tap sees.
        minimum: shortest crop the trunk can take.

    Example:
        >>> from invariant_lpips.trunks import Trunk
        >>> from invariant_lpips.tiling.reach import tap_reaches
        >>> reaches = tap_reaches(Trunk("vgg"), ["pool1", "pool5"])
        >>> [(s.start, s.stop, s.owned["pool5"]) for s in spans(1000, 400, reaches, 32)]
        [(0, 506, (0, 13)), (320, 922, (13, 26)), (736, 1000, (26, 31))]
    """
    unit = max(reach.stride for reach in reaches.values())
    step = -(-tile // unit) * unit
    counts = {tap: reach.positions(pixels) for tap, reach in reaches.items()}
    for begin in range(0, pixels, step):
        end = begin + step
        owned = {
            tap: (
                min(begin // reach.stride, counts[tap]),
                counts[tap] if end >= pixels else min(end // reach.stride, counts[tap]),
            )
            for tap, reach in reaches.items()
        }
        seen = [
            reaches[tap].pixels(*interval) for tap, interval in owned.items() if interval[0] < interval[1]
        ]
        if not seen:  # a remainder at the far border that no pool reaches
            continue
        first, last = min(a for a, _ in seen), max(b for _, b in seen)
        stop = min(last, pixels)
        start = max(0, min(first, stop - minimum)) // unit * unit
        yield Span(start, stop, owned, {tap: start // reach.stride for tap, reach in reaches.items()})
