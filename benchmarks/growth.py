#!/usr/bin/env python3
"""How time and memory grow with pixels, with the batch and with the number of pictures in an index.

    python benchmarks/growth.py -o benchmarks/results/growth.json --figure docs/figures/growth.png

Every point is measured in a process of its own, a fork of this one: CPU time of the call (the least of up to three) and
the kernel's account of the process's peak memory, taken from outside, less what it held before. Points that are in
the result file are not measured again, so a long run may go in pieces (`--seconds`).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from invariant_lpips import InvariantLPIPS, distance_matrix, near_duplicates, nearest
from invariant_lpips.evaluation.figures import new_figure, save
from invariant_lpips.evaluation.speed import clocks
from invariant_lpips.files.provenance import write_result
from invariant_lpips.indexing import Index

Call = Callable[[], Any]

SIDES = (64, 128, 256, 512, 1024)
BATCHES = (1, 2, 4, 8, 16, 32)
BATCH_SIDE = 128
ROWS = (1000, 2000, 5000, 10_000, 20_000)
SEARCHED = (1000, 10_000, 100_000)
COLUMNS = 1472
QUERIES = 10
ENOUGH = 2.0  # seconds; a call that takes longer is not repeated

#: Axis -> what it counts.
AXES = {"pixels": "pixels of a picture", "batch": f"pairs of {BATCH_SIDE} px", "rows": "pictures in an index"}


def points() -> dict[str, list[int]]:
    """`axis: what grows` -> the sizes at which it is measured."""
    heads = ("regional", "gap")
    series: dict[str, list[int]] = {}
    for kind, sides in (("forward", SIDES), ("loss", SIDES[:-1])):
        series |= {f"pixels: {kind}, {head}": [side * side for side in sides] for head in heads}
        series |= {f"batch: {kind}, {head}": list(BATCHES) for head in heads}
    series["rows: matrix"] = list(ROWS[:-1])
    series["rows: duplicates"] = list(ROWS)
    series[f"rows: search, {QUERIES} queries"] = list(SEARCHED)
    return series


def call_for(series: str, size: int, metrics: dict[str, InvariantLPIPS]) -> Call:
    """What is measured, with its input made beforehand."""
    axis, what = series.split(": ")
    generator = torch.Generator().manual_seed(0)
    if axis == "rows":
        index = Index.of_tensor(torch.rand(size, COLUMNS, generator=generator))
        queries = torch.rand(QUERIES, COLUMNS, generator=generator)
        if what == "matrix":
            return lambda: distance_matrix(index)
        if what == "duplicates":
            return lambda: near_duplicates(index, below=1e-3)
        return lambda: nearest(index, queries)
    kind, head = what.split(", ")
    side, batch = (math.isqrt(size), 1) if axis == "pixels" else (BATCH_SIDE, size)
    x, y = (torch.rand(batch, 3, side, side, generator=generator) * 2 - 1 for _ in range(2))
    metric = metrics[head]

    def forward() -> None:
        with torch.no_grad():
            metric(x, y)

    def loss() -> None:
        metric(x.requires_grad_(), y).sum().backward()
        x.grad = None

    return forward if kind == "forward" else loss


def measured(call: Call) -> dict[str, float]:
    """CPU seconds and peak bytes of a call, from a fork of this process."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                held = clocks.resident_bytes()
                seconds: list[float] = []
                while not seconds or (len(seconds) < 3 and sum(seconds) < ENOUGH):
                    start = time.process_time()
                    call()
                    seconds.append(time.process_time() - start)
                Path(file.name).write_text(json.dumps({"seconds": min(seconds), "held": held}))
                status = 0
            finally:
                os._exit(status)
        _, status, usage = os.wait4(child, 0)
        if status != 0:
            raise SystemExit(f"the measured process ended with status {status}")
        found = json.loads(Path(file.name).read_text())
    return {"seconds": found["seconds"], "bytes": max(0, clocks.peak_bytes(usage) - found["held"])}


def run(out: Path, seconds: float, again: str | None) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {"series": {}}
    series: dict[str, dict[str, Any]] = report["series"]
    for name in [name for name in series if again is not None and again in name]:
        del series[name]
    end = time.monotonic() + seconds
    metrics = {head: InvariantLPIPS(head=head) for head in ("regional", "gap")}
    small = torch.zeros(1, 3, 32, 32)
    for metric in metrics.values():  # what is set up once is no growth
        metric(small.clone().requires_grad_(), small - 0.1).sum().backward()
    for name, sizes in points().items():
        for size in sizes:
            found = series.setdefault(name, {})
            if str(size) in found:
                continue
            if time.monotonic() > end:
                print("time is up; the same command goes on from here", file=sys.stderr)
                return report
            found[str(size)] = measured(call_for(name, size, metrics))
            print(f"{name}, {size}: {found[str(size)]}", file=sys.stderr)
            report = write_result(out, {"series": series})
    return report


def exponents(report: dict[str, Any]) -> dict[str, dict[str, float]]:
    """With which power time and memory grow over the last two sizes of each series."""
    result: dict[str, dict[str, float]] = {}
    for name, found in report["series"].items():
        (small, before), (large, after) = sorted((int(size), point) for size, point in found.items())[-2:]
        step = math.log(large / small)
        result[name] = {
            key: math.log(max(after[key], 1) / max(before[key], 1)) / step
            if key == "bytes"
            else math.log(after[key] / before[key]) / step
            for key in ("seconds", "bytes")
        }
    return result


def draw(report: dict[str, Any], path: Path) -> None:
    """Time above, memory below, a column for each axis; grey lines grow in proportion."""
    figure = new_figure(11, 6.5)
    panels = figure.subplots(2, len(AXES), sharex="col")
    for column, (axis, title) in enumerate(AXES.items()):
        for row, (key, scale, label) in enumerate(
            (("seconds", 1.0, "CPU seconds"), ("bytes", 2**20, "peak memory, MiB"))
        ):
            panel = panels[row, column]
            for name, found in report["series"].items():
                if name.startswith(f"{axis}: "):
                    drawn = sorted((int(size), point[key] / scale) for size, point in found.items())
                    panel.plot(*zip(*drawn, strict=True), marker="o", markersize=3, label=name.split(": ")[1])
            panel.set(xscale="log", yscale="log")
            if key == "bytes":  # less than two powers of ten
                panel.yaxis.set_major_formatter("{x:g}")
                panel.yaxis.set_minor_formatter("{x:g}")
                panel.tick_params(axis="y", which="both", labelsize=7)
            low, high = panel.get_xlim()
            bottom, top = panel.get_ylim()
            for start in (bottom * 10**k for k in range(-6, 7)):
                panel.plot(
                    (low, high), (start, start * high / low), color="lightgrey", linewidth=0.6, zorder=0
                )
            panel.set(xlim=(low, high), ylim=(bottom, top))
            if column == 0:
                panel.set_ylabel(label)
            if row == 0:
                panel.legend(fontsize=7)
            else:
                panel.set_xlabel(title)
    figure.suptitle(
        "Cost of the metric on VGG-16, one CPU thread; grey lines: in proportion; memory above what was held before",
        fontsize=9,
    )
    save(figure, path)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--out", type=Path, required=True, help="result file; points it holds are kept")
    parser.add_argument("--figure", type=Path, help="draw what the result file holds")
    parser.add_argument("--again", metavar="TEXT", help="measure anew the series whose name holds TEXT")
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no point after so long")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    report = run(options.out, options.seconds, options.again)
    for name, powers in exponents(report).items():
        print(f"{name}: time grows with power {powers['seconds']:.2f}, memory {powers['bytes']:.2f}")
    if options.figure is not None:
        draw(report, options.figure)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
