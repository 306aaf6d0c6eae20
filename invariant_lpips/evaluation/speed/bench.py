"""How fast and how large: this package's metrics beside lpips, torchmetrics, piq, ST-LPIPS and DISTS.

Every case runs in a process of its own. Within a case all metrics take turns, and what is reported is the median over
rounds of each one's CPU time (CUDA: wall time) as a share of lpips' in the same round. Peak memory is the kernel's
account of a process that does one call, taken from outside (CUDA: the allocator's), less what the process held before.
Cases that are in the result file are not run again, so a long run may go in pieces. By lpips' operations and the
measured rate of products it is known beforehand about how long a round takes: beyond `round_seconds` a case is left
out, and beyond half of that the other packages are; the result says so.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from invariant_lpips.evaluation.speed import clocks
from invariant_lpips.evaluation.speed.cases import SpeedBench, case_names, too_large
from invariant_lpips.evaluation.speed.report import write_page
from invariant_lpips.files.provenance import provenance, write_result

__all__ = ["SpeedBench", "run"]


def run(bench: SpeedBench) -> dict[str, Any]:
    """Run every case that is not in the result file yet, and write it after each; progress goes to stderr.

    Returns:
        Where it comes from, and "cases": name -> what was measured, or why it was left out.

    Raises:
        OSError: a file cannot be read or written.
        ValueError: a pattern is none or matches no case, the result file is another's, or the page lacks the marks
            between which tables are written.
    """
    chosen = chosen_cases(bench)
    report: dict[str, Any] = {"cases": {}}
    if bench.out.exists():
        report = json.loads(bench.out.read_text(encoding="utf-8"))
        if not isinstance(report, dict) or not isinstance(report.get("cases"), dict):
            raise ValueError(f"{bench.out} must hold results of this benchmark, but has no `cases`.")
    cases = report["cases"]
    for name in [name for name in cases if bench.again and bench.again in name]:
        del cases[name]
    end = time.monotonic() + bench.seconds
    for device, name in chosen:
        if name in cases and "failed" not in cases[name]:
            continue
        if time.monotonic() > end:
            print("time is up; the same command goes on from here", file=sys.stderr)
            break
        rates = cases.get(f"{device} floors", {}).get("rates", {"float32 operations/s": math.inf})
        rate = rates["float32 operations/s"]
        reason = too_large(name, device, rate, bench.round_seconds)
        print(f"{name}: {reason or 'running'}", file=sys.stderr)
        cases[name] = {"left_out": reason} if reason else watched(name, bench, rate)
        machine = {**provenance()["machine"], "threads": bench.threads}
        report = write_result(bench.out, {"machine": machine, "cases": cases})
    if bench.page is not None:
        write_page(report, bench.page)
    return report


def chosen_cases(bench: SpeedBench) -> list[tuple[str, str]]:
    """(device, name) of every case that is asked for.

    Raises:
        ValueError: a pattern is no regular expression, or no case's name matches.

    Example:
        >>> chosen_cases(SpeedBench(Path("speed.json"), only="cpu floors"))
        [('cpu', 'cpu floors')]
        >>> chosen_cases(SpeedBench(Path("speed.json"), only="("))
        Traceback (most recent call last):
        ValueError: Pattern `only` must be a regular expression, but '(' is none: missing ), unterminated subpattern.
    """
    for option in ("only", "metrics"):
        try:
            re.compile(getattr(bench, option))
        except re.error as error:
            raise ValueError(
                f"Pattern `{option}` must be a regular expression, but {getattr(bench, option)!r} is none: {error.msg}."
            ) from None
    known = [(device, name) for device in devices() for name in case_names(device)]
    chosen = [(device, name) for device, name in known if re.search(bench.only, name)]
    if not chosen:
        raise ValueError(
            f"Pattern `only` must match the name of a case, but {bench.only!r} matches none of "
            f"{', '.join(name for _, name in known)}."
        )
    return chosen


def devices() -> list[str]:
    """Where cases can run."""
    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


def watched(name: str, bench: SpeedBench, rate: float) -> dict[str, Any]:
    """A case in a process of its own, with the kernel's account of that process's memory and CPU time."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "case.json"
        order = {
            "name": name,
            "rate": rate,
            "out": str(out),
            "metrics": bench.metrics,
            "budget": bench.budget,
            "round_seconds": bench.round_seconds,
            "threads": bench.threads,
        }
        arguments = [sys.executable, "-m", "invariant_lpips.evaluation.speed.cases", json.dumps(order)]
        process = os.posix_spawn(sys.executable, arguments, os.environ)
        _, status, usage = os.wait4(process, 0)
        if status != 0:
            return {"failed": f"its process ended with status {status}"}
        result: dict[str, Any] = json.loads(out.read_text())
    result["process_cpu_seconds"] = usage.ru_utime + usage.ru_stime
    if " memory " in name and "peak" not in result:
        result["peak"] = clocks.peak_bytes(usage)
        result["hidden"] = result["peak"] <= result["peak_before"]  # it held more while it was set up
    return result
