"""Metrics that race each other: this package's and other people's, all called on two batches in [0, 1].

A contender's name is that of a metric, with options behind plus signs: `lpips-vgg`, `torchmetrics-vgg`, `piq-vgg`,
`st-lpips-vgg`, `dists` are other people's; `regional`, `gap`, `gap-spatial`, `spatial` the heads of InvariantLPIPS and
`stock-vgg` our LPIPS. Options are ours alone: a network (`alex`, `pixels`; else
VGG-16), `motion` (a similarity is measured and undone), `reference` (one side is read beforehand), `bfloat16`,
`float16`,
`channels_last` (of the weights, which the maps follow on a GPU; on a CPU maps are that without asking), `compiled` and
`checkpointing`. All others run VGG-16, but for `lpips-alex`, with the same parameters where their package allows
it; speed does not depend on them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from invariant_lpips.evaluation.peers import peer
from invariant_lpips.metric import InvariantLPIPS
from invariant_lpips.stock import LPIPS

__all__ = ["OPTIONS", "PEERS", "Contender", "contender"]

PEERS = {
    "lpips-vgg": "lpips:vgg",
    "lpips-alex": "lpips:alex",
    "torchmetrics-vgg": "torchmetrics:vgg",
    "piq-vgg": "piq:vgg",
    "st-lpips-vgg": "st-lpips-vgg",
    "dists": "dists-full",
}
"""Name in the race and in its result files -> name of the peer."""

NETS = ("alex", "pixels")
OPTIONS = (*NETS, "motion", "reference", "bfloat16", "float16", "channels_last", "compiled", "checkpointing")


class Contender(NamedTuple):
    """A metric at the start.

    Attributes:
        name: as it was asked for.
        prepare: called on the second batch once, before the clock runs.
        distance: called on the first batch and on what `prepare` returned; any shape, to be summed.
    """

    name: str
    prepare: Callable[[Tensor], Any]
    distance: Callable[[Tensor, Any], Tensor]


def contender(name: str, device: str = "cpu") -> Contender:
    """A metric by name, on a device.

    Raises:
        ImportError: its package isn't installed; the message says which.
        ValueError: the name is unknown.

    Example:
        >>> gap = contender("gap+reference")
        >>> x = torch.full((1, 3, 32, 32), 0.5)
        >>> gap.distance(x, gap.prepare(x)).item()
        0.0
    """
    base, *options = name.split("+")
    if unknown := [option for option in options if option not in OPTIONS]:
        raise ValueError(
            f"Options of a contender are {', '.join(OPTIONS)}, but {name!r} asks for {unknown[0]!r}."
        )
    if base in PEERS:
        if options:
            raise ValueError(f"{base!r} is another package's and takes no options, but got {name!r}.")
        return Contender(name, lambda y: y, peer(PEERS[base], device).score)
    return _own(name, base, options, device)


def _own(name: str, base: str, options: list[str], device: str) -> Contender:
    checkpointing = "checkpointing" in options
    metric: Any
    if base == "stock-vgg":
        metric = LPIPS(net="vgg", verbose=False, checkpointing=checkpointing)
    else:
        net = next((each for each in NETS if each in options), "vgg")
        motion = "similarity" if "motion" in options else None
        metric = InvariantLPIPS(net, base, checkpointing=checkpointing, motion=motion)
    dtype = next((getattr(torch, each) for each in ("bfloat16", "float16") if each in options), torch.float32)
    order = torch.channels_last if "channels_last" in options else torch.preserve_format
    metric = metric.to(device, dtype, memory_format=order)
    call = torch.compile(metric, fullgraph=True) if "compiled" in options else metric

    def prepare(y: Tensor) -> Any:
        return metric.reference(y, normalize=True) if "reference" in options else y

    return Contender(name, prepare, lambda x, y: call(x, y, normalize=True))
