"""The cases of the speed benchmark: what each measures, and of whom.

Within a case all metrics take turns, so that what slows the machine slows all. This module runs one case as a program
of its own (``python -m invariant_lpips.evaluation.speed.cases SETTINGS``), whose memory the benchmark watches from
outside.
"""

from __future__ import annotations

import json
import math
import re
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from invariant_lpips.evaluation.speed import clocks
from invariant_lpips.evaluation.speed.aims import BASELINE
from invariant_lpips.evaluation.speed.contenders import PEERS, Contender, contender
from invariant_lpips.metric import InvariantLPIPS

__all__ = ["SpeedBench", "case_names", "contestants", "run_case", "too_large"]

CHEAP = ("regional+alex", "regional-32+alex", "regional+pixels", "regional-32+pixels")
OWN = ("regional", "gap", "stock-vgg", *CHEAP, "regional-32+alex+motion", "regional-32+pixels+motion")
EVERYONE = (*PEERS, *OWN)
LOSSES = (
    *EVERYONE,
    "regional+reference",
    "gap+reference",
    *(f"{name}+reference" for name in CHEAP),
    "regional+checkpointing",
    "gap+checkpointing",
)
HALVES = {"cpu": ("bfloat16",), "cuda": ("bfloat16+channels_last", "float16+channels_last")}
ROUNDS = {"cpu": 14, "cuda": 50}  # at most
FORWARD = [
    (64, 1),
    (64, 8),
    (64, 32),
    (256, 1),
    (256, 8),
    (256, 32),
    (512, 1),
    (512, 8),
    (512, 16),
    (512, 32),
]
FORWARD += [(1024, 1), (1024, 8), (1024, 32)]
LOSS = [(256, 2), (512, 1), (512, 16)]
MEMORY = [("forward", 1024, 1), ("forward", 512, 16), ("loss", 256, 8), ("loss", 512, 1), ("loss", 512, 16)]
LOOP_PAIRS = 60
VGG_OPERATIONS_PER_PIXEL = 2 * 15.35e9 / 224**2
MEMORY_PER_PIXEL = 4096  # bytes that lpips needs for a pixel with gradients, with room to spare


@dataclass(frozen=True)
class SpeedBench:
    """What to measure, for how long, and where the results go.

    Attributes:
        out: result file; cases that it holds are not run again.
        page: page of the documentation to write the tables into, with a plot in its figures/; None for none.
        only: pattern of the cases to run.
        metrics: pattern of those that take part in races, beside lpips.
        again: measure anew the cases whose name holds this; None for none.
        seconds: begin no case after so long.
        budget: seconds of rounds in a case; at least two rounds are run.
        round_seconds: leave out cases with longer rounds.
        threads: of PyTorch on a CPU.
    """

    out: Path
    page: Path | None = None
    only: str = ""
    metrics: str = ".*"
    again: str | None = None
    seconds: float = math.inf
    budget: float = 60.0
    round_seconds: float = 100.0
    threads: int = 1


def case_names(device: str) -> list[str]:
    """Every case of a device, in the order in which they are run."""
    names = [f"{device} floors"]
    names += [f"{device} forward {side} {batch}" for side, batch in FORWARD]
    names += [f"{device} loss {side} {batch}" for side, batch in LOSS]
    names += [
        f"{device} memory {kind} {side} {batch} {name}"
        for kind, side, batch in MEMORY
        for name in contestants(device, kind, side, batch)
    ]
    return [*names, f"{device} pairwise 64", f"{device} compiled 256 1"]


def contestants(device: str, kind: str, side: int, batch: int) -> tuple[str, ...]:
    """Who takes part in a case, by their names in :mod:`.contenders`."""
    if kind == "loss":
        return LOSSES
    if side < 256 or (side, batch) == (256, 1):
        return EVERYONE
    halved = (
        ("regional", "gap") if device == "cpu" else ("regional", "gap", "regional+alex", "regional+pixels")
    )
    return (*EVERYONE, *(f"{name}+{half}" for name in halved for half in HALVES[device]))


def seconds_for(kind: str, side: int, batch: int, rate: float) -> float:
    """About how long lpips takes for a call, at a rate of operations a second."""
    return (2 if kind == "forward" else 3) * side**2 * batch * VGG_OPERATIONS_PER_PIXEL / rate


def too_large(name: str, device: str, rate: float, round_seconds: float) -> str | None:
    """Why a case is left out, if it is."""
    found = re.match(rf"{device} (?:memory )?(forward|loss) (\d+) (\d+)", name)
    if found is None:
        return None
    kind, side, batch = found[1], int(found[2]), int(found[3])
    names = [name for name in contestants(device, kind, side, batch) if name == BASELINE or name not in PEERS]
    calls = 1 if " memory " in name else len(names)
    seconds = calls * seconds_for(kind, side, batch, rate)
    if seconds > round_seconds:
        return f"a round would take about {seconds:.0f} s"
    if side**2 * batch * MEMORY_PER_PIXEL > available_memory(device):
        return "too little memory"
    return None


def available_memory(device: str) -> float:
    if device == "cuda":
        return float(torch.cuda.mem_get_info()[0])
    table = Path("/proc/meminfo")
    found = re.search(r"MemAvailable:\s+(\d+)", table.read_text()) if table.is_file() else None
    return int(found[1]) * 1024 if found else math.inf


def pictures(side: int, batch: int, device: str) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(batch, 3, side, side, generator=generator)
    y = (x + 0.1 * torch.randn(x.shape, generator=generator)).clamp(0, 1)
    return x.to(device), y.to(device)


class Call:
    """One call of a contender, with or without the backward pass."""

    def __init__(self, racer: Contender, kind: str, side: int, batch: int, device: str) -> None:
        self.racer, self.backward = racer, kind == "loss"
        self.x, y = pictures(side, batch, device)
        self.y = racer.prepare(y)

    def __call__(self) -> None:
        if not self.backward:
            with torch.no_grad():
                self.racer.distance(self.x, self.y)
            return
        x = self.x.clone().requires_grad_()
        torch.autograd.backward(self.racer.distance(x, self.y).sum())


def racers(names: Sequence[str], device: str) -> tuple[dict[str, Contender], dict[str, str]]:
    """Those whose packages are installed, and why the others are left out."""
    found, missing = {}, {}
    for name in names:
        try:
            found[name] = contender(name, device)
        except ImportError as error:
            missing[name] = str(error)
    return found, missing


def race(device: str, kind: str, side: int, batch: int, bench: SpeedBench, rate: float) -> dict[str, Any]:
    names = tuple(
        name
        for name in contestants(device, kind, side, batch)
        if name == BASELINE or re.fullmatch(bench.metrics, name)
    )
    if len(names) * seconds_for(kind, side, batch, rate) > bench.round_seconds / 2:
        names = tuple(name for name in names if name == BASELINE or name not in PEERS)
    found, missing = racers(names, device)
    calls = {name: Call(racer, kind, side, batch, device) for name, racer in found.items()}
    small = min(side, 256), min(batch, 2)
    for racer in found.values():
        Call(racer, kind, *small, device)()
    start = time.perf_counter()
    times = clocks.alternate(calls, 1, device=device)
    spent = time.perf_counter() - start
    more = clocks.alternate(
        calls, max(2, min(ROUNDS[device], int(bench.budget / max(spent, 1e-9)))), device=device
    )
    if spent < 10:  # the first round paid for what is set up once for a shape
        times = more
    else:
        times = {
            name: {clock: times[name][clock] + more[name][clock] for clock in more[name]} for name in calls
        }
    return {"times": times, "missing": missing}


def race_compiled(device: str, side: int, batch: int) -> dict[str, Any]:
    names = (BASELINE, "regional", "regional+compiled", "gap", "gap+compiled")
    found, missing = racers(names, device)
    calls = {name: Call(racer, "forward", side, batch, device) for name, racer in found.items()}
    first = clocks.alternate(calls, 1, device=device)
    return {"times": clocks.alternate(calls, 7, device=device), "first": first, "missing": missing}


def weigh(device: str, kind: str, side: int, batch: int, name: str) -> dict[str, Any]:
    """Runs in the watched process: what it held before the one call."""
    racer = contender(name, device)
    Call(racer, kind, 32, 1, device)()
    call = Call(racer, kind, side, batch, device)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        held = torch.cuda.memory_allocated()
        call()
        return {"held": held, "peak": torch.cuda.max_memory_allocated()}
    held, before = clocks.resident_bytes(), clocks.peak_bytes()
    call()
    return {"held": held, "peak_before": before}


def floors(device: str) -> dict[str, Any]:
    rates = {"copy bytes/s": clocks.copy_rate(device)}
    for name in ("float32", *(half.partition("+")[0] for half in HALVES[device])):
        rates[f"{name} operations/s"] = clocks.product_rate(device, getattr(torch, name))
    work = {}
    for name in (BASELINE, *OWN):
        # On the device itself, which may go another way to a convolution than a CPU.
        operations, traffic = clocks.counted_work(Call(contender(name, device), "forward", 128, 1, device))
        work[name] = {"operations/pixel": operations / 128**2, "bytes/pixel": traffic / 128**2}
    return {"rates": rates, "work": work, "tf32": device == "cuda" and torch.backends.cudnn.allow_tf32}


def pairwise(device: str) -> dict[str, Any]:
    """100 images of 64 px with each other; the loop over pairs is timed on a part of them."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(100, 3, 64, 64, generator=generator).to(device)
    loop = contender(BASELINE, device)
    result: dict[str, Any] = {"loop_pairs": LOOP_PAIRS}
    with torch.no_grad():
        calls: dict[str, Any] = {
            BASELINE: lambda: [loop.distance(x[k : k + 1], x[k + 1 : k + 2]) for k in range(LOOP_PAIRS)]
        }
        for head in ("regional", "gap"):
            metric = InvariantLPIPS(head=head).to(device)
            calls[head] = lambda metric=metric: metric.pairwise(x, normalize=True)
            known = metric.embed(x, normalize=True).repeat(10, 1)
            known += torch.randn(known.shape, generator=generator).to(device) * known.std() / 10
            calls[f"{head}, 1000 embeddings"] = lambda known=known: torch.cdist(
                known, known, compute_mode="donot_use_mm_for_euclid_dist"
            )
        calls["gap"]()
        result["times"] = clocks.alternate(calls, 3, device=device)
    return result


def run_case(name: str, bench: SpeedBench, rate: float = math.inf) -> dict[str, Any]:
    """Measure one case in this process.

    Args:
        name: one of :func:`case_names`.
        bench: which metrics take part, and how long rounds may take.
        rate: operations a second of products, by which it is known beforehand how long a round takes.
    """
    device, kind, *rest = name.split()
    if kind == "floors":
        return floors(device)
    if kind == "pairwise":
        return pairwise(device)
    if kind == "compiled":
        return race_compiled(device, int(rest[0]), int(rest[1]))
    if kind == "memory":
        return weigh(device, rest[0], int(rest[1]), int(rest[2]), rest[3])
    return race(device, kind, int(rest[0]), int(rest[1]), bench, rate)


def alone(order: str) -> None:
    """Run the case that an order (JSON: name, rate, out, and fields of :class:`SpeedBench`) names; write its result."""
    fields = json.loads(order)
    name, rate, out = fields.pop("name"), fields.pop("rate"), Path(fields.pop("out"))
    bench = SpeedBench(out, **fields)
    torch.set_num_threads(bench.threads)
    warnings.simplefilter("ignore")
    out.write_text(json.dumps(run_case(name, bench, rate)))


if __name__ == "__main__":
    alone(sys.argv[1])
