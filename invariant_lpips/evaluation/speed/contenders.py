"""Metrics that race each other: this package's and other people's, all called on two batches in [0, 1].

A contender's name is that of a metric, with options behind plus signs: `lpips-vgg`, `torchmetrics-vgg`, `piq-vgg`,
`st-lpips-vgg`, `dists` are other people's; `regional`, `gap`, `gap-spatial`, `spatial` the heads of InvariantLPIPS and
`stock-vgg` our LPIPS. Options are ours alone: `reference` (one side is read beforehand), `bfloat16`, `float16`,
`channels_last` (of the weights, which the maps follow on a GPU; on a CPU maps are that without asking), `compiled` and
`checkpointing`. All run VGG-16 with the same parameters where their package allows it; speed does not
depend on them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from invariant_lpips.evaluation.peer_scorers import fill_trunk, missing, untrained_torchvision

__all__ = ["OPTIONS", "PEERS", "Contender", "contender"]

PEERS = ("lpips-vgg", "torchmetrics-vgg", "piq-vgg", "st-lpips-vgg", "dists")
OPTIONS = ("reference", "bfloat16", "float16", "channels_last", "compiled", "checkpointing")


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
    if base in _PEERS:
        if options:
            raise ValueError(f"{base!r} is another package's and takes no options, but got {name!r}.")
        return Contender(name, lambda y: y, _PEERS[base](device))
    return _own(name, base, options, device)


def _own(name: str, base: str, options: list[str], device: str) -> Contender:
    from invariant_lpips import LPIPS, InvariantLPIPS

    checkpointing = "checkpointing" in options
    metric: Any
    if base == "stock-vgg":
        metric = LPIPS(net="vgg", verbose=False, checkpointing=checkpointing)
    else:
        metric = InvariantLPIPS(head=base, checkpointing=checkpointing)
    dtype = next((getattr(torch, each) for each in ("bfloat16", "float16") if each in options), torch.float32)
    order = torch.channels_last if "channels_last" in options else torch.preserve_format
    metric = metric.to(device, dtype, memory_format=order)
    call = torch.compile(metric, fullgraph=True) if "compiled" in options else metric

    def prepare(y: Tensor) -> Any:
        return metric.reference(y, normalize=True) if "reference" in options else y

    return Contender(name, prepare, lambda x, y: call(x, y, normalize=True))


def _lpips(device: str) -> Callable[[Tensor, Tensor], Tensor]:
    import lpips

    model: Any = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False)
    fill_trunk(model, "vgg16", "net.slice")
    model = model.to(device).eval()
    return lambda x, y: model(x, y, normalize=True)


def _torchmetrics(device: str) -> Callable[[Tensor, Tensor], Tensor]:
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    with untrained_torchvision():
        model: Any = LearnedPerceptualImagePatchSimilarity(net_type="vgg", normalize=True)
    fill_trunk(model.net, "vgg16", "net.slice")
    # Its network alone: the Metric around it also keeps sums, and checks its input's range.
    network = model.net.to(device).eval()
    return lambda x, y: network(x, y, normalize=True)


def _piq(device: str) -> Callable[[Tensor, Tensor], Tensor]:
    import piq

    with _untrained_piq():
        model: Any = piq.LPIPS(reduction="none")
    fill_trunk(_Features(model.model), "vgg16", "features")
    model = model.to(device).eval()
    return lambda x, y: model(x, y)


def _st_lpips(device: str) -> Callable[[Tensor, Tensor], Tensor]:
    from stlpips_pytorch import stlpips

    with untrained_torchvision():
        model: Any = stlpips.LPIPS(net="vgg", variant="shift_tolerant", verbose=False)
    model = model.to(device).eval().requires_grad_(False)  # as lpips is; its own trunk is left trainable
    return lambda x, y: model(x, y, normalize=True)


def _dists(device: str) -> Callable[[Tensor, Tensor], Tensor]:
    from DISTS_pytorch import DISTS

    with untrained_torchvision():
        model: Any = DISTS()
    fill_trunk(model, "vgg16", "stage")
    model = model.to(device).eval()

    def distance(x: Tensor, y: Tensor) -> Tensor:
        result: Tensor = model(x, y, require_grad=x.requires_grad)
        return result

    return distance


class _Features(nn.Module):
    """A bare stack of layers under the name by which :func:`fill_trunk` finds it."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.features0 = layers


@contextlib.contextmanager
def _untrained_piq() -> Iterator[None]:
    """While this lasts, piq builds its network untrained, and takes the linear weights that we carry."""
    import piq.perceptual

    from invariant_lpips.registry import load_weights

    hub: Any = torch.hub
    linear = load_weights("lpips-vgg-v0.1")
    vgg16, download = piq.perceptual.vgg16, hub.load_state_dict_from_url
    with untrained_torchvision():
        from torchvision import models

        piq.perceptual.vgg16 = models.vgg16
        hub.load_state_dict_from_url = lambda *_, **__: [linear[f"lin{k}.weight"] for k in range(5)]
        try:
            yield
        finally:
            piq.perceptual.vgg16, hub.load_state_dict_from_url = vgg16, download


def _installed(
    package: str, build: Callable[[str], Callable[[Tensor, Tensor], Tensor]]
) -> Callable[[str], Callable[[Tensor, Tensor], Tensor]]:
    def checked(device: str) -> Callable[[Tensor, Tensor], Tensor]:
        try:
            return build(device)
        except ImportError as error:
            raise missing(package, error, package) from error

    return checked


_PEERS = {
    "lpips-vgg": _installed("lpips", _lpips),
    "torchmetrics-vgg": _installed("torchmetrics", _torchmetrics),
    "piq-vgg": _installed("piq", _piq),
    "st-lpips-vgg": _installed("stlpips_pytorch", _st_lpips),
    "dists": _installed("DISTS_pytorch", _dists),
}
