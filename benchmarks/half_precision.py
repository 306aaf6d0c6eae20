#!/usr/bin/env python3
"""What computing in bfloat16 or float16 does to the distance, against float32.

    python benchmarks/half_precision.py -o benchmarks/results/half_precision.json

The pairs are those of `weights_precision.py`: photographs of scikit-image and scikit-learn, and these with
noise, blur, JPEG, shifts, turns, zooms, contrast, one grey level, and other photographs. Reported for each head and
precision: |d - d32| / d32 (median and maximum, pairs of one grey level apart) and Spearman's correlation of d with
d32, which bounds what SRCC against people can change. The table goes to stdout.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from scipy.stats import spearmanr

from invariant_lpips import InvariantLPIPS
from invariant_lpips.atomic_writing import replacing
from invariant_lpips.evaluation.provenance import provenance

sys.path.insert(0, str(Path(__file__).resolve().parent))
from weights_precision import pairs

HEADS = ("regional", "gap")
PRECISIONS = ("bfloat16", "float16", "autocast bfloat16")
SLIGHT = "one grey level"


def distances(head: str, precision: str, chosen: Sequence[Any]) -> list[float]:
    dtype = getattr(torch, precision) if " " not in precision else torch.float32
    metric = InvariantLPIPS(head=head).to(dtype)
    found = []
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=" " in precision):
        for _, x, y in chosen:
            found.append(float(metric(x, y)))
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", default=["64x64", "97x131", "128x128"], metavar="HxW")
    parser.add_argument("-o", "--out", type=Path, help="write the result (JSON)")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    chosen = list(pairs(None, options.sizes))
    result: dict[str, Any] = {}
    print("| head | precision | median change | largest | largest, one grey level | rank correlation |")
    print("|---|---|---|---|---|---|")
    for head in HEADS:
        exact = distances(head, "float32", chosen)
        for precision in PRECISIONS:
            found = distances(head, precision, chosen)
            changes = [abs(d - e) / e for d, e in zip(found, exact, strict=True)]
            slight = [change for change, (kind, _, _) in zip(changes, chosen, strict=True) if kind == SLIGHT]
            rest = [change for change, (kind, _, _) in zip(changes, chosen, strict=True) if kind != SLIGHT]
            row = {
                "pairs": len(chosen),
                "median": median(changes),
                "largest": max(rest),
                f"largest, {SLIGHT}": max(slight),
                "rank correlation": float(spearmanr(found, exact).statistic),
            }
            result[f"{head} {precision}"] = row
            cells = [f"{value:.2%}" for value in list(row.values())[1:4]]
            print(
                f"| {head} | {precision} | {' | '.join(cells)} | {row['rank correlation']:.5f} |", flush=True
            )
    if options.out:
        with replacing(options.out) as temporary:
            temporary.write_text(
                json.dumps({**provenance(), "sizes": options.sizes, "result": result}, indent=1) + "\n"
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
