#!/usr/bin/env python3
"""What a distance costs: the CPU time of every metric of `bench`, in turns, as a share of lpips'.

    python benchmarks/cost.py --out benchmarks/results/cost.json

One pair of 256 x 256 pixels, both pictures read, no gradient, one thread. In every round each metric runs once, and a
share is the median over rounds of its time by lpips' in the same round (`lpips:vgg`, the lpips package with VGG-16).
Metrics whose package or weights are not there are named under "missing". `benchmarks/agreement_cost.py` draws the
shares beside agreement with people.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

from invariant_lpips.evaluation.metrics import METRICS, resolve_metric
from invariant_lpips.evaluation.scorers import Scorer
from invariant_lpips.evaluation.speed.clocks import alternate, median_ratio
from invariant_lpips.files.provenance import write_result

BASELINE = "lpips:vgg"
OWN = ("regional", "regional+blur", "gap", "gap+blur", "gap-spatial", "spatial")


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, write, and print the shares."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--metrics", default=",".join((*METRICS, *OWN)), help="default: all")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, required=True, help="JSON to write")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, args.side // 8, args.side // 8, generator=generator)
    x = torch.nn.functional.interpolate(coarse, size=(args.side, args.side), mode="bilinear")
    y = (x + 0.1 * torch.randn(x.shape, generator=generator)).clamp(0, 1)
    scorers: dict[str, Scorer] = {}
    missing: dict[str, str] = {}
    for name in dict.fromkeys((BASELINE, *args.metrics.split(","))):
        try:
            scorers[name] = resolve_metric(name)
        except (ImportError, FileNotFoundError) as error:
            missing[name] = str(error)
            print(f"left out: {name}: {error}", file=sys.stderr)
    calls = {name: lambda scorer=scorer: scorer(x, y) for name, scorer in scorers.items()}
    alternate(calls, 1)  # what is made at a first call is not counted
    times = alternate(calls, args.rounds)
    metrics: dict[str, Any] = {
        name: {
            "description": scorers[name].describe(),
            "cpu_seconds": median(each["cpu"]),
            "share": median_ratio(each["cpu"], times[BASELINE]["cpu"]),
            "rounds": each["cpu"],
        }
        for name, each in times.items()
    }
    report = {"side": args.side, "baseline": BASELINE, "metrics": metrics, "missing": missing}
    write_result(args.out, report)
    for name, entry in sorted(metrics.items(), key=lambda item: float(item[1]["share"])):
        print(f"{name:18} {entry['cpu_seconds'] * 1e3:8.1f} ms {entry['share']:8.4f}")


if __name__ == "__main__":
    main()
