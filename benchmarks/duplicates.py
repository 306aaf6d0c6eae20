#!/usr/bin/env python3
"""Below which distance two pictures are copies of one: the thresholds that `invariant-lpips duplicates` starts with.

    python benchmarks/duplicates.py -o benchmarks/results/duplicates.json

Copies are what happens to pictures on their way through the web: JPEG and WebP at usual qualities, halved and doubled
again, a little brighter, in photographs of scikit-image cut to squares of 256 px. Other pictures are the other
photographs, and the quarters of each, which show different parts of one scene in one light. Distances are in multiples
of the just noticeable one. The threshold is half way between the copy that is furthest from its original and the two
other pictures that are nearest, on a logarithmic scale; a network whose two ranges meet has none.
"""

from __future__ import annotations

import argparse
import io
import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from invariant_lpips import InvariantLPIPS
from invariant_lpips.files.provenance import write_result

SIDE = 256
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket", "camera", "retina", "hubble_deep_field")
METRICS = (
    ("vgg", "regional"),
    ("vgg", "gap"),
    ("alex", "regional"),
    ("alex", "regional-32"),
    ("alex", "gap"),
    ("pixels", "regional"),
    ("pixels", "regional-32"),
    ("pixels", "gap"),
)


def through(form: str, quality: int) -> Callable[[Image.Image], Image.Image]:
    def copy(picture: Image.Image) -> Image.Image:
        stream = io.BytesIO()
        picture.save(stream, form, quality=quality)
        return Image.open(stream).convert("RGB")

    return copy


def resampled(side: int) -> Callable[[Image.Image], Image.Image]:
    return lambda picture: picture.resize((side, side), Image.Resampling.LANCZOS).resize(
        (SIDE, SIDE), Image.Resampling.BICUBIC
    )


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG 90": through("JPEG", 90),
    "JPEG 75": through("JPEG", 75),
    "JPEG 50": through("JPEG", 50),
    "WebP 80": through("WEBP", 80),
    "WebP 50": through("WEBP", 50),
    "3/4 and back": resampled(192),
    "1/2 and back": resampled(128),
    "8 levels brighter": lambda picture: picture.point(lambda value: min(255, value + 8)),
}


def photographs() -> dict[str, Image.Image]:
    """Squares out of the middle, as large as they are."""
    from skimage import data

    found = {}
    for name in PHOTOGRAPHS:
        array = np.atleast_3d(getattr(data, name)())
        picture = Image.fromarray(np.repeat(array, 3, axis=2) if array.shape[2] == 1 else array[..., :3])
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        found[name] = picture.crop((left, top, left + side, top + side))
    return found


def at_side(picture: Image.Image) -> Image.Image:
    return picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def quarters(picture: Image.Image) -> list[Image.Image]:
    half = picture.width // 2
    corners = itertools.product((0, half), repeat=2)
    return [at_side(picture.crop((left, top, left + half, top + half))) for left, top in corners]


def tensor(picture: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).unsqueeze(0) / 127.5 - 1


@torch.inference_mode()
def measured(net: str, head: str) -> dict[str, object]:
    metric = InvariantLPIPS(net, head)

    def embed(picture: Image.Image) -> torch.Tensor:
        return metric.embed(tensor(picture))

    def multiple(x: torch.Tensor, y: torch.Tensor) -> float:
        return float(metric.jnd((x - y).norm()))

    originals = {name: at_side(picture) for name, picture in photographs().items()}
    read = {name: embed(picture) for name, picture in originals.items()}
    copies = {
        kind: [multiple(read[name], embed(make(picture))) for name, picture in originals.items()]
        for kind, make in COPIES.items()
    }
    others = [multiple(x, y) for x, y in itertools.combinations(read.values(), 2)]
    scenes = {name: [embed(part) for part in quarters(picture)] for name, picture in photographs().items()}
    others += [multiple(x, y) for parts in scenes.values() for x, y in itertools.combinations(parts, 2)]
    furthest = max(max(values) for values in copies.values())
    return {
        "net": net,
        "head": head,
        "copies": {
            kind: {"median": float(np.median(values)), "largest": max(values)}
            for kind, values in copies.items()
        },
        "furthest_copy": furthest,
        "nearest_others": min(others),
        "threshold": math.sqrt(furthest * min(others)) if furthest < min(others) else None,
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    rows = []
    for net, head in METRICS:
        row = measured(net, head)
        rows.append(row)
        print(
            {key: row[key] for key in ("net", "head", "furthest_copy", "nearest_others", "threshold")},
            flush=True,
        )
    if options.out:
        write_result(options.out, {"unit": "just noticeable distances", "side": SIDE, "metrics": rows})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
