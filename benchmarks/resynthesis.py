#!/usr/bin/env python3
"""How close is TID2013 (resynthesised) to TID2013? By type: PSNR met, approximations, agreement with MOS.

    invariant-lpips resynthesise --root ../shared/data/tid --out /tmp/tid2013
    python benchmarks/resynthesis.py --tree /tmp/tid2013 --out benchmarks/results/tid2013_resynthesis

Reads the tree that `resynthesise` wrote, measures every image again, and writes OUT.json and OUT.csv; the
table (Markdown) goes to stdout, progress to stderr. For each type: by how many dB the luma PSNR misses that
of the database's own image (median, largest, share beyond 0.1 dB), the mean PSNR in RGB at each level (the
database was designed for 33, 30, 27, 24 and 21 dB), and the rank correlation of luma PSNR and of SSIM with
the mean opinion scores. SSIM is that of luma halved in size, as its authors' script does for images of 384
lines.

The digest names the frozen set: the SHA-256 of all images' names and pixels, in the order of the manifest.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage
from tqdm import tqdm

from invariant_lpips.datasets.tid import PROTOCOL_TYPES, SATURATION
from invariant_lpips.distortions import TID2013, luma_psnr, rgb_psnr
from invariant_lpips.distortions.resynthesis import Made, read_manifest
from invariant_lpips.evaluation.tables import markdown as markdown_table
from invariant_lpips.files.provenance import write_result
from invariant_lpips.files.tables import csv_text
from invariant_lpips.files.writing import replacing
from invariant_lpips.statistics.correlations import srcc

LABEL = "TID2013 (resynthesised)"
FAR = 0.1  # dB
COLUMNS = (
    "type",
    "name",
    "images",
    "protocol",
    "strengths",
    "median_db",
    "max_db",
    "far",
    "psnr_srcc",
    "ssim_srcc",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the tree and write the results; `argv` None takes the command line."""
    parser = argparse.ArgumentParser(prog="resynthesis", description=__doc__.partition("\n")[0])
    parser.add_argument("--tree", type=Path, required=True, help="folder that `resynthesise` wrote")
    parser.add_argument("--out", type=Path, help="write OUT.json and OUT.csv")
    args = parser.parse_args(argv)
    manifest = read_manifest(args.tree / "manifest.csv")
    if not manifest:
        print(f"No manifest.csv in {args.tree}: run `invariant-lpips resynthesise` first.", file=sys.stderr)
        return 2
    report = measure(args.tree, manifest)
    print(markdown(report))
    if args.out:
        write_result(args.out.with_suffix(".json"), report)
        with replacing(args.out.with_suffix(".csv")) as temporary:
            temporary.write_text(table(report))
    return 0


def measure(tree: Path, manifest: Sequence[Made]) -> dict[str, Any]:
    """Everything about a tree that is reported."""
    scores = dict(line.split()[::-1] for line in (tree / "mos_with_names.txt").read_text().splitlines())
    references: dict[str, np.ndarray[Any, Any]] = {}
    digest = hashlib.sha256()
    rows: list[dict[str, Any]] = []
    for line in tqdm(manifest, unit="image", file=sys.stderr):
        name = f"{line.reference.lower()}_{line.type:02d}_{line.level}.png"
        if line.reference not in references:
            references[line.reference] = read(tree / "reference_images" / f"{line.reference}.png")
        reference, distorted = references[line.reference], read(tree / "distorted_images" / name)
        digest.update(name.encode() + (255.0 * distorted).round().astype(np.uint8).tobytes())
        in_rgb, in_luma = rgb_psnr(reference, distorted), luma_psnr(reference, distorted)
        rows.append(
            {
                "type": line.type,
                "level": line.level,
                "miss": (in_rgb if line.type == SATURATION else in_luma) - line.target_psnr,
                "rgb": in_rgb,
                "psnr": min(in_luma, 100.0),
                "ssim": ssim(reference, distorted),
                "mos": float(scores[name]),
            }
        )
    pooled = [row for row in rows if row["type"] in PROTOCOL_TYPES]
    return {
        "label": LABEL,
        "images": len(rows),
        "references": len(references),
        "digest": digest.hexdigest(),
        "all types": summary(rows),
        "protocol types": {"types": list(PROTOCOL_TYPES), **summary(pooled)},
        "types": [of_type(number, rows) for number in sorted({row["type"] for row in rows})],
    }


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """PSNR missed and agreement with the scores over some images."""
    misses = np.abs([row["miss"] for row in rows])
    mos = [row["mos"] for row in rows]
    return {
        "images": len(rows),
        "median_db": round(float(np.median(misses)), 3),
        "max_db": round(float(misses.max()), 2),
        "far": round(float(np.mean(misses > FAR)), 4),
        "psnr_srcc": round(srcc([row["psnr"] for row in rows], mos), 3),
        "ssim_srcc": round(srcc([row["ssim"] for row in rows], mos), 3),
    }


def of_type(number: int, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One line of the table."""
    family = TID2013[number]
    own = [row for row in rows if row["type"] == number]
    levels = sorted({row["level"] for row in own})
    result = {
        "type": number,
        "name": family.name,
        "protocol": number in PROTOCOL_TYPES,
        "strengths": "known" if family.levels else "searched",
        **summary(own),
        "rgb_db": [
            round(float(np.mean([r["rgb"] for r in own if r["level"] == level])), 2) for level in levels
        ],
        "approximation": family.approximation,
    }
    if number == SATURATION:
        result["psnr_srcc"] = None  # luma does not change: what little rounding leaves ranks nothing
    return result


def read(path: Path) -> np.ndarray[Any, Any]:
    """An image in [0, 1]."""
    with Image.open(path) as picture:
        pixels: np.ndarray[Any, Any] = np.asarray(picture.convert("RGB"), dtype=np.float64) / 255.0
    return pixels


def ssim(reference: np.ndarray[Any, Any], distorted: np.ndarray[Any, Any]) -> float:
    """Mean SSIM (Wang et al. 2004) of luma halved by 2x2 means; Gaussian window, sigma 1.5."""
    x, y = (halved(255.0 * image @ np.array([0.2989, 0.5870, 0.1140])) for image in (reference, distorted))

    def blur(z: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        blurred: np.ndarray[Any, Any] = ndimage.gaussian_filter(z, 1.5, radius=5)[5:-5, 5:-5]
        return blurred

    mx, my = blur(x), blur(y)
    vx, vy, cov = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
    c1, c2 = (0.01 * 255.0) ** 2, (0.03 * 255.0) ** 2
    return float(np.mean((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))))


def halved(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """2x2 means."""
    height, width = x.shape[0] // 2 * 2, x.shape[1] // 2 * 2
    means: np.ndarray[Any, Any] = x[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    return means


def table(report: dict[str, Any]) -> str:
    """The types as csv."""
    columns = [*COLUMNS, "approximation"]
    return csv_text(columns, ([row[column] for column in columns] for row in report["types"]))


def markdown(report: dict[str, Any]) -> str:
    """The types as a table to read."""
    head = ["type", "", "strength", "PSNR missed, median (dB)", "largest", "beyond 0.1 dB"]
    head += ["RGB PSNR by level (dB)", "SRCC PSNR", "SRCC SSIM"]
    rows = []
    for row in report["types"]:
        misses = [f"{row['median_db']:.3f}", f"{row['max_db']:.2f}", f"{100 * row['far']:.0f} %"]
        rgb = " ".join(f"{value:.1f}" for value in row["rgb_db"])
        psnr = "–" if row["psnr_srcc"] is None else f"{row['psnr_srcc']:.3f}"
        rows.append(
            [str(row["type"]), row["name"], row["strengths"], *misses, rgb, psnr, f"{row['ssim_srcc']:.3f}"]
        )
    for key in ("protocol types", "all types"):
        row = report[key]
        misses = [f"{row['median_db']:.3f}", f"{row['max_db']:.2f}", f"{100 * row['far']:.1f} %"]
        rows.append(["", f"**{key}**", "", *misses, "", f"{row['psnr_srcc']:.3f}", f"{row['ssim_srcc']:.3f}"])
    return markdown_table(head, rows)


if __name__ == "__main__":
    sys.exit(main())
