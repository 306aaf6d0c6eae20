"""The options that benchmarks over databases share: where scores are kept, and how metrics run."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from invariant_lpips.evaluation.score_cache import default_cache_folder


def add_cache_options(parser: argparse.ArgumentParser, *, kept: str = "cached scores") -> None:
    """Add `--cache` (`kept` is what lies there) and `--no-cache`."""
    parser.add_argument("--cache", type=Path, metavar="DIR", help=f"{kept} (default: the user's cache)")
    parser.add_argument("--no-cache", action="store_true", help="neither read nor write cached scores")


def cache_of(args: argparse.Namespace) -> Path | None:
    """The folder of cached scores, as parsed; None where none are kept."""
    return None if args.no_cache else args.cache or default_cache_folder()


def add_running_options(parser: argparse.ArgumentParser) -> None:
    """Add processes, threads, batches, the device and the bootstrap."""
    parser.add_argument("--workers", type=int, default=1, help="processes (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="threads of torch, divided between the processes")
    parser.add_argument("--batch-size", type=int, help="pictures at once (default: 1 on a CPU, 16 on a GPU)")
    parser.add_argument("--device", default="cpu", help="where deep metrics run (default: %(default)s)")
    parser.add_argument("--resamples", type=int, default=1000, help="of the bootstrap (default: %(default)s)")


def set_threads(args: argparse.Namespace) -> None:
    """Give torch the threads that were asked for."""
    if args.threads:
        torch.set_num_threads(args.threads)
