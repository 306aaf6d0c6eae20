#!/usr/bin/env python3
"""Time and peak memory of one large picture, embedded in tiles; memory is watched from outside the process.

    python benchmarks/large_picture.py --side 20000 --net vgg --tile 1024 -o benchmarks/results/large_picture.json

A mosaic of scikit-image's photographs is written to a file (deflated TIFF in 256-pixel tiles, PNG, JPEG or .npy) and
a second Python process embeds it with `embed_file`. Its memory is the kernel's own account of that process
(`ru_maxrss` from wait4), so the interpreter, torch and the weights count too. Up to 2048 pixels the embedding is
also compared with that of the whole picture. Each run adds a row to the result file.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from invariant_lpips import InvariantLPIPS, read_image
from invariant_lpips.evaluation.speed import clocks
from invariant_lpips.files.provenance import provenance, write_result
from invariant_lpips.tiling import embed_file

PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket", "retina", "immunohistochemistry")
CELL = 512
STORED_TILE = 256
WHOLE_UP_TO = 2048


def mosaic(side: int) -> Iterator[np.ndarray[Any, Any]]:
    """Bands (CELL or fewer, side, 3) of photographs side by side, each turned and mirrored at random."""
    from skimage import data

    photographs = [np.ascontiguousarray(getattr(data, name)()[..., :3]) for name in PHOTOGRAPHS]
    rng = np.random.default_rng(0)
    for top in range(0, side, CELL):
        cells = []
        for _ in range(0, side, CELL):
            photograph = photographs[rng.integers(len(photographs))]
            turned = np.rot90(photograph, rng.integers(4))[:: rng.choice((-1, 1))]
            repeats = [-(-CELL // length) for length in turned.shape[:2]]
            cells.append(np.tile(turned, (*repeats, 1))[:CELL, :CELL])
        yield np.concatenate(cells, axis=1)[: min(CELL, side - top), :side]


def write_picture(side: int, path: Path) -> None:
    """Write the mosaic in the format of the path's suffix."""
    if path.suffix == ".tif":
        import tifffile

        tifffile.imwrite(
            path,
            stored_tiles(side),
            shape=(side, side, 3),
            dtype="uint8",
            tile=(STORED_TILE, STORED_TILE),
            compression="zlib",
            photometric="rgb",
        )
        return
    if path.suffix == ".npy":
        picture = np.lib.format.open_memmap(path, mode="w+", dtype="uint8", shape=(side, side, 3))
    else:
        picture = np.empty((side, side, 3), dtype="uint8")
    top = 0
    for band in mosaic(side):
        picture[top : top + len(band)] = band
        top += len(band)
    if path.suffix == ".npy":
        picture.flush()
    else:
        from PIL import Image

        Image.fromarray(picture).save(path)


def stored_tiles(side: int) -> Iterator[np.ndarray[Any, Any]]:
    across = -(-side // STORED_TILE) * STORED_TILE
    for band in mosaic(side):
        padded = np.zeros((-(-len(band) // STORED_TILE) * STORED_TILE, across, 3), dtype="uint8")
        padded[: len(band), :side] = band
        for top in range(0, len(padded), STORED_TILE):
            for left in range(0, across, STORED_TILE):
                yield padded[top : top + STORED_TILE, left : left + STORED_TILE]


def make_metric(options: argparse.Namespace) -> InvariantLPIPS:
    weights = None if options.net == "vgg" else "unit"
    metric = InvariantLPIPS(options.net, head="gap", weights=weights)
    return metric.to(getattr(torch, options.dtype))


def embed_alone(options: argparse.Namespace) -> None:
    """What the watched process does: embed the picture and leave the figures in a file."""
    metric = make_metric(options)
    start = time.perf_counter(), time.process_time()
    vector = embed_file(metric, options.picture, tile=options.tile, max_pixels=None, progress=True)
    figures = {
        "seconds": time.perf_counter() - start[0],
        "cpu_seconds": time.process_time() - start[1],
    }
    options.figures.write_text(json.dumps({**figures, "vector": vector.flatten().tolist()}))


def difference_from_whole(options: argparse.Namespace, picture: Path, vector: list[float]) -> float:
    """||tiled - whole|| / ||whole||, taken in this process, whose memory nobody watches."""
    whole = make_metric(options).embed(read_image(picture))
    return float((torch.tensor([vector]) - whole).norm() / whole.norm())


def watch(options: argparse.Namespace, picture: Path, figures: Path) -> dict[str, Any]:
    """Run the embedding in a process of its own; its figures and the kernel's account of its memory."""
    arguments = [
        sys.executable,
        __file__,
        "--side",
        str(options.side),
        "--net",
        options.net,
        "--tile",
        str(options.tile),
    ]
    arguments += ["--dtype", options.dtype, "--picture", str(picture), "--figures", str(figures)]
    process = os.posix_spawn(sys.executable, arguments, os.environ)
    _, status, usage = os.wait4(process, 0)
    if status != 0:
        raise SystemExit(f"the watched process ended with status {status}")
    measured: dict[str, Any] = json.loads(figures.read_text())
    vector = measured.pop("vector")
    if options.side <= WHOLE_UP_TO:
        measured["relative_difference"] = difference_from_whole(options, picture, vector)
    return {**measured, "peak_rss_gib": clocks.peak_bytes(usage) / 2**30}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", type=int, required=True, help="of the square picture, in pixels")
    parser.add_argument("--net", choices=("vgg", "alex"), default="vgg")
    parser.add_argument("--tile", type=int, default=1024)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--suffix", choices=(".tif", ".npy", ".png", ".jpg"), default=".tif")
    parser.add_argument("-o", "--out", type=Path, help="result file to add a row to")
    parser.add_argument("--picture", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--figures", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.picture is not None:
        embed_alone(options)
        return
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / f"picture{options.suffix}"
        write_picture(options.side, picture)
        size = picture.stat().st_size
        row = watch(options, picture, Path(folder) / "figures.json")
    chosen = {name: getattr(options, name) for name in ("side", "net", "tile", "dtype", "suffix")}
    report = {**chosen, "file_mib": size / 2**20, **row, **provenance()}
    print(json.dumps(report, indent=2))
    if options.out is not None:
        rows = json.loads(options.out.read_text())["runs"] if options.out.exists() else []
        rows = [old for old in rows if any(old[name] != value for name, value in chosen.items())]
        write_result(options.out, {"runs": [*rows, report]})


if __name__ == "__main__":
    main()
