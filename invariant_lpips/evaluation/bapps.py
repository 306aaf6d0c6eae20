"""BAPPS as a command: 2AFC agreement and JND average precision of metrics, by subset."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from invariant_lpips.datasets import bapps
from invariant_lpips.evaluation.metrics import resolve_metric
from invariant_lpips.evaluation.rated.report import aligned
from invariant_lpips.evaluation.runner import read_unit
from invariant_lpips.evaluation.scorers import Scorer
from invariant_lpips.files.provenance import provenance
from invariant_lpips.files.writing import replacing
from invariant_lpips.statistics.correlations import jnd_map, two_afc_score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["main", "score_2afc", "score_jnd"]

T = TypeVar("T")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and return the exit status; the table goes to stdout, progress to stderr."""
    parser = argparse.ArgumentParser(prog="invariant-lpips bench bapps", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help=f"where the data lie. {bapps.OBTAIN}")
    parser.add_argument("--metrics", default="default,gap,lpips-vgg,lpips-alex,psnr", metavar="A,B,...")
    parser.add_argument("--parts", default="2afc,jnd", help="2afc, jnd or both (default: %(default)s)")
    parser.add_argument("--split", default="val", choices=["val", "train"], help="of 2AFC")
    parser.add_argument("--subsets", metavar="cnn,deblur", help="only these subsets")
    parser.add_argument(
        "--size", type=int, default=64, help="side that patches are resized to, as lpips does"
    )
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write everything as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    arguments = parser.parse_args(argv)
    try:
        report = run(arguments)
    except (ValueError, ImportError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for part, title in (("2afc", "2AFC agreement"), ("jnd", "JND mAP")):
        tables = {name: entry[part] for name, entry in report["metrics"].items() if part in entry}
        if tables:
            columns = list(next(iter(tables.values())))
            rows = [[title, *columns]]
            rows += [
                [name, *(f"{table[column]:.4f}" for column in columns)] for name, table in tables.items()
            ]
            print("\n".join(aligned(rows)) + "\n")
    return 0


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Score every metric on the parts asked for and write the JSON file."""
    parts = [part.strip() for part in arguments.parts.split(",")]
    if set(parts) - {"2afc", "jnd"}:
        raise ValueError(f"Option --parts must be 2afc, jnd or 2afc,jnd, but got {arguments.parts!r}.")
    subsets = arguments.subsets.split(",") if arguments.subsets else None
    choices = (
        bapps.load_2afc(arguments.root, split=arguments.split, subsets=subsets) if "2afc" in parts else ()
    )
    pairs = bapps.load_jnd(arguments.root, subsets=subsets) if "jnd" in parts else ()
    report: dict[str, Any] = {**provenance(), "dataset": "bapps", "size": arguments.size, "metrics": {}}
    options = {
        "size": arguments.size,
        "batch_size": arguments.batch_size,
        "device": arguments.device,
        "progress": not arguments.quiet,
    }
    for name in arguments.metrics.split(","):
        scorer = resolve_metric(name.strip(), arguments.device)
        entry: dict[str, Any] = {"description": scorer.describe()}
        if choices:
            entry["2afc"] = score_2afc(scorer, choices, **options)
        if pairs:
            entry["jnd"] = score_jnd(scorer, pairs, **options)
        report["metrics"][scorer.name] = entry
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(arguments.out) as temporary:
            temporary.write_text(json.dumps(report, indent=1) + "\n")
    return report


def score_2afc(
    scorer: Scorer,
    choices: Sequence[bapps.TwoAFC],
    *,
    size: int = 64,
    batch_size: int = 50,
    device: str = "cpu",
    progress: bool = False,
) -> dict[str, float]:
    """Agreement with people for each subset, and "mean" over subsets, all in [0, 1]."""

    def both(batch: Sequence[bapps.TwoAFC]) -> Tensor:
        reference, first, second = (
            stack([getattr(choice, side) for choice in batch], size, device)
            for side in ("reference", "first", "second")
        )
        return torch.stack([distances(scorer, reference, first), distances(scorer, reference, second)], dim=1)

    table = {}
    for subset in dict.fromkeys(choice.subset for choice in choices):
        part = [choice for choice in choices if choice.subset == subset]
        values = batched(part, both, batch_size, f"{scorer.name} 2AFC {subset}", progress)
        table[subset] = two_afc_score(values[:, 0], values[:, 1], [choice.judge for choice in part])
    return with_mean(table)


def score_jnd(
    scorer: Scorer,
    pairs: Sequence[bapps.SamePair],
    *,
    size: int = 64,
    batch_size: int = 50,
    device: str = "cpu",
    progress: bool = False,
) -> dict[str, float]:
    """Average precision for each subset, and "mean" over subsets, all in [0, 1]."""

    def one(batch: Sequence[bapps.SamePair]) -> Tensor:
        first = stack([pair.first for pair in batch], size, device)
        second = stack([pair.second for pair in batch], size, device)
        return distances(scorer, first, second)

    table = {}
    for subset in dict.fromkeys(pair.subset for pair in pairs):
        part = [pair for pair in pairs if pair.subset == subset]
        values = batched(part, one, batch_size, f"{scorer.name} JND {subset}", progress)
        table[subset] = jnd_map(values, [pair.same for pair in part])
    return with_mean(table)


def distances(scorer: Scorer, reference: Tensor, distorted: Tensor) -> Tensor:
    """The metric, turned so that it rises with difference."""
    values = scorer(reference, distorted).double()
    return -values if scorer.higher_is_better else values


def batched(
    items: Sequence[T], function: Callable[[Sequence[T]], Tensor], batch_size: int, title: str, progress: bool
) -> Array:
    """`function` of all items, a batch at a time, as one array."""
    from tqdm import tqdm

    parts = []
    with tqdm(total=len(items), desc=title, disable=not progress) as bar:
        for first in range(0, len(items), batch_size):
            batch = items[first : first + batch_size]
            parts.append(function(batch).cpu())
            bar.update(len(batch))
    values: Array = torch.cat(parts).numpy()
    return values


def stack(paths: Sequence[Path], size: int, device: str) -> Tensor:
    """Patches as one batch (N, 3, size, size) in [0, 1]; antialiased bilinear if of another size."""
    patches = []
    for path in paths:
        patch = read_unit(path)
        if patch.shape[-2:] != (size, size):
            patch = torch.nn.functional.interpolate(
                patch, size=(size, size), mode="bilinear", align_corners=False, antialias=True
            )
        patches.append(patch)
    return torch.cat(patches).to(device)


def with_mean(table: dict[str, float]) -> dict[str, float]:
    """The table with the mean over its entries at the end."""
    return {**table, "mean": sum(table.values()) / len(table)}
