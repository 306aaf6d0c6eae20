#!/usr/bin/env python3
"""Pictures a second that `embed_folder` embeds, with different numbers of decoding processes and batch sizes.

    python benchmarks/embed_rate.py -o benchmarks/results/embed_rate.json

JPEG pictures of one size are cut from a photograph of scikit-image. Reported for each way: wall seconds, and CPU
seconds of this process and of its decoders; the ways take turns.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from invariant_lpips import InvariantLPIPS, embed_folder
from invariant_lpips.files.provenance import write_result

WAYS = ((0, 1), (1, 1), (2, 1), (1, 8))


def write_pictures(folder: Path, count: int, side: int) -> None:
    from PIL import Image
    from skimage import data

    photograph = data.astronaut()
    rng = np.random.default_rng(0)
    for k in range(count):
        top, left = rng.integers(0, 512 - side + 1, 2)
        Image.fromarray(photograph[top : top + side, left : left + side]).save(
            folder / f"{k:04}.jpg", quality=90
        )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=48)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    metric = InvariantLPIPS(head="gap").to(options.device, getattr(torch, options.dtype))
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        pictures = Path(place) / "pictures"
        pictures.mkdir()
        write_pictures(pictures, options.count, options.side)
        for turn in range(options.rounds):
            for workers, batch_size in WAYS:
                wall, before = time.perf_counter(), os.times()
                out = Path(place) / f"{turn}-{workers}-{batch_size}.npz"
                embed_folder(metric, pictures, out, workers=workers, batch_size=batch_size)
                after = os.times()
                row = rows.setdefault(
                    f"workers {workers}, batch {batch_size}", {"wall": [], "cpu": [], "decoders": []}
                )
                row["wall"].append(time.perf_counter() - wall)
                row["cpu"].append(after.user + after.system - before.user - before.system)
                row["decoders"].append(
                    after.children_user
                    + after.children_system
                    - before.children_user
                    - before.children_system
                )
    for name, row in rows.items():
        best = {clock: min(values) / options.count for clock, values in row.items()}
        print(name, ", ".join(f"{clock} {1000 * value:.0f} ms a picture" for clock, value in best.items()))
    if options.out:
        arguments = {name: getattr(options, name) for name in ("count", "side", "rounds", "dtype", "device")}
        write_result(options.out, {**arguments, "ways": rows})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
