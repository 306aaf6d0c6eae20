"""What the commands on indexes share: a folder or an index file to an open index, and its metric."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from invariant_lpips.cli.metric_options import build_metric
from invariant_lpips.indexing import Index, Reading, embed_folder, open_index
from invariant_lpips.indexing.files import WRITERS

#: What names a metric at the command line, and in `Settings.arguments`.
METRIC_OPTIONS = ("net", "head", "weights", "pooling")


def add_embedding_run_options(parser: argparse.ArgumentParser) -> None:
    """Add what says which pictures of a folder are embedded and with how much help."""
    run = parser.add_argument_group("which pictures, and how many at once")
    run.add_argument("--recursive", action="store_true", help="look into subfolders too")
    run.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes that decode pictures ahead (1 on a CPU, up to 8 on a GPU); 0: none",
    )
    run.add_argument("--quiet", action="store_true", help="no progress bar")


def embedding_arguments(args: argparse.Namespace, metric: Any) -> dict[str, Any]:
    """The keyword arguments of `embed_folder` that the options name."""
    workers = args.workers
    if workers is None:
        workers = 1 if metric.scaling_layer.shift.device.type == "cpu" else min(8, os.cpu_count() or 1)
    return {
        "reading": Reading(args.alpha, args.max_pixels, args.resize),
        "recursive": args.recursive,
        "batch_size": args.batch_size,
        "workers": workers,
        "progress": not args.quiet,
    }


@contextlib.contextmanager
def index_of(args: argparse.Namespace, out: Path | None) -> Iterator[Index]:
    """The index that `args.source` is, or one of the pictures in the folder that it is, for as long as needed.

    The embeddings of a folder are kept beside `out` until the command has ended well, so that it goes on after a
    kill; without `out`, in a temporary folder.
    """
    if args.source.suffix.lower() in WRITERS and not args.source.is_dir():
        index = open_index(args.source)
        if any(getattr(args, name) is not None for name in METRIC_OPTIONS):
            metric_of(index, args)
        yield index
        return
    metric = build_metric(args)
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "embeddings.safetensors"
        if out is not None:
            kept = out.with_name(f".{out.name}.embeddings.safetensors")
        yield embed_folder(metric, args.source, kept, **embedding_arguments(args, metric))
        kept.unlink()


def metric_of(index: Index, args: argparse.Namespace) -> Any:
    """The metric an index was made with, on `--device`; ValueError where the options or weights are others."""
    settings = index.settings
    made_of = settings.arguments
    _require_options(index, args)
    chosen = argparse.Namespace(**vars(args))
    for name in METRIC_OPTIONS:
        if getattr(args, name) is None:
            setattr(chosen, name, made_of[name])
    chosen.dtype = settings.dtype
    metric = build_metric(chosen)
    settings.require_metric(metric, index.origin)
    return metric


def _require_options(index: Index, args: argparse.Namespace) -> None:
    """Refuse options that name another metric than the index's, before weights are looked for that fit them."""
    from invariant_lpips.heads import DEFAULT_HEAD
    from invariant_lpips.trunks import ALIASES, ARCHITECTURES

    made_of = index.settings.arguments
    net = ALIASES.get(args.net, args.net)
    head = DEFAULT_HEAD[made_of["net"]] if args.head == "default" else args.head
    # Any other net is a folder, whose parameters are compared once they are read.
    asked = {"net": net if net in ARCHITECTURES else None, "head": head, "pooling": args.pooling}
    for name, value in asked.items():
        if value is not None and value != made_of[name]:
            raise ValueError(
                f"{index.origin} was made with --{name} {made_of[name]}, not with --{name} {value}: leave the option "
                "out, or embed the pictures again with it"
            )


def unit(index: Index, args: argparse.Namespace) -> float:
    """What distances are divided by: 1, or with --jnd the just noticeable one."""
    return just_noticeable(metric_of(index, args)) if args.jnd else 1.0


def just_noticeable(metric: Any) -> float:
    """The distance that people just notice."""
    import torch

    return 1.0 / float(metric.jnd(torch.tensor(1.0)))


def report_problems(index: Index, command: str) -> int:
    """Say on stderr which pictures have no row; the exit status."""
    for name, sentence in index.problems:
        print(f"invariant-lpips {command}: {name}: {sentence}", file=sys.stderr)
    if index.problems:
        total = len(index) + len(index.problems)
        print(f"invariant-lpips {command}: {len(index.problems)} of {total} pictures failed", file=sys.stderr)
    return 1 if index.problems else 0
