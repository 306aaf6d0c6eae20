"""Options of `compare` that can't be meant, or not together: refused without torch."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from invariant_lpips.cli.bench import words
from invariant_lpips.cli.map_options import check_maps, names_a_file
from invariant_lpips.cli.metric_options import MetricChoice, check_metrics
from invariant_lpips.cli.metric_parts import SIZED_HEADS, default_head
from invariant_lpips.cli.output import check_out
from invariant_lpips.cli.video_options import names_a_video
from invariant_lpips.pictures import reports
from invariant_lpips.pictures.folders import PICTURE_SUFFIXES


def check_together(args: argparse.Namespace) -> None:
    """Refuse values and combinations that can't be meant."""
    out: Path | None = args.out
    check_out(out, reports.SUFFIXES)
    if out is not None and args.csv is not None and out.resolve() == args.csv.resolve():
        raise ValueError(f"-o {out} would replace the table of pairs; write to another file")
    check_maps(args)
    if args.map is not None and args.engine == "ray":
        raise ValueError("--map draws in this process and does not go with --engine ray")
    if args.crop_border < 0:
        raise ValueError(f"--crop-border must be at least 0, but got {args.crop_border}")
    if args.fail_above is not None and args.fail_above_jnd is not None:
        raise ValueError(
            "--fail-above and --fail-above-jnd are two units of one limit; leave out one of them"
        )
    for name in ("fail_above", "fail_above_jnd"):
        limit = getattr(args, name)
        if limit is not None and not 0 <= limit < math.inf:
            raise ValueError(f"--{name.replace('_', '-')} must be a distance of at least 0, but got {limit}")
    for name, given in {"--fail-above-jnd": args.fail_above_jnd is not None, "--jnd": args.jnd}.items():
        for option, ignorant in (
            ("--metric lpips", args.metric == "lpips"),
            ("--weights unit", args.weights == "unit"),
        ):
            if given and ignorant:
                raise ValueError(
                    f"{name} needs a metric that knows what people notice, and {option} does not; leave one of them out"
                )
    if args.jnd and (
        args.path0 or args.dir0 or args.dir or (out is not None and out.suffix.lower() == ".txt")
    ):
        raise ValueError(
            "--jnd does not go with lpips' lines; name the pictures as paths, and -o as .csv or .json"
        )
    if args.metrics is not None:
        _check_metrics(args)
    if args.mask is not None:
        if not args.mask.exists():
            raise FileNotFoundError(f"{args.mask} does not exist; a mask, or a folder of masks, was expected")
        if names_a_video([args.mask]):
            raise ValueError(f"--mask takes pictures, not the video {args.mask}; save its frames in a folder")
        others = {
            "--map": args.map is not None,
            "--motion": args.motion is not None,
            "--metric lpips": args.metric == "lpips",
            "--head gap-spatial": args.head == "gap-spatial",
            "--unequal-sizes": args.unequal_sizes,
            "--engine ray": args.engine == "ray",
        }
        for name, given in others.items():
            if given:
                raise ValueError(f"--mask does not go with {name}")
    if args.frame is not None and args.frame[0] != args.frame[1] and args.engine == "ray":
        raise ValueError("--frame A,B reads in this process and does not go with --engine ray")
    if args.motion is not None and args.engine == "ray":
        raise ValueError("--motion measures in this process and does not go with --engine ray")
    if args.unequal_sizes:
        _check_unequal_sizes(args)


def _check_unequal_sizes(args: argparse.Namespace) -> None:
    for name, given in {
        "--metric lpips": args.metric == "lpips",
        "--motion": args.motion is not None,
    }.items():
        if given:
            raise ValueError(f"--unequal-sizes does not go with {name}")
    if (head := default_head(args.net, args.head)) in SIZED_HEADS:
        raise ValueError(
            f"--unequal-sizes needs embeddings that do not grow with the picture, but those of --head {head} do; use "
            "--head gap, or bring the pictures to one size with --resize"
        )


def _check_metrics(args: argparse.Namespace) -> None:
    names = words(args.metrics)
    if not names or len(set(names)) < len(names):
        raise ValueError(
            f"--metrics must name each metric once, as in default,lpips-alex, but got {args.metrics!r}"
        )
    check_metrics(names, masked=args.mask is not None)
    others = {
        "--metric, --net, --head, --weights, --pooling, --motion or -v (name these in --metrics, as gap+alex)": (
            MetricChoice.of(args) != MetricChoice(device=args.device, dtype=args.dtype)
        ),
        "--dtype": args.dtype != "float32",
        "--jnd, --fail-above or --fail-above-jnd": (
            args.jnd or args.fail_above is not None or args.fail_above_jnd is not None
        ),
        "--map": args.map is not None,
        "--unequal-sizes": args.unequal_sizes,
        "--batch-size": args.batch_size != 1,
        "--engine ray": args.engine == "ray",
        "lpips' scripts' options": any((args.path0, args.dir0, args.dir)),
        "videos": args.frames is not None or args.every is not None or names_a_video(args.paths),
    }
    for name, given in others.items():
        if given:
            raise ValueError(f"--metrics does not go with {name}")


def keep_pictures_from_maps(place: Path | None, compared: Sequence[Path]) -> None:
    """Maps are named as pictures are, so that in their folder they could replace them; in a file there is one map."""
    if place is None:
        return
    if names_a_file(place):
        if place.resolve() in {path.resolve() for path in compared}:
            raise ValueError(f"--map {place} is a picture that is compared; name another file")
        if len(compared) != 2 or names_a_video(compared):
            raise ValueError(f"--map {place} is one file, which holds the map of one pair; name a folder")
        return
    parents = {path.parent.resolve() for path in compared if path.suffix.lower() in PICTURE_SUFFIXES}
    if place.resolve() in parents:
        raise ValueError(
            f"--map {place} holds pictures that are compared, which maps could replace; name another"
        )
