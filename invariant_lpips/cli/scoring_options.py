"""The options that benchmarks over databases share: where scores are kept, and how metrics run."""

from __future__ import annotations

import argparse
from pathlib import Path

from invariant_lpips.cli.bench import words
from invariant_lpips.cli.devices import check_device
from invariant_lpips.cli.metric_options import check_metrics
from invariant_lpips.cli.start_up import load_torch


def add_cache_options(parser: argparse.ArgumentParser, *, kept: str = "cached scores") -> None:
    """Add `--cache` (`kept` is what lies there) and `--no-cache`."""
    parser.add_argument("--cache", type=Path, metavar="DIR", help=f"{kept} (default: the user's cache)")
    parser.add_argument("--no-cache", action="store_true", help="neither read nor write cached scores")


def cache_of(args: argparse.Namespace) -> Path | None:
    """The folder of cached scores, as parsed; None where none are kept."""
    from invariant_lpips.evaluation.score_cache import default_cache_folder

    return None if args.no_cache else args.cache or default_cache_folder()


def add_running_options(parser: argparse.ArgumentParser) -> None:
    """Add processes, threads, batches, the device and the bootstrap."""
    parser.add_argument("--workers", type=int, default=1, help="processes (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="threads of torch, divided between the processes")
    parser.add_argument("--batch-size", type=int, help="pictures at once (default: 1 on a CPU, 16 on a GPU)")
    parser.add_argument("--device", default="cpu", help="where deep metrics run (default: %(default)s)")
    parser.add_argument("--resamples", type=int, default=1000, help="of the bootstrap (default: %(default)s)")


def named_metrics(args: argparse.Namespace) -> tuple[str, ...]:
    """The metrics, as parsed; with torch and its threads, once their names and the device are not refused without.

    Raises:
        ValueError: no metric has one of these names, or there is no such device.
    """
    metrics = words(args.metrics)
    check_metrics(metrics)
    check_device(args.device)
    load_torch()
    set_threads(args)
    return metrics


def set_threads(args: argparse.Namespace) -> None:
    """Give torch the threads that were asked for, where the command has that option."""
    if threads := getattr(args, "threads", None):
        import torch

        torch.set_num_threads(threads)
