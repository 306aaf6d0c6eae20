"""Makes what the tests of web/ compare with: pictures, and what Python's metric says of them, in web/build/pairs.

    python web/tests/make_pairs.py

Ten photographs that come with scikit-image, each with a copy that was changed, in the files NAME-a.png and NAME-b.png
(and .rgba: rows of four bytes a pixel), and `expected.json`. `4k-a.png` and `4k-b.png` are larger than what the page
compares; `turned.jpg` says in its EXIF that it must be turned.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage import data, filters

from invariant_lpips import InvariantLPIPS
from invariant_lpips import functional as ILF

OUT = Path(__file__).parent.parent / "build" / "pairs"
#: Where the maps are looked at: this many rows and columns, evenly spaced.
LOOKED_AT = 8

Pixels = NDArray[np.uint8]


def noise(picture: Pixels, sigma: float) -> Pixels:
    noisy = picture + np.random.default_rng(0).normal(0, sigma, picture.shape)
    return np.clip(noisy, 0, 255).round().astype(np.uint8)


def blur(picture: Pixels, sigma: float) -> Pixels:
    return (
        np.asarray(filters.gaussian(picture, sigma, channel_axis=-1, preserve_range=True))
        .round()
        .astype(np.uint8)
    )


def jpeg(picture: Pixels, quality: int) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "jpeg", quality=quality)
    return np.asarray(Image.open(file))


def pairs() -> dict[str, tuple[Pixels, Pixels]]:
    astronaut, camera, coffee, coins = data.astronaut(), data.camera(), data.coffee(), data.coins()
    cat, rocket, tissue, moon = data.chelsea(), data.rocket(), data.immunohistochemistry(), data.moon()
    deep, motorcycle = data.hubble_deep_field()[:640, :800], data.stereo_motorcycle()[0]
    camera, coins, moon = (np.repeat(grey[..., None], 3, axis=2) for grey in (camera, coins, moon))
    patched = rocket.copy()
    patched[200:260, 100:160] = 128
    return {
        "astronaut": (astronaut, noise(astronaut, 12)),
        "camera": (camera, blur(camera, 1.5)),
        "cat": (cat, jpeg(cat, 12)),
        "coffee": (coffee, np.roll(coffee, 3, axis=1)),
        "coins": (coins, noise(coins, 2)),
        "deep field": (deep, blur(deep, 0.7)),
        "motorcycle": (motorcycle, motorcycle[:, ::-1].copy()),
        "moon": (moon, jpeg(moon, 60)),
        "rocket": (rocket, patched),
        "tissue": (tissue, (tissue * 0.8).round().astype(np.uint8)),
    }


def image(picture: Pixels) -> torch.Tensor:
    """(1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(picture.copy()).permute(2, 0, 1).unsqueeze(0).float() / 255


def says(metric: InvariantLPIPS, a: torch.Tensor, b: torch.Tensor) -> dict[str, Any]:
    distance, heat = metric.distances_and_maps(a, b, normalize=True)
    heat = heat[0, 0]
    rows, columns = ((2 * np.arange(LOOKED_AT) + 1) * side // (2 * LOOKED_AT) for side in heat.shape)
    looked_at = heat[rows][:, columns]
    return {
        "distance": distance.item(),
        "jnd": metric.jnd(distance).item(),
        "map": looked_at.flatten().tolist(),
    }


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    metrics = {
        "pixels": InvariantLPIPS(net="pixels"),
        "alex": InvariantLPIPS(net="alex"),
        "alex-32": InvariantLPIPS(net="alex", head="regional-32"),
    }
    expected: dict[str, Any] = {}
    for name, sides in pairs().items():
        height, width = sides[0].shape[:2]
        for side, picture in zip("ab", sides, strict=True):
            Image.fromarray(picture).save(OUT / f"{name}-{side}.png")
            (OUT / f"{name}-{side}.rgba").write_bytes(Image.fromarray(picture).convert("RGBA").tobytes())
        x, y = map(image, sides)
        expected[name] = {"width": width, "height": height, **{n: says(m, x, y) for n, m in metrics.items()}}

    large = Image.fromarray(data.coffee()[:337]).resize((3840, 2160), Image.Resampling.BICUBIC)
    sides = np.asarray(large), blur(noise(np.asarray(large), 20), 1.0)
    for side, picture in zip("ab", sides, strict=True):
        Image.fromarray(picture).save(OUT / f"4k-{side}.png", compress_level=1)
    width, height = 1365, 768  # what web/page/fitting.ts makes of 3840 x 2160
    x, y = (ILF.resize_area(image(picture), (height, width)) for picture in sides)
    expected["4k"] = {"width": width, "height": height, "pixels": says(metrics["pixels"], x, y)}

    retina = Image.fromarray(data.retina()[190:1214, 190:1214])  # a megapixel, to measure with
    for side, quality in zip("ab", (95, 40), strict=True):
        retina.save(OUT / f"megapixel-{side}.jpg", quality=quality)

    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    on_its_side = Image.fromarray(data.coffee()).transpose(Image.Transpose.ROTATE_90)
    on_its_side.save(OUT / "turned.jpg", quality=95, exif=exif)
    (OUT / "notes.txt").write_text("This is no picture.\n", encoding="utf-8")
    (OUT / "expected.json").write_text(json.dumps(expected, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
