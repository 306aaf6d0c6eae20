"""What the package's speed and memory were aimed at, beside what `bench speed` measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from invariant_lpips.evaluation.speed.clocks import median_ratio
from invariant_lpips.evaluation.tables import markdown

__all__ = ["AIMS", "Aim", "aims_table", "share_of_lpips"]

BASELINE = "lpips-vgg"
HEADS = ("regional", "gap")


class Aim(NamedTuple):
    """A share of lpips' time or memory not to be passed.

    Attributes:
        case: of the benchmark; of cases about memory without the metric at the end.
        options: behind the head's name; of several the best counts.
        most: the share.
        what: in words.
    """

    case: str
    options: tuple[str, ...]
    most: float
    what: str


_HALVES = ("+bfloat16+channels_last", "+float16+channels_last")
AIMS = (
    Aim("cpu forward 256 8", ("",), 0.60, "forward, 256 px, batch 8"),
    Aim("cpu forward 1024 1", ("",), 0.60, "forward, 1024 px"),
    Aim("cpu forward 256 8", ("+bfloat16",), 0.36, "forward in bfloat16, 256 px, batch 8"),
    Aim("cpu memory forward 1024 1", ("",), 0.40, "memory of a forward pass, 1024 px"),
    Aim("cpu loss 256 2", ("+reference",), 0.50, "step against a reference, 256 px, batch 2"),
    Aim("cpu memory loss 256 8", ("+reference",), 0.60, "memory of such a step, 256 px, batch 8"),
    Aim("cpu memory loss 256 8", ("+checkpointing",), 0.30, "memory with checkpointing, 256 px, batch 8"),
    Aim("cpu memory loss 512 1", ("+checkpointing",), 0.30, "memory with checkpointing, 512 px, batch 1"),
    Aim("cuda forward 512 16", ("",), 0.70, "CUDA: forward, 512 px, batch 16"),
    Aim("cuda memory forward 512 16", ("",), 0.35, "CUDA: memory of a forward pass, 512 px, batch 16"),
    Aim("cuda forward 512 16", _HALVES, 0.25, "CUDA: forward in half precision, 512 px, batch 16"),
    Aim("cuda loss 512 16", ("+reference",), 0.60, "CUDA: step against a reference, 512 px, batch 16"),
    Aim("cuda memory loss 512 16", ("+reference",), 0.60, "CUDA: memory of such a step, 512 px, batch 16"),
    Aim(
        "cuda memory loss 512 16",
        ("+checkpointing",),
        0.30,
        "CUDA: memory with checkpointing, 512 px, batch 16",
    ),
)


def aims_table(cases: Mapping[str, Any]) -> str:
    """One row for each aim; those on CUDA in one row where none was measured."""
    measured_on_cuda = any("times" in case for name, case in cases.items() if name.startswith("cuda "))
    rows = []
    for aim in AIMS:
        if aim.case.startswith("cuda ") and not measured_on_cuda:
            continue
        found = [_best(cases, aim, head) for head in HEADS]
        known = [share for share in found if share is not None]
        verdict = "not measured" if len(known) < len(HEADS) else "met" if max(known) <= aim.most else "missed"
        shares = ["" if share is None else f"{share:.2f}" for share in found]
        rows.append([aim.what, f"{aim.most:.2f}", *shares, verdict])
    if not measured_on_cuda:
        rows.append(["anything on CUDA", "", "", "", "not measured"])
    return markdown(["", "at most", "default head", "`gap`", ""], rows)


def _best(cases: Mapping[str, Any], aim: Aim, head: str) -> float | None:
    shares = [share_of_lpips(cases, aim.case, head + option) for option in aim.options]
    return min((share for share in shares if share is not None), default=None)


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
