"""Times and memory of calls, taken so that they can be compared on a machine that others use too.

CPU time is the process's own (`time.process_time`) and hardly feels its neighbours; wall time is noted beside it. Calls
are compared by ratios within a round, in which every one runs once, so that what slows the machine slows all.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

if TYPE_CHECKING:
    import resource  # Windows has none

__all__ = [
    "alternate",
    "copy_rate",
    "counted_work",
    "median_ratio",
    "peak_bytes",
    "product_rate",
    "resident_bytes",
]


def alternate(
    calls: Mapping[str, Callable[[], Any]], rounds: int, *, device: str = "cpu"
) -> dict[str, dict[str, list[float]]]:
    """Run every call once in each round, each round beginning with the next one.

    Returns:
        name -> {"wall": seconds of each round, "cpu": CPU seconds of each round}.
    """
    names = list(calls)
    times: dict[str, dict[str, list[float]]] = {name: {"wall": [], "cpu": []} for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            _wait(device)
            wall, cpu = time.perf_counter(), time.process_time()
            calls[name]()
            _wait(device)
            times[name]["wall"].append(time.perf_counter() - wall)
            times[name]["cpu"].append(time.process_time() - cpu)
    return times


def median_ratio(times: Sequence[float], others: Sequence[float]) -> float:
    """The median over rounds of one call's time as a share of another's.

    Example:
        >>> median_ratio([1.0, 1.0, 9.0], [2.0, 4.0, 9.0])
        0.5
    """
    return median(mine / other for mine, other in zip(times, others, strict=True))


def product_rate(device: str = "cpu", dtype: torch.dtype = torch.float32) -> float:
    """Operations a second of products, a multiplication and an addition counting as two.

    The better of a large matrix product and a large 3x3 convolution: they may come from different libraries, of
    which one knows the processor better.
    """
    side = 2048 if device == "cpu" else 8192
    a, b = (torch.rand(side, side, device=device).to(dtype) for _ in range(2))
    product = 2 * side**3 / _best(lambda: a @ b, device)
    channels, places = 256, side // 32
    x = torch.rand(4, channels, places, places, device=device).to(dtype, memory_format=torch.channels_last)
    weight = torch.rand(channels, channels, 3, 3, device=device).to(dtype, memory_format=torch.channels_last)
    operations = 2 * 9 * channels * channels * 4 * places**2
    return max(product, operations / _best(lambda: torch.conv2d(x, weight, padding=1), device))


def copy_rate(device: str = "cpu") -> float:
    """Bytes a second of a large copy, those read and those written."""
    source = torch.rand(2**26, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / _best(lambda: target.copy_(source), device)


def counted_work(call: Callable[[], Any]) -> tuple[int, int]:
    """Operations of a call's products and convolutions, and bytes that its kernels read and write without a cache."""
    with FlopCounterMode(display=False) as operations:
        call()
    with _Bytes() as traffic:
        call()
    return int(operations.get_total_flops()), traffic.bytes


def resident_bytes() -> int:
    """Bytes of this process that are in memory now; 0 where the system doesn't tell."""
    table = Path("/proc/self/statm")
    if not table.is_file():
        return 0
    import resource

    return int(table.read_text().split()[1]) * resource.getpagesize()


def peak_bytes(usage: resource.struct_rusage | None = None) -> int:
    """The most a process ever had in memory (`ru_maxrss`): one that `os.wait4` told of, or this one."""
    import resource

    found = resource.getrusage(resource.RUSAGE_SELF) if usage is None else usage
    return found.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class _Bytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the bytes of every operation's tensors; views move none."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        if not function.is_view and "empty" not in str(function):
            self.bytes += sum(tensor.nbytes for tensor in (*_tensors(args), *_tensors((result,))))
        return result


def _tensors(values: Any) -> list[Tensor]:
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            found += _tensors(value)
    return found


def _best(call: Callable[[], Any], device: str) -> float:
    call()
    times = alternate({"": call}, 5, device=device)[""]
    return min(times["cpu"] if device == "cpu" and torch.get_num_threads() == 1 else times["wall"])


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize(device)
