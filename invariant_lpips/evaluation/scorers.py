"""What a metric is to the benchmarks: two batches of pictures in, one number a pair out.

A metric that first turns each picture into something (features, an embedding) says so by `embeds`: the runner
then reads a reference once for all its distorted pictures, which halves the work of every deep metric.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["METRIC_ERRORS", "EmbeddingScorer", "FunctionScorer", "Scorer"]

METRIC_ERRORS = (ValueError, RuntimeError, ImportError, OSError, AssertionError, IndexError)
"""What a metric may raise on pictures that it does not take; other people's raise more than ValueError."""


class Scorer(ABC):
    """A full-reference metric.

    Attributes:
        name: the name it was asked for by.
        higher_is_better: True for similarities (PSNR, SSIM), False for distances.
        embeds: True if :meth:`embed` and :meth:`distance_embedded` exist.
        takes_masks: True if :meth:`masked` exists.
    """

    embeds = False
    takes_masks = False

    def __init__(self, name: str, description: str, *, higher_is_better: bool = False) -> None:
        self.name = name
        self.description = description
        self.higher_is_better = higher_is_better

    def __call__(self, reference: Tensor, distorted: Tensor) -> Tensor:
        """The metric of each pair.

        Args:
            reference: (N, 3, H, W) or (1, 3, H, W) float32 in [0, 1].
            distorted: (N, 3, H, W) float32 in [0, 1].

        Returns:
            (N,) float32 or float64.
        """
        if reference.shape[0] == 1:
            reference = reference.expand_as(distorted)
        with torch.no_grad():
            return as_vector(self.score(reference, distorted), len(distorted), self.name)

    @abstractmethod
    def score(self, reference: Tensor, distorted: Tensor) -> Tensor:
        """The metric of each pair of two batches of equal shape."""

    def embed(self, pictures: Tensor) -> Any:
        """What (N, 3, H, W) pictures in [0, 1] become; only where `embeds` is True."""
        raise NotImplementedError(f"Metric {self.name} compares pictures, not embeddings of them.")

    def distance_embedded(self, reference: Any, distorted: Any, count: int) -> Tensor:
        """The metric of `count` embedded pictures to one embedded reference or to as many, (count,)."""
        raise NotImplementedError(f"Metric {self.name} compares pictures, not embeddings of them.")

    def masked(self, reference: Tensor, distorted: Tensor, mask: Tensor) -> Tensor:
        """The metric of two pictures (1, 3, H, W) in [0, 1] where a mask (1, 1, H, W) lets them count, (1,)."""
        raise NotImplementedError(f"Metric {self.name} takes no masks.")

    def describe(self) -> str:
        """Everything the numbers depend on: implementation, version, weights. Keys cached scores."""
        return self.description


class FunctionScorer(Scorer):
    """A scorer made of a function of two (N, 3, H, W) batches in [0, 1].

    Args:
        one_by_one: call the function with single pairs, for functions that average over their batch.
    """

    def __init__(
        self,
        name: str,
        description: str,
        function: Callable[[Tensor, Tensor], Any],
        *,
        higher_is_better: bool = False,
        one_by_one: bool = False,
    ) -> None:
        super().__init__(name, description, higher_is_better=higher_is_better)
        self.function = function
        self.one_by_one = one_by_one

    def score(self, reference: Tensor, distorted: Tensor) -> Tensor:
        if not self.one_by_one:
            return torch.as_tensor(self.function(reference, distorted))
        values = [
            torch.as_tensor(self.function(reference[k : k + 1], distorted[k : k + 1])).reshape(-1)
            for k in range(len(distorted))
        ]
        return torch.cat(values)


class EmbeddingScorer(Scorer):
    """A scorer made of two functions: what a picture becomes, and the distance of two such things.

    `distance` takes the embedding of one reference and that of N distorted pictures (or of N and N); `masked` two
    pictures and a mask, for metrics that can.
    """

    embeds = True

    def __init__(
        self,
        name: str,
        description: str,
        embed: Callable[[Tensor], Any],
        distance: Callable[[Any, Any], Tensor],
        *,
        masked: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None,
        higher_is_better: bool = False,
    ) -> None:
        super().__init__(name, description, higher_is_better=higher_is_better)
        self.embedding = embed
        self.distance = distance
        self.with_mask = masked
        self.takes_masks = masked is not None

    def score(self, reference: Tensor, distorted: Tensor) -> Tensor:
        return self.distance(self.embedding(reference), self.embedding(distorted))

    def embed(self, pictures: Tensor) -> Any:
        with torch.no_grad():
            return self.embedding(pictures)

    def distance_embedded(self, reference: Any, distorted: Any, count: int) -> Tensor:
        with torch.no_grad():
            return as_vector(self.distance(reference, distorted), count, self.name)

    def masked(self, reference: Tensor, distorted: Tensor, mask: Tensor) -> Tensor:
        if self.with_mask is None:
            return super().masked(reference, distorted, mask)
        with torch.no_grad():
            return as_vector(self.with_mask(reference, distorted, mask), 1, self.name)


def as_vector(values: Tensor, count: int, name: str) -> Tensor:
    """`values` as a vector of one number a pair, or a ValueError that says what came."""
    if values.numel() != count:
        raise ValueError(
            f"Metric {name} must give one number for each of {count} pairs, but gave {tuple(values.shape)}."
        )
    return values.detach().reshape(count)
