"""Files to embeddings: decoding in parallel, batches of one size, and one picture's fault kept from the others.

Pictures are taken in chunks of consecutive ones. Within a chunk those of one size go through together, at most
`batch_size` at a time, in the order in which their sizes first appear; nothing reaches from one chunk into the
next. So which pictures share a batch depends on the list alone, and a chunk that is computed again, after a
kill or on another machine of the same kind, gives the same bits.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from invariant_lpips.files.writing import one_line
from invariant_lpips.indexing.journal import Record
from invariant_lpips.indexing.sources import Pictures
from invariant_lpips.pictures.images import Reading
from invariant_lpips.tiling import embed_file

if TYPE_CHECKING:
    from invariant_lpips.metric import InvariantLPIPS

#: A chunk holds this many full batches, so that pictures of several sizes can wait for company.
BATCHES_PER_CHUNK = 4

#: (position, picture (1, 3, H, W)), or (position, why it can't be read).
Read = tuple[int, "Tensor | str"]


def chunk_length(batch_size: int) -> int:
    """How many consecutive pictures make a chunk: one where pictures go through alone."""
    return 1 if batch_size == 1 else batch_size * BATCHES_PER_CHUNK


class Embedder:
    """Embeds chunks of pictures.

    Args:
        metric: on its device and in its precision.
        reading: how files become tensors.
        batch_size: pictures of one size embedded at once.
        tile: embed each picture in tiles of this side, from its file; see :mod:`invariant_lpips.tiling`.
        workers: processes that decode ahead; 0 decodes in this one.
        size: (height, width) every picture must have, since the head's embedding grows with it; None for any.
    """

    def __init__(
        self,
        metric: InvariantLPIPS,
        reading: Reading,
        *,
        batch_size: int = 1,
        tile: int | None = None,
        workers: int = 0,
        size: tuple[int, int] | None = None,
    ) -> None:
        self.metric = metric
        self.reading = reading
        self.batch_size = batch_size
        self.tile = tile
        self.workers = workers
        self.size = size

    def __call__(self, pictures: Pictures, chunks: Sequence[int]) -> Iterator[tuple[int, Record]]:
        """The record of each chunk, in the order asked for."""
        length = chunk_length(self.batch_size)
        ranges = [range(chunk * length, min((chunk + 1) * length, len(pictures))) for chunk in chunks]
        if self.tile is not None:
            for chunk, positions in zip(chunks, ranges, strict=True):
                yield chunk, self._record([self._in_tiles(pictures, position) for position in positions])
            return
        read = self._read(pictures, [position for positions in ranges for position in positions])
        for chunk, positions in zip(chunks, ranges, strict=True):
            yield chunk, self._record(self._chunk([next(read) for _ in positions]))

    def _read(self, pictures: Pictures, positions: Sequence[int]) -> Iterator[Read]:
        """Pictures in order, decoded ahead by the workers."""
        loader: DataLoader[Any] = DataLoader(
            _Files(pictures, self.reading, positions),
            batch_size=None,
            num_workers=min(self.workers, len(positions)),
            pin_memory=self.metric.scaling_layer.shift.is_cuda,
        )
        return iter(loader)

    def _chunk(self, read: Sequence[Read]) -> list[Read]:
        """Position and vector (1, D), or position and problem, of the pictures of a chunk."""
        results: list[Read] = []
        by_size: dict[tuple[int, int], list[tuple[int, Tensor]]] = {}
        for position, image in read:
            if isinstance(image, str):
                results.append((position, image))
                continue
            size = (image.shape[-2], image.shape[-1])
            if self.size in (None, size):
                by_size.setdefault(size, []).append((position, image))
            else:
                results.append((position, _wrong_size(size, self.size)))
        for group in by_size.values():
            for start in range(0, len(group), self.batch_size):
                results += self._embed(group[start : start + self.batch_size])
        return results

    def _embed(self, batch: Sequence[tuple[int, Tensor]]) -> list[Read]:
        like = self.metric.scaling_layer.shift
        try:
            images = torch.cat([image for _, image in batch]).to(like.device, like.dtype, non_blocking=True)
            with torch.inference_mode(), warnings.catch_warnings():
                # Files are read in [-1, 1] by construction: a bright picture is no mistake.
                warnings.filterwarnings("ignore", message=".*none below 0")
                vectors = self.metric.embed(images, normalize=False).float().cpu()
        except (ValueError, RuntimeError, MemoryError) as error:
            if len(batch) > 1:  # alone they may fit into memory
                return [result for item in batch for result in self._embed([item])]
            return [(batch[0][0], one_line(error))]
        return [
            (
                position,
                vector[None]
                if vector.isfinite().all()
                else "its embedding isn't finite; try --dtype float32",
            )
            for (position, _), vector in zip(batch, vectors, strict=True)
        ]

    def _in_tiles(self, pictures: Pictures, position: int) -> Read:
        assert self.tile is not None
        try:
            vector = embed_file(
                self.metric,
                pictures.file(position),
                tile=self.tile,
                **self.reading.of_files,
            )
        except (OSError, ValueError, RuntimeError, MemoryError) as error:
            return position, one_line(error)
        return position, vector.float().cpu()

    def _record(self, results: Sequence[Read]) -> Record:
        rows = sorted((position, found) for position, found in results if isinstance(found, Tensor))
        problems = {position: found for position, found in results if isinstance(found, str)}
        vectors = torch.cat([vector for _, vector in rows]) if rows else torch.empty(0, 0)
        return Record(tuple(position for position, _ in rows), vectors, problems)


class _Files(Dataset[Read]):
    """The pictures at some positions; what can't be read is returned as the sentence that says why."""

    def __init__(self, pictures: Pictures, reading: Reading, positions: Sequence[int]) -> None:
        self.pictures, self.reading, self.positions = pictures, reading, positions

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: int) -> Read:
        position = self.positions[index]
        try:
            return position, self.reading(self.pictures.file(position))
        except (OSError, ValueError) as error:
            return position, one_line(error)


def _wrong_size(size: tuple[int, int], wanted: tuple[int, int] | None) -> str:
    assert wanted is not None
    return (
        f"is {size[1]} x {size[0]} pixels, but the others are {wanted[1]} x {wanted[0]}, and this head's embedding "
        "grows with the picture; embed with --resize or --head gap"
    )
