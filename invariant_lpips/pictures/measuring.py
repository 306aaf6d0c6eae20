"""From pairs of files to distances: reading, batching, and one picture's fault kept from the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from invariant_lpips.pictures.pairing import Pair


@dataclass(frozen=True)
class Outcome:
    """A pair with its distance, or with the sentence that says why it has none."""

    pair: Pair
    distance: float | None
    problem: str | None = None


# Called with the pair, its two pictures (1, 3, H, W), its distance and its map (1, 1, H, W).
MapSink = Callable[[Pair, Tensor, Tensor, float, Tensor], None]


class Measuring:
    """Measures pairs in order, `batch_size` pairs of one size at a time.

    Args:
        metric: `InvariantLPIPS` or `LPIPS`, on its device and in its dtype.
        read: a file to (1, 3, H, W) in [-1, 1], on the CPU.
        batch_size: pairs measured at once.
        unequal_sizes: compare pictures of different sizes through their embeddings.
        map_sink: gets the map of every pair, when wanted.
    """

    def __init__(
        self,
        metric: Any,
        read: Callable[[Path], Tensor],
        *,
        batch_size: int = 1,
        unequal_sizes: bool = False,
        map_sink: MapSink | None = None,
    ) -> None:
        self.metric = metric
        self.read = read
        self.batch_size = batch_size
        self.unequal_sizes = unequal_sizes
        self.map_sink = map_sink
        self._like = next(metric.parameters())
        self._last_read: tuple[Path, Tensor] | None = None
        self._last_reference: tuple[Tensor, object] | None = None

    def __call__(self, pairs: Sequence[Pair]) -> Iterator[Outcome]:
        """One outcome for each pair, in the order of the pairs."""
        waiting: list[tuple[Pair, Tensor, Tensor]] = []
        for pair in pairs:
            try:
                x, y = self._read_pair(pair)
            except (OSError, ValueError) as error:
                yield from self._measure(waiting)
                waiting = []
                yield Outcome(pair, None, str(error))
                continue
            if waiting and (x.shape, y.shape) != (waiting[0][1].shape, waiting[0][2].shape):
                yield from self._measure(waiting)
                waiting = []
            waiting.append((pair, x, y))
            if len(waiting) == self.batch_size:
                yield from self._measure(waiting)
                waiting = []
        yield from self._measure(waiting)

    def _read_pair(self, pair: Pair) -> tuple[Tensor, Tensor]:
        if pair.problem is not None:
            raise ValueError(pair.problem)
        x = self._read_reference(pair.reference)
        y = self.read(pair.distorted)
        if x.shape != y.shape and not self.unequal_sizes:
            raise ValueError(
                f"{pair.reference} and {pair.distorted} differ in size ({_size(x)} and {_size(y)}); "
                "use --resize, or --unequal-sizes with --head gap"
            )
        return x, y

    def _read_reference(self, path: Path) -> Tensor:
        # One reference is often compared with many pictures in a row.
        if self._last_read is None or self._last_read[0] != path:
            self._last_read = path, self.read(path)
        return self._last_read[1]

    def _measure(self, batch: Sequence[tuple[Pair, Tensor, Tensor]]) -> Iterator[Outcome]:
        if not batch:
            return
        try:
            distances = self._distances([x for _, x, _ in batch], [y for _, _, y in batch])
        except (ValueError, RuntimeError, MemoryError) as error:
            if len(batch) > 1:  # alone they may fit into memory
                for item in batch:
                    yield from self._measure([item])
            else:
                yield Outcome(batch[0][0], None, f"{batch[0][0].distorted}: {_one_line(error)}")
            return
        for (pair, x, y), distance in zip(batch, distances, strict=True):
            if not math.isfinite(distance):
                yield Outcome(
                    pair, None, f"{pair.distorted}: the distance is {distance}; try --dtype float32"
                )
                continue
            problem = self._draw(pair, x, y, distance)
            yield Outcome(pair, distance, problem)

    def _distances(self, xs: Sequence[Tensor], ys: Sequence[Tensor]) -> list[float]:
        with torch.inference_mode():
            y = self._on_device(ys)
            same_size = xs[0].shape == ys[0].shape
            if (len(xs) == 1 and hasattr(self.metric, "reference")) or not same_size:
                distances = self.metric(self._reference(xs), self.metric.reference(y))
            else:
                x = self._on_device(xs[:1] if all(x is xs[0] for x in xs) else xs)
                distances = self.metric(x, y)
        values: list[float] = distances.flatten().tolist()
        return values

    def _reference(self, xs: Sequence[Tensor]) -> object:
        """Summaries of the references; those of a single one are kept for the pairs that follow."""
        if len(xs) > 1:
            return self.metric.reference(self._on_device(xs))
        if self._last_reference is None or self._last_reference[0] is not xs[0]:
            self._last_reference = xs[0], self.metric.reference(self._on_device(xs))
        return self._last_reference[1]

    def _draw(self, pair: Pair, x: Tensor, y: Tensor, distance: float) -> str | None:
        if self.map_sink is None:
            return None
        if x.shape != y.shape:
            return "no heat map is drawn of pictures that differ in size"
        try:
            self.metric.spatial = True
            with torch.inference_mode():
                heat = self.metric(self._on_device([x]), self._on_device([y]))
            self.map_sink(pair, x, y, distance, heat.float().cpu())
        except (OSError, ValueError, RuntimeError, MemoryError) as error:
            return f"the heat map of {pair.label} could not be made: {_one_line(error)}"
        finally:
            self.metric.spatial = False
        return None

    def _on_device(self, images: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(images)).to(self._like.device, self._like.dtype)


def _size(image: Tensor) -> str:
    return f"{image.shape[-1]} x {image.shape[-2]}"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
