#!/usr/bin/env python3
"""What moving a picture does to classifiers and to metrics.

    python benchmarks/translation.py classifiers --data pictures --classifier runs/flatten-0 runs/gap-0 ...
    python benchmarks/translation.py embeddings --photographs photos
    python benchmarks/translation.py digits
    python benchmarks/translation.py overhead
    python benchmarks/translation.py report                    # tables of what is in --out, on stdout
    python benchmarks/translation.py figures                   # the figures of what is in --out, drawn again

`classifiers` runs the protocol of arXiv:2604.27870 (mirror tiling, shifts up to 50 px, rotations, scales; a
coarse grid unless --full). `embeddings` measures what is left of the metric's distance under circular, real
and sub-pixel shifts, for each pooling and against lpips, ST-LPIPS, DISTS and SSIM. `digits` trains on centred
digits only and moves them. `overhead` times the poolings. Each writes `translation-PART.json` and its figures
into --out. The same as `invariant-lpips bench translation`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from invariant_lpips.classifier import HEADS
from invariant_lpips.evaluation.translation import classifiers as classifier_bench
from invariant_lpips.evaluation.translation import embeddings as invariance_bench
from invariant_lpips.evaluation.translation import report as translation_report
from invariant_lpips.evaluation.translation.figures import DRAWERS
from invariant_lpips.evaluation.translation.robustness import protocol
from invariant_lpips.files.provenance import provenance
from invariant_lpips.files.writing import replacing

MEASURES = ("comb", "exact", "heads", "sub_pixel", "real")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one part; `argv` None takes the command line."""
    args = arguments(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    if args.part == "report":
        print(translation_report.report(args.out), end="")
        return 0
    if args.part == "figures":
        for part, draw in DRAWERS.items():
            if (path := args.out / f"translation-{part}.json").is_file():
                draw(args.out, json.loads(path.read_text(encoding="utf-8")))
        return 0
    command = "invariant-lpips bench translation " + " ".join(sys.argv[1:] if argv is None else argv)
    try:
        measured = {
            "classifiers": classifiers,
            "embeddings": embeddings,
            "digits": digits,
            "overhead": overhead,
        }[args.part](args)
    except (ValueError, OSError, ImportError) as error:
        print(f"bench translation: {error}", file=sys.stderr)
        return 1
    path = args.out / f"translation-{args.part}.json"
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({**provenance(command), **measured}, indent=1) + "\n")
    print(path)
    try:
        if args.part in DRAWERS:
            DRAWERS[args.part](args.out, measured)
    except ImportError as error:  # the result is there; `figures` draws them once matplotlib is
        print(f"bench translation: {error}", file=sys.stderr)
        return 1
    return 0


class WithDefaults(argparse.ArgumentDefaultsHelpFormatter):
    """Help with the defaults of options that have one and do not state it themselves."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        stated = action.default in (None, False) or "default" in (action.help or "")
        return action.help if stated else super()._get_help_string(action)


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Each part has options of its own."""
    parser = argparse.ArgumentParser(
        prog="invariant-lpips bench translation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART")
    for name, (does, add_options) in {
        "classifiers": ("accuracy, relative loss and consistency of classifiers", add_classifiers),
        "embeddings": ("what is left of the metric's distance, by pooling and beside peers", add_embeddings),
        "digits": ("heads trained on centred digits, then moved", add_digits),
        "overhead": ("time of each pooling", add_overhead),
        "report": ("tables of what is in --out, on stdout", None),
        "figures": ("the figures of what is in --out, drawn again", None),
    }.items():
        part = parts.add_parser(name, help=does, description=does, formatter_class=WithDefaults)
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
        part.add_argument("--threads", type=int, help="threads of PyTorch on a CPU")
        part.add_argument("--quiet", action="store_true", help="no progress bars")
        add_options(part.add_argument_group(f"options of {name}"))
    args = parser.parse_args(argv)
    if getattr(args, "work", None) is None:
        args.work = args.out / "work"
    return args


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
        default=[picture_size(size) for size in ("256x256", "96x160", "64x64", "100x60", "35x33")],
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
    add("--heads", nargs="+", choices=list(HEADS), default=list(HEADS), help="default: all four")
    add("--tuned-canvases", type=int, nargs="+", default=[128], help="canvases to tune on too")
    add("--tune-lr", type=float, default=1e-4, help="Adam's step for the trunk")
    add("--seeds", type=int, default=1, help="of training")


def picture_size(text: str) -> tuple[int, int]:
    """(height, width) of "HEIGHTxWIDTH"."""
    height, _, width = text.partition("x")
    return int(height), int(width)


def classifiers(args: argparse.Namespace) -> dict[str, Any]:
    """Heads on photographs."""
    models, runs = classifier_bench.load_classifiers(args.classifier)
    classes = next(iter(models.values())).classes
    images = classifier_bench.part_of(args.data, args.subset, classes, args.per_class)
    images = images if args.pictures is None else images.spread(args.pictures)
    moves = protocol(
        full=args.full,
        step=args.step,
        shifts_only=args.shifts_only,
        cross=args.cross,
        dx_step=args.dx_step,
        all_turns=args.all_turns,
    )
    result = classifier_bench.judge(
        models, images, moves, args.work / "answers", runs=runs, device=args.device, wrap=bars(args)
    )
    if args.comb_pictures:
        few = images.spread(args.comb_pictures)
        result["combs"] = classifier_bench.combs(
            models, few, args.shifts, runs=runs, device=args.device, wrap=bars(args)
        )
    return result


def embeddings(args: argparse.Namespace) -> dict[str, Any]:
    """Poolings and peers on photographs; measurements not asked for keep earlier results."""
    photos = [photo.to(args.device) for photo in invariance_bench.photographs(args.photographs, args.count)]
    few, wrap, labels = photos[: args.comb_count], bars(args), list(invariance_bench.CONFIGURATIONS)
    size, device, shifts = args.size, args.device, args.shifts
    comb_labels = ["max, zeros", "max, circular", "blur, circular", "polyphase, circular"]
    bench = invariance_bench
    measurements: dict[str, Callable[[], dict[str, Any]]] = {
        "comb": lambda: bench.combs(few, size, shifts, comb_labels, device, wrap),
        "exact": lambda: bench.exactness(few, args.sizes, shifts, device, wrap),
        "heads": lambda: bench.head_residuals(few, size, device, wrap),
        "sub_pixel": lambda: bench.fractions(few, size, labels, device, wrap),
    }
    settings = {
        "size": size,
        "source": args.photographs.name if args.photographs else "scikit-image",
        "photographs": len(photos),
        "comb_photographs": len(few),
        "distances": args.distances,
        "shifts": shifts,
        "sizes": [list(each) for each in args.sizes],
    }
    kept = args.work / "embeddings.json"
    result: dict[str, Any] = {}
    if kept.is_file():
        earlier = json.loads(kept.read_text())
        result = earlier if earlier.get("settings") == settings else {}
    result["settings"] = settings

    def keep() -> None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with replacing(kept) as temporary:
            temporary.write_text(json.dumps(result))

    for name in args.measure:
        if name in measurements and name not in result:
            result[name] = measurements[name]()
            keep()
    if "real" in args.measure:  # the longest: kept metric by metric
        shares = result.setdefault("real", {})
        for name, make in bench.real_metrics(labels, device).items():
            if name not in shares:
                shares[name] = bench.real_shifts(name, make, photos, size, args.distances, wrap)
                keep()
    return result


def digits(args: argparse.Namespace) -> dict[str, Any]:
    """Heads trained on centred digits."""
    result = classifier_bench.digits_by_canvas(
        args.work,
        canvases=args.canvases,
        per_class=tuple(args.digits_per_class),
        heads=args.heads,
        seeds=range(args.seeds),
        tune_epochs=args.tune_epochs,
        tune_lr=args.tune_lr,
        tuned_canvases=args.tuned_canvases,
        mnist=args.mnist,
        device=args.device,
        wrap=bars(args),
    )
    return {"digits": "MNIST" if args.mnist else "scikit-learn (8x8, enlarged to 28x28)", "canvases": result}


def overhead(args: argparse.Namespace) -> dict[str, Any]:
    """Time of each pooling."""
    labels = list(invariance_bench.CONFIGURATIONS)
    timed = invariance_bench.overhead(args.size, args.batch, labels, args.device, args.repeats, bars(args))
    for label in labels:
        timed[label]["one_forward"] = invariance_bench.pool_shares(args.size, args.batch, label, args.device)
    return {"size": args.size, "batch": args.batch, "device": args.device, "configurations": timed}


def bars(args: argparse.Namespace) -> Any:
    """Progress bars on stderr, or none."""

    def wrap(steps: Iterable[Any], what: str) -> Iterable[Any]:
        from tqdm import tqdm

        bar: Iterable[Any] = tqdm(steps, desc=what, leave=False, file=sys.stderr, disable=args.quiet)
        return bar

    return wrap


if __name__ == "__main__":
    sys.exit(main())
