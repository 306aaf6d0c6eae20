#!/usr/bin/env python3
"""How easily is a distance fooled by someone who knows the network?

    python benchmarks/adversarial.py --metrics default --keep /tmp/adversarial
    ...one call for each metric; what --keep holds is not made again...
    python benchmarks/adversarial.py --keep /tmp/adversarial -o benchmarks/results/adversarial.json

Two attacks by projected gradient descent on each metric, on 28 views of 21 photographs that come with
scikit-image, scikit-learn and matplotlib, 96 x 96 pixels, 8 bits:

hide    Start from noise of RMS 16/255 and lower the distance to the original, keeping the RMS error at 16/255:
        the picture stays as visibly wrong as it was (24 dB) and the metric is to overlook it.
raise   Change no value by more than 2/255, which few people see, and raise the distance.

Pictures are rounded to 8 bits before they are measured. To compare metrics, a distance is given as a multiple of
the same metric's own distance for Gaussian noise of sigma 8/255 on the same photograph. Every attacked picture is
measured by every metric, so the result also says which attacks carry over. The table goes to stdout.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from invariant_lpips import InvariantLPIPS
from invariant_lpips.evaluation.metrics import resolve_metric
from invariant_lpips.evaluation.tables import markdown
from invariant_lpips.files.provenance import write_result
from invariant_lpips.files.writing import replacing
from invariant_lpips.heads import HEADS

METRICS = ("default", "gap", "lpips-vgg", "lpips-alex", "st-lpips-vgg", "st-lpips-alex", "dists-full")
ATTACKS = ("hide", "raise")
SIDE = 96
REFERENCE_SIGMA = 8 / 255
HIDDEN_RMS = 16 / 255
RAISED_BOUND = 2 / 255
STEPS = {"hide": 16, "raise": 10}
BATCH = 4

# Photograph -> squares (left, top, side) as shares of the shorter side; None is the largest centred square.
VIEWS: dict[str, list[tuple[float, float, float] | None]] = {
    "astronaut": [None, (0.25, 0.0, 0.5)],
    "chelsea": [None, (0.4, 0.2, 0.6)],
    "coffee": [None, (0.3, 0.2, 0.6)],
    "rocket": [None],
    "motorcycle_left": [None, (0.6, 0.3, 0.5)],
    "hubble_deep_field": [None],
    "retina": [None],
    "ihc": [None],
    "china": [None, (0.5, 0.2, 0.5)],
    "flower": [None, (0.4, 0.2, 0.5)],
    "grace_hopper": [None, (0.2, 0.1, 0.5)],
    "camera": [None],
    "moon": [None],
    "coins": [None],
    "brick": [None],
    "grass": [None],
    "gravel": [None],
    "page": [None],
    "text": [None],
    "clock_motion": [None],
    "cell": [None],
}


def source(name: str) -> Path:
    """The file of a photograph within the package that brings it."""
    import matplotlib
    import skimage.data
    import sklearn.datasets

    folders = (
        Path(skimage.data.__file__).parent,
        Path(sklearn.datasets.__file__).parent / "images",
        Path(matplotlib.get_data_path()) / "sample_data",
    )
    for folder in folders:
        for suffix in (".png", ".jpg"):
            if (folder / f"{name}{suffix}").is_file():
                return folder / f"{name}{suffix}"
    raise SystemExit(f"photograph {name} is in none of {', '.join(map(str, folders))}")


def photographs() -> tuple[list[str], Tensor]:
    """Names, and (28, 3, SIDE, SIDE) float32 in [0, 1] on 8-bit levels."""
    names, pictures = [], []
    for name, views in VIEWS.items():
        image = Image.open(source(name)).convert("RGB")
        shorter = min(image.size)
        for number, view in enumerate(views):
            side = int((1.0 if view is None else view[2]) * shorter)
            left, top = (
                ((image.width - side) // 2, (image.height - side) // 2)
                if view is None
                else (int(view[0] * shorter), int(view[1] * shorter))
            )
            square = image.crop((left, top, left + side, top + side))
            resized = square.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            pictures.append(np.asarray(resized, dtype=np.float32).transpose(2, 0, 1) / 255)
            names.append(f"{name}/{number}")
    return names, torch.from_numpy(np.stack(pictures))


def eight_bit(y: Tensor) -> Tensor:
    return (y.clamp(0, 1) * 255).round() / 255


def noise(shape: torch.Size, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def against(name: str, x: Tensor) -> Callable[[Tensor], Tensor]:
    """The differentiable distance of a batch to the fixed references x: (N, 3, H, W) in [0, 1] -> (N,)."""
    if name in ("default", *HEADS):
        ours = InvariantLPIPS(head=name, normalize=True)
        target = ours.reference(x)
        return lambda y: ours(target, y).flatten()
    metric: Any = resolve_metric(name)
    if not metric.embeds:
        return lambda y: metric.function(x, y).flatten()
    reference = metric.embed(x)
    return lambda y: metric.distance(reference, metric.embedding(y)).flatten()


def rms(difference: Tensor) -> Tensor:
    return difference.square().mean((1, 2, 3), keepdim=True).sqrt()


def onto_sphere(x: Tensor, y: Tensor) -> Tensor:
    """The nearest pictures whose RMS error is HIDDEN_RMS: clamping shortens, so it is repeated."""
    for _ in range(4):
        y = (x + (y - x) * (HIDDEN_RMS / rms(y - x))).clamp(0, 1)
    return y


def slope(distance: Callable[[Tensor], Tensor], y: Tensor) -> Tensor:
    y = y.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(distance(y).sum(), y)
    return gradient


def hide(distance: Callable[[Tensor], Tensor], x: Tensor, seed: int) -> Tensor:
    """Pictures at RMS 16/255 from x with a small distance; normalised gradient steps that shorten."""
    y = onto_sphere(x, x + noise(x.shape, seed) * HIDDEN_RMS)
    for step in range(STEPS["hide"]):
        gradient = slope(distance, y)
        length = 0.5 * 0.85**step * HIDDEN_RMS
        y = onto_sphere(x, y - length * gradient / rms(gradient).clamp_min(1e-20))
    return eight_bit(y)


def raise_(distance: Callable[[Tensor], Tensor], x: Tensor, seed: int) -> Tensor:
    """Pictures within 2/255 of x, value by value, with a large distance; sign steps of 0.5/255."""
    y = (x + noise(x.shape, seed).sign() / 255).clamp(0, 1)
    for _ in range(STEPS["raise"]):
        y = y + slope(distance, y).sign() * 0.5 / 255
        y = torch.minimum(torch.maximum(y, x - RAISED_BOUND), x + RAISED_BOUND).clamp(0, 1)
    return eight_bit(y)


def attacked(name: str, attack: str, x: Tensor, keep: Path) -> Tensor:
    """The attacked pictures, from `keep` if they are there."""
    file = keep / f"{name}-{attack}.npy"
    if not file.is_file():
        act = hide if attack == "hide" else raise_
        start = time.process_time()
        made = [
            act(against(name, part), part, seed=k)
            for k, part in enumerate(x.split(BATCH))  # memory, not speed
        ]
        print(f"{name} {attack}: {time.process_time() - start:.0f} s of CPU", file=sys.stderr)
        with replacing(file) as temporary, temporary.open("wb") as stream:
            np.save(stream, (torch.cat(made) * 255).round().to(torch.uint8).numpy())
    return torch.from_numpy(np.load(file)).float() / 255


def compared(x: Tensor) -> dict[str, Tensor]:
    """What attacked pictures are compared with: noise of the same size that knows no network."""
    sign = noise(x.shape, 99).sign()
    return {
        "noise 8/255": eight_bit(x + noise(x.shape, 100) * REFERENCE_SIGMA),
        "noise 16/255": eight_bit(onto_sphere(x, x + noise(x.shape, 101) * HIDDEN_RMS)),
        "random +-2/255": eight_bit(x + sign * RAISED_BOUND),
    }


def measured(name: str, x: Tensor, pictures: dict[str, Tensor], keep: Path) -> dict[str, list[float]]:
    """Distances of each set of pictures by one metric; kept beside the pictures."""
    file = keep / f"{name}-distances.json"
    known: dict[str, list[float]] = json.loads(file.read_text()) if file.is_file() else {}
    if wanted := [key for key in pictures if key not in known]:
        metric = resolve_metric(name)
        for key in wanted:
            parts = zip(x.split(BATCH), pictures[key].split(BATCH), strict=True)
            known[key] = torch.cat([metric(a, b) for a, b in parts]).double().tolist()
        with replacing(file) as temporary:
            temporary.write_text(json.dumps(known))
    return {key: known[key] for key in pictures}


def spread(values: np.ndarray) -> dict[str, float]:
    lowest, median, highest = (float(f"{v:.4g}") for v in np.quantile(values, [0, 0.5, 1]))
    return {"median": median, "min": lowest, "max": highest}


def summary(x: Tensor, names: list[str], pictures: dict[str, Tensor], metrics: list[str], keep: Path) -> Any:
    """Distances as multiples of each metric's own for noise of 8/255: median and range over the photographs."""
    rows: dict[str, Any] = {}
    for name in metrics:
        found = {key: np.array(value) for key, value in measured(name, x, pictures, keep).items()}
        unit = found.pop("noise 8/255")
        rows[name] = {
            "distance of noise 8/255": spread(unit),
            "multiples of it": {key: spread(value / unit) for key, value in found.items()},
            "share of photographs whose hidden error measures less than noise 8/255": float(
                (found[f"{name} hide"] < unit).mean()
            ),
            "share of photographs whose raised distance exceeds noise 8/255": float(
                (found[f"{name} raise"] > unit).mean()
            ),
        }
    errors = {
        key: {
            "PSNR, dB": spread((-20 * rms(y - x).flatten().log10()).double().numpy()),
            "largest change, of 255": round(float((y - x).abs().amax() * 255), 2),
        }
        for key, y in pictures.items()
    }
    return {"photographs": names, "pictures": errors, "metrics": rows}


def table(result: dict[str, Any]) -> str:
    """All on one scale: of LPIPS and ST-LPIPS, which are means of squares, the root."""
    rows = []
    for name, row in result["metrics"].items():
        power = 0.5 if "lpips" in name else 1
        cells = [
            f"{value['median'] ** power:.2f} ({value['min'] ** power:.2f} to {value['max'] ** power:.2f})"
            for value in (
                row["multiples of it"][key]
                for key in ("noise 16/255", f"{name} hide", "random +-2/255", f"{name} raise")
            )
        ]
        rows.append([f"{name}, root" if power < 1 else name, *cells])
    head = ["metric", "noise 16/255", "hidden, same RMS", "random +-2/255", "raised, within 2/255"]
    return markdown(head, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="How easily is a distance fooled?")
    parser.add_argument("--metrics", default=",".join(METRICS), help="names, separated by commas")
    parser.add_argument("--attacks", default=",".join(ATTACKS))
    parser.add_argument("--keep", type=Path, required=True, help="folder for attacked pictures and distances")
    parser.add_argument("-o", "--out", type=Path, help="write the result (JSON); needs every metric attacked")
    args = parser.parse_args()
    args.keep.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    names, x = photographs()
    metrics = args.metrics.split(",")
    pictures = compared(x)
    for name in metrics:
        for attack in args.attacks.split(","):
            pictures[f"{name} {attack}"] = attacked(name, attack, x, args.keep)
    if args.out:
        result = {
            "steps": STEPS,
            **summary(x, names, pictures, metrics, args.keep),
        }
        write_result(args.out, result)
        print(table(result))


if __name__ == "__main__":
    main()
