"""Embeddings of pictures too large for the trunk: tile by tile, with the numbers of the whole picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from invariant_lpips.functional import without_autocast
from invariant_lpips.tiling.grid import Span, spans
from invariant_lpips.tiling.reach import tap_reaches
from invariant_lpips.tiling.regions import Regions
from invariant_lpips.tiling.sums import sums_for

if TYPE_CHECKING:
    from invariant_lpips.metric import InvariantLPIPS


def embed_regions(
    metric: InvariantLPIPS, picture: Regions, tile: int, *, normalize: bool = False, progress: bool = False
) -> Tensor:
    """Embedding of one picture that is read region by region, equal to that of the whole picture.

    Each tile is run with the margin that its positions see, and the statistics are added up; borders are padded
    as without tiles. Memory is that of one tile (about 1.1 KB for each of its pixels on vgg in float32), plus, for
    `regional`, the embedding itself.

    Args:
        metric: on vgg, alex or squeeze with pooling `max` or `blur`, padding `zeros`, head `gap` or `regional`.
        picture: where the pixels come from; see :mod:`invariant_lpips.tiling.regions`.
        tile: side of a tile in pixels, rounded up to a multiple of the trunk's coarsest stride (vgg: 32).
        normalize: values are in [0, 1] instead of [-1, 1].
        progress: count tiles on stderr.

    Returns:
        (1, C), as :meth:`InvariantLPIPS.embed` returns it, to 1e-4 of its norm.

    Raises:
        ValueError: the metric can't be cut into tiles (the sentence says why), or a value is out of range.
    """
    if isinstance(tile, bool) or not isinstance(tile, int) or tile < 1:
        raise ValueError(f"Argument `tile` must be a whole number of pixels, at least 1, but got {tile!r}.")
    head, trunk = metric.head, metric.net
    minimum = metric.images.minimum_side
    height, width = picture.size
    if min(height, width) < minimum:
        raise ValueError(
            f"A picture must be at least {minimum} pixels high and wide for this network and head, but is "
            f"{height}x{width}."
        )
    reaches = tap_reaches(trunk, head.taps)
    sizes = {tap: (reach.positions(height), reach.positions(width)) for tap, reach in reaches.items()}
    sums = sums_for(head, sizes, picture.size)
    like = metric.scaling_layer.shift

    def run(rows: Span, columns: Span) -> None:
        def add(tap: str, features: Tensor) -> None:
            (top, bottom), (left, right) = rows.owned[tap], columns.owned[tap]
            if top < bottom and left < right:
                part = features[..., rows.within_crop(tap), columns.within_crop(tap)]
                with without_autocast(like.device.type):
                    sums.add(tap, part, top, left)

        crop = picture.read(slice(rows.start, rows.stop), slice(columns.start, columns.stop))
        image = metric.images(crop.to(like.device), like, normalize=normalize)
        trunk.reduce(metric.scaling_layer(image), head.taps, add)

    down, across = (list(spans(pixels, tile, reaches, minimum)) for pixels in picture.size)
    with torch.no_grad():
        for rows, columns in _counted([(rows, columns) for rows in down for columns in across], progress):
            run(rows, columns)
        summaries = [(tap, sums.summary(tap)) for tap in head.taps]
        vector = torch.cat([head.vector(tap, summary) for tap, summary in summaries], dim=1)
        return vector / math.sqrt(sum(head.count(tap, summary) for tap, summary in summaries))


def _counted(tiles: list[tuple[Span, Span]], progress: bool) -> list[tuple[Span, Span]]:
    if not progress:
        return tiles
    import sys

    from tqdm import tqdm

    counted: list[tuple[Span, Span]] = tqdm(tiles, unit="tile", file=sys.stderr)
    return counted
