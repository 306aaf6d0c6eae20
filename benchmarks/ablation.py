"""Which statistics of the trunk agree with people: the table behind the choice of the default head.

Every candidate head is a set of blocks (tap, compression, window, statistic) with one non-negative weight a
channel, fitted to TID2013 (resynthesised) as `invariant-lpips train linear` fits, five folds by reference.
Beside the rank correlation with people it reports the ladder of detection thresholds
(`invariant_lpips/evaluation/ladder.py`). No response of RAID is used.

    python benchmarks/ablation.py --tree DIR --cache DIR --out benchmarks/results/ablation.json

DIR is the tree that `invariant-lpips resynthesise` writes. Features take about two seconds a picture on one core.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import Tensor
from tqdm import tqdm

from invariant_lpips.datasets import load_dataset
from invariant_lpips.evaluation.ladder import inner, ladder, summary
from invariant_lpips.files.provenance import write_result
from invariant_lpips.heads.windows import window_count, window_matrix
from invariant_lpips.inputs import ScalingLayer
from invariant_lpips.pictures.images import read_image
from invariant_lpips.registry import load_weights
from invariant_lpips.training.strengths import FitSettings, cross_validate, distances, fit_all
from invariant_lpips.trunks import ARCHITECTURES, Trunk

Array = NDArray[np.float32]
POOLS = ("pool1", "pool2", "pool3", "pool4", "pool5")
RELUS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
TAPS = tuple(ARCHITECTURES["vgg"].taps)
#: Taps whose windows are tried; the first two ReLU taps, at full resolution, cost too much for what they add.
WINDOWED = (*POOLS, "relu3_3", "relu4_3", "relu5_3")
COMPRESSIONS = ("id", "log", "unit")
SIZES = (32.0, 64.0, 128.0, 256.0, float("inf"))
#: Mean activation of each tap over six photographs: where the logarithm bends.
TYPICAL = {
    "pool1": 1.0813,
    "pool2": 1.8379,
    "relu3_3": 0.8864,
    "pool3": 2.052,
    "relu4_3": 0.3068,
    "pool4": 0.6896,
}
TYPICAL |= {"relu5_3": 0.1195, "pool5": 0.2334}
TYPES = (*range(1, 12), 14, *range(16, 25))
Block = tuple[str, ...]


def blocks_in_order() -> Iterator[tuple[Block, int]]:
    """Every block that is measured, with its number of channels, in the order of the feature vector."""
    for tap in TAPS:
        channels = ARCHITECTURES["vgg"].taps[tap].channels
        if tap in WINDOWED:
            for compression in COMPRESSIONS:
                for size in SIZES:
                    for statistic in ("mean", "deviation"):
                        yield (tap, compression, f"{size:g}", statistic), channels
        yield (tap, "positions"), channels
        if tap in POOLS:
            yield (tap, "gap of normed maps"), channels
            yield (tap, "normed maps"), channels


def block_slices() -> dict[Block, slice]:
    """Where each block stands in a feature vector."""
    slices, start = {}, 0
    for block, channels in blocks_in_order():
        slices[block] = slice(start, start + channels)
        start += channels
    return slices


def compress(kind: str, features: Tensor, tap: str) -> Tensor:
    """Activations as they are, their logarithm, or divided by each position's channel norm."""
    if kind == "log":
        return torch.log1p(features / TYPICAL[tap])
    if kind == "unit":
        return features / (features.square().sum(1, keepdim=True).sqrt() + 1e-6)
    return features


class Reader:
    """The trunk, and the summaries and feature vectors of all blocks."""

    def __init__(self) -> None:
        self.trunk = Trunk("vgg")
        self.trunk.load_features(load_weights("vgg16"))
        self.trunk.eval().requires_grad_(False)
        self.scale = ScalingLayer()

    @torch.inference_mode()
    def summaries(self, image: Tensor) -> dict[Block, Tensor]:
        """What each block keeps of one picture."""
        height, width = image.shape[-2:]
        kept: dict[Block, Tensor] = {}

        def read(tap: str, features: Tensor) -> None:
            h, w = features.shape[-2:]
            kept[tap, "positions"] = compress("unit", features, tap)[0]
            if tap in POOLS:
                norm = features.square().sum((2, 3), keepdim=True).sqrt() + 1e-6
                kept[tap, "normed maps"] = (features / norm)[0]
            if tap not in WINDOWED:
                return
            for kind in COMPRESSIONS:
                compressed = compress(kind, features, tap)
                for size in SIZES:
                    rows = window_matrix(h, min(h, window_count(height, size)), features)
                    columns = window_matrix(w, min(w, window_count(width, size)), features)
                    mean = rows @ (compressed @ columns.mT)
                    variance = rows @ (compressed.square() @ columns.mT) - mean.square()
                    floor = 1e-8 if kind == "unit" else 1e-4
                    kept[tap, kind, f"{size:g}", "mean"] = mean[0]
                    kept[tap, kind, f"{size:g}", "deviation"] = (variance.clamp_min(0) + floor).sqrt()[0]

        self.trunk.reduce(self.scale(image), TAPS, read)
        return kept

    def vector(self, x: dict[Block, Tensor], y: dict[Block, Tensor]) -> Array:
        """Squared differences of a pair, one number a channel of each block."""
        parts = []
        for block, _ in blocks_in_order():
            if block[1] == "gap of normed maps":
                difference = x[block[0], "normed maps"] - y[block[0], "normed maps"]
                parts.append(difference.mean((1, 2)).square())
            elif block[1] == "normed maps":
                parts.append((x[block] - y[block]).square().sum((1, 2)))
            else:
                parts.append((x[block] - y[block]).square().mean((1, 2)))
        result: Array = torch.cat(parts).numpy().astype(np.float32)
        return result


@dataclass
class Material:
    """Feature vectors of the rated pairs and of the ladders, and what people said."""

    pairs: Array
    quality: NDArray[np.float64]
    references: list[str]
    ladders: Array  # (references, rungs, features), in the order of sorted(set(references))


def read_material(tree: Path, cache: Path, levels: Sequence[int]) -> Material:
    """All feature vectors, from the cache where they are there."""
    cache.mkdir(parents=True, exist_ok=True)
    rated = load_dataset("tid2013", tree, allow_missing=True)
    rated = rated.select(lambda pair: int(pair.distortion) in TYPES and int(pair.level) in levels)
    reader, vectors, quality, references, ladders = Reader(), [], [], [], []
    for reference in tqdm(sorted(set(rated.reference_ids)), desc="references"):
        mine = sorted(
            (pair for pair in rated if pair.reference_id == reference),
            key=lambda p: (int(p.distortion), p.level),
        )
        image = read_image(mine[0].reference)
        number = reference.lstrip("Ii")
        path = cache / f"tid{number}_{''.join(map(str, levels))}.npz"
        if not path.is_file():
            base = reader.summaries(image)
            found = [reader.vector(base, reader.summaries(read_image(pair.distorted))) for pair in mine]
            np.savez(path, Z=np.stack(found))
        vectors.append(np.load(path)["Z"])
        path = cache / f"stim{number}.npz"
        if not path.is_file():
            base = reader.summaries(inner(image))
            found = [reader.vector(base, reader.summaries(rung)) for rung in ladder(image, int(number))]
            np.savez(path, Z=np.stack(found))
        ladders.append(np.load(path)["Z"])
        quality += [pair.score for pair in mine]
        references += [reference] * len(mine)
    return Material(np.concatenate(vectors), np.array(quality), references, np.stack(ladders))


def figures(predicted: NDArray[np.float64], rungs: NDArray[np.float64], material: Material) -> dict[str, Any]:
    """What one candidate reached: TID, the ladder, and what a shift of one pixel costs."""
    return {"tid_srcc": float(spearmanr(predicted, material.quality)[0]), **summary(rungs)}


def candidate(
    material: Material, blocks: Sequence[Block], settings: FitSettings, *, root: bool, folds: int = 5
) -> dict[str, Any]:
    """Cross-validate one candidate head."""
    where = block_slices()
    columns = np.concatenate([np.arange(where[block].start, where[block].stop) for block in blocks])
    components = np.ascontiguousarray(material.pairs[:, columns])
    validation = cross_validate(
        components, material.quality, material.references, settings, root=root, folds=folds
    )
    final = fit_all(components, material.quality, validation, settings, root=root)
    rungs = np.stack([distances(rung[:, columns], final.strengths, root=root) for rung in material.ladders])
    return {"weights": len(columns), **figures(validation.predictions, rungs, material)}


def stock(material: Material) -> dict[str, Any]:
    """Stock LPIPS-VGG from the same features."""
    where, linear = block_slices(), load_weights("lpips-vgg-v0.1")

    def distance(vectors: Array) -> NDArray[np.float64]:
        parts = [
            vectors[..., where[tap, "positions"]] @ linear[f"lin{k}.weight"].flatten().numpy()
            for k, tap in enumerate(RELUS)
        ]
        return np.sum(parts, axis=0, dtype=np.float64)

    return {"weights": 1472, **figures(-distance(material.pairs), distance(material.ladders), material)}


def windows(taps: Sequence[str], kind: str, sizes: Sequence[float], statistics: Sequence[str]) -> list[Block]:
    """The blocks of a regional candidate; deviations only where a window covers several cells of the tap."""
    return [
        (tap, kind, f"{size:g}", statistic)
        for size in sizes
        for tap in taps
        for statistic in statistics
        if statistic == "mean" or 4 * ARCHITECTURES["vgg"].taps[tap].stride <= size
    ]


def candidates() -> Iterator[tuple[str, list[Block], FitSettings, bool]]:
    """Everything that was tried: name, blocks, how it was fitted, and whether the distance is a root."""
    plain, both, inf = FitSettings(), ("mean", "deviation"), float("inf")
    yield "gap (the paper)", windows(POOLS, "id", [inf], ["mean"]), plain, True
    batches = FitSettings(batch_size=32, steps=5000, lr=0.005)
    yield "gap (the paper), batches of 32", windows(POOLS, "id", [inf], ["mean"]), batches, True
    yield "gap with deviations", windows(POOLS, "id", [inf], both), plain, True
    yield "gap with deviations, log", windows(POOLS, "log", [inf], both), plain, True
    yield "spatial (retrained LPIPS)", [(tap, "positions") for tap in POOLS], plain, False
    yield "spatial, root", [(tap, "positions") for tap in POOLS], plain, True
    normed = [(tap, part) for tap in POOLS for part in ("gap of normed maps", "normed maps")]
    yield "gap-spatial", normed, plain, True
    for size in SIZES[:4]:
        yield f"regional {size:g} px, log", windows(POOLS, "log", [size], both), plain, True
    yield "regional 64 px, no compression", windows(POOLS, "id", [64], both), plain, True
    yield "regional 64 px, unit-normalised", windows(POOLS, "unit", [64], both), plain, True
    yield "regional 64 px, log, means only", windows(POOLS, "log", [64], ["mean"]), plain, True
    yield "regional 64 px, log, deviations only", windows(POOLS, "log", [64], ["deviation"]), plain, True
    yield "regional 64 px, log, pool1-pool3", windows(POOLS[:3], "log", [64], both), plain, True
    mixed = ("pool1", "pool2", "relu3_3", "relu4_3", "relu5_3")
    yield "regional 64 px, log, relu3_3-relu5_3", windows(mixed, "log", [64], both), plain, True
    yield "regional 32 and 128 px, log", windows(POOLS, "log", [32, 128], both), plain, True
    yield "regional 64 and 128 px, log", windows(POOLS, "log", [64, 128], both), plain, True
    yield "regional 64 px and whole picture, log", windows(POOLS, "log", [64, inf], both), plain, True
    yield "regional 32, 64 and 128 px, log", windows(POOLS, "log", [32, 64, 128], both), plain, True
    ranking = FitSettings(loss="ranking", batch_size=256)
    yield "regional 64 px, log, ranking loss", windows(POOLS, "log", [64], both), ranking, True
    yield "regional 64 px, log, no decay", windows(POOLS, "log", [64], both), FitSettings(decay=0.0), True


def main(argv: Sequence[str] | None = None) -> int:
    """Measure every candidate and write the table."""
    parser = argparse.ArgumentParser(
        prog="invariant-lpips bench ablation", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--tree", type=Path, required=True, help="TID2013 (resynthesised)")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the feature vectors (1 GB)")
    parser.add_argument("--levels", default="1,3,5", help="levels of TID to use")
    parser.add_argument("--folds", type=int, default=5, help="k-fold by reference")
    parser.add_argument("--seed", type=int, default=0, help="of the folds and the fits")
    parser.add_argument("--out", type=Path, required=True, help="JSON to write")
    arguments = parser.parse_args(argv)
    material = read_material(
        arguments.tree, arguments.cache, [int(level) for level in arguments.levels.split(",")]
    )
    rows = {"stock LPIPS-VGG": stock(material)}
    for name, blocks, settings, root in tqdm(list(candidates()), desc="candidates"):
        settings = replace(settings, seed=arguments.seed)
        rows[name] = candidate(material, blocks, settings, root=root, folds=arguments.folds)
        numbers = " ".join(f"{key} {value:.3f}" for key, value in rows[name].items() if key != "weights")
        print(f"{name}: {numbers}", file=sys.stderr)
    result = {
        "pairs": len(material.quality),
        "references": len(material.ladders),
        "folds": arguments.folds,
        "seed": arguments.seed,
        "rows": rows,
    }
    write_result(arguments.out, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
