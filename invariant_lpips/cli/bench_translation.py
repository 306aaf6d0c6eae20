"""`invariant-lpips bench translation PART`: what moving a picture does to classifiers and to metrics.

`classifiers` runs the protocol of arXiv:2604.27870 (mirror tiling, shifts up to 50 px, rotations, scales; a
coarse grid unless --full). `embeddings` measures what is left of the metric's distance under circular, real
and sub-pixel shifts, for each pooling and against lpips, ST-LPIPS, DISTS and SSIM. `digits` trains on centred
digits only and moves them. `overhead` times the poolings. Each writes `translation-PART.json` and its figures
into --out; `report` prints tables of what is there, `figures` draws the figures again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from invariant_lpips.cli.counts import at_least
from invariant_lpips.cli.metric_options import CLASSIFIER_HEADS
from invariant_lpips.cli.output import sentence
from invariant_lpips.cli.scoring_options import set_threads
from invariant_lpips.cli.start_up import load_torch

if TYPE_CHECKING:
    from invariant_lpips.evaluation.translation import bench

#: Those of :mod:`invariant_lpips.evaluation.translation.bench`.
MEASURES = ("comb", "exact", "heads", "sub_pixel", "real")
SIZES = ((256, 256), (96, 160), (64, 64), (100, 60), (35, 33))


class WithDefaults(argparse.ArgumentDefaultsHelpFormatter):
    """Help with the defaults of options that have one and do not state it themselves."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        stated = action.default in (None, False) or "default" in (action.help or "")
        return action.help if stated else super()._get_help_string(action)


def configure(parser: argparse.ArgumentParser, name: str) -> None:
    """Each part has options of its own."""
    parser.description = __doc__
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART")
    for name, (does, add_options) in {
        "classifiers": ("accuracy, relative loss and consistency of classifiers", add_classifiers),
        "embeddings": ("what is left of the metric's distance, by pooling and beside peers", add_embeddings),
        "digits": ("heads trained on centred digits, then moved", add_digits),
        "overhead": ("time of each pooling", add_overhead),
        "report": ("tables of what is in --out, on stdout", None),
        "figures": ("the figures of what is in --out, drawn again", None),
    }.items():
        part = parts.add_parser(name, help=does, description=sentence(does), formatter_class=WithDefaults)
        part.add_argument(
            "--out", type=Path, default=Path("results"), help="folder of the result and figures"
        )
        if add_options is None:
            part.set_defaults(threads=None)
            continue
        part.add_argument(
            "--work", type=Path, help="folder of what a stopped run goes on from (default: OUT/work)"
        )
        part.add_argument("--device", default="cpu", help="of PyTorch")
        part.add_argument("--threads", type=at_least(1), metavar="N", help="threads of PyTorch on a CPU")
        part.add_argument("--quiet", action="store_true", help="no progress bars")
        add_options(part.add_argument_group(f"options of {name}"))


def run(args: argparse.Namespace) -> int:
    """Run one part."""
    load_torch()
    from invariant_lpips.evaluation.translation import bench
    from invariant_lpips.evaluation.translation.report import report

    if args.part == "report":
        print(report(args.out), end="")
        return 0
    if args.part == "figures":
        bench.draw(args.out)
        return 0
    set_threads(args)
    print(bench.run(settings(args)))
    bench.draw(args.out, [args.part])  # without matplotlib the result is there all the same
    return 0


def settings(args: argparse.Namespace) -> bench.TranslationBench:
    """What the options of a part ask for."""
    from invariant_lpips.evaluation.translation import bench

    common = {"out": args.out, "work": args.work, "device": args.device, "progress": not args.quiet}
    if args.part == "classifiers":
        return bench.ClassifiersBench(
            **common,
            data=args.data,
            classifiers=args.classifier,
            subset=args.subset,
            per_class=args.per_class,
            pictures=args.pictures,
            step=args.step,
            full=args.full,
            cross=args.cross,
            dx_step=args.dx_step,
            all_turns=args.all_turns,
            shifts_only=args.shifts_only,
            comb_pictures=args.comb_pictures,
            shifts=args.shifts,
        )
    if args.part == "embeddings":
        return bench.EmbeddingsBench(
            **common,
            photographs=args.photographs,
            count=args.count,
            comb_count=args.comb_count,
            size=args.size,
            sizes=args.sizes,
            shifts=args.shifts,
            distances=args.distances,
            measures=args.measure,
        )
    if args.part == "digits":
        return bench.DigitsBench(
            **common,
            mnist=args.mnist,
            canvases=args.canvases,
            per_class=tuple(args.digits_per_class),
            tune_epochs=args.tune_epochs,
            heads=args.heads,
            tuned_canvases=args.tuned_canvases,
            tune_lr=args.tune_lr,
            seeds=args.seeds,
        )
    return bench.OverheadBench(**common, size=args.size, batch=args.batch, repeats=args.repeats)


def add_classifiers(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--data", type=Path, required=True, help="tree of labelled pictures")
    add("--classifier", type=Path, nargs="+", required=True, help="runs or saved classifiers")
    add("--subset", default="test", choices=("train", "val", "test"), help="of the pictures")
    add("--per-class", type=int, help="only the first so many pictures of each class")
    add("--pictures", type=int, help="only so many, spread evenly over the classes")
    add("--step", type=int, default=25, help="of the grid of shifts in pixels")
    add("--full", action="store_true", help="every shift, degree and scale of the paper")
    add("--cross", action="store_true", help="shift along one axis at a time only")
    add(
        "--dx-step",
        type=int,
        help="more shifts along dx alone, in steps of so many pixels, for the curve; means are over the grid",
    )
    add("--all-turns", action="store_true", help="every degree and all 20 scales")
    add("--shifts-only", action="store_true", help="no rotations and scales")
    add(
        "--comb-pictures",
        type=int,
        default=4,
        help="pictures moved round the circle for the comb of each head; 0: none",
    )
    add_shifts(group)


def add_shifts(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--shifts",
        type=int,
        default=64,
        help="circular shifts 0 .. N - 1. The spectrum has the periods N, N/2, N/3 ... px, so only a multiple of 32 "
        'has all of 32, 16, 8, 4 and 2 px; the report shows "-" for those it lacks',
    )


def add_embeddings(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--photographs", type=Path, help="folder (default: scikit-image's)")
    add("--count", type=int, default=6, help="photographs for real shifts")
    add("--comb-count", type=int, default=2, help="photographs for circular shifts")
    add("--size", type=int, default=256, help="side of the window in pixels")
    add(
        "--sizes",
        type=picture_size,
        nargs="+",
        default=list(SIZES),
        metavar="HxW",
        help="at which to look for exactness (default: 256x256 96x160 64x64 100x60 35x33)",
    )
    add_shifts(group)
    add("--distances", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32], help="of real shifts")
    add("--measure", nargs="+", choices=MEASURES, default=list(MEASURES), help="default: all")


def add_overhead(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--size", type=int, default=256, help="side of the pictures in pixels")
    add("--batch", type=int, default=8, help="pictures per forward")
    add("--repeats", type=int, default=5, help="of each forward")


def add_digits(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--mnist", type=Path, help="folder of MNIST's files (default: scikit-learn's digits)")
    add("--canvases", type=int, nargs="+", default=[56, 128, 256], help="sides in pixels")
    add(
        "--digits-per-class",
        type=int,
        nargs=3,
        default=(30, 10, 10),
        metavar=("TRAIN", "VAL", "TEST"),
        help="pictures of each digit",
    )
    add("--tune-epochs", type=int, default=3, help="0 leaves tuning out")
    add(
        "--heads",
        nargs="+",
        choices=CLASSIFIER_HEADS,
        default=list(CLASSIFIER_HEADS),
        help="default: all four",
    )
    add("--tuned-canvases", type=int, nargs="+", default=[128], help="canvases to tune on too")
    add("--tune-lr", type=float, default=1e-4, help="Adam's step for the trunk")
    add("--seeds", type=at_least(1), default=1, metavar="N", help="trainings of each, to average over")


def picture_size(text: str) -> tuple[int, int]:
    """(height, width) of "HEIGHTxWIDTH"."""
    height, _, width = text.partition("x")
    return int(height), int(width)
