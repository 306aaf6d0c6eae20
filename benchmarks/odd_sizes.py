"""What polyphase pooling costs where a side is odd: such a side is not halved (`python benchmarks/odd_sizes.py`)."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import torch

from invariant_lpips import InvariantLPIPS
from invariant_lpips.files.provenance import write_result

SIZES = {(64, 64): 5, (75, 61): 5, (256, 256): 5, (255, 255): 3}  # (height, width) -> repeats
OUT = Path(__file__).parent / "results" / "odd_sizes.json"


def seconds(metric: InvariantLPIPS, pair: tuple[torch.Tensor, torch.Tensor]) -> float:
    """Process time of one distance."""
    start = time.process_time()
    metric(*pair)
    return time.process_time() - start


def main() -> None:
    """Measure, and write the record."""
    torch.set_num_threads(1)
    metrics = {pooling: InvariantLPIPS(head="gap", pooling=pooling) for pooling in ("max", "polyphase")}
    sizes = {}
    for (height, width), repeats in SIZES.items():
        generator = torch.Generator().manual_seed(0)
        a, b = (torch.rand(1, 3, height, width, generator=generator) * 2 - 1 for _ in "ab")
        with torch.inference_mode():
            metrics["max"](a, b)  # the allocator's first touch
            turns = [{name: seconds(m, (a, b)) for name, m in metrics.items()} for _ in range(repeats)]
        medians = {name: statistics.median(turn[name] for turn in turns) for name in metrics}
        sizes[f"{height}x{width}"] = {
            "repeats": repeats,
            "median_seconds": medians,
            "factor": medians["polyphase"] / medians["max"],
        }
    record = {
        "what": "process time of one distance of a pair, head gap, one thread, one CPU",
        "sizes": sizes,
    }
    write_result(OUT, record, command="python benchmarks/odd_sizes.py")


if __name__ == "__main__":
    main()
