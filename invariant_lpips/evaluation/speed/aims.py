"""What the package's speed and memory were aimed at, beside what `bench speed` measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from invariant_lpips.evaluation.speed.clocks import median_ratio
from invariant_lpips.evaluation.tables import markdown

__all__ = ["AIMS", "RATES", "Aim", "Rate", "aims_table", "share_of_lpips", "share_of_rate"]

BASELINE = "lpips-vgg"
HEADS = ("regional", "gap")


class Aim(NamedTuple):
    """A share of lpips' time or memory not to be passed.

    Attributes:
        case: of the benchmark; of cases about memory without the metric at the end.
        metrics: whose aim it is.
        options: behind the metric's name; of several the best counts.
        most: the share.
        what: in words.
    """

    case: str
    metrics: tuple[str, ...]
    options: tuple[str, ...]
    most: float
    what: str


class Rate(NamedTuple):
    """A share of the device's own rate of products that a forward pass should reach.

    Attributes:
        case: of the benchmark.
        metrics: whose aim it is.
        options: behind the metric's name; of several the best counts, each beside the rate in its own precision.
        least: the share.
        what: in words.
    """

    case: str
    metrics: tuple[str, ...]
    options: tuple[str, ...]
    least: float
    what: str


_HALVES = ("+bfloat16+channels_last", "+float16+channels_last")
_ALEX, _PIXELS = ("regional+alex",), ("regional+pixels",)
_STEP = ("+reference",)
AIMS = (
    Aim("cpu forward 256 1", HEADS, ("",), 0.70, "forward, 256 px, batch 1"),
    Aim("cpu forward 256 8", HEADS, ("",), 0.60, "forward, 256 px, batch 8"),
    Aim("cpu forward 1024 1", HEADS, ("",), 0.60, "forward, 1024 px"),
    Aim("cpu forward 256 8", HEADS, ("+bfloat16",), 0.36, "forward in bfloat16, 256 px, batch 8"),
    Aim("cpu memory forward 1024 1", HEADS, ("",), 0.40, "memory of a forward pass, 1024 px"),
    Aim("cpu loss 256 2", HEADS, _STEP, 0.50, "step against a reference, 256 px, batch 2"),
    Aim("cpu memory loss 256 8", HEADS, _STEP, 0.60, "memory of such a step, 256 px, batch 8"),
    Aim("cpu memory loss 256 8", HEADS, ("+checkpointing",), 0.30, "memory, checkpointing, 256 px, batch 8"),
    Aim("cpu memory loss 512 1", HEADS, ("+checkpointing",), 0.30, "memory, checkpointing, 512 px, batch 1"),
    Aim("cpu forward 256 1", _ALEX, ("",), 0.06, "forward, 256 px, batch 1"),
    Aim("cpu forward 256 1", _PIXELS, ("",), 0.02, "forward, 256 px, batch 1"),
    Aim("cpu forward 256 8", _ALEX, ("",), 0.06, "forward, 256 px, batch 8"),
    Aim("cpu forward 256 8", _PIXELS, ("",), 0.02, "forward, 256 px, batch 8"),
    Aim("cpu forward 1024 1", _ALEX, ("",), 0.06, "forward, 1024 px"),
    Aim("cpu forward 1024 1", _PIXELS, ("",), 0.02, "forward, 1024 px"),
    Aim("cpu loss 256 2", (*_ALEX, *_PIXELS), _STEP, 0.06, "step against a reference, 256 px, batch 2"),
    Aim("cpu memory forward 1024 1", (*_ALEX, *_PIXELS), ("",), 0.10, "memory of a forward pass, 1024 px"),
    Aim("cuda forward 512 16", HEADS, ("",), 0.70, "forward, 512 px, batch 16"),
    Aim("cuda memory forward 512 16", HEADS, ("",), 0.35, "memory of a forward pass, 512 px, batch 16"),
    Aim("cuda forward 512 16", HEADS, _HALVES, 0.20, "forward in half precision, 512 px, batch 16"),
    Aim(
        "cuda forward 512 16",
        (*_ALEX, *_PIXELS),
        _HALVES,
        0.02,
        "forward in half precision, 512 px, batch 16",
    ),
    Aim("cuda loss 512 16", HEADS, _STEP, 0.60, "step against a reference, 512 px, batch 16"),
    Aim("cuda memory loss 512 16", HEADS, _STEP, 0.60, "memory of such a step, 512 px, batch 16"),
    Aim(
        "cuda memory loss 512 16", HEADS, ("+checkpointing",), 0.30, "memory, checkpointing, 512 px, batch 16"
    ),
)
RATES = (
    Rate("cuda forward 512 16", HEADS, ("",), 0.50, "forward, 512 px, batch 16"),
    Rate("cuda forward 512 16", HEADS, _HALVES, 0.50, "forward in half precision, 512 px, batch 16"),
)


def aims_table(cases: Mapping[str, Any], device: str) -> str:
    """One row for each aim of a device and each metric that it concerns; rates, where any were aimed at, below."""
    rows = []
    for aim in AIMS:
        if not aim.case.startswith(f"{device} "):
            continue
        for metric in aim.metrics:
            share = _best(cases, aim, metric)
            verdict = "not measured" if share is None else "met" if share <= aim.most else "missed"
            found = "" if share is None else f"{share:.3f}" if aim.most < 0.1 else f"{share:.2f}"
            rows.append([aim.what, metric.replace("+", ", "), f"{aim.most:.2f}", found, verdict])
    table = markdown(["", "metric", "at most", "measured", ""], rows)
    rates = [
        [rate.what, metric, f"{rate.least:.2f}", *_reached(cases, rate, metric)]
        for rate in RATES
        if rate.case.startswith(f"{device} ")
        for metric in rate.metrics
    ]
    if not rates:
        return table
    lead = "As shares of the rate of products (the floors) in the same precision:"
    return f"{table}\n\n{lead}\n\n{markdown(['', 'metric', 'at least', 'measured', ''], rates)}"


def _best(cases: Mapping[str, Any], aim: Aim, metric: str) -> float | None:
    shares = [share_of_lpips(cases, aim.case, metric + option) for option in aim.options]
    return min((share for share in shares if share is not None), default=None)


def _reached(cases: Mapping[str, Any], rate: Rate, metric: str) -> tuple[str, str]:
    """What was measured, and the verdict."""
    shares = [share_of_rate(cases, rate.case, metric + option) for option in rate.options]
    share = max((share for share in shares if share is not None), default=None)
    if share is None:
        return "", "not measured"
    return f"{share:.2f}", "met" if share >= rate.least else "missed"


def share_of_lpips(cases: Mapping[str, Any], case: str, metric: str) -> float | None:
    """A metric's time (median over rounds) or peak memory as a share of lpips'; None where it was not measured."""
    if " memory " in case:
        mine, base = (cases.get(f"{case} {name}", {}) for name in (metric, BASELINE))
        if "peak" not in mine or "peak" not in base:
            return None
        return float((mine["peak"] - mine["held"]) / (base["peak"] - base["held"]))
    times = cases.get(case, {}).get("times", {})
    if metric not in times:
        return None
    clock = "cpu" if case.startswith("cpu ") else "wall"
    return median_ratio(times[metric][clock], times[BASELINE][clock])


def share_of_rate(cases: Mapping[str, Any], case: str, metric: str) -> float | None:
    """The part of the device's rate of products that a forward pass reaches; None where it was not measured.

    Example:
        >>> floors = {"rates": {"float16 operations/s": 1e12}, "work": {"gap": {"operations/pixel": 1e6}}}
        >>> times = {"gap+float16+channels_last": {"wall": [0.02, 0.01]}}
        >>> cases = {"cuda floors": floors, "cuda forward 64 1": {"times": times}}
        >>> share_of_rate(cases, "cuda forward 64 1", "gap+float16+channels_last")  # 4.1e9 operations in 10 ms
        0.4096
    """
    device, _, side, batch = case.split()
    floors, times = cases.get(f"{device} floors", {}), cases.get(case, {}).get("times", {})
    name, *options = metric.split("+")
    dtype = next((option for option in options if option.endswith("float16")), "float32")
    rate = floors.get("rates", {}).get(f"{dtype} operations/s")
    work = floors.get("work", {}).get(name)
    if rate is None or work is None or metric not in times:
        return None
    operations = int(side) ** 2 * int(batch) * work["operations/pixel"]
    seconds = min(times[metric]["cpu" if device == "cpu" else "wall"])
    return float(operations / seconds / rate)
