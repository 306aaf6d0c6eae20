"""`invariant-lpips compare`: perceptual distances of picture files.

The options, and the order of events: everything that can be wrong with the command is said before the network is
loaded (`compare_options.py`). Then pairs of pictures (`compare_pairs.py`), several metrics (`compare_metrics.py`) and
videos (`compare_videos.py`) go their own ways.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from invariant_lpips.cli.compare_options import Comparison
from invariant_lpips.cli.counts import at_least
from invariant_lpips.cli.map_options import add_map_options
from invariant_lpips.cli.metric_options import add_device_options, add_metric_options
from invariant_lpips.cli.output import Exit
from invariant_lpips.cli.picture_options import add_engine_options, add_reading_options
from invariant_lpips.cli.video_options import add_frame_options

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
names in a folder (2 before 10), or of the rows of the csv. Mean, median, worst, progress and complaints go to stderr.
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
        help="pictures of what counts, where white does and black doesn't: one for all pairs, or a folder with one "
        "named as each reference (of a video, or one for each frame); not with --map or --motion",
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
        "--jnd",
        action="store_true",
        help="beside each distance, how many times the just noticeable one it is",
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
        help="the same, with D in multiples of the just noticeable one",
    )
    output.add_argument("--quiet", action="store_true", help="no progress bar, and no word on where maps are")
    output.add_argument("--verbose", action="store_true", help="say what is used, with hashes (on stderr)")

    scripts = parser.add_argument_group(
        "as lpips' scripts are called", "they print lpips' lines; for its numbers add --metric lpips"
    )
    scripts.add_argument(
        "-p0", "--path0", type=Path, metavar="FILE", help="first picture, as of lpips_2imgs.py"
    )
    scripts.add_argument("-p1", "--path1", type=Path, metavar="FILE", help="second picture")
    scripts.add_argument("-d0", "--dir0", type=Path, metavar="DIR", help="first folder, as of lpips_2dirs.py")
    scripts.add_argument("-d1", "--dir1", type=Path, metavar="DIR", help="second folder")
    scripts.add_argument(
        "-d", "--dir", type=Path, metavar="DIR", help="as lpips_1dir_allpairs.py: neighbours in natural order"
    )
    scripts.add_argument("--all-pairs", action="store_true", help="with -d: each picture with each other")
    scripts.add_argument(
        "-N", type=at_least(2), metavar="COUNT", help="with -d: only the first COUNT pictures"
    )


def run(args: argparse.Namespace) -> Exit:
    """Do what the parsed options ask for; returns the exit status."""
    asked = Comparison.of(args)
    if asked.metrics:
        from invariant_lpips.cli import compare_metrics

        return compare_metrics.run(asked)
    if asked.videos is not None:
        from invariant_lpips.cli import compare_videos

        return compare_videos.run(asked, asked.videos)
    from invariant_lpips.cli import compare_pairs

    return compare_pairs.run(asked)
