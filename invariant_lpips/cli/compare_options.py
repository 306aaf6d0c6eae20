"""What `compare` is asked for: pictures, metric and all the rest, once nothing of it can be refused without torch."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invariant_lpips.cli.bench import words
from invariant_lpips.cli.compare_checks import check_together, keep_pictures_from_maps
from invariant_lpips.cli.map_options import Maps, maps_of
from invariant_lpips.cli.metric_options import MetricChoice
from invariant_lpips.cli.picture_options import RayWorkers, check_reading, ray_workers, reading_of
from invariant_lpips.cli.video_options import check_videos, names_a_video, video_pairing
from invariant_lpips.pictures import (
    Pairing,
    by_pattern,
    from_csv,
    pair_paths,
    reports,
    two_files,
    two_folders,
    within_folder,
)
from invariant_lpips.pictures.folders import pictures_in

if TYPE_CHECKING:
    from invariant_lpips.pictures import Outcome, Reading
    from invariant_lpips.pictures.masks import Masks
    from invariant_lpips.pictures.preparation import Prepared
    from invariant_lpips.pictures.video import VideoPairing


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
        check_together(args)
        if pairing is not None:
            compared = [path for pair in pairing.pairs for path in (pair.reference, pair.distorted)]
            keep_pictures_from_maps(args.map, compared)
        check_reading(args)
        metric = MetricChoice.of(args)
        metric.check_together()
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
            videos = video_pairing(args, reading)
            pairing = Pairing(())
            keep_pictures_from_maps(args.map, [*videos.reference.files, *videos.distorted.files])
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

    def masks(self) -> Masks | None:
        """Those asked for, by the references of their pairs."""
        if self.mask is None:
            return None
        from invariant_lpips.pictures.masks import Masks, reading_of_masks

        return Masks(self.mask, reading_of_masks(self.reading, self.crop_border))

    def readings(self) -> tuple[Prepared, Prepared | None]:
        """How references are read, and distorted pictures where they are read in another way."""
        from invariant_lpips.pictures.preparation import Prepared

        apart = self.reading != self.distorted_reading
        return (
            Prepared(self.reading, self.crop_border, self.luma),
            Prepared(self.distorted_reading, self.crop_border, self.luma) if apart else None,
        )

    def mask_files(self) -> Sequence[Path]:
        """Those that a mask may come from."""
        if self.mask is None:
            return ()
        return pictures_in(self.mask) if self.mask.is_dir() else [self.mask]

    def identity(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Settings, and which maps are written: a run that goes on must not leave the first ones without."""
        return settings if self.maps is None else {**settings, "map": repr(self.maps)}

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
    if args.dir is None and (args.all_pairs or args.N is not None):
        raise ValueError("--all-pairs and -N choose pairs within one folder and need -d DIR")
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
    if names_a_video(args.paths) or (in_order and all(path.is_dir() for path in args.paths)):
        return None
    return pair_paths(args.paths, recursive=args.recursive)


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
