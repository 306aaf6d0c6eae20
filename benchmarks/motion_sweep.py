"""Thousands of generated pairs through a metric that measures motion: no exception, no NaN, no claim without reason.

    python benchmarks/motion_sweep.py --photographs DIR --out benchmarks/results/motion_sweep.json

Kinds: two unrelated photographs, one with a pixel changed, with its halves swapped, flat pictures, stripes and checks
(equal, or displaced: several answers fit), noise, and a photograph against its copy under noise. Sides from 16 to 512
pixels, drawn evenly on a logarithmic scale, some of 2,000 to 4,000; every model; every dtype of a picture. Those below
what the network takes (31 px) are estimated and carried without it. `--photographs` is a folder of jpg files.
"""

from __future__ import annotations

import argparse
import math
import random
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from invariant_lpips import InvariantLPIPS
from invariant_lpips.files.provenance import write_result
from invariant_lpips.motion import MODELS, compensated, estimate_motion
from invariant_lpips.pictures.images import read_image

KINDS = ("unrelated", "one pixel", "halves swapped", "flat", "periodic", "noise", "same, under noise")
#: Kinds of which no motion should be claimed. Swapped halves have a motion each: either may be named.
UNMOVED = ("unrelated", "one pixel", "flat", "noise", "same, under noise")
DTYPES = (torch.float32, torch.float32, torch.float64, torch.float16, torch.bfloat16)


def drawn(kind: str, sides: tuple[int, int], files: list[Path], dice: random.Random) -> tuple[Tensor, Tensor]:
    """A pair of (1, 3, H, W) in [-1, 1], float32."""

    def photograph() -> Tensor:
        whole = read_image(dice.choice(files))
        # A part at its own sharpness where the photograph is large enough, an enlarged one elsewhere.
        if max(sides) > min(whole.shape[-2:]):
            return torch.nn.functional.interpolate(whole, sides, mode="bicubic").clamp(-1, 1)
        top, left = (dice.randint(0, have - want) for have, want in zip(whole.shape[-2:], sides, strict=True))
        return whole[..., top : top + sides[0], left : left + sides[1]].contiguous()

    generator = torch.Generator().manual_seed(dice.randrange(2**31))
    if kind == "flat":
        return torch.full((1, 3, *sides), dice.uniform(-1, 1)), torch.full(
            (1, 3, *sides), dice.uniform(-1, 1)
        )
    if kind == "noise":
        x, y = torch.rand(2, 1, 3, *sides, generator=generator) * 2 - 1
        return x, y
    if kind == "periodic":
        period = dice.choice((4, 7, 12, 16))
        down, across = torch.meshgrid(torch.arange(sides[0]), torch.arange(sides[1]), indexing="ij")
        slant = dice.choice((0, 1))
        moved = dice.choice((0, 1, period // 2, 3))
        x, y = (
            torch.sin(2 * math.pi * (across + slant * down + by) / period).expand(1, 3, -1, -1).contiguous()
            for by in (0, moved)
        )
        return x, y
    x = photograph()
    if kind == "unrelated":
        return x, photograph()
    y = x.clone()
    if kind == "one pixel":
        y[..., dice.randrange(sides[0]), dice.randrange(sides[1])] *= -1
    elif kind == "halves swapped":
        y = y.roll(sides[1] // 2, -1)
    else:
        y = (y + dice.uniform(0.02, 0.4) * torch.randn(y.shape, generator=generator)).clamp(-1, 1)
    return x, y


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photographs", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--count", type=int, default=10_000, help="pairs (10000)")
    parser.add_argument("--large", type=int, default=8, help="of them, with sides of 2,000 to 4,000 px (8)")
    parser.add_argument("--net", default="alex", help="network of the metric (alex)")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    dice = random.Random(0)
    files = sorted(options.photographs.rglob("*.jpg"))
    metrics = {model: InvariantLPIPS(net=options.net, motion=model) for model in MODELS}
    smallest = next(iter(metrics.values())).images.minimum_side
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    by_size: Counter[str] = Counter()
    for number in tqdm(range(options.count), disable=None):
        kind = dice.choice(KINDS)
        low, high = (2000, 4000) if number < options.large else (16, 512)
        sides = tuple(round(math.exp(dice.uniform(math.log(low), math.log(high)))) for _ in range(2))
        model, dtype = dice.choice(MODELS), dice.choice(DTYPES)
        x, y = (side.to(dtype) for side in drawn(kind, (sides[0], sides[1]), files, dice))
        count = counts[kind]
        count["pairs"] += 1
        try:
            if min(sides) < smallest:
                motion = estimate_motion(x, y, model)
                values = torch.cat([part.flatten().float() for part in compensated(x, y, motion)[:2]])
                found, through = bool(motion.found), "estimated and carried"
            else:
                result = metrics[model].compare(x, y)
                values, found, through = result.distance, bool(result.found), "through the metric"
        except Exception as error:
            count["exceptions"] += 1
            print(kind, sides, model, dtype, error)
            continue
        count["not finite"] += int(not bool(values.isfinite().all()))
        count["claims"] += int(found)
        by_size[through] += 1
        if found and kind in UNMOVED:
            side = "below 64 px" if min(sides) < 64 else "64 px and more"
            count[f"claims, {side}, {model}"] += 1
    content: dict[str, Any] = {
        "net": options.net,
        "counts": {kind: dict(c) for kind, c in counts.items()},
        **by_size,
    }
    write_result(options.out, content)


if __name__ == "__main__":
    main()
