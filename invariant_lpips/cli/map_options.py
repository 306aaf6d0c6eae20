"""The options that choose heat maps, and what they choose."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from invariant_lpips.cli.output import say
from invariant_lpips.pictures.folders import PICTURE_SUFFIXES

if TYPE_CHECKING:
    from invariant_lpips.metric import InvariantLPIPS
    from invariant_lpips.pictures import MapFiles
    from invariant_lpips.stock import LPIPS

#: In what multiple of the just noticeable distance two pictures are apart where a map has its strongest colour.
STRONGEST = 5


@dataclass(frozen=True)
class Maps:
    """Which heat maps are written.

    Attributes:
        name: of the file, where one was named; None: maps are named after their pairs.
        scale: map value of the strongest colour, `each` for the largest of each map, None for that of the metric.
    """

    folder: Path
    name: str | None
    scale: float | str | None
    keep_values: bool

    def files(self, metric: InvariantLPIPS | LPIPS) -> MapFiles:
        """What writes the maps of this metric."""
        from invariant_lpips.pictures import MapFiles

        scale, noticed = self.scale, _just_noticeable_in_maps(metric)
        if scale is None:
            scale = (STRONGEST * noticed) ** 2 if noticed is not None else _largest_in_maps(metric)
            if scale is None:
                say("compare", "what is noticed of this metric is not known: each map has a scale of its own")
        return MapFiles(
            self.folder,
            name=self.name,
            full_colour_at=None if isinstance(scale, str) else scale,
            just_noticeable=noticed,
            keep_values=self.keep_values,
        )


def add_map_options(output: argparse._ArgumentGroup) -> None:
    """Add all of a `Maps`."""
    output.add_argument(
        "--map",
        type=Path,
        metavar="DIR|FILE.png",
        help="draw each pair into DIR, or the only one into FILE.png: reference, distorted, heat map",
    )
    output.add_argument(
        "--map-scale",
        type=_map_scale,
        metavar="VALUE|each",
        help="map value that has the strongest colour, or `each` for the largest of each map (default: where pictures "
        f"are {STRONGEST} times just noticeable apart)",
    )
    output.add_argument(
        "--map-npy", action="store_true", help="with --map: its values too, as .npy of float32 (H, W)"
    )


def check_maps(args: argparse.Namespace) -> None:
    """Refuse options about maps where none are asked for, and a place that can't hold them."""
    if args.map is None and (args.map_npy or args.map_scale is not None):
        raise ValueError("--map-npy and --map-scale belong to --map DIR")
    if args.map is None or args.map.is_dir() or names_a_file(args.map):
        return
    if args.map.exists():
        raise ValueError(
            f"--map {args.map} is a file; a folder was expected, which is made if it isn't there"
        )
    if args.map.suffix.lower() in PICTURE_SUFFIXES:
        raise ValueError(f"--map {args.map} must end in .png, in which maps are written, or be a folder")


def names_a_file(place: Path) -> bool:
    """Whether `--map` names the file of one map."""
    return place.suffix.lower() == ".png" and not place.is_dir()


def maps_of(args: argparse.Namespace) -> Maps | None:
    """The maps asked for; None where none are."""
    if args.map is None:
        return None
    folder, name = (args.map.parent, args.map.name) if names_a_file(args.map) else (args.map, None)
    return Maps(folder, name, args.map_scale, args.map_npy)


def _just_noticeable_in_maps(metric: InvariantLPIPS | LPIPS) -> float | None:
    """The distance people just notice, where it is known and maps hold squares of distances."""
    fit, head = getattr(metric, "jnd_fit", None), getattr(metric, "head", None)
    return float(fit["d0"]) if fit is not None and head is not None and head.euclidean else None


def _largest_in_maps(metric: InvariantLPIPS | LPIPS) -> float | None:
    """1 for lpips' metric, whose distances hardly pass it; None where nothing is known."""
    return None if hasattr(metric, "head") else 1.0


def _map_scale(text: str) -> float | str:
    """`each`, or a value above 0, for `type=` of an option.

    Example:
        >>> _map_scale("each"), _map_scale("0.5")
        ('each', 0.5)
    """
    try:
        value = math.inf if text == "each" else float(text)
    except ValueError:
        value = 0.0
    if not value > 0 or (text != "each" and math.isinf(value)):
        raise argparse.ArgumentTypeError(f"expected a map value above 0, or `each`, but got {text!r}")
    return "each" if text == "each" else value
