"""The options that choose a metric and how files become its input, for commands that measure pictures."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invariant_lpips.pictures.decoding import DEFAULT_MAX_PIXELS

if TYPE_CHECKING:
    import torch
    from torch import Tensor

DTYPES = ("float32", "float16", "bfloat16", "float64")


def add_metric_options(parser: argparse.ArgumentParser) -> None:
    """Add `--metric`, `--net`, `--head` and the rest to the parser of a command that compares pairs."""
    which = parser.add_argument_group("which metric")
    which.add_argument(
        "--metric",
        choices=("invariant", "lpips"),
        default="invariant",
        help="lpips: the stock metric, its numbers",
    )
    which.add_argument("--net", help="trunk: vgg, alex or squeeze (default: vgg; of --metric lpips: alex)")
    _add_head(which)
    which.add_argument("-v", "--version", choices=("0.0", "0.1"), help="of --metric lpips (0.1)")

    how = parser.add_argument_group("how it is measured")
    _add_device(how)
    _add_reading(how, batch="pairs of one size measured at once (1); for GPUs")
    how.add_argument(
        "--unequal-sizes",
        action="store_true",
        help="compare pictures of different sizes by their embeddings; needs --head gap",
    )


def add_embedding_options(parser: argparse.ArgumentParser, *, reading: bool = True) -> None:
    """Add the options of a command that embeds pictures; without `reading` where an index says how to read."""
    which = parser.add_argument_group("which metric")
    which.add_argument("--net", help="trunk: vgg, alex or squeeze, or the folder of a backbone (vgg)")
    _add_head(which)
    how = parser.add_argument_group("how pictures are embedded")
    _add_device(how)
    if reading:
        _add_reading(how, batch="pictures of one size embedded at once (1); for GPUs")
    parser.set_defaults(metric="invariant", version=None, unequal_sizes=False)


def _add_head(which: argparse._ArgumentGroup) -> None:
    which.add_argument("--head", help="gap, gap-spatial, spatial, ... (default: the package's default head)")
    which.add_argument("--weights", metavar="FILE", help="linear weights of your own, or `unit` for none")
    which.add_argument(
        "--pooling", choices=("max", "blur", "polyphase"), help="the trunk's downsampler (max)"
    )


def _add_device(how: argparse._ArgumentGroup) -> None:
    how.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, mps")
    how.add_argument("--use_gpu", dest="device", action="store_const", const="cuda", help="as --device cuda")
    how.add_argument("--dtype", choices=DTYPES, default="float32", help="of the network (float32)")


def _add_reading(how: argparse._ArgumentGroup, *, batch: str) -> None:
    how.add_argument("--batch-size", type=int, default=1, metavar="N", help=batch)
    how.add_argument(
        "--resize",
        type=_size,
        metavar="N|WxH",
        help="first bring every picture to N x N or W x H pixels (antialiased bicubic, whatever the aspect); "
        "by default pictures are compared as they are. Distances depend on the size",
    )
    how.add_argument(
        "--alpha",
        choices=("white", "black", "drop", "refuse"),
        default="white",
        help="what transparent pictures are shown against (white)",
    )
    how.add_argument(
        "--max-pixels",
        type=int,
        default=DEFAULT_MAX_PIXELS,
        metavar="N",
        help=f"refuse larger pictures, a guard against decompression bombs ({DEFAULT_MAX_PIXELS})",
    )


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add `--engine` and what it takes, to the parser of a command that Ray can run."""
    engine = parser.add_argument_group("on several machines")
    engine.add_argument("--engine", choices=("local", "ray"), default="local", help="what runs it (local)")
    engine.add_argument(
        "--ray-workers",
        type=int,
        default=2,
        metavar="N",
        help="of --engine ray, each with a metric of its own (2)",
    )


def ray_resources(args: argparse.Namespace) -> dict[str, Any]:
    """How many workers of Ray, and what each takes; on a GPU a whole one."""
    if args.ray_workers < 1:
        raise ValueError(f"--ray-workers must be at least 1, but got {args.ray_workers}")
    return {
        "workers": args.ray_workers,
        "num_cpus": 1,
        "num_gpus": float(args.device.startswith("cuda")),
        "quiet": args.quiet,
    }


def build_metric(args: argparse.Namespace) -> Any:
    """The metric that the options name, on its device and in its dtype; ValueError where they conflict."""
    import torch

    device = _device(args.device)
    if args.metric == "lpips":
        foreign = [f"--{name}" for name in ("head", "pooling") if getattr(args, name) is not None]
        if foreign or args.unequal_sizes:
            raise ValueError(f"{(foreign or ['--unequal-sizes'])[0]} does not belong to --metric lpips")
        metric = _stock(args)
    else:
        metric = _invariant(args)
    return metric.to(device, getattr(torch, args.dtype))


def picture_reader(args: argparse.Namespace) -> Callable[[Path], Tensor]:
    """From a path to a tensor (1, 3, H, W) in [-1, 1], as `--alpha`, `--max-pixels` and `--resize` say."""
    from invariant_lpips.indexing.sources import Reading

    return Reading(args.alpha, args.max_pixels, args.resize)


def settings(args: argparse.Namespace, metric: Any) -> dict[str, Any]:
    """What a report says about how its numbers were made."""
    return {
        "metric": metric.describe(),
        "device": args.device,
        "dtype": args.dtype,
        "resize": None if args.resize is None else f"{args.resize[0]}x{args.resize[1]}",
        "alpha": args.alpha,
        "unequal_sizes": args.unequal_sizes,
    }


def _stock(args: argparse.Namespace) -> Any:
    from invariant_lpips import LPIPS

    return LPIPS(
        net=args.net or "alex", version=args.version or "0.1", model_path=args.weights, verbose=False
    )


def _invariant(args: argparse.Namespace) -> Any:
    from invariant_lpips import InvariantLPIPS

    if args.version is not None:
        raise ValueError("-v (--version) is lpips' and needs --metric lpips")
    metric = InvariantLPIPS(
        net=args.net or "vgg",
        head=args.head or "default",
        pooling=args.pooling or "max",
        weights=args.weights,
    )
    if args.unequal_sizes and not metric.head.sizeless:
        raise ValueError(
            f"--unequal-sizes needs a head whose embedding has no size, which {metric.head.name!r} is not; "
            "use --head gap"
        )
    return metric


def _device(name: str) -> torch.device:
    import torch

    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"--device must be cpu, cuda, cuda:N or mps, but got {name!r}") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda: PyTorch finds no CUDA device here; use --device cpu")
    return device


def _size(text: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"expected N or WIDTHxHEIGHT in pixels, but got {text!r}")
    return int(parts[0]), int(parts[-1])
