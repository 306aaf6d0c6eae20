"""`invariant-lpips compare`: perceptual distances of picture files.

The options, and the order of events: everything that can be wrong with the command is said before the network is
loaded. The work is :func:`invariant_lpips.pictures.compare`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from invariant_lpips.cli.bench import words
from invariant_lpips.cli.map_options import Maps, add_map_options, check_maps, maps_of
from invariant_lpips.cli.metric_options import (
    MetricChoice,
    add_device_options,
    add_metric_options,
    check_metrics,
    just_noticeable,
)
from invariant_lpips.cli.output import Exit, print_text, say
from invariant_lpips.cli.picture_options import (
    RayWorkers,
    add_engine_options,
    add_reading_options,
    check_reading,
    ray_workers,
    reading_of,
)
from invariant_lpips.cli.video_options import add_frame_options, check_videos
from invariant_lpips.files.writing import write_text
from invariant_lpips.pictures import (
    Pair,
    Pairing,
    by_pattern,
    from_csv,
    pair_paths,
    reports,
    two_files,
    two_folders,
    within_folder,
)
from invariant_lpips.pictures.folders import PICTURE_SUFFIXES, not_looked_at, pictures_in
from invariant_lpips.pictures.video import is_video

if TYPE_CHECKING:
    from invariant_lpips.metric import InvariantLPIPS
    from invariant_lpips.pictures import MapFiles, Outcome, Reading
    from invariant_lpips.pictures.masks import Masks
    from invariant_lpips.pictures.video import FrameMasks, VideoPairing

DESCRIPTION = """\
Perceptual distance between pictures: 0 for equal ones, larger for more different ones.

  invariant-lpips compare a.png b.png              one number
  invariant-lpips compare originals/ results/      pictures of the same name (but for the suffix)
  invariant-lpips compare a.png b.png c.png d/     the first against each of the others
  invariant-lpips compare --csv pairs.csv          the rows of a table with columns reference,distorted
  invariant-lpips compare d/ --pair '{}_real_B' '{}_fake_B'     pictures of one folder, or of two, by their names
  invariant-lpips compare originals/ results/ --fail-above 0.1  status 3 if a distance is larger
  invariant-lpips compare originals/ results/ --metrics default,lpips-alex,dists   a column each
  invariant-lpips compare a.mp4 b.mp4              frames of the same number of two videos; one may be a folder
  invariant-lpips compare a/ b/ --frames :         frames of two folders in their order, as of videos

More than one pair gives a table (reference,distorted,distance,error) in the order of the files named, of the
names in a folder (2 before 10), or of the rows of the csv. Mean, median and
worst, progress and complaints go to stderr.
"""


@dataclass(frozen=True)
class Comparison:
    """What the command is asked for.

    Attributes:
        metrics: names of several, in place of `metric`.
        videos: of them the frames are paired, and `pairing` is empty.
        printed: outcomes, and the just noticeable distance where it is asked for, to what goes to stdout.
        jnd: distances are also given in multiples of the just noticeable one.
    """

    pairing: Pairing
    videos: VideoPairing | None
    metric: MetricChoice
    metrics: tuple[str, ...]
    reading: Reading
    distorted_reading: Reading
    crop_border: int
    luma: bool
    mask: Path | None
    batch_size: int
    unequal_sizes: bool
    workers: RayWorkers | None
    maps: Maps | None
    out: Path | None
    printed: Callable[[Sequence[Outcome], float | None], str]
    jnd: bool
    fail_above: float | None
    fail_above_jnd: float | None
    allow_unmatched: bool
    quiet: bool
    verbose: bool

    @classmethod
    def of(cls, args: argparse.Namespace) -> Comparison:
        """What was parsed; ValueError where options conflict, OSError where files are missing."""
        pairing = _pairing(args)
        _check(args)
        check_reading(args)
        metric = MetricChoice.of(args)
        metric.check()
        if pairing is None:
            check_videos(args)
        if pairing is not None and (args.frames is not None or args.every is not None):
            raise ValueError(
                "--frames and --every choose frames of videos or of two folders, but none was named"
            )
        workers = ray_workers(args)
        reading = reading_of(args, 0)
        videos = None
        if pairing is None:
            from invariant_lpips.cli.compare_videos import video_pairing

            videos = video_pairing(args, reading)
            pairing = Pairing(())
        compared = [path for pair in pairing.pairs for path in (pair.reference, pair.distorted)]
        if videos is not None:
            compared = [*videos.reference.files, *videos.distorted.files]
        _keep_pictures_from_maps(args.map, compared)
        return cls(
            pairing=pairing,
            videos=videos,
            metric=metric,
            metrics=() if args.metrics is None else words(args.metrics),
            reading=reading,
            distorted_reading=reading_of(args, 1),
            crop_border=args.crop_border,
            luma=args.luma,
            mask=args.mask,
            batch_size=args.batch_size,
            unequal_sizes=args.unequal_sizes,
            workers=workers,
            maps=maps_of(args),
            out=args.out,
            printed=_printed(args, pairing),
            jnd=args.jnd,
            fail_above=args.fail_above,
            fail_above_jnd=args.fail_above_jnd,
            allow_unmatched=args.allow_unmatched,
            quiet=args.quiet,
            verbose=args.verbose,
        )

    def mask_files(self) -> Sequence[Path]:
        """Those that a mask may come from."""
        if self.mask is None:
            return ()
        return pictures_in(self.mask) if self.mask.is_dir() else [self.mask]

    def settings(self, metric: str) -> dict[str, Any]:
        """What a report says about how its numbers were made; `metric` is its description."""
        resize = self.reading.resize
        return {
            "metric": metric,
            "device": self.metric.device,
            "dtype": self.metric.dtype,
            "resize": None if resize is None else f"{resize[0]}x{resize[1]}",
            "alpha": self.reading.alpha,
            "frame": self.reading.frame
            if self.reading == self.distorted_reading
            else [self.reading.frame, self.distorted_reading.frame],
            "bands": self.reading.bands,
            "full_scale": self.reading.full_scale,
            "icc": self.reading.icc,
            "max_pixels": self.reading.max_pixels,
            "crop_border": self.crop_border,
            "luma": self.luma,
            "mask": None if self.mask is None else str(self.mask),
            "unequal_sizes": self.unequal_sizes,
        }


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to its parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    which = parser.add_argument_group("which pictures")
    which.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="two files, two folders, or one file and many"
    )
    which.add_argument(
        "--csv",
        type=Path,
        metavar="FILE",
        help="table of pairs; relative paths start at the folder of FILE, those of /dev/stdin here",
    )
    which.add_argument(
        "--pair",
        nargs=2,
        metavar="PATTERN",
        help="names of references and distorted in one folder or in two; {} stands for what they have in common",
    )
    which.add_argument("--recursive", action="store_true", help="look into subfolders too")
    which.add_argument(
        "--allow-unmatched", action="store_true", help="exit status 0 though pictures have no partner"
    )
    which.add_argument(
        "--unequal-sizes",
        action="store_true",
        help="compare pictures of different sizes by their embeddings; needs --head gap",
    )
    which.add_argument(
        "--mask",
        type=Path,
        metavar="FILE|DIR",
        help="what counts: white does, black doesn't; one for all pairs, or a folder with one named as each reference "
        "(of a video: or one a frame)",
    )

    add_metric_options(parser)
    which = parser.add_argument_group("several metrics side by side")
    which.add_argument(
        "--metrics",
        metavar="A,B,...",
        help="by the names that `bench` uses, a column each: default,gap+alex,lpips-alex,dists,ssim",
    )
    add_device_options(parser)
    add_reading_options(parser, batch="pairs of one size measured at once (1); for GPUs", pairs=True)
    add_engine_options(parser)
    add_frame_options(parser)
    papers = parser.add_argument_group(
        "as super-resolution papers compare", "after --resize, of both pictures"
    )
    papers.add_argument(
        "--crop-border", type=int, default=0, metavar="N", help="first cut N pixels off each side (0)"
    )
    papers.add_argument(
        "--luma",
        action="store_true",
        help="luma alone, of BT.601 as MATLAB has it: (16 + 65.481 R + 128.553 G + 24.966 B) / 255",
    )

    output = parser.add_argument_group("output")
    output.add_argument(
        "-o", "--out", type=Path, metavar="FILE", help="write to FILE (.csv, .json, or .txt for lpips' lines)"
    )
    output.add_argument(
        "--jnd", action="store_true", help="beside each distance, in how many multiples people just notice it"
    )
    add_map_options(output)
    output.add_argument(
        "--fail-above",
        type=float,
        metavar="D",
        help="end with status 3 if a distance is above D, and name the pairs",
    )
    output.add_argument(
        "--fail-above-jnd",
        type=float,
        metavar="D",
        help="the same, with D in units of the just noticeable one",
    )
    output.add_argument("--quiet", action="store_true", help="no progress bar, nor where maps are")
    output.add_argument("--verbose", action="store_true", help="say what is used, with hashes (on stderr)")

    scripts = parser.add_argument_group(
        "as lpips' scripts are called", "they print lpips' lines; for its numbers add --metric lpips"
    )
    scripts.add_argument("-p0", "--path0", type=Path, metavar="FILE", help="as lpips_2imgs.py")
    scripts.add_argument("-p1", "--path1", type=Path, metavar="FILE")
    scripts.add_argument("-d0", "--dir0", type=Path, metavar="DIR", help="as lpips_2dirs.py")
    scripts.add_argument("-d1", "--dir1", type=Path, metavar="DIR")
    scripts.add_argument(
        "-d", "--dir", type=Path, metavar="DIR", help="as lpips_1dir_allpairs.py: neighbours in natural order"
    )
    scripts.add_argument("--all-pairs", action="store_true", help="with -d: each picture with each other")
    scripts.add_argument("-N", type=int, metavar="COUNT", help="with -d: only the first COUNT pictures")


def run(args: argparse.Namespace) -> Exit:
    """Do what the parsed options ask for; returns the exit status."""
    asked = Comparison.of(args)
    if asked.metrics:
        return _side_by_side(asked, args)
    from invariant_lpips.cli.pair_run import PairRun
    from invariant_lpips.pictures import Outcome, compare
    from invariant_lpips.pictures.preparation import Prepared

    engine = None
    if asked.workers is not None:
        from invariant_lpips.integrations import ray

        engine = ray.pair_engine(**asdict(asked.workers))
    masks = _masks(asked)
    metric = asked.metric.build()
    limit, noticed = asked.fail_above, None
    if asked.jnd or asked.fail_above_jnd is not None:
        noticed = just_noticeable(cast("InvariantLPIPS", metric))
    if noticed is not None and asked.fail_above_jnd is not None:
        limit = asked.fail_above_jnd * noticed
    unit = "" if asked.fail_above_jnd is None else f" ({asked.fail_above_jnd:g} just noticeable)"
    maps = None if asked.maps is None else asked.maps.files(metric)
    if asked.verbose:
        place = f"on {asked.metric.device} in {asked.metric.dtype}"
        say("compare", f"{metric.describe()} {place}, {_in_words(asked)}")
    if asked.videos is not None:
        from invariant_lpips.cli.compare_videos import VideoComparison, video_settings
        from invariant_lpips.pictures.video import compare_videos

        status = VideoComparison(
            asked.videos,
            partial(
                compare_videos,
                metric,
                asked.videos,
                batch_size=asked.batch_size,
                unequal_sizes=asked.unequal_sizes,
                maps=maps,
                masks=masks,
            ),
            settings={**asked.settings(metric.describe()), **video_settings(asked.videos)},
            mask=asked.mask,
            motion=asked.metric.motion is not None,
            noticed=noticed if asked.jnd else None,
            limit=limit,
            unit=unit,
            out=asked.out,
            allow_unmatched=asked.allow_unmatched,
            quiet=asked.quiet,
        ).run()
        _say_where(maps, quiet=asked.quiet)
        return status

    def measure(pairs: Sequence[Pair]) -> Iterator[Outcome]:
        return compare(
            metric,
            Pairing(tuple(pairs)),
            reading=Prepared(asked.reading, asked.crop_border, asked.luma),
            distorted_reading=None
            if asked.reading == asked.distorted_reading
            else Prepared(asked.distorted_reading, asked.crop_border, asked.luma),
            masks=cast("Masks | None", masks),
            batch_size=asked.batch_size,
            unequal_sizes=asked.unequal_sizes,
            maps=maps,
            engine=engine,
        )

    def again(pair: Pair, row: Mapping[str, Any]) -> Outcome:
        if maps is not None and row["distance"] is not None:
            maps.pass_over(pair.label)
        return Outcome(pair, row["distance"], row["problem"], parts=row["parts"])

    def write(outcomes: Sequence[Outcome]) -> None:
        assert asked.out is not None
        failing = [] if limit is None else reports.above(outcomes, limit)
        more = {"fail_above": limit, "above": len(failing)}
        text = reports.as_text(
            asked.out.suffix.lower(),
            outcomes,
            asked.pairing,
            {**settings, **more},
            noticed if asked.jnd else None,
        )
        write_text(asked.out, text)
        count = sum(outcome.distance is not None for outcome in outcomes)
        say("compare", f"{count} of {len(asked.pairing.pairs)} distances written to {asked.out}")

    settings = asked.settings(metric.describe())
    measured, interrupted = PairRun(
        asked.pairing.pairs,
        measure,
        lambda outcome: {
            "distance": outcome.distance,
            "problem": outcome.problem,
            "parts": dict(outcome.parts),
        },
        again,
        asked.out,
        settings if asked.maps is None else {**settings, "map": repr(asked.maps)},
        asked.mask_files(),
        asked.quiet,
    ).run(write)
    _report(asked, measured, noticed if asked.jnd else None)
    _say_where(maps, quiet=asked.quiet)
    failing = [] if limit is None else reports.above(measured, limit)
    if failing:
        say("compare", f"distances above {reports.number(limit)}{unit}: {len(failing)} of {len(measured)}")
        for outcome in failing:
            say("compare", f"  {reports.number(outcome.distance)}  {outcome.pair}")
    failed = [outcome for outcome in measured if outcome.problem is not None]
    for outcome in failed:
        say("compare", str(outcome.problem))
    return _conclude(
        asked,
        len(measured),
        len(failed),
        nothing=len(failed) == len(measured),
        too_far=bool(failing),
        interrupted=interrupted,
    )


def _say_where(maps: MapFiles | None, *, quiet: bool) -> None:
    if maps is not None and maps.written and not quiet:
        say("compare", maps.in_words())


def _masks(asked: Comparison) -> Masks | FrameMasks | None:
    """Those asked for; of a video, in a folder without one of its name, one a frame."""
    if asked.mask is None:
        return None
    from invariant_lpips.pictures.masks import Masks, reading_of_masks

    reading = reading_of_masks(asked.reading, asked.crop_border)
    masks = Masks(asked.mask, reading)
    by_frame = (
        asked.videos is not None
        and asked.videos.reference.path.is_file()
        and asked.mask.is_dir()
        and not masks.has(asked.videos.reference.path)
    )
    from invariant_lpips.pictures.video import FrameMasks

    return FrameMasks(asked.mask, reading) if by_frame else masks


def _in_words(asked: Comparison) -> str:
    if asked.videos is None:
        return f"{len(asked.pairing.pairs)} pairs"
    from invariant_lpips.cli.compare_videos import in_words

    return in_words(asked.videos)


def _report(asked: Comparison, outcomes: Sequence[Outcome], noticed: float | None) -> None:
    if len(outcomes) == 1 and outcomes[0].comparison is not None:
        say("compare", str(outcomes[0].comparison))
    print_text(asked.printed(outcomes, noticed))
    total = len(asked.pairing.pairs)
    if total > 1 and (found := reports.summary(outcomes)) is not None:
        say(
            "compare",
            f"{found.count if found.count == total else f'{found.count} of {total}'} pairs: {found.said(noticed)}",
        )


def _side_by_side(asked: Comparison, args: argparse.Namespace) -> Exit:
    """The same with several metrics."""
    from invariant_lpips.cli import compare_metrics
    from invariant_lpips.evaluation.side_by_side import score_files
    from invariant_lpips.pictures.preparation import Prepared

    of_one_metric = ("metric", "dtype", "unequal_sizes")
    rows, interrupted = compare_metrics.run(
        asked.metrics,
        asked.pairing,
        partial(
            score_files,
            reading=Prepared(asked.reading, asked.crop_border, asked.luma),
            distorted_reading=None
            if asked.reading == asked.distorted_reading
            else Prepared(asked.distorted_reading, asked.crop_border, asked.luma),
            masks=cast("Masks | None", _masks(asked)),
        ),
        {name: value for name, value in asked.settings("").items() if name not in of_one_metric},
        asked.mask_files(),
        args,
    )
    failed = sum(row.problem is not None for row in rows)
    nothing = all(value is None for row in rows for value in row.values)
    refused = any(row.refusals for row in rows)
    return _conclude(asked, len(rows), failed, nothing=nothing, refused=refused, interrupted=interrupted)


def _conclude(
    asked: Comparison,
    count: int,
    failed: int,
    *,
    nothing: bool,
    too_far: bool = False,
    refused: bool = False,
    interrupted: bool = False,
) -> Exit:
    """Say what is missing of `count` pairs, of which some `failed`; `nothing`: not one was measured.

    `refused`: some metric of several has no number of some pair.
    """
    if failed and count > 1:
        say("compare", f"{failed} of {count} pairs failed")
    unmatched = asked.pairing.unmatched
    if unmatched:
        say("compare", f"pictures without a partner of the same name: {len(unmatched)}")
        for path in unmatched:
            say("compare", f"  {path}")
    skipped = asked.pairing.skipped
    if skipped:
        say("compare", not_looked_at(skipped))
    if interrupted:
        say("compare", f"interrupted after {count} of {len(asked.pairing.pairs)} pairs")
        return Exit.INTERRUPTED
    if (failed or refused) and nothing:
        return Exit.REFUSED
    if too_far:
        return Exit.ABOVE
    incomplete = (
        failed or refused or (unmatched and not asked.allow_unmatched) or any(item.missed for item in skipped)
    )
    return Exit.INCOMPLETE if incomplete else Exit.DONE


def _pairing(args: argparse.Namespace) -> Pairing | None:
    """The pairs of pictures named; None where videos are."""
    sources = {
        "paths": bool(args.paths),
        "--csv": args.csv is not None,
        "-p0 and -p1": args.path0 is not None or args.path1 is not None,
        "-d0 and -d1": args.dir0 is not None or args.dir1 is not None,
        "-d": args.dir is not None,
    }
    given = [name for name, is_given in sources.items() if is_given]
    if len(given) != 1:
        raise ValueError(
            f"pictures must be named in exactly one way, but got {' and '.join(given) or 'none'}; "
            "try: invariant-lpips compare a.png b.png"
        )
    if (args.path0 is None) != (args.path1 is None):
        raise ValueError("-p0 and -p1 go together: two pictures are compared")
    if (args.dir0 is None) != (args.dir1 is None):
        raise ValueError("-d0 and -d1 go together: two folders are compared")
    if args.pair is not None:
        folders = args.paths or [folder for folder in (args.dir0, args.dir1) if folder is not None]
        if not folders:
            raise ValueError("--pair picks pairs in one folder or in two; name them as paths")
        return by_pattern(folders, tuple(args.pair), recursive=args.recursive)
    if args.csv is not None:
        return from_csv(args.csv)
    if args.path0 is not None:
        return two_files(args.path0, args.path1)
    if args.dir0 is not None:
        return two_folders(args.dir0, args.dir1, recursive=args.recursive)
    if args.dir is not None:
        return within_folder(args.dir, all_pairs=args.all_pairs, limit=args.N, recursive=args.recursive)
    in_order = args.frames is not None or args.every is not None
    if _names_a_video(args.paths) or (in_order and all(path.is_dir() for path in args.paths)):
        return None
    return pair_paths(args.paths, recursive=args.recursive)


def _names_a_video(paths: Sequence[Path]) -> bool:
    if all(not path.is_file() or path.suffix.lower() in PICTURE_SUFFIXES for path in paths):
        return False
    return any(is_video(path) for path in paths)


def _printed(args: argparse.Namespace, pairing: Pairing) -> Callable[[Sequence[Outcome], float | None], str]:
    """lpips' lines where it was called as lpips' scripts; else one number or a table, unless that goes to a file."""
    if args.path0 is not None:
        return lambda outcomes, noticed: reports.as_lpips_distance(outcomes)
    if args.dir0 is not None:
        return lambda outcomes, noticed: reports.as_lpips_lines(outcomes)
    if args.dir is not None:
        return lambda outcomes, noticed: reports.as_lpips_lines_and_mean(outcomes)
    if args.out is not None:
        return lambda outcomes, noticed: ""
    return reports.as_numbers if len(args.paths) == 2 and len(pairing.pairs) == 1 else reports.as_csv


def _keep_pictures_from_maps(folder: Path | None, compared: Iterable[Path]) -> None:
    """Maps are named as pictures are, so that in their folder they could replace them."""
    if folder is None:
        return
    parents = {path.parent.resolve() for path in compared if path.suffix.lower() in PICTURE_SUFFIXES}
    if folder.resolve() in parents:
        raise ValueError(
            f"--map {folder} holds pictures that are compared, which maps could replace; name another"
        )


def _check(args: argparse.Namespace) -> None:
    """Refuse values and combinations that can't be meant."""
    out: Path | None = args.out
    if out is not None:
        if out.suffix.lower() not in reports.SUFFIXES:
            raise ValueError(f"-o must end in one of {', '.join(reports.SUFFIXES)}, but got {out}")
        if not out.parent.is_dir():
            raise ValueError(f"-o {out}: the folder {out.parent} does not exist")
        if out.is_dir():
            raise ValueError(f"-o {out} is a folder; a file was expected")
        if args.csv is not None and out.resolve() == args.csv.resolve():
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
        if given and args.metric == "lpips":
            raise ValueError(f"{name} needs a metric that knows what people notice; --metric lpips does not")
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
        if _names_a_video([args.mask]):
            raise ValueError(f"--mask takes pictures, not the video {args.mask}; save its frames in a folder")
        others = {
            "--map": args.map is not None,
            "--motion": args.motion is not None,
            "--metric lpips": args.metric == "lpips",
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
    if args.unequal_sizes and args.metric == "lpips":
        raise ValueError("--unequal-sizes does not belong to --metric lpips")


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
        "videos": args.frames is not None or args.every is not None or _names_a_video(args.paths),
    }
    for name, given in others.items():
        if given:
            raise ValueError(f"--metrics does not go with {name}")
