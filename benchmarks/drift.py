#!/usr/bin/env python3
"""How far the distance of one pair drifts between threads, orders, batches, precisions and devices.

    python benchmarks/drift.py --images PHOTOS -o benchmarks/results/drift.json

It says what margin a limit needs (`compare --fail-above`) that is to hold on another machine. Twenty pairs of 128 x 128
pixels: photographs of scikit-image and of a folder, each with one of five changes that people just notice or hardly
notice. The measure is float32 with one thread, pair by pair. Each way is compared with it: the largest and the median
|d - d1| / d1, and the largest |d - d1| in units of the just noticeable distance where the metric knows it. Ways that a
device makes are measured where there is one.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from invariant_lpips import LPIPS, InvariantLPIPS, read_image
from invariant_lpips.evaluation.tables import markdown
from invariant_lpips.files.provenance import write_result
from invariant_lpips.pictures.folders import pictures_in
from invariant_lpips.pictures.images import eight_bits

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")
PAIRS, SIDE = 20, 128
METRICS: dict[str, Callable[[], Any]] = {
    "regional": lambda: InvariantLPIPS(),
    "gap": lambda: InvariantLPIPS(head="gap"),
    "lpips-alex": lambda: LPIPS(net="alex", verbose=False),
    "lpips-vgg": lambda: LPIPS(net="vgg", verbose=False),
}


def photographs(folder: Path) -> list[Tensor]:
    """Those of scikit-image, then some of the folder, evenly spread; (1, 3, 128, 128) in [-1, 1]."""
    from skimage import data

    found = []
    for name in PHOTOGRAPHS:
        picture = getattr(data, name)()
        top, left = (picture.shape[0] - SIDE) // 2, (picture.shape[1] - SIDE) // 2
        crop = np.ascontiguousarray(picture[top : top + SIDE, left : left + SIDE].transpose(2, 0, 1))
        found.append(torch.from_numpy(crop)[None] / 127.5 - 1)
    paths = pictures_in(folder, recursive=True)
    wanted = PAIRS - len(found)
    if len(paths) < wanted:
        raise ValueError(f"{folder} must hold at least {wanted} pictures, but holds {len(paths)}")
    for k in range(wanted):
        image = read_image(paths[k * len(paths) // wanted])
        if image.shape[-2:] != (SIDE, SIDE):
            image = torch.nn.functional.interpolate(image, (SIDE, SIDE), mode="bicubic", antialias=True)
        found.append(image.clamp(-1, 1))
    return found


def changed(image: Tensor, kind: int) -> Tensor:
    """One of five changes: JPEG 60, noise of 4 / 255, blur, 3 grey levels brighter, a shift by a pixel."""
    pixels = eight_bits(image[0])
    if kind == 0:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=60)
        pixels = np.asarray(Image.open(file))
    elif kind == 1:
        noise = np.random.default_rng(0).normal(0, 4, pixels.shape)
        pixels = (pixels + noise).round().clip(0, 255).astype(np.uint8)
    elif kind == 2:
        half = Image.fromarray(pixels).resize((SIDE * 2 // 3,) * 2, Image.Resampling.BICUBIC)
        pixels = np.asarray(half.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    elif kind == 3:
        pixels = (pixels.astype(int) + 3).clip(0, 255).astype(np.uint8)
    else:
        pixels = np.roll(pixels, 1, axis=1)
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None] / 127.5 - 1


Pairs = Sequence[tuple[Tensor, Tensor]]


def one_by_one(metric: Any, pairs: Pairs) -> list[float]:
    like = next(metric.parameters())
    return [float(metric(x.to(like), y.to(like))) for x, y in pairs]


def in_batches(metric: Any, pairs: Pairs) -> list[float]:
    found: list[float] = []
    for start in range(0, len(pairs), 5):
        xs, ys = zip(*pairs[start : start + 5], strict=True)
        found += metric(torch.cat(xs), torch.cat(ys)).flatten().tolist()
    return found


def with_avx2(name: str, folder: Path) -> list[float]:
    """The distances in a process that uses nothing newer than AVX2, as on a processor of 2013."""
    command = [sys.executable, __file__, "--images", str(folder), "--plain", name]
    older = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
    done = subprocess.run(command, env=os.environ | older, capture_output=True, text=True, check=True)
    found: list[float] = json.loads(done.stdout)
    return found


def ways(metric: Any, pairs: Pairs) -> dict[str, Callable[[], list[float]]]:
    def with_threads(count: int) -> list[float]:
        torch.set_num_threads(count)
        try:
            return one_by_one(metric, pairs)
        finally:
            torch.set_num_threads(1)

    def on(device: str, dtype: torch.dtype, *, tf32: bool = False) -> list[float]:
        torch.backends.cudnn.allow_tf32 = tf32
        return one_by_one(
            copy.deepcopy(metric).to(device, dtype), pairs
        )  # what halves round off does not come back

    found = {
        "two threads": lambda: with_threads(2),
        "the two pictures swapped": lambda: one_by_one(metric, [(y, x) for x, y in pairs]),
        "batches of five": lambda: in_batches(metric, pairs),
        "batches of five in the other order": lambda: in_batches(metric, pairs[::-1])[::-1],
        "float64": lambda: on("cpu", torch.float64),
        "float16": lambda: on("cpu", torch.float16),
        "bfloat16": lambda: on("cpu", torch.bfloat16),
    }
    if hasattr(metric, "reference"):
        found["a cached reference"] = lambda: [float(metric(metric.reference(x), y)) for x, y in pairs]
    if torch.cuda.is_available():
        found["CUDA"] = lambda: on("cuda", torch.float32)
        found["CUDA, TF32"] = lambda: on("cuda", torch.float32, tf32=True)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, required=True, help="folder of photographs, subfolders too")
    parser.add_argument("--plain", choices=list(METRICS), help="print the distances of one metric, no more")
    parser.add_argument("-o", "--out", type=Path, help="write the result (JSON)")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    pairs = [(image, changed(image, k % 5)) for k, image in enumerate(photographs(options.images))]
    if options.plain is not None:
        with torch.no_grad():
            print(json.dumps(one_by_one(METRICS[options.plain](), pairs)))
        return 0
    result: dict[str, Any] = {}
    rows = []
    for name, build in METRICS.items():
        metric = build()
        with torch.no_grad():
            exact = one_by_one(metric, pairs)
            jnd = 1 / float(metric.jnd(torch.tensor(1.0))) if hasattr(metric, "jnd") else None
            result[name] = {"distances": exact, "just noticeable": jnd, "ways": {}}
            measured = ways(metric, pairs) | {"AVX2 alone": lambda name=name: with_avx2(name, options.images)}
            for way, measure in measured.items():
                off = [abs(d - e) for d, e in zip(measure(), exact, strict=True)]
                shares = [o / e for o, e in zip(off, exact, strict=True)]
                row = {"largest": max(shares), "median": median(shares)}
                if jnd is not None:
                    row["largest, in JND"] = max(off) / jnd
                result[name]["ways"][way] = row
                rows.append([name, way, *(f"{value:.1e}" for value in row.values())] + [""] * (jnd is None))
                print(" ".join(rows[-1]), flush=True)
    print(markdown(["metric", "way", "largest", "median", "largest, in JND"], rows))
    if options.out is not None:
        write_result(options.out, {"pairs": PAIRS, "side": SIDE, "result": result})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
