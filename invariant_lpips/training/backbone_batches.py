"""Batches for training a classifier: cached features, or pictures with random shifts.

Which samples a batch holds and how each is shifted depends on the seed, the epoch and the sample alone, so a
run that was killed goes on with the very batches it would have seen, whatever the number of reading workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from invariant_lpips.classifier import GAPClassifier
from invariant_lpips.datasets.folders import LabelledImages, load_picture
from invariant_lpips.pictures.moves import mirror_shift
from invariant_lpips.training.backbone_features import CachedFeatures

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Batches:
    """Batches that are made while one goes through them; their number is known, so a bar can say how long."""

    count: int
    make: Callable[[], Iterator[Batch]]

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Batch]:
        return self.make()


class Source(Protocol):
    """Where batches come from."""

    def __len__(self) -> int: ...

    def batches(self, groups: Sequence[Sequence[int]], epoch: int | None) -> Batches:
        """(inputs (B, V, ...), labels (B,)) for each group of indices; V views of each sample.

        `epoch` None asks for the samples as they are, one view each.
        """
        ...


def epoch_order(count: int, seed: int, epoch: int) -> list[int]:
    """The order in which epoch `epoch` visits the samples."""
    generator = torch.Generator().manual_seed(_mixed(seed, epoch, -1))
    return torch.randperm(count, generator=generator).tolist()


def groups_of(order: Sequence[int], size: int) -> list[list[int]]:
    """`order` cut into batches of `size`; the last may be smaller.

    Example:
        >>> groups_of([3, 1, 2], 2)
        [[3, 1], [2]]
    """
    return [list(order[start : start + size]) for start in range(0, len(order), size)]


class FeatureSource:
    """Features of a frozen trunk, as the head of `model` reads them; one view."""

    def __init__(self, model: GAPClassifier, images: LabelledImages, features: CachedFeatures) -> None:
        self._model = model
        self._features = features
        self._labels = torch.tensor(images.labels, dtype=torch.long)

    def __len__(self) -> int:
        return len(self._labels)

    def batches(self, groups: Sequence[Sequence[int]], epoch: int | None) -> Batches:
        def make() -> Iterator[Batch]:
            for group in groups:
                rows = torch.tensor(group)
                yield self._features.head_input(self._model, rows).unsqueeze(1), self._labels[rows]

        return Batches(len(groups), make)


class PictureSource:
    """Pictures read from their files, each in one or more randomly shifted and flipped views.

    Args:
        images: the pictures.
        size: (height, width) they are resized to.
        shift: views are moved by up to this many pixels along each axis over the mirrored plane.
        flip: mirror half of the views left to right.
        views: how many of each picture; the first is the picture as it is where `shift` is for a
            consistency term only (views = 2).
        seed: of shifts and flips.
        workers: processes that read ahead.
    """

    def __init__(
        self,
        images: LabelledImages,
        size: tuple[int, int],
        *,
        shift: int = 0,
        flip: bool = False,
        views: int = 1,
        seed: int = 0,
        workers: int = 0,
    ) -> None:
        self._dataset = _Pictures(images, size, shift, flip, views, seed)
        self._workers = workers

    def __len__(self) -> int:
        return len(self._dataset)

    def batches(self, groups: Sequence[Sequence[int]], epoch: int | None) -> Batches:
        sampler = [[(index, epoch) for index in group] for group in groups]
        loader = DataLoader(
            self._dataset,
            batch_sampler=sampler,
            num_workers=self._workers,
            pin_memory=torch.cuda.is_available(),
        )
        return Batches(len(groups), lambda: iter(loader))


class _Pictures(Dataset[tuple[Tensor, int]]):
    def __init__(
        self, images: LabelledImages, size: tuple[int, int], shift: int, flip: bool, views: int, seed: int
    ) -> None:
        self.images, self.size = images, size
        self.shift, self.flip, self.views, self.seed = shift, flip, views, seed

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: tuple[int, int | None]) -> tuple[Tensor, int]:
        index, epoch = key
        picture = load_picture(self.images.file(index), self.size).unsqueeze(0)
        label = self.images.labels[index]
        if epoch is None:
            return picture, label
        generator = torch.Generator().manual_seed(_mixed(self.seed, epoch, index))
        if self.flip and torch.rand(1, generator=generator) < 0.5:
            picture = picture.flip(-1)
        if not self.shift:
            return picture, label
        moves = torch.randint(-self.shift, self.shift + 1, (self.views, 2), generator=generator).tolist()
        return torch.cat([mirror_shift(picture, dx, dy) for dx, dy in moves]), label


def _mixed(seed: int, epoch: int, index: int) -> int:
    """One 63-bit number from three: neighbouring seeds, epochs and samples get unrelated streams."""
    value = 0
    for part in (seed, epoch, index):
        # splitmix64's finaliser (Steele, Lea and Flood 2014).
        value = (value + part + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        value ^= value >> 31
    return value >> 1
