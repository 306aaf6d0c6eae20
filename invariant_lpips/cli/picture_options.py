"""The options that say how picture files are read, how many at once, and on which machines."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

from invariant_lpips.cli.sizes import width_and_height
from invariant_lpips.cli.start_up import load_torch
from invariant_lpips.pictures.decoding import DEFAULT_MAX_PIXELS, check_choices
from invariant_lpips.pictures.profiles import ICC_CHOICES
from invariant_lpips.pictures.transparency import ALPHA_CHOICES

if TYPE_CHECKING:
    from invariant_lpips.pictures import Reading


def add_reading_options(parser: argparse.ArgumentParser, *, batch: str, pairs: bool = False) -> None:
    """Add `--batch-size` (`batch` is its help) and all of a `Reading`; of `pairs`, a frame for each side."""
    how = parser.add_argument_group("how pictures are read")
    how.add_argument("--batch-size", type=int, default=1, metavar="N", help=batch)
    how.add_argument(
        "--resize",
        type=width_and_height,
        metavar="N|WxH",
        help="first bring every picture to N x N or W x H pixels (antialiased bicubic, whatever the aspect); "
        "by default pictures are compared as they are. Distances depend on the size",
    )
    how.add_argument(
        "--alpha",
        choices=ALPHA_CHOICES,
        default="white",
        help="what transparent pictures are shown against (white); grey shows white and black drawings alike, drop "
        "takes the colours as they are, refuse takes no such picture",
    )
    how.add_argument(
        "--frame",
        type=frame_numbers if pairs else int,
        metavar="N|A,B" if pairs else "N",
        help="which one of a file's several frames or pages, counted from 0 (default: the first, with a warning)"
        + ("; A,B: A of the reference, B of the distorted" if pairs else ""),
    )
    how.add_argument(
        "--bands",
        type=band_numbers,
        metavar="R,G,B|N",
        help="which bands of the file are red, green and blue, or the one that is grey, counted from 1",
    )
    how.add_argument(
        "--full-scale",
        type=int,
        metavar="N",
        help="the value of white in integers of more than 8 bits: 4095 for 12-bit data in 16-bit files",
    )
    how.add_argument(
        "--icc",
        choices=ICC_CHOICES,
        default="convert",
        help="colours of a file with an ICC profile are converted to sRGB, or the profile is ignored (convert)",
    )
    how.add_argument(
        "--max-pixels",
        type=int,
        default=DEFAULT_MAX_PIXELS,
        metavar="N",
        help=f"refuse larger pictures, a guard against decompression bombs ({DEFAULT_MAX_PIXELS})",
    )


def check_reading(args: argparse.Namespace) -> None:
    """Refuse values that can't be meant, without torch."""
    for side in (0, 1):
        check_choices(frame=_frame(args, side), bands=args.bands, full_scale=args.full_scale, icc=args.icc)
    if args.batch_size < 1:
        raise ValueError(f"--batch-size must be at least 1, but got {args.batch_size}")
    if args.max_pixels < 1:
        raise ValueError(f"--max-pixels must be at least 1, but got {args.max_pixels}")


def _frame(args: argparse.Namespace, side: int) -> int | None:
    frame: int | None = args.frame[side] if isinstance(args.frame, tuple) else args.frame
    return frame


def reading_of(args: argparse.Namespace, side: int = 0) -> Reading:
    """How files become tensors, as parsed; of pairs, the references (0) or the distorted (1).

    With torch, so what else can be refused is refused before, as :func:`check_reading` does.
    """
    load_torch()
    from invariant_lpips.pictures import Reading

    return Reading(
        args.alpha,
        args.max_pixels,
        args.resize,
        frame=_frame(args, side),
        bands=args.bands,
        full_scale=args.full_scale,
        icc=args.icc,
    )


def frame_numbers(text: str) -> tuple[int, int]:
    """The frame of each side from `3` or `0,5`, for `type=` of an option.

    Example:
        >>> frame_numbers("3"), frame_numbers("0,5")
        ((3, 3), (0, 5))
    """
    parts = text.split(",")
    if len(parts) > 2 or not all(part.isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(
            f"expected one or two frame numbers from 0, as 0,5, but got {text!r}"
        )
    return int(parts[0]), int(parts[-1])


def band_numbers(text: str) -> tuple[int, ...]:
    """Bands of a file from `3,2,1` or `4`, for `type=` of an option.

    Example:
        >>> band_numbers("3,2,1"), band_numbers("4")
        ((3, 2, 1), (4,))
    """
    parts = text.split(",")
    if len(parts) not in (1, 3) or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(
            f"expected one or three band numbers from 1, as 3,2,1, but got {text!r}"
        )
    return tuple(int(part) for part in parts)


@dataclass(frozen=True)
class RayWorkers:
    """What the engines of :mod:`invariant_lpips.integrations.ray` take; each worker has a whole GPU, or none."""

    workers: int
    num_cpus: float
    num_gpus: float
    quiet: bool


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add `--engine` and what it takes, to the parser of a command that Ray can run."""
    engine = parser.add_argument_group("on several machines")
    engine.add_argument(
        "--engine", choices=("local", "ray"), default="local", help="this machine, or workers of Ray (local)"
    )
    engine.add_argument(
        "--ray-workers",
        type=int,
        default=2,
        metavar="N",
        help="with --engine ray: how many, each with a metric of its own (2)",
    )


def ray_workers(args: argparse.Namespace) -> RayWorkers | None:
    """The workers asked for; None where this process does the work."""
    if args.engine == "local":
        return None
    if args.ray_workers < 1:
        raise ValueError(f"--ray-workers must be at least 1, but got {args.ray_workers}")
    return RayWorkers(args.ray_workers, 1, float(args.device.startswith("cuda")), args.quiet)
