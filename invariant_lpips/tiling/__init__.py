"""Images that don't fit: embeddings in tiles, from tensors and from files that are read region by region.

The statistics of `gap` and `regional` are sums over positions of activations, and an activation sees a bounded
part of the picture. So a picture is run tile by tile, each with the margin that its positions see, and the
sums are added: the numbers of the whole picture in the memory of one tile.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from invariant_lpips.heads import Head
from invariant_lpips.inputs import ImageInput, ScalingLayer, check_image
from invariant_lpips.pictures.decoding import DEFAULT_MAX_PIXELS
from invariant_lpips.pictures.images import Reading
from invariant_lpips.pictures.profiles import Icc
from invariant_lpips.pictures.transparency import Alpha
from invariant_lpips.tiling.embedding import embed_regions
from invariant_lpips.tiling.regions import Regions, TensorRegions, open_regions
from invariant_lpips.trunks import Trunk

__all__ = ["Metric", "embed_file", "embed_in_tiles"]


class Metric(Protocol):
    """What tiles need of an :class:`invariant_lpips.InvariantLPIPS`."""

    net: Trunk
    head: Head
    images: ImageInput
    scaling_layer: ScalingLayer


def embed_in_tiles(metric: Metric, x: Tensor, tile: int, *, normalize: bool) -> Tensor:
    """What `metric.embed(x, tile=tile)` does: images (N, 3, H, W) to (N, C), one image and one tile at a time."""
    check_image(x, "x", grey=metric.images.repeat_grey)
    if x.requires_grad and torch.is_grad_enabled():
        raise ValueError(
            "Argument `tile` keeps no graph, but `x` requires a gradient; pass x.detach(), or embed it without `tile`."
        )
    return torch.cat(
        [_embed(metric, TensorRegions(image), tile, normalize=normalize) for image in torch.split(x, 1)]
    )


def embed_file(
    metric: Metric,
    path: str | os.PathLike[str],
    *,
    tile: int = 1024,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    alpha: Alpha = "white",
    frame: int | None = None,
    bands: Sequence[int] | None = None,
    full_scale: int | None = None,
    icc: Icc = "convert",
    progress: bool = False,
) -> Tensor:
    """Embedding of a picture file of any size, without decoding it whole where its format allows that.

    Equal to `metric.embed(read_image(path))` to 1e-4 of its norm. What is in memory: one tile's activations (1.3 GB
    for tile=1024 on vgg in float32), and of the picture what :mod:`invariant_lpips.tiling.regions` lists by format.

    Args:
        metric: an :class:`invariant_lpips.InvariantLPIPS` with head `gap` or `regional`, pooling `max` or `blur`.
        path: PNG, JPEG, TIFF, ... or an array (H, W, 3) in a .npy file, uint8, uint16 or floats in [0, 1].
        tile: side of a tile in pixels. Larger tiles need fewer margins and more memory.
        max_pixels: larger pictures are refused, a guard against decompression bombs; None lifts the limit.
        alpha, frame, bands, full_scale, icc: as for `read_image`; an array has one frame.
        progress: count tiles on stderr.

    Returns:
        (1, C), without a graph.

    Raises:
        FileNotFoundError, ValueError: as `read_image`, or the metric can't be cut into tiles.

    Example:
        >>> import tempfile, pathlib, numpy
        >>> from invariant_lpips import InvariantLPIPS
        >>> metric = InvariantLPIPS("alex", head="gap", weights="unit")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder) / "picture.npy"
        ...     numpy.save(file, numpy.tile(numpy.arange(240, dtype="uint8")[:, None, None], (1, 200, 3)))
        ...     in_tiles = embed_file(metric, file, tile=64)
        >>> whole = torch.arange(240.0).view(1, 1, 240, 1).expand(1, 3, 240, 200) / 127.5 - 1
        >>> bool((in_tiles - metric.embed(whole)).norm() < 1e-4 * in_tiles.norm())
        True
    """
    chosen = None if bands is None else tuple(bands)
    reading = Reading(alpha, max_pixels, frame=frame, bands=chosen, full_scale=full_scale, icc=icc)
    picture = open_regions(path, reading)
    return _embed(metric, picture, tile, progress=progress)


def _embed(
    metric: Metric, picture: Regions, tile: int, *, normalize: bool = False, progress: bool = False
) -> Tensor:
    like = metric.scaling_layer.shift

    def prepared(region: Tensor) -> Tensor:
        checked: Tensor = metric.images(region.to(like.device), like, normalize=normalize)
        scaled: Tensor = metric.scaling_layer(checked)
        return scaled

    minimum = metric.images.minimum_side
    return embed_regions(metric.net, metric.head, prepared, picture, tile, minimum=minimum, progress=progress)
