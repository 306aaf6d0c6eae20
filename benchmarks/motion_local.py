"""What `motion="local"` measures where a scene is bent smoothly, and what it claims where nothing moved.

    python benchmarks/motion_local.py --references DIR --tree DIR --photographs DIR --out benchmarks/results/x.json

`--references` holds TID2013's I01.png to I24.png, `--tree` what `invariant-lpips resynthesise` writes, `--photographs`
unrelated photographs of one size. Bent scenes are references read by splines of order 3 at places displaced by a wave
of some pixels (one period over the picture), as are left by parallax, lenses and errors of optical flow; half of them
are turned as well.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from torch import Tensor
from tqdm import tqdm

from invariant_lpips.files.provenance import write_result
from invariant_lpips.motion import compensated, displacement, estimate_motion
from invariant_lpips.pictures.images import read_image

AMPLITUDES = (1.0, 3.0)
#: Sigma of the noise, in grey levels, that bent scenes are seen under besides none.
NOISES = (0, 12)
#: Degrees by which a scene is turned besides.
TURNS = (0.0, 3.0)


def bent(picture: Tensor, amplitude: float, degrees: float) -> tuple[Tensor, NDArray[np.float64]]:
    """A scene turned and displaced by a wave, and the wave (H, W, 2): pixels to the right, and down."""
    height, width = picture.shape[-2:]
    y, x = np.mgrid[:height, :width].astype(np.float64)
    wave = np.stack(
        [amplitude * np.sin(2 * np.pi * y / height), amplitude * np.sin(2 * np.pi * x / width)], axis=-1
    )
    right, down = x - wave[..., 0] - (width - 1) / 2, y - wave[..., 1] - (height - 1) / 2
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    places = [cosine * down - sine * right + (height - 1) / 2, cosine * right + sine * down + (width - 1) / 2]
    scene = picture[0].numpy().astype(np.float64)
    moved = np.stack([map_coordinates(band, places, order=3, mode="mirror") for band in scene])
    return torch.from_numpy(moved).float().unsqueeze(0).clamp(-1, 1), wave


def displaced(references: Path) -> dict[str, Any]:
    """By amplitude, turn and noise: how far the field is from the wave, and the grey levels left once it is undone."""
    result = {}
    for amplitude, degrees, noise in tqdm(
        [(a, d, n) for a in AMPLITUDES for d in TURNS for n in NOISES], desc="bent", disable=None
    ):
        found, errors, levels = 0, [], []
        for file in sorted(references.glob("[Ii]*.png"))[1:24:4]:
            x = read_image(file)
            y, wave = bent(x, amplitude, degrees)
            torch.manual_seed(0)
            noisy = (y + noise / 127.5 * torch.randn_like(y)).clamp(-1, 1)
            motion = estimate_motion(x, noisy, "local")
            got = displacement(motion, x)[0].permute(1, 2, 0).numpy()
            found += int(motion.found.item())
            errors.append(np.linalg.norm(got - wave, axis=-1))
            left, right, _ = compensated(x, y, motion)
            plain = estimate_motion(x, noisy)
            before = compensated(x, y, plain)
            levels.append([float((a - b).abs().mean()) * 127.5 for a, b in ((left, right), before[:2])])
        apart = np.stack(errors)
        local, whole = np.mean(levels, axis=0)
        result[f"wave of {amplitude:g} px, turn of {degrees:g} degrees, noise of sigma {noise}"] = {
            "pairs": len(errors),
            "found": found,
            "error_px_median": round(float(np.median(apart)), 3),
            "error_px_95": round(float(np.percentile(apart, 95)), 3),
            "grey_levels_left_local": round(float(local), 2),
            "grey_levels_left_similarity": round(float(whole), 2),
        }
    return result


def unmoved(references: Path, tree: Path, every: int) -> dict[str, Any]:
    """By type of distortion: pairs, and those said to be displaced by more than a quarter of a pixel somewhere."""
    counts: dict[str, list[float]] = defaultdict(list)
    files = [
        path
        for path in sorted((tree / "distorted_images").glob("i*.png"))
        if path.stem.endswith(("_3", "_5")) and int(path.stem[1:3]) % every == 0
    ]
    for path in tqdm(files, desc="unmoved", disable=None):
        reference, kind, _ = path.stem[1:].split("_")
        x, y = (read_image(file) for file in (references / f"I{reference}.png", path))
        motion = estimate_motion(x, y, "local")
        assert motion.field is not None
        counts[kind].append(float(motion.field.norm(dim=1).max()))
    rest = np.array([far for kind, found in counts.items() if kind != "23" for far in found])
    return {
        "over_0.25_px_by_type": {
            kind: f"{sum(far > 0.25 for far in found)} of {len(found)}"
            for kind, found in sorted(counts.items())
        },
        "pairs_without_23": len(rest),
        "over_0.25_px_without_23": int((rest > 0.25).sum()),
        "largest_px_without_23": float(rest.max()),
    }


def unrelated(photographs: Path, count: int) -> dict[str, int]:
    """Pairs of different photographs: how many fields or motions are claimed."""
    files = sorted(photographs.rglob("*.jpg"))
    dice = random.Random(0)
    pairs = [[read_image(file) for file in dice.sample(files, 2)] for _ in range(count)]
    claims = sum(
        bool(estimate_motion(x, y, "local").found) for x, y in tqdm(pairs, desc="unrelated", disable=None)
    )
    return {"pairs": count, "claims": claims}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--references", type=Path, required=True, help="folder with I01.png to I24.png")
    parser.add_argument("--tree", type=Path, required=True, help="what `invariant-lpips resynthesise` writes")
    parser.add_argument("--photographs", type=Path, required=True, help="folder of photographs of one size")
    parser.add_argument(
        "--every", type=int, default=3, help="unmoved pairs of every so manieth reference (3)"
    )
    parser.add_argument("--unrelated", type=int, default=200, help="unrelated pairs (200)")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    content = {
        "bent": displaced(options.references),
        "unrelated": unrelated(options.photographs, options.unrelated),
        "unmoved": unmoved(options.references, options.tree, options.every),
    }
    write_result(options.out, content)


if __name__ == "__main__":
    main()
