#!/usr/bin/env python3
"""The numerical error of every stage, against a reference in float64 that shares no code with the package.

    python benchmarks/precision.py -o benchmarks/results/precision.json
    python benchmarks/precision.py --metrics gap -o ...    # one metric, the others kept as they are in the file

The reference is `tests/reference_float64.py`. Stages: the scaled image, each tap of the trunk, what each tap adds to
the distance, and the distance; for float32, float64, bfloat16, float16 and autocast, on the CPU and, where there is
one, on the GPU. Then the ways to one number: how far a batch, another order, another layout in memory, two threads, a
cached reference, embeddings and `pairwise` move a float32 distance, as a share of the bound
1e-5 d + 2e-6 max(||e(x)||, ||e(y)||), with ||e|| = 1 for metrics without an embedding.

Pairs: photographs that come with scikit-image, as they are and with noise, a shift of a pixel, or a single value
changed by one grey level, which is where a difference of nearly equal numbers is worst. Tables go to stdout.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from invariant_lpips import LPIPS, InvariantLPIPS
from invariant_lpips.evaluation.tables import markdown
from invariant_lpips.files.provenance import write_result

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import reference_float64 as reference

PHOTOGRAPHS = ("astronaut", "coffee")
SIZES = ((64, 64), (96, 144))
METRICS = (
    "regional",
    "gap",
    "gap-spatial",
    "spatial",
    "gap-blur",
    "gap-polyphase",
    "lpips-vgg",
    "lpips-alex",
)
FAR = ("noise 8/255", "shifted by 1 px")
NEAR = ("one value by 1/255",)
PRECISIONS: dict[str, tuple[torch.dtype, torch.dtype | None]] = {  # the module's, autocast's
    "float32": (torch.float32, None),
    "float64": (torch.float64, None),
    "bfloat16": (torch.bfloat16, None),
    "float16": (torch.float16, None),
    "autocast bfloat16": (torch.float32, torch.bfloat16),
    "autocast float16": (torch.float32, torch.float16),
}

Array = reference.Array


def build(name: str) -> Any:
    if name.startswith("lpips-"):
        return LPIPS(net=name.removeprefix("lpips-"), verbose=False)
    head, pooling = reference.split(name)
    return InvariantLPIPS(head=head, pooling=pooling)


def pairs() -> list[tuple[str, Tensor, Tensor]]:
    """(kind, x, y), each (1, 3, H, W) float32 in [-1, 1]."""
    from skimage import data

    result = []
    for name in PHOTOGRAPHS:
        picture = getattr(data, name)()
        for height, width in SIZES:
            x = picture[60 : 60 + height, 150 : 150 + width].astype(np.float64)
            shifted = picture[60 : 60 + height, 151 : 151 + width].astype(np.float64)
            noisy = np.clip(x + np.random.default_rng(0).normal(0, 8, x.shape), 0, 255)
            single = x.copy()
            single[height // 2, width // 2, 1] += 1 if single[height // 2, width // 2, 1] < 255 else -1
            for kind, y in zip((*FAR, *NEAR), (noisy, shifted, single), strict=True):
                a, b = (
                    torch.from_numpy(v.transpose(2, 0, 1)[None] / 127.5 - 1).float().contiguous()
                    for v in (x, y)
                )
                result.append((kind, a, b))
    return result


def plain(x: Tensor) -> Array:
    return x[0].double().cpu().numpy()


@contextlib.contextmanager
def computing(device: str, dtype: torch.dtype | None) -> Iterator[None]:
    with torch.no_grad(), torch.autocast(device, dtype, enabled=dtype is not None):
        yield


def relative(found: Array, expected: Array) -> float:
    return float(np.linalg.norm((found - expected).ravel()) / np.linalg.norm(expected.ravel()))


def errors(metric: Any, name: str, known: Any, device: str, precision: str) -> dict[str, Any]:
    """The worst relative error of each stage over all pairs; distances of near pairs apart."""
    dtype, autocast = PRECISIONS[precision]
    metric = metric.to(device, dtype)
    stages: dict[str, float] = {}

    def note(stage: str, error: float) -> None:
        stages[stage] = max(stages.get(stage, 0.0), error)

    taps = metric.net.architecture.lpips_taps if name.startswith("lpips-") else metric.head.taps
    for kind, x, y, fx, fy, layers in known:
        a, b = x.to(device, dtype), y.to(device, dtype)
        # bfloat16 images are not the float32 ones: what is measured is the error of the whole conversion.
        with computing(device, autocast):
            image = metric.scaling_layer(a)
            found = metric.net.reduce(image, taps, lambda tap, f: f)
            total, parts = metric(a, b, retPerLayer=True)
        note("scaling", relative(plain(image), reference.scaled(plain(x))))
        for tap, f in zip(taps, found, strict=True):
            note(f"tap {tap}", relative(plain(f), fx[tap]))
        expected = sum(layers)
        root = not name.startswith(("lpips-", "spatial"))
        for tap, part, layer in zip(taps, parts, layers, strict=True):
            if kind in FAR:
                note(f"part {tap}", abs(part.double().item() - layer) / expected)
        truth = expected**0.5 if root else expected
        error = abs(total.double().item() - truth)
        note(f"distance, {'far' if kind in FAR else 'near'}", error / truth)
        if kind in NEAR:
            note("near distance, of ||e||", error / length(fx, fy, x, name))
    return {stage: float(f"{value:.2g}") for stage, value in stages.items()}


def length(fx: Any, fy: Any, x: Tensor, name: str) -> float:
    """max(||e(x)||, ||e(y)||) in float64: the distance to an image whose features are 0, where there is one."""
    if name.startswith(("lpips-", "spatial")):
        return 1.0
    none = {tap: np.zeros_like(f) for tap, f in fx.items()}
    size = tuple(x.shape[-2:])
    return max(sum(reference.layers(f, none, size, name)) ** 0.5 for f in (fx, fy))


def ways(metric: Any, name: str, all_pairs: list[tuple[str, Tensor, Tensor]]) -> dict[str, float]:
    """For each way to the same distances: the largest |d1 - d2| as a share of the bound."""
    worst: dict[str, float] = {}
    euclidean = not name.startswith(("lpips-", "spatial"))

    def note(way: str, found: Tensor, expected: Tensor, lengths: Tensor) -> None:
        bound = 1e-5 * expected + 2e-6 * lengths
        share = ((found.flatten() - expected).abs() / bound).max().item()
        worst[way] = max(worst.get(way, 0.0), share)

    for size in SIZES:
        chosen = [(x, y) for _, x, y in all_pairs if tuple(x.shape[-2:]) == size]
        x, y = (torch.cat(side) for side in zip(*chosen, strict=True))
        with torch.no_grad():
            single = torch.cat([metric(a[None], b[None]).flatten() for a, b in zip(x, y, strict=True)])
            lengths = torch.ones(len(x))
            if euclidean:
                lengths = torch.maximum(metric.embed(x).norm(dim=1), metric.embed(y).norm(dim=1))
            note("batch", metric(x, y), single, lengths)
            note("order in the batch", metric(x.flip(0), y.flip(0)).flip(0), single, lengths)
            last = [side.contiguous(memory_format=torch.channels_last) for side in (x, y)]
            note("channels_last", metric(*last), single, lengths)
            strided = [side.transpose(2, 3).contiguous().transpose(2, 3) for side in (x, y)]
            note("transposed strides", metric(*strided), single, lengths)
            threads = torch.get_num_threads()
            torch.set_num_threads(2)
            note("two threads", metric(x, y), single, lengths)
            torch.set_num_threads(threads)
            for images, way in ((1, "image by image"), (4, "in parts of two pairs")):
                metric.net.images_at_once = lambda x, images=images: images
                note(way, metric(x, y), single, lengths)
            del metric.net.images_at_once
            if not name.startswith("lpips-"):
                note("cached reference", metric(metric.reference(x), y), single, lengths)
            if euclidean:
                ex, ey = metric.embed(x), metric.embed(y)
                note("embeddings", (ex - ey).norm(dim=1), single, lengths)
                note("embeddings, one by one", (metric.embed(list(x)) - ey).norm(dim=1), single, lengths)
                note("pairwise", metric.pairwise(x, y).diagonal(), single, lengths)
        moving = y.clone().requires_grad_()
        note("with a gradient", metric(x, moving).detach(), single, lengths)
    return {way: float(f"{share:.2g}") for way, share in worst.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="The numerical error of every stage.")
    parser.add_argument("-o", "--out", type=Path, help="write the result (JSON)")
    parser.add_argument("--metrics", default=",".join(METRICS), help="names, separated by commas")
    args = parser.parse_args()
    torch.set_num_threads(1)
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    all_pairs = pairs()
    result: dict[str, Any] = {"errors": {}, "ways": {}}
    if args.out and args.out.is_file():
        known = json.loads(args.out.read_text())
        result = {name: known[name] for name in result}
    for name in args.metrics.split(","):
        exact = []
        for kind, x, y in all_pairs:
            fx, fy = (reference.taps_of(plain(side), name) for side in (x, y))
            exact.append((kind, x, y, fx, fy, reference.layers(fx, fy, tuple(x.shape[-2:]), name)))
        result["ways"][name] = ways(build(name), name, all_pairs)
        for device in devices:
            for precision in PRECISIONS:
                found = errors(build(name), name, exact, device, precision)
                result["errors"].setdefault(device, {}).setdefault(precision, {})[name] = found
        print(f"{name}: measured", file=sys.stderr)
    for device, precisions in result["errors"].items():
        rows = [
            [name, *(f"{each[name]['distance, far']:.1e}" for each in precisions.values())]
            for name in result["ways"]
        ]
        print("\n" + markdown([device, *precisions], rows))
    rows = [
        [way, *(str(each.get(way, "")) for each in result["ways"].values())]
        for way in dict.fromkeys(way for each in result["ways"].values() for way in each)
    ]
    print("\n" + markdown(["way", *result["ways"]], rows))
    if args.out:
        write_result(args.out, result)


if __name__ == "__main__":
    main()
