#!/usr/bin/env python3
"""What computing in bfloat16, float16 or TF32 does to the distance, against float32.

    python benchmarks/half_precision.py -o benchmarks/results/half_precision.json

The pairs are those of `weights_precision.py`: photographs of scikit-image and scikit-learn, and these with
noise, blur, JPEG, shifts, turns, zooms, contrast, one grey level, and other photographs. Reported for each head and
precision: |d - d32| / d32 (median and maximum, pairs of one grey level apart) and Spearman's correlation of d with
d32, which bounds what SRCC against people can change. The table goes to stdout. With `--tid ROOT` that change itself is
measured: SRCC against people of every eleventh pair of a TID2013 tree, in float32 and in bfloat16.

TF32 is what torch's convolutions use by default on NVIDIA GPUs since Ampere: both factors are rounded to ten bits and
the products added up in float32. It is imitated here by rounding the factors, which needs no GPU.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from invariant_lpips import InvariantLPIPS
from invariant_lpips.files.provenance import write_result

sys.path.insert(0, str(Path(__file__).resolve().parent))
from weights_precision import pairs

HEADS = ("regional", "gap")
PRECISIONS = ("bfloat16", "float16", "autocast bfloat16", "TF32 convolutions")
SLIGHT = "one grey level"


def to_tf32(x: Tensor) -> Tensor:
    """x rounded to ten bits after the leading one, to nearest, ties to even.

    Example:
        >>> to_tf32(torch.tensor([1 + 2**-10, 1 + 2**-11, 1 + 3 * 2**-11])).sub(1).mul(2**10)
        tensor([1., 0., 2.])
    """
    bits = x.contiguous().view(torch.int32)
    kept = (bits + 0xFFF + ((bits >> 13) & 1)) & ~0x1FFF
    return kept.view(torch.float32).view_as(x)


def with_tf32(metric: nn.Module) -> nn.Module:
    """The metric with both factors of its convolutions rounded."""
    for layer in metric.modules():
        if isinstance(layer, nn.Conv2d):
            layer.load_state_dict({**layer.state_dict(), "weight": to_tf32(layer.weight)})
            layer.register_forward_pre_hook(lambda layer, inputs: (to_tf32(inputs[0]),))
    return metric


def distances(head: str, precision: str, chosen: Sequence[Any]) -> list[float]:
    metric: nn.Module = InvariantLPIPS(head=head)
    autocast = precision.startswith("autocast")
    if precision.startswith("TF32"):
        metric = with_tf32(metric)
    elif not autocast:
        metric = metric.to(getattr(torch, precision))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        return [float(metric(x, y)) for _, x, y in chosen]


def agreement(root: Path, every: int) -> dict[str, Any]:
    """SRCC against people in both precisions, and with each other, for each head."""
    from invariant_lpips import read_image
    from invariant_lpips.datasets import load_dataset

    rated = list(load_dataset("tid2013", root, verify=False, allow_missing=True))[::every]
    scores = [pair.score for pair in rated]
    result: dict[str, Any] = {"pairs": len(rated)}
    for head in HEADS:
        found: dict[str, list[float]] = {}
        for dtype in (torch.float32, torch.bfloat16):
            metric = InvariantLPIPS(head=head).to(dtype)
            references = {
                path: metric.reference(read_image(path))
                for path in sorted({pair.reference for pair in rated})
            }
            with torch.no_grad():
                found[str(dtype).removeprefix("torch.")] = [
                    float(metric(references[pair.reference], read_image(pair.distorted))) for pair in rated
                ]
        result[head] = {name: -float(spearmanr(d, scores).statistic) for name, d in found.items()}
        result[head]["with each other"] = float(spearmanr(*found.values()).statistic)
        print(f"{head}, {len(rated)} pairs: {result[head]}", flush=True)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", default=["64x64", "97x131", "128x128"], metavar="HxW")
    parser.add_argument("--tid", type=Path, metavar="ROOT", help="a TID2013 tree, real or resynthesised")
    parser.add_argument("--every", type=int, default=11, metavar="N", help="with --tid: each N-th pair (11)")
    parser.add_argument("-o", "--out", type=Path, help="write the result (JSON)")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    if options.tid is not None:
        _write(options.out, {"every": options.every, "result": agreement(options.tid, options.every)})
        return 0
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
    _write(options.out, {"sizes": options.sizes, "result": result})
    return 0


def _write(out: Path | None, report: dict[str, Any]) -> None:
    if out is not None:
        write_result(out, report)


if __name__ == "__main__":
    raise SystemExit(main())
