"""The options that benchmarks over databases share: where scores are kept, and how metrics run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from invariant_lpips.cli.bench import words
from invariant_lpips.cli.counts import at_least
from invariant_lpips.cli.devices import check_device
from invariant_lpips.cli.metric_options import check_metrics
from invariant_lpips.cli.output import say
from invariant_lpips.cli.start_up import load_torch


def add_cache_options(parser: argparse.ArgumentParser) -> None:
    """Add `--cache` and `--no-cache`."""
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="where scores and what is unpacked of archives are kept (default: the user's cache)",
    )
    parser.add_argument("--no-cache", action="store_true", help="neither read nor write cached scores")


def unpacked_of(args: argparse.Namespace) -> Path:
    """The folder of what is unpacked of archives."""
    from invariant_lpips.registry.download import cache_folder

    return (args.cache or cache_folder()) / "databases"


def database_root(args: argparse.Namespace, name: str) -> Path:
    """The folder to hand to a database's reader: what `bench all` finds below `--root`, or `--root` if that is nothing.

    Raises:
        ValueError, OSError: an archive can't be read, or a folder.
    """
    from invariant_lpips.datasets.finding import NAMES, find_databases, open_database

    root: Path = args.root
    if name not in NAMES or not root.is_dir():
        return root
    finding = find_databases(root, [name])
    found = finding.databases.get(name)
    if found is None or found.missing:
        for remark in finding.remarks:  # an archive that isn't read may be what is missing
            say(args.called, remark)
    if found is None:
        return root
    if found.root != root:
        say(args.called, f"{name} in {found.where}")
    return open_database(found, unpacked_of(args))


def cache_of(args: argparse.Namespace) -> Path | None:
    """The folder of cached scores, as parsed; None where none are kept."""
    from invariant_lpips.evaluation.score_cache import default_cache_folder

    return None if args.no_cache else args.cache or default_cache_folder()


def add_running_options(parser: argparse.ArgumentParser) -> None:
    """Add processes, threads, batches, the device and the bootstrap."""
    add_count = partial(parser.add_argument, type=at_least(1), metavar="N")
    add_count("--workers", default=1, help="processes (default: %(default)s)")
    add_count("--threads", help="threads of PyTorch, divided between the processes")
    add_count("--batch-size", help="pictures at once (default: 1 on a CPU, 16 on a GPU)")
    add_device_option(parser)
    parser.add_argument(
        "--resamples",
        type=at_least(0),
        default=1000,
        metavar="N",
        help="draws for intervals and tests (default: %(default)s); 0 leaves them out",
    )


def add_metrics_option(parser: argparse.ArgumentParser, default: Sequence[str]) -> None:
    """Add `--metrics`, which :func:`named_metrics` reads."""
    parser.add_argument(
        "--metrics",
        default=",".join(default),
        metavar="A,B,...",
        help="metrics by name: ssim, vsi, dists, lpips-alex ..., ours HEAD[+NET][+motion] (default: %(default)s)",
    )


def add_device_option(parser: argparse.ArgumentParser) -> None:
    """Add `--device`."""
    parser.add_argument(
        "--device",
        default="cpu",
        help="where deep metrics run: cpu, cuda, cuda:1, mps (default: %(default)s)",
    )


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
