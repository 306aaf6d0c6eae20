#!/usr/bin/env python3
"""What a run of `bench kadid10k` costs, from a slice: KADID-10k's 125 distortions of a few pictures, on one thread.

    python benchmarks/database_time.py --pictures DIR --references 3 --metrics psnr,gap+pixels --out FILE

The slice is a tree in KADID-10k's own layout, made from the first references of a folder of pictures (512 x 384 for
figures that hold for KADID-10k) with the package's families at the published strengths; scores are made up, as they
cost nothing. CPU seconds of each step are measured and scaled to 81 references and 10,125 pairs; the report
(correlations, intervals, 1,000 draws) is timed at full size, on random values. Ours is one pair at a time, as
`bench` does on a processor; an hour of two cores is 7,200 of these seconds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from invariant_lpips.datasets import load_dataset
from invariant_lpips.datasets.kadid10k import RATED, REFERENCES
from invariant_lpips.datasets.pairs import RatedPair, RatedPairs
from invariant_lpips.distortions import KADID10K
from invariant_lpips.evaluation.metrics import resolve_metric
from invariant_lpips.evaluation.rated.report import build_report
from invariant_lpips.evaluation.runner import Scores, read_unit, score_pairs
from invariant_lpips.evaluation.score_cache import pair_key
from invariant_lpips.evaluation.speed.clocks import product_rate
from invariant_lpips.files.provenance import write_result
from invariant_lpips.pictures.folders import list_folder


def main(argv: Sequence[str] | None = None) -> None:
    """Make the slice, time each step and metric, write, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=Path, required=True, help="folder of reference pictures")
    parser.add_argument("--references", type=int, default=3, help="how many of them (default: %(default)s)")
    parser.add_argument("--metrics", default="psnr,gap+pixels,default+pixels,lpips-alex,default+alex")
    parser.add_argument(
        "--slow", default="default,default+bf16,lpips-vgg", help="metrics timed on one pair in ten only"
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON to write")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        tree(root, list_folder(args.pictures).pictures[: args.references])
        report = measure(root, args.metrics.split(","), [name for name in args.slow.split(",") if name])
    write_result(args.out, report)
    for name, entry in report["metrics"].items():
        print(
            f"{name:16} {entry['cpu_seconds_10125']:8.0f} s CPU, {entry['minutes_two_cores']:6.1f} min on two cores"
        )


def tree(root: Path, pictures: Sequence[Path]) -> None:
    """KADID-10k's layout with all its distortions of a few pictures."""
    from PIL import Image

    (root / "images").mkdir()
    lines = ["dist_img,ref_img,dmos,var"]
    for number, path in enumerate(pictures, start=1):
        with Image.open(path) as opened:
            picture = np.asarray(opened.convert("RGB"), dtype=np.float64) / 255
        save(root / "images" / f"I{number:02d}.png", picture)
        for kind, family in KADID10K.items():
            for level, strength in enumerate(family.levels, start=1):
                name = f"I{number:02d}_{kind:02d}_{level:02d}.png"
                save(root / "images" / name, family.at(level, number)(picture, strength, seed=number))
                lines.append(f"{name},I{number:02d}.png,{5 - 0.7 * level + 0.01 * kind:.2f},0.5")
    (root / "dmos.csv").write_text("\n".join(lines) + "\n")


def save(path: Path, picture: Any) -> None:
    """Write values in [0, 1] as PNG."""
    from PIL import Image

    Image.fromarray((np.clip(picture, 0, 1) * 255).round().astype(np.uint8)).save(path)


def measure(root: Path, metrics: Sequence[str], slow: Sequence[str]) -> dict[str, Any]:
    """CPU seconds of each step on the slice, and what they come to for all of KADID-10k."""
    look, pairs = timed(lambda: load_dataset("kadid10k", root, allow_missing=True))
    files = len(pairs) + len(pairs.references)
    scale = (RATED + REFERENCES) / files
    keys, _ = timed(lambda: [pair_key(pair) for pair in pairs])
    decode, _ = timed(lambda: [read_unit(pair.distorted) for pair in pairs])
    every, scores = pretended()
    said, _ = timed(lambda: build_report(every, [scores]))
    rate = product_rate()
    steps = {"look": look * scale, "hash": keys * scale, "report": said}
    found = {}
    for name in (*metrics, *slow):
        part = (
            pairs if name not in slow else RatedPairs(pairs.name, pairs.pairs[::10], pairs.higher_is_better)
        )
        scorer = resolve_metric(name)
        score_pairs(RatedPairs(pairs.name, part.pairs[:1], True), scorer, progress=False)  # first call
        seconds, _ = timed(lambda part=part, scorer=scorer: score_pairs(part, scorer, progress=False))
        pictures = len(part) + len(part.references)
        total = seconds / pictures * (RATED + REFERENCES) + sum(steps.values())
        found[name] = {
            "description": scorer.describe(),
            "pairs": len(part),
            "cpu_seconds": seconds,
            "cpu_seconds_a_picture": seconds / pictures,
            "cpu_seconds_10125": total,
            "minutes_two_cores": total / 120,
        }
    return {
        "references": len(pairs.references),
        "pairs": len(pairs),
        "picture": list(read_unit(pairs[0].reference).shape[:1:-1]),
        "cpu_seconds_of_steps_10125": {**steps, "decode (within each metric)": decode * scale},
        "products_gflops": [round(each / 1e9, 1) for each in (rate, product_rate())],  # before and after
        "metrics": found,
    }


def pretended() -> tuple[RatedPairs, Scores]:
    """Pairs and scores of the size of KADID-10k, for the cost of its report."""
    random = np.random.default_rng(0)
    rated = []
    for k in range(RATED):
        score, reference, kind = float(random.uniform(1, 5)), f"I{k // 125:02d}", f"{k % 25:02d}"
        rated.append(RatedPair(Path("r"), Path(str(k)), score, reference, kind, float(k % 5)))
    pairs = RatedPairs("kadid10k", tuple(rated), higher_is_better=True)
    return pairs, Scores("psnr", "", True, pairs.scores + random.normal(0, 1, RATED), 0, 0.0)


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of a call, and its result."""
    start = time.process_time()
    result = call()
    return time.process_time() - start, result


if __name__ == "__main__":
    main()
