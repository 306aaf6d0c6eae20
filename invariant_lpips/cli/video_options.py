"""The options that choose frames of videos, and what is refused of two videos before torch is loaded."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from invariant_lpips.cli.output import check_out
from invariant_lpips.pictures.folders import PICTURE_SUFFIXES
from invariant_lpips.pictures.video import Selection, is_video

if TYPE_CHECKING:
    from invariant_lpips.pictures import Reading
    from invariant_lpips.pictures.video import VideoPairing

#: Those of :mod:`invariant_lpips.pictures.video.rows`.
SUFFIXES = (".csv", ".json")


def add_frame_options(parser: argparse.ArgumentParser) -> None:
    """Add what chooses frames of videos."""
    frames = parser.add_argument_group("of videos")
    frames.add_argument(
        "--frames",
        type=_from_to,
        metavar="A:B",
        help="frames A to B - 1, counted from 0; either may be left out. Two folders are then compared as videos are",
    )
    frames.add_argument("--every", type=int, metavar="N", help="each N-th frame of them (1)")


def names_a_video(paths: Sequence[Path]) -> bool:
    """Whether one of the paths is a video; not where all are pictures, or nothing that is there."""
    if all(not path.is_file() or path.suffix.lower() in PICTURE_SUFFIXES for path in paths):
        return False
    return any(is_video(path) for path in paths)


def _from_to(text: str) -> tuple[int, int | None]:
    """`A:B` for `type=` of an option.

    Example:
        >>> _from_to("2:10"), _from_to(":10"), _from_to("2:")
        ((2, 10), (0, 10), (2, None))
    """
    start, colon, stop = text.partition(":")
    if not colon or not all(part.isdecimal() or not part for part in (start, stop)):
        raise argparse.ArgumentTypeError(f"expected frame numbers as 10:20, 10: or :20, but got {text!r}")
    return int(start or 0), int(stop) if stop else None


def selection_of(args: argparse.Namespace) -> Selection:
    """The frames chosen; ValueError where none can be."""
    start, stop = args.frames or (0, None)
    if stop is not None and stop <= start:
        raise ValueError(f"--frames must end after its start, but got {start}:{stop}")
    if args.every is not None and args.every < 1:
        raise ValueError(f"--every must be at least 1, but got {args.every}")
    return Selection(start, stop, 1 if args.every is None else args.every)


def video_pairing(args: argparse.Namespace, reading: Reading) -> VideoPairing:
    """The two videos, opened; what :func:`check_videos` refuses is refused already."""
    from invariant_lpips.pictures.video import VideoPairing

    return VideoPairing(
        *args.paths,
        reading=reading,
        crop_border=args.crop_border,
        luma=args.luma,
        selection=selection_of(args),
        unequal_sizes=args.unequal_sizes,
        recursive=args.recursive,
    )


def check_videos(args: argparse.Namespace) -> None:
    """Refuse paths and options that don't go with the comparison of two videos."""
    paths: list[Path] = args.paths
    if len(paths) != 2:
        raise ValueError(f"videos are compared two at a time, but got {len(paths)} paths")
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"there is no such file: {path}")
        if not path.is_dir() and not is_video(path):
            raise ValueError(
                f"a video is compared with a video or a folder of frames, but {path} is neither by its suffix"
            )
    conflicts = {
        "--frame (say --frames A:B)": args.frame is not None,
        "--engine ray": args.engine == "ray",
        "--bands": args.bands is not None and not any(path.is_dir() for path in paths),
        "--full-scale": args.full_scale is not None and not any(path.is_dir() for path in paths),
    }
    for name, given in conflicts.items():
        if given:
            raise ValueError(f"videos do not go with {name}")
    check_out(args.out, SUFFIXES, of=" for videos")
    selection_of(args)
