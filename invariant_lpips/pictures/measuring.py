"""From pairs of files to distances: reading, batching, and one picture's fault kept from the others."""

from __future__ import annotations

import math
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from invariant_lpips.files.writing import one_line
from invariant_lpips.motion import Comparison
from invariant_lpips.pictures.images import Reading
from invariant_lpips.pictures.masks import require_size
from invariant_lpips.pictures.pairing import Pair, Pairing
from invariant_lpips.pictures.reading_ahead import Picture, Source, read_ahead, sources

#: What is said of a pair whose motion was measured: what is left of the distance, the motion in multiples of what
#: people just notice, and its parts in pixels, degrees (clockwise) and as a factor, from reference to distorted.
MOTION = ("appearance", "motion", "dx", "dy", "rotation", "zoom", "bend", "overlap", "confidence")

#: Bytes of what was read of pictures that come again in later pairs: they are not run through the network again.
REMEMBERED = 256 * 2**20


class Metric(Protocol):
    """What is asked of a metric; `InvariantLPIPS` and `LPIPS` have it.

    One with a method `reference`, which reads one side once, is given references where that saves work; one with a
    method `distances_and_maps`, which returns both for the price of one, is asked for both at once.
    """

    def __call__(self, in0: Any, in1: Any) -> Any:
        """(N, 3, H, W) twice, in [-1, 1], to N distances; one of the two may hold a single image."""

    def maps(self, in0: Tensor, in1: Tensor) -> Tensor:
        """(N, 3, H, W) twice to (N, 1, H, W): what each place adds to the distance."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Tensors on the device and in the dtype that images are brought to."""


@dataclass(frozen=True)
class Outcome:
    """A pair with its distance, or with the sentence that says why it has none.

    A pair may have both: it was measured, but its map could not be written. Of a metric that measures motion the
    outcome holds all that it found, and in `parts` the numbers of it, by the names of :data:`MOTION`.
    """

    pair: Pair
    distance: float | None
    problem: str | None = None
    comparison: Comparison | None = None
    parts: Mapping[str, float] = field(default_factory=dict)


#: Called with the outcome of a pair, its two pictures (1, 3, H, W) and its map (1, 1, H, W), on the CPU.
MapSink = Callable[[Outcome, Tensor, Tensor, Tensor], None]


def compare(
    metric: Metric,
    pairing: Pairing,
    *,
    reading: Callable[[Path], Tensor] | None = None,
    distorted_reading: Callable[[Path], Tensor] | None = None,
    batch_size: int = 1,
    unequal_sizes: bool = False,
    maps: MapSink | None = None,
    masks: Callable[[Path], Tensor] | None = None,
    engine: Engine | None = None,
) -> Iterator[Outcome]:
    """The distances of pairs of picture files, one after another, in the order of the pairs.

    A picture that can't be read or measured is the problem of its own pair: the others go on. Nothing is measured
    before it is asked for, so what was taken from the iterator is there also after an interruption. Pictures are
    decoded ahead, by threads; one that comes in several pairs goes through the network once, where the metric has a
    method `reference` and pairs are measured one by one.

    Args:
        metric: `InvariantLPIPS` or `LPIPS`, on its device and in its dtype.
        pairing: from `two_files`, `two_folders`, `one_against_many`, `within_folder` or `from_csv`.
        reading: a file to (1, 3, H, W) in [-1, 1], on the CPU; by default `Reading()`. Called in threads.
        distorted_reading: the same for distorted pictures, where they are not read as references are: two frames of a
            file are compared with `reading=Reading(frame=0), distorted_reading=Reading(frame=5)`.
        batch_size: pairs of one size measured at once. On a CPU 1 is as fast as any.
        unequal_sizes: compare pictures of different sizes by their embeddings; needs head `gap`.
        maps: gets the map of every pair, such as :class:`invariant_lpips.pictures.map_files.MapFiles`.
        masks: the path of a reference to the mask of its pair, (1, 1, H, W) in [0, 1], such as
            :class:`invariant_lpips.pictures.masks.Masks`; needs an `InvariantLPIPS` without motion.
        engine: what measures, if not this process: see :func:`invariant_lpips.integrations.ray.pair_engine`.

    Returns:
        One :class:`Outcome` for each pair.

    Raises:
        ValueError: arguments that don't go together; of pictures none is raised.

    Example:
        >>> import tempfile
        >>> from invariant_lpips import InvariantLPIPS, write_image
        >>> from invariant_lpips.pictures import compare, two_files
        >>> metric = InvariantLPIPS("alex", head="gap", weights="unit")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     grey = Path(folder) / "grey.png"
        ...     write_image(torch.zeros(1, 3, 64, 64), grey)
        ...     [outcome.distance for outcome in compare(metric, two_files(grey, grey))]
        [0.0]
    """
    measuring = Measuring(
        metric,
        reading or Reading(),
        distorted_reading=distorted_reading,
        batch_size=batch_size,
        unequal_sizes=unequal_sizes,
        maps=maps,
        masks=None if masks is None else by_reference(masks),
    )
    if engine is None:
        return measuring(pairing.pairs)
    if maps is not None:
        raise ValueError("Maps are made in this process and don't go with an engine; leave out one of them.")
    if masks is not None or distorted_reading is not None or getattr(metric, "motion", None) is not None:
        raise ValueError(
            "Masks, motion and a `distorted_reading` are for this process; leave them out, or `engine`."
        )
    return engine(measuring, pairing.pairs)


def by_reference(masks: Callable[[Path], Tensor]) -> Callable[[Pair], Tensor]:
    """Masks of pairs, from those of their references."""
    return lambda pair: masks(pair.reference)


class Measuring:
    """Measures pairs in order, `batch_size` pairs of one size at a time.

    The arguments are those of :func:`compare`, but `masks` gives that of a pair.
    """

    def __init__(
        self,
        metric: Metric,
        reading: Callable[[Path], Tensor],
        *,
        distorted_reading: Callable[[Path], Tensor] | None = None,
        batch_size: int = 1,
        unequal_sizes: bool = False,
        maps: MapSink | None = None,
        masks: Callable[[Pair], Tensor] | None = None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"Argument `batch_size` must be at least 1, but got {batch_size}.")
        if unequal_sizes and not getattr(getattr(metric, "head", None), "sizeless", False):
            raise ValueError(
                "Pictures of unequal sizes are compared by embeddings that have no size, which this metric's have; "
                "use head='gap' (at the command line --head gap), or bring the pictures to one size."
            )
        moving = getattr(metric, "motion", None) is not None
        if moving and unequal_sizes:
            raise ValueError(
                "Motion is measured between pictures of one size; use a metric with motion=None, or leave out "
                "`unequal_sizes`."
            )
        if masks is not None and (moving or maps is not None or unequal_sizes):
            raise ValueError(
                "Masks are for distances of pictures of one size as they lie; leave out `maps`, `unequal_sizes` and "
                "motion."
            )
        self.metric = metric
        self.reading = reading
        self.distorted_reading = distorted_reading
        self.batch_size = batch_size
        self.unequal_sizes = unequal_sizes
        self.maps = maps
        self.masks = masks
        self._like = next(metric.parameters())
        self._to_come: Counter[Source] = Counter()  # how often a picture comes in the pairs after this one
        self._read: dict[
            Source, tuple[object, int]
        ] = {}  # summaries of those, and their bytes; last used last
        self._held = 0

    def __call__(self, pairs: Sequence[Pair]) -> Iterator[Outcome]:
        """One outcome for each pair, in the order of the pairs."""
        self._to_come = Counter(source for pair in pairs for source in self._sources(pair))
        self._read.clear()
        self._held = 0
        threads = 2 if self._like.device.type == "cpu" else min(8, os.cpu_count() or 1)
        yield from self.outcomes(
            read_ahead(
                self.reading,
                pairs,
                ahead=self.batch_size + threads,
                threads=threads,
                distorted_reading=self.distorted_reading,
            )
        )

    def outcomes(self, read: Iterable[tuple[Pair, Picture, Picture]]) -> Iterator[Outcome]:
        """The same of pairs with what gives their pictures, such as :func:`read_ahead` has them."""
        waiting: list[tuple[Pair, Tensor, Tensor]] = []
        for pair, reference, distorted in read:
            self._to_come.subtract(self._sources(pair))
            try:
                x, y = self._same_size(pair, reference(), distorted())
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

    def _sources(self, pair: Pair) -> tuple[Source, Source]:
        return sources(pair, self.distorted_reading is not None)

    def _same_size(self, pair: Pair, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if x.shape != y.shape and not self.unequal_sizes:
            raise ValueError(
                f"{pair.reference} and {pair.distorted} differ in size ({_size(x)} and {_size(y)}); "
                "use --resize, or --unequal-sizes with --head gap"
            )
        return x, y

    def _measure(self, batch: Sequence[tuple[Pair, Tensor, Tensor]]) -> Iterator[Outcome]:
        if not batch:
            return
        try:
            found = self._measured(*zip(*batch, strict=True))
        except (OSError, ValueError, RuntimeError, MemoryError) as error:
            if len(batch) > 1:  # alone they may fit into memory
                for item in batch:
                    yield from self._measure([item])
            else:
                yield Outcome(batch[0][0], None, f"{batch[0][0].distorted}: {one_line(error)}")
            return
        for (pair, x, y), (distance, comparison, heat) in zip(batch, found, strict=True):
            if math.isfinite(distance):
                outcome = Outcome(pair, distance, None, comparison, _parts(comparison))
                yield replace(outcome, problem=self._map(outcome, x, y, heat))
            else:
                problem = f"{pair.distorted}: the distance is {distance}; try --dtype float32"
                yield Outcome(pair, None, problem)

    def _measured(
        self, pairs: Sequence[Pair], xs: Sequence[Tensor], ys: Sequence[Tensor]
    ) -> list[tuple[float, Comparison | None, Tensor | None]]:
        """Of each pair the distance, what else was found, and its map where that came with it."""
        with torch.inference_mode(), warnings.catch_warnings():
            # Files are read in [-1, 1] by construction: a bright picture is no mistake.
            warnings.filterwarnings("ignore", message=".*none below 0")
            if getattr(self.metric, "motion", None) is not None:
                x = self._summary(self._sources(pairs[0])[0], xs[0]) if len(xs) == 1 else self._on_device(xs)
                compared: Comparison = self.metric.compare(x, self._on_device(ys))  # type: ignore[attr-defined]
                return [(float(compared.distance[k]), compared[k : k + 1], None) for k in range(len(ys))]
            if self.masks is not None:
                masks = [self.masks(pair) for pair in pairs]
                for one, x in zip(masks, xs, strict=True):
                    require_size(one, x)
                mask = self._on_device(masks)
                masked = self.metric(self._on_device(xs), self._on_device(ys), mask=mask)  # type: ignore[call-arg]
                return [(distance, None, None) for distance in masked.flatten().tolist()]
            if self.maps is not None and (both := self._with_maps(xs, ys)) is not None:
                distances, heat = both
                return list(
                    zip(distances.flatten().tolist(), repeat(None), torch.split(heat, 1), strict=False)
                )
            if len(xs) == 1 and hasattr(self.metric, "reference"):
                left, right = self._sources(pairs[0])
                x = self._summary(left, xs[0])
                distances = self.metric(x, x if left == right else self._summary(right, ys[0]))
            elif xs[0].shape != ys[0].shape:
                distances = self.metric(self._read_once(xs), self._read_once(ys))
            else:
                x = self._on_device(xs[:1] if all(x is xs[0] for x in xs) else xs)
                distances = self.metric(x, self._on_device(ys))
        return [(distance, None, None) for distance in distances.flatten().tolist()]

    def _with_maps(self, xs: Sequence[Tensor], ys: Sequence[Tensor]) -> tuple[Tensor, Tensor] | None:
        """Distances and maps in one pass; None where the metric can't, which must not cost the distances."""
        both = getattr(self.metric, "distances_and_maps", None)
        if both is None or xs[0].shape != ys[0].shape:
            return None
        try:
            distances, heat = both(self._on_device(xs), self._on_device(ys))
        except (ValueError, RuntimeError, MemoryError):
            return None
        return distances, heat

    def _summary(self, source: Source, image: Tensor) -> object:
        """What the metric reads of a picture; kept as long as it comes in later pairs, within REMEMBERED bytes."""
        if source in self._read:
            summary, size = self._read.pop(source)
            self._held -= size
        else:
            summary = self._read_once([image])
            size = _bytes(summary)
        if self._to_come[source] > 0:
            while self._read and self._held + size > REMEMBERED:
                self._held -= self._read.pop(next(iter(self._read)))[1]
            self._read[source] = summary, size
            self._held += size
        return summary

    def _read_once(self, images: Sequence[Tensor]) -> object:
        reference: object = self.metric.reference(self._on_device(images))  # type: ignore[attr-defined]
        return reference

    def _map(self, outcome: Outcome, x: Tensor, y: Tensor, heat: Tensor | None) -> str | None:
        """Hand the pair's map, made here if it isn't there, to `maps`; the problem, if there is one."""
        if self.maps is None:
            return None
        if x.shape != y.shape:
            return "no heat map is drawn of pictures that differ in size"
        try:
            with torch.inference_mode():
                if heat is None:
                    heat = self.metric.maps(self._on_device([x]), self._on_device([y]))
            self.maps(outcome, x, y, heat.float().cpu())
        except (OSError, ValueError, RuntimeError, MemoryError) as error:
            return f"the heat map of {outcome.pair.label} could not be made: {one_line(error)}"
        return None

    def _on_device(self, images: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(images)).to(self._like.device, self._like.dtype)


#: Measures pairs somewhere as a `Measuring` says and gives their outcomes in order.
Engine = Callable[[Measuring, Sequence[Pair]], Iterator[Outcome]]


def _parts(compared: Comparison | None) -> dict[str, float]:
    """The numbers of a pair's motion, by the names of :data:`MOTION`; none where none was looked for."""
    if compared is None:
        return {}
    dx, dy = compared.shift[0].tolist()
    return {
        "appearance": float(compared.appearance),
        "motion": float(compared.motion),
        "dx": dx,
        "dy": dy,
        "rotation": float(compared.rotation),
        "zoom": float(compared.zoom),
        "bend": float(compared.bend),
        "overlap": float(compared.overlap),
        "confidence": float(compared.confidence),
    }


def _bytes(summary: object) -> int:
    """Of what a metric's `reference` returned, pictures kept for motion too; 0 where it has no summaries."""
    images = getattr(summary, "images", None)
    kept: int = sum(part.nbytes for parts in getattr(summary, "summaries", ()) for part in parts)
    return kept if images is None else kept + int(images.nbytes)


def _size(image: Tensor) -> str:
    return f"{image.shape[-1]} x {image.shape[-2]}"
