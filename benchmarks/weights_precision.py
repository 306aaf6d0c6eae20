#!/usr/bin/env python3
"""How much does storing the trunks in float16 change a distance?

    python weights/make_trunks.py --float32 /tmp/float32
    export INVARIANT_LPIPS_WEIGHTS=/tmp/float32
    python benchmarks/weights_precision.py -o benchmarks/results/weights_precision.json

The bundled trunks are stored in float16, but for their biases and first two convolutions, and computed in
float32. Here every distance is taken twice, with the bundled trunk and with the float32 one (`vgg16-float32`,
`alexnet-float32` of the registry: a folder named by INVARIANT_LPIPS_WEIGHTS, or a download), on pairs of
photographs that come with scikit-image and scikit-learn, or of the pictures in `--pictures DIR`. Reported:
|d - d32| / d32, median and maximum, over all pairs and by kind. The table (Markdown) goes to stdout, progress
to stderr.
"""

from __future__ import annotations

import argparse
import io
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from torch import Tensor, nn

from invariant_lpips import LPIPS, InvariantLPIPS
from invariant_lpips.evaluation.tables import markdown as markdown_table
from invariant_lpips.files.provenance import write_result
from invariant_lpips.registry import load_weights, weights_hash

LIMIT = 1e-3  # float16 is used where it changes distances by less than this
SIZES = ("64x64", "97x131", "128x128", "256x256", "384x512")  # height x width
PICTURES_PER_SIZE = 2
SKIMAGE = ("astronaut", "coffee", "chelsea", "rocket", "retina", "immunohistochemistry", "camera", "coins")

METRICS: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "LPIPS vgg": ("vgg16", lambda: LPIPS(net="vgg", verbose=False)),
    "LPIPS alex": ("alexnet", lambda: LPIPS(net="alex", verbose=False)),
    "GAP vgg (unit weights)": ("vgg16", lambda: InvariantLPIPS(net="vgg", head="gap", weights="unit")),
    "GAP alex (unit weights)": ("alexnet", lambda: InvariantLPIPS(net="alex", head="gap", weights="unit")),
}


def noise(sigma: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: x + np.random.default_rng(0).normal(0, sigma, x.shape)


def blur(sigma: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: ndimage.gaussian_filter(x, (sigma, sigma, 0), mode="reflect")


def jpeg(quality: int) -> Callable[[np.ndarray], np.ndarray]:
    def distort(x: np.ndarray) -> np.ndarray:
        stream = io.BytesIO()
        Image.fromarray(x.astype(np.uint8)).save(stream, "JPEG", quality=quality)
        return np.asarray(Image.open(stream), dtype=np.float64)

    return distort


def shift(pixels: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: ndimage.shift(x, (0, pixels, 0), order=0, mode="mirror")


def rotate(degrees: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: ndimage.rotate(x, degrees, reshape=False, order=1, mode="mirror")


def rescale(factor: float) -> Callable[[np.ndarray], np.ndarray]:
    def distort(x: np.ndarray) -> np.ndarray:
        centre = (np.array(x.shape[:2]) - 1) / 2
        matrix = np.array([1 / factor, 1 / factor, 1])
        offset = np.append(centre * (1 - 1 / factor), 0)
        return ndimage.affine_transform(x, matrix, offset, order=1, mode="mirror")

    return distort


# Kind -> strengths; "different picture" is added by `pairs`.
KINDS: dict[str, list[Callable[[np.ndarray], np.ndarray]]] = {
    "noise": [noise(2), noise(8), noise(32)],
    "blur": [blur(0.5), blur(1.5), blur(4)],
    "JPEG": [jpeg(90), jpeg(40), jpeg(8)],
    "shift": [shift(1), shift(4), shift(16)],
    "rotation": [rotate(0.5), rotate(2), rotate(15)],
    "rescale": [rescale(1.02), rescale(1.2)],
    "contrast": [lambda x: 128 + 0.75 * (x - 128), lambda x: 128 + 0.3 * (x - 128)],
    "one grey level": [lambda x: x + np.where(x < 255, 1, -1)],
}


def pictures(folder: Path | None) -> list[np.ndarray]:
    """Photographs as uint8 (H, W, 3)."""
    if folder is not None:
        paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in {".png", ".jpg", ".jpeg", ".bmp"})
        if len(paths) < 2:
            raise SystemExit(f"{folder} must hold at least two pictures")
        return [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    from skimage import data
    from sklearn.datasets import load_sample_images

    found = [*load_sample_images().images, *(getattr(data, name)() for name in SKIMAGE)]
    return [np.asarray(Image.fromarray(picture).convert("RGB")) for picture in found]


def at_size(picture: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """The largest centred crop of that aspect, resized; float64 (H, W, 3) in [0, 255]."""
    height, width = size
    scale = min(picture.shape[0] / height, picture.shape[1] / width)
    crop_height, crop_width = int(height * scale), int(width * scale)
    top, left = (picture.shape[0] - crop_height) // 2, (picture.shape[1] - crop_width) // 2
    image = Image.fromarray(picture[top : top + crop_height, left : left + crop_width])
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS), dtype=np.float64)


def pairs(folder: Path | None, sizes: Sequence[str] = SIZES) -> Iterator[tuple[str, Tensor, Tensor]]:
    """(kind, x, y): uint8 pictures as (1, 3, H, W) float32 in [-1, 1]."""
    source = pictures(folder)
    turn = 0
    for size in (tuple(int(side) for side in text.split("x")) for text in sizes):
        for _ in range(PICTURES_PER_SIZE):
            x = at_size(source[turn % len(source)], size)
            other = at_size(source[(turn + 1) % len(source)], size)
            turn += 1
            for kind, distortions in KINDS.items():
                for distort in distortions:
                    yield kind, to_tensor(x), to_tensor(distort(x))
            yield "different picture", to_tensor(x), to_tensor(other)


def to_tensor(picture: np.ndarray) -> Tensor:
    rounded = np.clip(np.rint(picture), 0, 255).astype(np.float32)
    return torch.from_numpy(rounded / 127.5 - 1).permute(2, 0, 1)[None].contiguous()


def measure(folder: Path | None, sizes: Sequence[str] = SIZES) -> list[dict[str, object]]:
    """One row for each pair and metric: kind, size, both distances."""
    models = {}
    for name, (trunk, make) in METRICS.items():
        bundled, full = make(), make()
        full.net.load_features(load_weights(f"{trunk}-float32"))  # type: ignore[union-attr, operator]
        models[name] = (bundled, full)
    rows: list[dict[str, object]] = []
    with torch.inference_mode():
        for number, (kind, x, y) in enumerate(pairs(folder, sizes), 1):
            for name, (bundled, full) in models.items():
                row = {"metric": name, "kind": kind, "size": f"{x.shape[2]}x{x.shape[3]}"}
                rows.append({**row, "bundled": bundled(x, y).item(), "float32": full(x, y).item()})
            print(f"\r{number} pairs", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return rows


def summary(rows: list[dict[str, object]]) -> dict[str, dict[str, dict[str, float]]]:
    """metric -> kind (and "all") -> pairs, median and maximum relative change."""
    table: dict[str, dict[str, dict[str, float]]] = {}
    for metric in METRICS:
        table[metric] = {}
        for kind in ("all", *KINDS, "different picture"):
            chosen = [r for r in rows if r["metric"] == metric and kind in ("all", r["kind"])]
            change = [abs(r["bundled"] - r["float32"]) / r["float32"] for r in chosen]  # type: ignore[operator]
            table[metric][kind] = {
                "pairs": len(change),
                "median": float(np.median(change)),
                "max": float(np.max(change)),
                "over_limit": sum(c >= LIMIT for c in change),
            }
    return table


def markdown(table: dict[str, dict[str, dict[str, float]]]) -> str:
    """Kinds down, metrics across, "median / maximum" in each cell."""
    rows = []
    for kind, first in next(iter(table.values())).items():
        cells = [f"{table[m][kind]['median']:.1e} / {table[m][kind]['max']:.1e}" for m in table]
        rows.append([kind, f"{first['pairs']:.0f}", *cells])
    return markdown_table(["kind of pair", "pairs", *table], rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="photographs of your own (at least two)")
    parser.add_argument(
        "--sizes", nargs="+", default=SIZES, metavar="HxW", help=f"default: {' '.join(SIZES)}"
    )
    parser.add_argument("-o", "--output", type=Path, help="write everything measured as JSON")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows = measure(args.pictures, args.sizes)
    table = summary(rows)
    print(markdown(table))
    if args.output is not None:
        command = "python " + shlex.join(["benchmarks/weights_precision.py", *sys.argv[1:]])
        trunks = sorted({trunk for trunk, _ in METRICS.values()})
        weights = {name: weights_hash(name) for trunk in trunks for name in (trunk, f"{trunk}-float32")}
        record = {
            "weights": weights,
            "limit": LIMIT,
            "summary": table,
            "rows": rows,
        }
        write_result(args.output, record, command=command)


if __name__ == "__main__":
    main()
