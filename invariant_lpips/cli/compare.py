"""`invariant-lpips compare`: perceptual distances of picture files.

Which pictures: `pairing`. How they are measured: `measuring`. What is printed: `reports`. This file is the
options and the order of events: everything that can be wrong with the command is said before the network is
loaded.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from invariant_lpips.cli import reports
from invariant_lpips.cli.metric_options import (
    add_engine_options,
    add_metric_options,
    build_metric,
    picture_reader,
    ray_resources,
    settings,
)
from invariant_lpips.pictures.measuring import Measuring, Outcome
from invariant_lpips.pictures.pairing import (
    Pairing,
    from_csv,
    one_against_many,
    two_files,
    two_folders,
    within_folder,
)

DESCRIPTION = """\
Perceptual distance between pictures: 0 for equal ones, larger for more different ones.

  invariant-lpips compare a.png b.png              one number
  invariant-lpips compare originals/ results/      pictures of the same name (but for the suffix)
  invariant-lpips compare a.png b.png c.png d/     the first against each of the others
  invariant-lpips compare --csv pairs.csv          the rows of a table with columns reference,distorted

More than one pair gives a table (reference,distorted,distance,error) in the order of the files named, of the
sorted names in a folder, or of the rows of the csv. Progress and complaints go to stderr.
Exit status: 0 all measured, 1 some pictures failed or had no partner (the rest is reported), 2 wrong usage.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to its parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    which = parser.add_argument_group("which pictures")
    which.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="two files, two folders, or one file and many"
    )
    which.add_argument(
        "--csv", type=Path, metavar="FILE", help="table of pairs; relative paths start at the folder of FILE"
    )
    which.add_argument("--recursive", action="store_true", help="look into subfolders too")
    which.add_argument(
        "--allow-unmatched", action="store_true", help="exit status 0 though pictures have no partner"
    )

    add_metric_options(parser)
    add_engine_options(parser)

    output = parser.add_argument_group("output")
    output.add_argument(
        "-o", "--out", type=Path, metavar="FILE", help="write to FILE (.csv, .json, or .txt for lpips' lines)"
    )
    output.add_argument(
        "--map",
        type=Path,
        metavar="DIR",
        help="a picture of each pair to DIR: reference, distorted, heat map",
    )
    output.add_argument(
        "--map-scale",
        type=float,
        metavar="VALUE",
        help="map value of the strongest colour (each map's largest)",
    )
    output.add_argument("--map-npy", action="store_true", help="with --map: its values too, float32 (H, W)")
    output.add_argument("--quiet", action="store_true", help="no progress bar")
    output.add_argument("--verbose", action="store_true", help="say what is used, with hashes (on stderr)")

    scripts = parser.add_argument_group(
        "as lpips' scripts are called", "they print lpips' lines; for its numbers add --metric lpips"
    )
    scripts.add_argument("-p0", "--path0", type=Path, metavar="FILE", help="as lpips_2imgs.py")
    scripts.add_argument("-p1", "--path1", type=Path, metavar="FILE")
    scripts.add_argument("-d0", "--dir0", type=Path, metavar="DIR", help="as lpips_2dirs.py")
    scripts.add_argument("-d1", "--dir1", type=Path, metavar="DIR")
    scripts.add_argument(
        "-d", "--dir", type=Path, metavar="DIR", help="as lpips_1dir_allpairs.py: neighbours in sorted order"
    )
    scripts.add_argument("--all-pairs", action="store_true", help="with -d: each picture with each other")
    scripts.add_argument("-N", type=int, metavar="COUNT", help="with -d: only the first COUNT pictures")


def run(args: argparse.Namespace) -> int:
    """Do what the parsed options ask for; returns the exit status."""
    try:
        pairing = _pairing(args)
        _check_output(args)
        metric = build_metric(args)
        map_sink = _map_files(args)
    except (OSError, ValueError, TypeError, RuntimeError, ImportError) as error:
        _say(f"error: {' '.join(str(error).split())}")
        return 2
    if args.verbose:
        _say(f"{metric.describe()} on {args.device} in {args.dtype}, {len(pairing.pairs)} pairs")
    outcomes: list[Outcome] = []
    interrupted = False
    with warnings.catch_warnings():
        # Files are read in [-1, 1] by construction; Pillow's remarks on odd metadata are not about pixels.
        warnings.filterwarnings("ignore", message=".*none below 0")
        warnings.filterwarnings("ignore", module=r"PIL\..*")
        try:
            for outcome in _with_progress(
                _outcomes(args, metric, pairing, map_sink), pairing, quiet=args.quiet
            ):
                outcomes.append(outcome)
        except KeyboardInterrupt:
            interrupted = True
    _report(args, outcomes, pairing, settings(args, metric))
    return _conclude(args, outcomes, pairing, interrupted=interrupted)


def _pairing(args: argparse.Namespace) -> Pairing:
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
    if args.csv is not None:
        return from_csv(args.csv)
    if args.path0 is not None:
        return two_files(args.path0, args.path1)
    if args.dir0 is not None:
        return two_folders(args.dir0, args.dir1, recursive=args.recursive)
    if args.dir is not None:
        return within_folder(args.dir, all_pairs=args.all_pairs, limit=args.N, recursive=args.recursive)
    return _pairing_of_paths(args.paths, recursive=args.recursive)


def _pairing_of_paths(paths: Sequence[Path], *, recursive: bool) -> Pairing:
    if len(paths) == 1:
        raise ValueError(f"two pictures or folders are needed, but got only {paths[0]}")
    if len(paths) == 2 and paths[0].is_dir() and paths[1].is_dir():
        return two_folders(*paths, recursive=recursive)
    if len(paths) == 2 and not paths[1].is_dir():
        if paths[0].is_dir():
            raise ValueError(f"{paths[0]} is a folder and {paths[1]} is not; name the single reference first")
        return two_files(*paths)
    return one_against_many(paths[0], paths[1:], recursive=recursive)


def _check_output(args: argparse.Namespace) -> None:
    if args.out is not None:
        if args.out.suffix.lower() not in reports.SUFFIXES:
            raise ValueError(f"-o must end in one of {', '.join(reports.SUFFIXES)}, but got {args.out}")
        if not args.out.parent.is_dir():
            raise ValueError(f"-o {args.out}: the folder {args.out.parent} does not exist")
        if args.out.is_dir():
            raise ValueError(f"-o {args.out} is a folder; a file was expected")
    if args.map is None and (args.map_npy or args.map_scale is not None):
        raise ValueError("--map-npy and --map-scale belong to --map DIR")
    if args.map_scale is not None and not args.map_scale > 0:
        raise ValueError(f"--map-scale must be positive, but got {args.map_scale}")
    if args.engine == "ray":
        from invariant_lpips.integrations.ray import ray_data

        ray_data()
        ray_resources(args)
        if args.map is not None:
            raise ValueError("--map draws in this process and does not go with --engine ray")
    if args.batch_size < 1:
        raise ValueError(f"--batch-size must be at least 1, but got {args.batch_size}")


def _map_files(args: argparse.Namespace) -> Any:
    if args.map is None:
        return None
    from invariant_lpips.pictures.map_files import MapFiles

    return MapFiles(args.map, full_colour_at=args.map_scale, keep_values=args.map_npy)


def _outcomes(args: argparse.Namespace, metric: Any, pairing: Pairing, map_sink: Any) -> Iterator[Outcome]:
    how = {"batch_size": args.batch_size, "unequal_sizes": args.unequal_sizes}
    if args.engine == "ray":
        from invariant_lpips.integrations.ray import measure_pairs

        return measure_pairs(pairing.pairs, metric, picture_reader(args), **how, **ray_resources(args))
    return Measuring(metric, picture_reader(args), **how, map_sink=map_sink)(pairing.pairs)


def _with_progress(outcomes: Iterator[Outcome], pairing: Pairing, *, quiet: bool) -> Any:
    from tqdm import tqdm

    hidden = quiet or len(pairing.pairs) == 1
    return tqdm(outcomes, total=len(pairing.pairs), unit="pair", file=sys.stderr, disable=hidden)


def _report(
    args: argparse.Namespace, outcomes: Sequence[Outcome], pairing: Pairing, used: dict[str, Any]
) -> None:
    one_pair = args.path0 is not None or (len(args.paths) == 2 and len(pairing.pairs) == 1)
    measured = [outcome for outcome in outcomes if outcome.distance is not None]
    if args.out is not None:
        reports.write(args.out, reports.as_text(args.out.suffix.lower(), outcomes, pairing.unmatched, used))
        _say(f"{len(measured)} of {len(pairing.pairs)} distances written to {args.out}")
    called_as_lpips = args.path0 is not None or args.dir0 is not None or args.dir is not None
    if args.path0 is not None:
        text = "".join(f"Distance: {outcome.distance:.6f}\n" for outcome in measured)
    elif called_as_lpips:
        text = reports.as_lpips_lines(outcomes, average=args.dir is not None)
    elif args.out is not None:
        return
    elif one_pair:
        text = "".join(f"{reports.number(outcome.distance)}\n" for outcome in measured)
    else:
        text = reports.as_csv(outcomes)
    _print(text)


def _conclude(
    args: argparse.Namespace, outcomes: Sequence[Outcome], pairing: Pairing, *, interrupted: bool
) -> int:
    failed = [outcome for outcome in outcomes if outcome.problem is not None]
    for outcome in failed:
        _say(str(outcome.problem))
    if failed and len(outcomes) > 1:
        _say(f"{len(failed)} of {len(outcomes)} pairs failed")
    if pairing.unmatched:
        _say(f"pictures without a partner of the same name: {len(pairing.unmatched)}")
        for path in pairing.unmatched:
            _say(f"  {path}")
    if interrupted:
        _say(f"interrupted after {len(outcomes)} of {len(pairing.pairs)} pairs")
        return 130
    return 1 if failed or (pairing.unmatched and not args.allow_unmatched) else 0


def _print(text: str) -> None:
    with contextlib.suppress(AttributeError):  # a name that is not UTF-8 must not stop the rest
        sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    sys.stdout.write(text)
    sys.stdout.flush()


def _say(text: str) -> None:
    print(f"invariant-lpips compare: {text}", file=sys.stderr)
