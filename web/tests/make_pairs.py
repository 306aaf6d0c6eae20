"""Makes what the tests of web/ compare with: pictures, and what Python's metric says of them, in web/build/pairs.

    python web/tests/make_pairs.py

Ten photographs that come with scikit-image, each with a copy that was changed, in the files NAME-a.png and NAME-b.png
(and .rgba: rows of four bytes a pixel), and `expected.json`. `4k-a.png` and `4k-b.png` are larger than what the page
compares; `turned.jpg` says in its EXIF that it must be turned. Pairs of which one was moved, and some that nobody may
take for moved, are in `motion.json`.
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
from skimage import data, filters, transform

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


def moved(
    picture: Pixels, right: float = 0, down: float = 0, degrees: float = 0, zoom: float = 1, margin: int = 50
) -> tuple[Pixels, Pixels]:
    """The middle of a picture, and the same window once the picture was moved about its centre; degrees clockwise."""
    height, width = picture.shape[:2]
    centre = np.array([width - 1, height - 1]) / 2
    about = transform.SimilarityTransform(scale=zoom, rotation=np.deg2rad(degrees))
    there = (
        transform.SimilarityTransform(translation=-centre)
        + about
        + transform.SimilarityTransform(translation=centre + np.array([right, down]))
    )
    warped = transform.warp(picture, there.inverse, order=3, mode="reflect", preserve_range=True)
    window = np.s_[margin : height - margin, margin : width - margin]
    return picture[window].copy(), np.clip(warped, 0, 255).round().astype(np.uint8)[window]


def moved_pairs() -> dict[str, tuple[Pixels, Pixels]]:
    """Photographs moved in different ways, some damaged as well, and pairs that did not move."""
    astronaut, camera, coffee, coins = data.astronaut(), data.camera(), data.coffee(), data.coins()
    cat, rocket, tissue, moon = data.chelsea(), data.rocket(), data.immunohistochemistry(), data.moon()
    deep, motorcycle = data.hubble_deep_field()[:640, :800], data.stereo_motorcycle()[0]
    camera, coins, moon = (np.repeat(grey[..., None], 3, axis=2) for grey in (camera, coins, moon))
    smaller, dark = moved(deep, zoom=0.93), moved(tissue, 0.5, -0.25)
    noisy, blurred = moved(coins, 3.3, 1.7), moved(moon, -6.2, 14, degrees=1)
    patched = moved(astronaut, right=40)
    patched[1][180:230, 200:250] = 128
    stripes = np.zeros((192, 256, 3), np.uint8)
    stripes[:, (np.arange(256) // 8) % 2 == 0] = 200
    return {
        "right": moved(astronaut, right=9),
        "up": moved(coffee, down=-21.5),
        "clockwise": moved(cat, degrees=5),
        "larger": moved(rocket, zoom=1.12),
        "smaller, JPEG": (smaller[0], jpeg(smaller[1], 25)),
        "all at once": moved(motorcycle, -11.4, 6.3, degrees=-3, zoom=1.06),
        "far and turned": moved(camera, 31, -24, degrees=12),
        "under noise": (noisy[0], noise(noisy[1], 20)),
        "half a pixel, darker": (dark[0], (dark[1] * 0.75).round().astype(np.uint8)),
        "blurred": (blurred[0], blur(blurred[1], 1.5)),
        "patched": patched,
        "noise only": (astronaut, noise(astronaut, 12)),
        "JPEG only": (cat, jpeg(cat, 12)),
        "unrelated": (camera[:400, :500], rocket[:400, :500]),
        "mirrored": (tissue, tissue[:, ::-1].copy()),
        "stripes": (stripes, np.roll(stripes, 5, axis=1)),
        "flat": (np.full((96, 128, 3), 90, np.uint8), np.full((96, 128, 3), 120, np.uint8)),
        "equal": (coffee, coffee.copy()),
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


def says_what_moved(metric: InvariantLPIPS, a: torch.Tensor, b: torch.Tensor) -> dict[str, Any]:
    comparison = metric.compare(a, b, normalize=True)
    return {
        "found": comparison.found.item(),
        "distance": comparison.distance.item(),
        "appearance": comparison.appearance.item(),
        "motion": comparison.motion.item(),
        "shift": comparison.shift[0].tolist(),
        "rotation": comparison.rotation.item(),
        "zoom": comparison.zoom.item(),
        "matrix": comparison.matrix[0].tolist(),
        "overlap": comparison.overlap.item(),
        "confidence": comparison.confidence.item(),
        "jnd": comparison.jnd().item(),
        "text": str(comparison),
    }


def keep(name: str, sides: tuple[Pixels, Pixels]) -> dict[str, Any]:
    """Write both pictures of a pair; their size."""
    for side, picture in zip("ab", sides, strict=True):
        Image.fromarray(picture).save(OUT / f"{name}-{side}.png", compress_level=1)
        (OUT / f"{name}-{side}.rgba").write_bytes(Image.fromarray(picture).convert("RGBA").tobytes())
    height, width = sides[0].shape[:2]
    return {"width": width, "height": height}


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    metrics = {
        "pixels": InvariantLPIPS(net="pixels"),
        "alex": InvariantLPIPS(net="alex"),
        "alex-32": InvariantLPIPS(net="alex", head="regional-32"),
    }
    expected: dict[str, Any] = {}
    for name, sides in pairs().items():
        x, y = map(image, sides)
        expected[name] = keep(name, sides) | {net: says(metric, x, y) for net, metric in metrics.items()}

    large = Image.fromarray(data.coffee()[:337]).resize((3840, 2160), Image.Resampling.BICUBIC)
    sides = np.asarray(large), blur(noise(np.asarray(large), 20), 1.0)
    for side, picture in zip("ab", sides, strict=True):
        Image.fromarray(picture).save(OUT / f"4k-{side}.png", compress_level=1)
    width, height = 1365, 768  # what web/page/fitting.ts makes of 3840 x 2160
    x, y = (ILF.resize_area(image(picture), (height, width)) for picture in sides)
    expected["4k"] = {"width": width, "height": height, "pixels": says(metrics["pixels"], x, y)}

    retina = Image.fromarray(data.retina()[190:1214, 190:1214])  # a megapixel, to measure with
    scene = moved(data.retina()[:1410, :1410], 14, -9, degrees=2, margin=193)
    for name, sides, qualities in (
        ("megapixel", (np.asarray(retina), np.asarray(retina)), (95, 40)),
        ("megapixel-moved", scene, (90, 90)),
    ):
        for side, picture, quality in zip("ab", sides, qualities, strict=True):
            file = OUT / f"{name}-{side}.jpg"
            Image.fromarray(picture).save(file, quality=quality)
            file.with_suffix(".rgba").write_bytes(Image.open(file).convert("RGBA").tobytes())

    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    on_its_side = Image.fromarray(data.coffee()).transpose(Image.Transpose.ROTATE_90)
    on_its_side.save(OUT / "turned.jpg", quality=95, exif=exif)
    (OUT / "notes.txt").write_text("This is no picture.\n", encoding="utf-8")
    (OUT / "expected.json").write_text(json.dumps(expected, indent=1), encoding="utf-8")

    metric = InvariantLPIPS(net="pixels", motion="similarity")
    moving = moved_pairs()
    motion = {
        name: keep(name, sides) | {"pixels": says_what_moved(metric, *map(image, sides))}
        for name, sides in moving.items()
    }
    alex = InvariantLPIPS(net="alex", motion="similarity")
    motion["up"]["alex"] = says_what_moved(alex, *map(image, moving["up"]))
    (OUT / "motion.json").write_text(json.dumps(motion, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
