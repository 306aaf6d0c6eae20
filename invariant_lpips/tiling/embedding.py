"""Embeddings of pictures too large for the trunk: tile by tile, with the numbers of the whole picture."""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch
from torch import Tensor
from tqdm import tqdm

from invariant_lpips.functional import without_autocast
from invariant_lpips.heads import Head
from invariant_lpips.tiling.grid import Span, spans
from invariant_lpips.tiling.reach import tap_reaches
from invariant_lpips.tiling.regions import Regions
from invariant_lpips.trunks import Trunk


def embed_regions(
    trunk: Trunk,
    head: Head,
    prepared: Callable[[Tensor], Tensor],
    picture: Regions,
    tile: int,
    *,
    minimum: int,
    progress: bool = False,
) -> Tensor:
    """Embedding of one picture that is read region by region, equal to that of the whole picture.

    Each tile is run with the margin that its positions see, and the statistics are added up; borders are padded
    as without tiles. Memory is that of one tile (about 1.1 KB for each of its pixels on vgg in float32), plus, for
    `regional`, the embedding itself.

    Args:
        trunk: with pooling `max` or `blur` and padding `zeros`.
        head: one whose statistics are sums over positions: `gap` or `regional`.
        prepared: checks a region (1, 3, h, w), and brings it to the trunk's device, precision and scale.
        picture: where the pixels come from; see :mod:`invariant_lpips.tiling.regions`.
        tile: side of a tile in pixels, rounded up to a multiple of the trunk's coarsest stride (vgg: 32).
        minimum: smallest height and width that the trunk and head take.
        progress: count tiles on stderr.

    Returns:
        (1, C), as :meth:`invariant_lpips.InvariantLPIPS.embed` returns it, to 1e-4 of its norm.

    Raises:
        ValueError: trunk or head can't be cut into tiles (the sentence says why), or a value is out of range.
    """
    if isinstance(tile, bool) or not isinstance(tile, int) or tile < 1:
        raise ValueError(f"Argument `tile` must be a whole number of pixels, at least 1, but got {tile!r}.")
    height, width = picture.size
    if min(height, width) < minimum:
        raise ValueError(
            f"A picture must be at least {minimum} pixels high and wide for this network and head, but is "
            f"{height}x{width}."
        )
    reaches = tap_reaches(trunk, head.taps)
    sizes = {tap: (reach.positions(height), reach.positions(width)) for tap, reach in reaches.items()}
    sums = head.sums(sizes, picture.size)

    def run(rows: Span, columns: Span) -> None:
        def add(tap: str, features: Tensor) -> None:
            (top, bottom), (left, right) = rows.owned[tap], columns.owned[tap]
            if top < bottom and left < right:
                part = features[..., rows.within_crop(tap), columns.within_crop(tap)]
                with without_autocast(features.device.type):
                    sums.add(tap, part, top, left)

        crop = picture.read(slice(rows.start, rows.stop), slice(columns.start, columns.stop))
        trunk.reduce(prepared(crop), head.taps, add)

    down, across = (list(spans(pixels, tile, reaches, minimum)) for pixels in picture.size)
    with torch.no_grad():
        for rows, columns in _counted([(rows, columns) for rows in down for columns in across], progress):
            run(rows, columns)
        return head.embedding([sums.summary(tap) for tap in head.taps])


def _counted(tiles: list[tuple[Span, Span]], progress: bool) -> list[tuple[Span, Span]]:
    if not progress:
        return tiles
    counted: list[tuple[Span, Span]] = tqdm(tiles, unit="tile", file=sys.stderr)
    return counted
