"""The translation benchmark: each part measured, written beside its figures, and gone on with after a stop.

    from pathlib import Path
    from invariant_lpips.evaluation.translation.bench import OverheadBench, run
    run(OverheadBench(out=Path("results"), size=64, repeats=3))   # results/translation-overhead.json

The same as ``invariant-lpips bench translation overhead --out results --size 64 --repeats 3``.
"""

from __future__ import annotations

import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tqdm import tqdm

from invariant_lpips.classifier import HEADS
from invariant_lpips.evaluation.translation import classifiers, embeddings
from invariant_lpips.evaluation.translation.figures import DRAWERS
from invariant_lpips.evaluation.translation.robustness import protocol
from invariant_lpips.files.provenance import write_result
from invariant_lpips.files.writing import replacing

__all__ = [
    "MEASURES",
    "SIZES",
    "ClassifiersBench",
    "DigitsBench",
    "EmbeddingsBench",
    "OverheadBench",
    "TranslationBench",
    "draw",
    "run",
]

MEASURES = ("comb", "exact", "heads", "sub_pixel", "real")
SIZES = ((256, 256), (96, 160), (64, 64), (100, 60), (35, 33))


@dataclass(frozen=True, kw_only=True)
class TranslationBench(ABC):
    """What all parts are told.

    Attributes:
        out: folder of the result and figures.
        work: folder of what a stopped run goes on from; None for `out`/work.
        device: of PyTorch.
        progress: progress bars on stderr.
    """

    part: ClassVar[str]

    out: Path
    work: Path | None = None
    device: str = "cpu"
    progress: bool = False

    @property
    def kept(self) -> Path:
        """Where a stopped run goes on from."""
        return self.out / "work" if self.work is None else self.work

    def bars(self, steps: Iterable[Any], what: str) -> Iterable[Any]:
        """The same steps, with a progress bar or without."""
        bar: Iterable[Any] = tqdm(steps, desc=what, leave=False, file=sys.stderr, disable=not self.progress)
        return bar

    @abstractmethod
    def measure(self) -> dict[str, Any]:
        """What was found, as plain numbers."""


@dataclass(frozen=True, kw_only=True)
class ClassifiersBench(TranslationBench):
    """Accuracy, relative loss and consistency of classifiers on photographs: the protocol of arXiv:2604.27870.

    Attributes:
        data: tree of labelled pictures.
        classifiers: runs or saved classifiers.
        subset: of the pictures, "train", "val" or "test".
        per_class: only the first so many pictures of each class; None for all.
        pictures: only so many, spread evenly over the classes; None for all.
        full, step, cross, dx_step, all_turns, shifts_only: as :func:`.robustness.protocol` takes them.
        comb_pictures: pictures moved round the circle for the comb of each head; 0 for none.
        shifts: circular shifts 0 .. shifts - 1.
    """

    part: ClassVar[str] = "classifiers"

    data: Path
    classifiers: Sequence[Path]
    subset: str = "test"
    per_class: int | None = None
    pictures: int | None = None
    step: int = 25
    full: bool = False
    cross: bool = False
    dx_step: int | None = None
    all_turns: bool = False
    shifts_only: bool = False
    comb_pictures: int = 4
    shifts: int = 64

    def measure(self) -> dict[str, Any]:
        models, runs = classifiers.load_classifiers(self.classifiers)
        classes = next(iter(models.values())).classes
        images = classifiers.part_of(self.data, self.subset, classes, self.per_class)
        images = images if self.pictures is None else images.spread(self.pictures)
        moves = protocol(
            full=self.full,
            step=self.step,
            shifts_only=self.shifts_only,
            cross=self.cross,
            dx_step=self.dx_step,
            all_turns=self.all_turns,
        )
        result = classifiers.judge(
            models, images, moves, self.kept / "answers", runs=runs, device=self.device, wrap=self.bars
        )
        if self.comb_pictures:
            few = images.spread(self.comb_pictures)
            result["combs"] = classifiers.combs(
                models, few, self.shifts, runs=runs, device=self.device, wrap=self.bars
            )
        return result


@dataclass(frozen=True, kw_only=True)
class EmbeddingsBench(TranslationBench):
    """What is left of the metric's distance under circular, real and sub-pixel shifts, by pooling and beside peers.

    Measurements that are not asked for keep earlier results of the same settings.

    Attributes:
        photographs: folder; None for scikit-image's.
        count: photographs for real shifts.
        comb_count: photographs for circular shifts.
        size: side of the window in pixels.
        sizes: (height, width) at which to look for exactness.
        shifts: circular shifts 0 .. shifts - 1.
        distances: of real shifts, in pixels.
        measures: among :data:`MEASURES`.
    """

    part: ClassVar[str] = "embeddings"

    photographs: Path | None = None
    count: int = 6
    comb_count: int = 2
    size: int = 256
    sizes: Sequence[tuple[int, int]] = SIZES
    shifts: int = 64
    distances: Sequence[int] = (1, 2, 4, 8, 16, 32)
    measures: Sequence[str] = MEASURES

    def measure(self) -> dict[str, Any]:
        photos = [photo.to(self.device) for photo in embeddings.photographs(self.photographs, self.count)]
        few, wrap, labels = photos[: self.comb_count], self.bars, list(embeddings.CONFIGURATIONS)
        size, device, shifts = self.size, self.device, self.shifts
        comb_labels = ["max, zeros", "max, circular", "blur, circular", "polyphase, circular"]
        measurements: dict[str, Callable[[], dict[str, Any]]] = {
            "comb": lambda: embeddings.combs(few, size, shifts, comb_labels, device, wrap),
            "exact": lambda: embeddings.exactness(few, self.sizes, shifts, device, wrap),
            "heads": lambda: embeddings.head_residuals(few, size, device, wrap),
            "sub_pixel": lambda: embeddings.fractions(few, size, labels, device, wrap),
        }
        settings = {
            "size": size,
            "source": self.photographs.name if self.photographs else "scikit-image",
            "photographs": len(photos),
            "comb_photographs": len(few),
            "distances": list(self.distances),
            "shifts": shifts,
            "sizes": [list(each) for each in self.sizes],
        }
        file = self.kept / "embeddings.json"
        result: dict[str, Any] = {}
        if file.is_file():
            earlier = json.loads(file.read_text())
            result = earlier if earlier.get("settings") == settings else {}
        result["settings"] = settings

        def keep() -> None:
            file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(file) as temporary:
                temporary.write_text(json.dumps(result))

        for name in self.measures:
            if name in measurements and name not in result:
                result[name] = measurements[name]()
                keep()
        if "real" in self.measures:  # the longest: kept metric by metric
            shares = result.setdefault("real", {})
            for name, make in embeddings.real_metrics(labels, device).items():
                if name not in shares:
                    shares[name] = embeddings.real_shifts(name, make, photos, size, self.distances, wrap)
                    keep()
        return result


@dataclass(frozen=True, kw_only=True)
class DigitsBench(TranslationBench):
    """Heads trained on centred digits only, then moved.

    Attributes:
        mnist: folder of MNIST's files; None for scikit-learn's digits.
        canvases: sides in pixels.
        per_class: pictures of each digit to train, to validate and to test.
        tune_epochs: 0 leaves tuning out.
        heads: to train.
        tuned_canvases: canvases to tune on too.
        tune_lr: Adam's step for the trunk.
        seeds: of training, 0 .. seeds - 1.
    """

    part: ClassVar[str] = "digits"

    mnist: Path | None = None
    canvases: Sequence[int] = (56, 128, 256)
    per_class: tuple[int, int, int] = (30, 10, 10)
    tune_epochs: int = 3
    heads: Sequence[str] = tuple(HEADS)
    tuned_canvases: Sequence[int] = (128,)
    tune_lr: float = 1e-4
    seeds: int = 1

    def measure(self) -> dict[str, Any]:
        result = classifiers.digits_by_canvas(
            self.kept,
            canvases=self.canvases,
            per_class=self.per_class,
            heads=self.heads,
            seeds=range(self.seeds),
            tune_epochs=self.tune_epochs,
            tune_lr=self.tune_lr,
            tuned_canvases=self.tuned_canvases,
            mnist=self.mnist,
            device=self.device,
            wrap=self.bars,
        )
        source = "MNIST" if self.mnist else "scikit-learn (8x8, enlarged to 28x28)"
        return {"digits": source, "canvases": result}


@dataclass(frozen=True, kw_only=True)
class OverheadBench(TranslationBench):
    """Time of each pooling.

    Attributes:
        size: side of the pictures in pixels.
        batch: pictures per forward.
        repeats: of each forward.
    """

    part: ClassVar[str] = "overhead"

    size: int = 256
    batch: int = 8
    repeats: int = 5

    def measure(self) -> dict[str, Any]:
        labels = list(embeddings.CONFIGURATIONS)
        timed = embeddings.overhead(self.size, self.batch, labels, self.device, self.repeats, self.bars)
        for label in labels:
            timed[label]["one_forward"] = embeddings.pool_shares(self.size, self.batch, label, self.device)
        return {"size": self.size, "batch": self.batch, "device": self.device, "configurations": timed}


def run(bench: TranslationBench) -> Path:
    """Measure one part and write ``translation-PART.json`` into `bench.out`; returns its path.

    Raises:
        ValueError: classifiers or settings do not go together.
        ImportError: an optional package is not installed.
        OSError: a file cannot be read or written.
    """
    path = bench.out / f"translation-{bench.part}.json"
    write_result(path, bench.measure())
    return path


def draw(folder: Path, parts: Iterable[str] = tuple(DRAWERS)) -> None:
    """The figures of those parts whose results are in `folder`, beside them.

    Raises:
        FileNotFoundError: there are none of them.
        ImportError: matplotlib is not installed.
    """
    paths = {part: folder / f"translation-{part}.json" for part in parts}
    there = {part: path for part, path in paths.items() if path.is_file()}
    if not there:
        raise FileNotFoundError(
            f"{folder} must hold {' or '.join(path.name for path in paths.values())}, but has none; run a part first."
        )
    for part, path in there.items():
        if part in DRAWERS:
            DRAWERS[part](folder, json.loads(path.read_text(encoding="utf-8")))
