"""The options that choose a metric, and the metric they choose."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from invariant_lpips.cli.devices import check_device, device_of
from invariant_lpips.cli.metric_parts import ALIASES, TRUNKS, check_lpips_parts, check_parts
from invariant_lpips.cli.start_up import load_torch
from invariant_lpips.evaluation.metric_names import (
    OwnName,
    Vocabulary,
    check_masks,
    check_names,
    is_callable_name,
    own_name,
)
from invariant_lpips.registry.entries import ENTRIES

if TYPE_CHECKING:
    import torch

    from invariant_lpips.metric import InvariantLPIPS
    from invariant_lpips.stock import LPIPS

DTYPES = ("float32", "float16", "bfloat16", "float64")

# The names in METRICS, HEADS, POOLINGS and MODELS, which can't be asked before torch is loaded.
METRICS = (
    *("psnr", "ssim", "ssim-rgb", "ms-ssim", "vsi", "fsimc", "haarpsi", "dss", "mdsi", "gmsd", "ssimulacra2"),
    *("flip", "cvvdp", "cvvdp-fhd", "dists", "dists-full", "st-lpips", "st-lpips-alex", "st-lpips-vgg"),
    *("lpips:vgg", "lpips:alex", "lpips:squeeze", "torchmetrics:vgg", "piq:vgg"),
    *("lpips-vgg", "lpips-alex", "lpips-squeeze"),
)
HEADS = ("gap", "spatial", "gap-spatial", "regional", "regional-32")
POOLINGS = ("max", "blur", "polyphase")
CLASSIFIER_HEADS = ("flatten", "final-gap", "multi-gap", "gap-flatten")  # of `invariant_lpips.classifier`
MOTIONS = ("shift", "similarity", "affine", "local")


@dataclass(frozen=True)
class MetricChoice:
    """A metric as the command line names it; None is what the metric itself takes by default.

    Attributes:
        metric: `invariant` or `lpips`.
        net, head, weights, pooling, motion, pixels_per_degree: of InvariantLPIPS; LPIPS takes `net` and, as its file
            of weights, `weights`.
        version: of LPIPS.
        device, dtype: where, and in what precision.

    Example:
        >>> MetricChoice(net="alex", head="gap", weights="unit").build().head.name
        'gap'
        >>> MetricChoice(metric="lpips", head="gap").build()
        Traceback (most recent call last):
        ValueError: --head does not belong to --metric lpips
    """

    metric: str = "invariant"
    net: str | None = None
    head: str | None = None
    weights: str | None = None
    pooling: str | None = None
    motion: str | None = None
    pixels_per_degree: float | None = None
    version: str | None = None
    device: str = "cpu"
    dtype: str = "float32"

    @classmethod
    def of(cls, args: argparse.Namespace) -> MetricChoice:
        """What was parsed; an option that the command doesn't have keeps its default."""
        given = vars(args)
        return cls(**{field.name: given[field.name] for field in fields(cls) if field.name in given})

    def check(self) -> None:
        """Refuse names that nothing has and options that conflict, without torch; the rest is refused by `build`.

        Raises:
            ValueError, FileNotFoundError: what was expected and what came.
        """
        if self.metric == "lpips":
            for name in ("head", "pooling", "motion", "pixels_per_degree"):
                if getattr(self, name) is not None:
                    raise ValueError(f"--{name.replace('_', '-')} does not belong to --metric lpips")
        elif self.version is not None:
            raise ValueError("-v (--version) is lpips' and needs --metric lpips")
        if self.pixels_per_degree is not None and self.motion is None:
            raise ValueError("--pixels-per-degree prices a motion and needs --motion")
        if self.pixels_per_degree is not None and not 0 < self.pixels_per_degree < math.inf:
            raise ValueError(
                f"--pixels-per-degree must be a positive number, but got {self.pixels_per_degree:g}"
            )
        for name, known in (
            ("head", _with_added(("default", *HEADS), "invariant_lpips.heads", "HEADS")),
            ("pooling", known_poolings()),
        ):
            if (given := getattr(self, name)) is not None and given not in known:
                raise ValueError(f"--{name} must be one of {', '.join(known)}, but got {given!r}")
        classifiers = [name for name in ENTRIES if name.endswith(CLASSIFIER_HEADS)]
        if (
            self.net is not None
            and self.net not in (*TRUNKS, *ALIASES, *classifiers)
            and not _names_a_file(self.net)
        ):
            raise ValueError(
                f"--net must be one of {', '.join((*TRUNKS, *classifiers))}, or the folder of a backbone, but got "
                f"{self.net!r}"
            )
        check_device(self.device)
        if self.weights not in (None, "unit", *ENTRIES) and not Path(str(self.weights)).is_file():
            raise FileNotFoundError(
                f"--weights must be `unit` or a file of linear weights, but {self.weights!r} is none"
            )

    def check_together(self) -> None:
        """The same as :meth:`check` of the whole metric, for commands that take nothing of it from an index.

        Raises:
            ValueError, FileNotFoundError: what was expected and what came.
        """
        self.check()
        if self.metric == "lpips":
            check_lpips_parts(self.net, self.weights)
        else:
            check_parts(self.net, self.head, self.pooling, self.weights)

    def build(self) -> InvariantLPIPS | LPIPS:
        """The metric, on its device and in its dtype; ValueError where the options conflict."""
        return self._build_stock() if self.metric == "lpips" else self.build_invariant()

    def build_invariant(self) -> InvariantLPIPS:
        """The same, for commands that have no `--metric`."""
        self.check_together()
        load_torch()
        from invariant_lpips.metric import InvariantLPIPS

        place = self._place()
        metric = InvariantLPIPS(
            net=self.net or "vgg",
            head=self.head or "default",
            pooling=self.pooling,
            weights=self.weights,
            motion=self.motion,
            pixels_per_degree=self.pixels_per_degree,
        )
        return metric.to(*place)

    def _build_stock(self) -> LPIPS:
        self.check_together()
        load_torch()
        from invariant_lpips.stock import LPIPS

        place = self._place()
        metric = LPIPS(
            net=self.net or "alex", version=self.version or "0.1", model_path=self.weights, verbose=False
        )
        return metric.to(*place)

    def _place(self) -> tuple[torch.device, torch.dtype]:
        import torch

        return device_of(self.device), getattr(torch, self.dtype)


def check_metrics(names: Sequence[str], *, masked: bool = False) -> None:
    """Refuse names that no metric of the benchmarks has, without torch; with `masked`, those that take no masks too.

    Raises:
        ValueError: the name, and those that there are.
    """
    singles = _with_added(METRICS, "invariant_lpips.evaluation.metrics", "PEERS")
    heads = _with_added(HEADS, "invariant_lpips.heads", "HEADS")
    nets = _with_added(tuple(TRUNKS), "invariant_lpips.trunks", "ARCHITECTURES")
    poolings = known_poolings()
    known = Vocabulary(tuple(singles), tuple(heads), tuple(nets), tuple(poolings))
    check_names(names, known)
    for name in names:
        if name not in known.singles and not is_callable_name(name):
            _check_own(name, own_name(name, known))
    if masked:
        check_masks(names, known)


def _check_own(name: str, own: OwnName) -> None:
    """Refuse a name of ours whose parts don't go together."""
    try:
        check_parts(own.net, own.head, own.pooling, own.weights)
    except ValueError as error:
        raise ValueError(
            f"metric {name} can't be made: {error} (in a metric's name: +NET, =FILE, +unit)"
        ) from None


def known_poolings() -> list[str]:
    """The poolings that there are, and those that a program has added."""
    return _with_added(POOLINGS, "invariant_lpips.trunks.pooling", "POOLINGS")


def _with_added(names: Sequence[str], module: str, table: str) -> list[str]:
    """The names, and those of a table that a program has added to: if it has, the table's module is loaded."""
    added = getattr(sys.modules.get(module), table, {})
    return list(dict.fromkeys([*names, *added]))


def _names_a_file(net: str) -> bool:
    return "/" in net or net.endswith(".safetensors") or Path(net).exists()


def just_noticeable(metric: InvariantLPIPS) -> float:
    """The distance that people just notice, which `--jnd` divides by."""
    import torch

    return 1.0 / float(metric.jnd(torch.tensor(1.0)))


def add_metric_options(parser: argparse.ArgumentParser) -> None:
    """Add what names a metric of either kind."""
    which = parser.add_argument_group("which metric")
    which.add_argument(
        "--metric",
        choices=("invariant", "lpips"),
        default="invariant",
        help="this package's (default), or that of lpips with its numbers",
    )
    which.add_argument(
        "--net",
        help="trunk: vgg, alex, squeeze or pixels, or the folder of a backbone (default: vgg; of --metric lpips: alex)",
    )
    _add_head(which)
    which.add_argument(
        "--motion",
        choices=MOTIONS,
        help="measure and undo what moved, and price it apart: similarity is shift, turn and zoom; local bends as well "
        "(default: not measured)",
    )
    which.add_argument(
        "--pixels-per-degree",
        type=float,
        metavar="N",
        help="pixels in a degree of visual angle, for the price of a shift (29): pi / 180 * distance to the screen / "
        "size of a pixel",
    )
    which.add_argument("-v", "--version", choices=("0.0", "0.1"), help="version of --metric lpips (0.1)")


def add_invariant_options(parser: argparse.ArgumentParser) -> None:
    """Add what names an InvariantLPIPS, for commands that embed pictures."""
    which = parser.add_argument_group("which metric")
    which.add_argument("--net", help="trunk: vgg, alex, squeeze or pixels, or the folder of a backbone (vgg)")
    _add_head(which)


def add_device_options(parser: argparse.ArgumentParser) -> None:
    """Add where the metric runs, and in what precision."""
    where = parser.add_argument_group("where it runs")
    where.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, mps")
    where.add_argument(
        "--use_gpu", dest="device", action="store_const", const="cuda", help="as --device cuda"
    )
    where.add_argument(
        "--dtype", choices=DTYPES, default="float32", help="precision of the network (float32)"
    )


def _add_head(which: argparse._ArgumentGroup) -> None:
    which.add_argument(
        "--head",
        help="what of the network's activations is compared: regional (default; of squeeze gap), gap; of alex and "
        "pixels also regional-32; of vgg also gap-spatial, spatial. With --weights others go together too",
    )
    which.add_argument(
        "--weights", metavar="FILE", help="linear weights of your own, or `unit` to weigh all alike"
    )
    which.add_argument(
        "--pooling",
        help="how the network subsamples: max, blur (vgg, alex) or polyphase (vgg) (default: as it was trained)",
    )
