"""What was tried on AlexNet and on filters without a network: the table behind `net="alex"` and `net="pixels"`.

As `benchmarks/ablation.py` is for VGG-16: every candidate is a set of blocks with one non-negative weight a channel,
fitted to TID2013 (resynthesised, levels 1, 3 and 5) five times by reference and five times by type of distortion, so
that each pair is judged by weights that saw neither its reference nor, in the second figure, its type. The ladder of
detection thresholds is measured with weights fitted on all pairs.

    python benchmarks/ablation_nets.py --tree DIR --cache DIR --out benchmarks/results/ablation_nets.json

`--nested` asks whether choosing among the candidates flatters the figures: AlexNet's window and low-pass are then
chosen anew for every fold, by pairs that have no reference (or type) in common with it, and judged on that fold.

Features take about a third of a second a picture on one core.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import Tensor
from tqdm import tqdm

from invariant_lpips.datasets import load_dataset
from invariant_lpips.datasets.pairs import select_pairs
from invariant_lpips.evaluation.ladder import inner, ladder, summary
from invariant_lpips.files.provenance import write_result
from invariant_lpips.heads.windows import window_count, window_matrix
from invariant_lpips.inputs import ScalingLayer
from invariant_lpips.pictures.images import read_image
from invariant_lpips.registry import load_weights
from invariant_lpips.training.strengths import (
    CrossValidation,
    FitSettings,
    cross_validate,
    distances,
    fit_all,
    folds_by_reference,
)
from invariant_lpips.trunks import ARCHITECTURES, Trunk
from invariant_lpips.trunks.chroma import ChromaLowPass
from invariant_lpips.trunks.pixels import FILTERS, LOW_PASS, OPPONENTS

TYPES = "1-11,14,16-24"
SIZES = (32, 64, 128)
#: Low-passes of colour (pixels), and the windows behind them.
SIGMAS, CHROMA_SIZES = (1.0, 2.0, 4.0), (32, 64)
FLOOR = 1e-4
OCTAVES = 5

#: Lightness and two differences: YIQ; red against green and yellow against blue; Oklab (Ottosson 2020).
RED_GREEN = ((1.0, -1.0, 0.0), (0.5, 0.5, -1.0))
TO_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
TO_OKLAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


class Column(NamedTuple):
    """What one number of a feature vector is the squared difference of."""

    net: str
    tap: str
    compression: str
    window: int
    statistic: str
    channel: str


Array = NDArray[np.float32]
Wanted = Callable[[Column], bool]
Statistics = list[Tensor]


def statistics(maps: Tensor, size: Sequence[int], windows: Iterable[int]) -> Statistics:
    """Mean and deviation of maps (1, C, h, w) in soft windows of each size: (C, P, Q) each."""
    maps, found = maps.contiguous(), []
    squares, (height, width) = maps.square(), maps.shape[-2:]
    for window in windows:
        rows = window_matrix(height, min(height, window_count(size[0], window)), maps)
        columns = window_matrix(width, min(width, window_count(size[1], window)), maps)
        mean, second = ((rows @ each) @ columns.mT for each in (maps, squares))
        found += [mean[0], ((second - mean.square()).clamp_min(0) + FLOOR).sqrt()[0]]
    return found


class AlexNet:
    """AlexNet's ReLU taps: log activations in windows of three sizes, and in 64 px without the logarithm.

    And, in windows of 32 and 64 px, log activations of pictures whose colours went through low-passes.
    """

    name = "alex"

    def __init__(self) -> None:
        self.trunk = Trunk("alex").requires_grad_(False)
        self.trunk.load_features(load_weights("alexnet"))
        self.scale = ScalingLayer()
        self.chroma = [ChromaLowPass(self.scale.scale, sigma=sigma) for sigma in SIGMAS]

    def columns(self) -> Iterator[Column]:
        """What :meth:`summaries` keeps, in its order."""
        yield from self._columns([*(("log", size) for size in SIZES), ("none", 64)])
        for sigma in SIGMAS:
            yield from self._columns([(f"log, chroma {sigma}", size) for size in CHROMA_SIZES])

    def _columns(self, kept: Sequence[tuple[str, int]]) -> Iterator[Column]:
        for name in self.trunk.architecture.lpips_taps:
            tap = self.trunk.architecture.taps[name]
            for compression, window in kept:
                for statistic in ("mean", "deviation"):
                    for channel in range(tap.channels):
                        yield Column(self.name, name, compression, window, statistic, str(channel))

    def summaries(self, image: Tensor) -> Statistics:
        """Statistics of one picture (1, 3, H, W) in [-1, 1]."""
        kept: Statistics = []

        def read(name: str, maps: Tensor) -> None:
            units = maps / ARCHITECTURES["alex"].taps[name].typical
            kept.extend(statistics((1 + units).log(), image.shape[-2:], SIZES))
            kept.extend(statistics(units, image.shape[-2:], [64]))

        def read_log(name: str, maps: Tensor) -> None:
            units = maps / ARCHITECTURES["alex"].taps[name].typical
            kept.extend(statistics((1 + units).log(), image.shape[-2:], CHROMA_SIZES))

        scaled, taps = self.scale(image), ARCHITECTURES["alex"].lpips_taps
        self.trunk.reduce(scaled, taps, read)
        for low_pass in self.chroma:
            self.trunk.reduce(low_pass(scaled), taps, read_log)
        return kept


class Filters:
    """Candidates for a front end without a network, at five octaves: logarithms in windows of three sizes.

    Lightness, colours of three spaces, gradients and second differences of all, four orientations, and three kinds
    of contrast: a gradient over the mean gradient around it (5x5), the same of second differences, and a gradient over
    lightness.
    """

    name = "pixels"
    channels = (
        *("Y", "I", "Q", "red-green", "yellow-blue", "Oklab L", "Oklab a", "Oklab b"),
        *("gradient", "second", "down", "across", "diagonal 1", "diagonal 2"),
        *("gradient I", "gradient Q", "second I", "second Q", "gradient Oklab a", "gradient Oklab b"),
        *("gradient / around", "second / around", "gradient / lightness"),
    )

    def columns(self) -> Iterator[Column]:
        """What :meth:`summaries` keeps, in its order."""
        for octave in range(OCTAVES):
            for window in SIZES:
                for statistic in ("mean", "deviation"):
                    for channel in self.channels:
                        yield Column(self.name, f"octave{octave + 1}", "log", window, statistic, channel)

    def summaries(self, image: Tensor) -> Statistics:
        """Statistics of one picture (1, 3, H, W) in [-1, 1]."""
        filters = torch.tensor(FILTERS, dtype=torch.float32).unsqueeze(1) / 16
        low = torch.tensor(LOW_PASS, dtype=torch.float32) / sum(LOW_PASS)
        low = (low.unsqueeze(1) * low).view(1, 1, 4, 4)
        planes, kept = self.colours(((image + 1) / 2).clamp(0, 1)), []
        for octave in range(OCTAVES):
            found = F.conv2d(_repeated(planes, 1), filters)
            gradient, second = found[:, :2].square().sum(1).sqrt(), found[:, 4].abs()
            around = F.avg_pool2d(_repeated(torch.stack([gradient[0], second[0]]).unsqueeze(1), 2), 5, 1)[
                :, 0
            ]
            colours = planes[:, 0]
            maps = [
                colours[:1] / 0.4,
                colours[1:3] * 4 + 2,
                colours[3:5] * 4 + 4,
                colours[5:6] / 0.5,
                colours[6:8] * 10 + 3,
                gradient[:1] / 0.05,
                second[:1] / 0.02,
                found[0, :4].abs() / 0.03,
                gradient[1:3] / 0.02,
                second[1:3] / 0.008,
                gradient[6:8] / 0.01,
                gradient[:1] / (around[:1] + 0.02),
                second[:1] / (around[1:] + 0.008),
                gradient[:1] / (colours[:1] + 0.1) / 0.1,
            ]
            log = (1 + torch.cat(maps).clamp_min(0)).log()
            kept += statistics(log.unsqueeze(0), image.shape[-2:], SIZES)
            if octave + 1 < OCTAVES:
                planes = F.conv2d(_repeated(planes, 1), low, stride=2)
        return kept

    @staticmethod
    def colours(rgb: Tensor) -> Tensor:
        """Eight planes (8, 1, H, W): YIQ, red against green, yellow against blue, Oklab."""

        def mixed(matrix: Sequence[Sequence[float]], x: Tensor) -> Tensor:
            return torch.einsum("ij,njhw->nihw", torch.tensor(matrix), x)

        linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        oklab = mixed(TO_OKLAB, mixed(TO_CONES, linear).clamp_min(0) ** (1 / 3))
        return torch.cat([mixed(OPPONENTS, rgb), mixed(RED_GREEN, rgb), oklab], 1).transpose(0, 1)


def _repeated(planes: Tensor, width: int) -> Tensor:
    return F.pad(planes, (width,) * 4, mode="replicate")


def vector(x: Statistics, y: Statistics) -> Array:
    """Squared differences of two pictures' statistics, averaged over windows."""
    parts = [(a - b).square().mean((1, 2)) for a, b in zip(x, y, strict=True)]
    found: Array = torch.cat(parts).numpy().astype(np.float32)
    return found


class Material(NamedTuple):
    """Feature vectors of rated pairs and of ladders, and what people said."""

    columns: list[Column]
    pairs: Array  # (N, K)
    ladders: Array  # (references, rungs, K)
    quality: NDArray[np.float64]
    references: list[str]
    types: list[str]


def read_material(reader: AlexNet | Filters, tree: Path, cache: Path, levels: Sequence[int]) -> Material:
    """All feature vectors of one net, from the cache where they are there."""
    rated = select_pairs(load_dataset("tid2013", tree, verify=False, allow_missing=True), types=TYPES)
    rated = rated.select(lambda pair: int(pair.level) in levels)
    folder = cache / reader.name
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {pair.reference_id: pair.reference for pair in rated}
    vectors: dict[tuple[str, str, float], Array] = {}
    ladders = []
    for reference in tqdm(sorted(pictures), desc=reader.name):
        image, number = read_image(pictures[reference]), int(reference.lstrip("Ii"))
        path = folder / f"lad{number:02d}.npy"
        if not path.is_file():
            base = reader.summaries(inner(image))
            np.save(path, np.stack([vector(base, reader.summaries(rung)) for rung in ladder(image, number)]))
        ladders.append(np.load(path))
        base = None
        for pair in (pair for pair in rated if pair.reference_id == reference):
            path = folder / f"{number:02d}_{int(pair.distortion):02d}_{int(pair.level)}.npy"
            if not path.is_file():
                base = base or reader.summaries(image)
                np.save(path, vector(base, reader.summaries(read_image(pair.distorted))))
            vectors[reference, pair.distortion, pair.level] = np.load(path)
    return Material(
        list(reader.columns()),
        np.stack([vectors[pair.reference_id, pair.distortion, pair.level] for pair in rated]),
        np.stack(ladders),
        rated.scores,
        list(rated.reference_ids),
        [pair.distortion for pair in rated],
    )


def candidate(
    material: Material,
    wanted: Wanted,
    settings: FitSettings,
    folds: int = 5,
) -> dict[str, Any]:
    """Cross-validate one candidate by reference and by type; the ladder with weights fitted on everything."""
    chosen = [k for k, column in enumerate(material.columns) if wanted(column)]
    components = np.ascontiguousarray(material.pairs[:, chosen])

    def validated(by: Sequence[str]) -> CrossValidation:
        return cross_validate(components, material.quality, by, settings, root=True, folds=folds)

    references, types = validated(material.references), validated(material.types)
    final = fit_all(components, material.quality, references, settings, root=True)
    rungs = np.stack([distances(rung[:, chosen], final.strengths, root=True) for rung in material.ladders])
    return {
        "weights": len(chosen),
        "references_left_out": float(spearmanr(references.predictions, material.quality)[0]),
        "types_left_out": float(spearmanr(types.predictions, material.quality)[0]),
        **summary(rungs),
    }


def chosen_within(
    material: Material, candidates: dict[str, Wanted], groups: Sequence[str], folds: int = 5
) -> dict[str, Any]:
    """The candidate of each fold, chosen by cross-validation over the other folds, and how well the choices rank.

    A left-out fold is predicted by its choice, fitted as always; nothing of the fold took part in choosing.
    """
    settings = FitSettings()
    fold = folds_by_reference(groups, folds, settings.seed)
    inner, outer = {}, {}
    for name, wanted in tqdm(candidates.items(), desc="nested"):
        columns = [k for k, column in enumerate(material.columns) if wanted(column)]
        components = np.ascontiguousarray(material.pairs[:, columns])
        outer[name] = cross_validate(components, material.quality, groups, settings, root=True, folds=folds)
        for left_out in range(folds):
            kept = fold != left_out
            quality = material.quality[kept]
            within = [group for group, keep in zip(groups, kept, strict=True) if keep]
            found = cross_validate(components[kept], quality, within, settings, root=True, folds=folds - 1)
            inner[name, left_out] = float(spearmanr(found.predictions, quality)[0])
    predictions, choices = np.empty(len(fold)), []
    for left_out in range(folds):
        choice = max(candidates, key=lambda name: inner[name, left_out])
        choices.append(choice)
        predictions[fold == left_out] = outer[choice].predictions[fold == left_out]
    return {"srcc": float(spearmanr(predictions, material.quality)[0]), "choices": choices}


PLAIN = ("Y", "I", "Q", "gradient", "second")
ORIENTED = ("down", "across", "diagonal 1", "diagonal 2")
#: The channels of `net="pixels"`.
PIXELS = (*PLAIN, *ORIENTED, "gradient I", "gradient Q")


def filtered(
    channels: Sequence[str],
    windows: Sequence[int] = (64,),
    octaves: Sequence[int] = (1, 2, 3, 4),
    kinds: Sequence[str] = ("mean", "deviation"),
) -> Wanted:
    """Columns of some channels of the filters."""
    taps = [f"octave{octave}" for octave in octaves]
    return lambda c: c.channel in channels and c.window in windows and c.tap in taps and c.statistic in kinds


def of_filters() -> Iterator[tuple[str, Wanted]]:
    """What was tried without a network."""
    yield "YIQ, gradient and second difference", filtered(PLAIN)
    opponent = ("Y", "red-green", "yellow-blue", "gradient", "second")
    yield "the same, red-green and yellow-blue", filtered(opponent)
    yield "the same, Oklab", filtered(("Oklab L", "Oklab a", "Oklab b", "gradient", "second"))
    yield "YIQ, with orientations", filtered((*PLAIN, *ORIENTED))
    yield "YIQ, with orientations and gradients of colours (`pixels`)", filtered(PIXELS)
    oklab = ("Oklab L", "Oklab a", "Oklab b", "gradient Oklab a", "gradient Oklab b", "gradient", "second")
    yield "`pixels`, Oklab", filtered((*oklab, *ORIENTED))
    yield "`pixels`, second differences of colours", filtered((*PIXELS, "second I", "second Q"))
    yield "`pixels`, contrasts over those around", filtered((*PIXELS, "gradient / around", "second / around"))
    yield "`pixels`, contrast over lightness", filtered((*PIXELS, "gradient / lightness"))
    yield "`pixels`, all candidates", filtered(Filters.channels)
    yield "`pixels`, 32 px", filtered(PIXELS, (32,))
    yield "`pixels`, 128 px", filtered(PIXELS, (128,))
    yield "`pixels`, 32 and 64 px", filtered(PIXELS, (32, 64))
    yield "`pixels`, 64 and 128 px", filtered(PIXELS, (64, 128))
    yield "`pixels`, octaves 1-3", filtered(PIXELS, octaves=(1, 2, 3))
    yield "`pixels`, octaves 1-5", filtered(PIXELS, octaves=(1, 2, 3, 4, 5))
    yield "`pixels`, octaves 2-5", filtered(PIXELS, octaves=(2, 3, 4, 5))
    yield "`pixels`, means only", filtered(PIXELS, kinds=("mean",))
    yield "`pixels`, deviations only", filtered(PIXELS, kinds=("deviation",))


def of_alexnet() -> Iterator[tuple[str, Wanted, FitSettings]]:
    """What was tried on AlexNet."""

    def keep(windows: Sequence[int] = (64,), compression: str = "log") -> Wanted:
        return lambda c: c.compression == compression and c.window in windows

    plain = FitSettings()
    yield "AlexNet, 64 px (`alex`)", keep(), plain
    yield "`alex`, ten times the decay", keep(), replace(plain, decay=0.03)
    yield "`alex`, ranking loss", keep(), replace(plain, loss="ranking", batch_size=256)
    yield "`alex`, no compression", keep(compression="none"), plain
    for window in (32, 128):
        yield f"`alex`, {window} px", keep((window,)), plain
    yield "`alex`, 32 and 128 px", keep((32, 128)), plain
    yield "`alex`, 32, 64 and 128 px", keep(SIZES), plain
    for sigma in SIGMAS:
        for window in CHROMA_SIZES:
            name = f"`alex`, {window} px, colours through a low-pass of {sigma:.0f} px"
            yield name, keep((window,), f"log, chroma {sigma}"), plain


def windows_and_colours() -> dict[str, Wanted]:
    """Among what AlexNet's window and low-pass are chosen: single windows, fitted alike."""
    plain = FitSettings()
    names = ("AlexNet, 64 px", "`alex`, 32 px", "`alex`, 64 px", "`alex`, 128 px")
    return {
        name: wanted
        for name, wanted, settings in of_alexnet()
        if settings == plain and name.startswith(names)
    }


def of_both() -> Iterator[tuple[str, Wanted, FitSettings]]:
    """What was tried of both together: AlexNet's statistics in windows of 64 pixels beside those of `pixels`."""
    beside = filtered(PIXELS)

    def wanted(c: Column) -> bool:
        return (c.window == 64 and c.compression == "log") if c.net == "alex" else beside(c)

    yield "`alex` and `pixels`", wanted, FitSettings()
    yield "`alex` and `pixels`, ten times the decay", wanted, FitSettings(decay=0.03)


def together(first: Material, second: Material) -> Material:
    """Both nets' statistics side by side."""
    return first._replace(
        columns=[*first.columns, *second.columns],
        pairs=np.concatenate([first.pairs, second.pairs], axis=1),
        ladders=np.concatenate([first.ladders, second.ladders], axis=2),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure every candidate and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tree", type=Path, required=True, help="TID2013 (resynthesised)")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the feature vectors (100 MB)")
    parser.add_argument("--levels", default="1,3,5", help="levels of TID to use (default: %(default)s)")
    parser.add_argument("--nets", default="pixels,alex", help="nets to read (default: %(default)s)")
    parser.add_argument("--only", default="", help="candidates whose name holds this; the others are kept")
    parser.add_argument("--nested", action="store_true", help="choose AlexNet's window within the folds")
    parser.add_argument("--out", type=Path, required=True, help="JSON to write, and to add to")
    arguments = parser.parse_args(argv)
    levels = [int(level) for level in arguments.levels.split(",")]
    rows: dict[str, Any] = {}
    nested: dict[str, Any] = {}
    if arguments.out.is_file():
        earlier = json.loads(arguments.out.read_text(encoding="utf-8"))
        rows, nested = earlier["rows"], earlier.get("nested", {})

    def write(material: Material) -> None:
        result = {"pairs": len(material.quality), "references": len(material.ladders)}
        write_result(arguments.out, {**result, "rows": rows, "nested": nested})

    def measure(name: str, material: Material, wanted: Wanted, settings: FitSettings) -> None:
        if arguments.only in name:
            rows[name] = candidate(material, wanted, settings)
            figures = " ".join(f"{key} {value:.3f}" for key, value in rows[name].items())
            print(f"{name}: {figures}", file=sys.stderr)
            write(material)

    nets = arguments.nets.split(",")
    material = {
        reader.name: read_material(reader, arguments.tree, arguments.cache, levels)
        for reader in (Filters(), AlexNet())
        if reader.name in nets
    }
    if arguments.nested:
        read = material["alex"]
        for left_out, groups in (("references", read.references), ("types", read.types)):
            nested[left_out] = chosen_within(read, windows_and_colours(), groups)
            print(f"nested, {left_out}: {nested[left_out]}", file=sys.stderr)
        write(read)
        return 0
    if "pixels" in material:
        for name, wanted in of_filters():
            measure(name, material["pixels"], wanted, FitSettings())
    if "alex" in material:
        for name, wanted, settings in of_alexnet():
            measure(name, material["alex"], wanted, settings)
    if len(material) == 2:
        both = together(material["alex"], material["pixels"])
        for name, wanted, settings in of_both():
            measure(name, both, wanted, settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
