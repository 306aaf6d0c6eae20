"""This package's metrics behind the benchmarks' call: stock LPIPS, and InvariantLPIPS with any head."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from invariant_lpips import functional as ILF
from invariant_lpips.evaluation.scorers import EmbeddingScorer, Scorer
from invariant_lpips.metric import InvariantLPIPS
from invariant_lpips.statistics.thresholds import PIXELS_PER_DEGREE
from invariant_lpips.stock import LPIPS
from invariant_lpips.trunks import ARCHITECTURES
from invariant_lpips.trunks.pooling import POOLINGS

__all__ = ["STOCK", "invariant_scorer", "scorer_of", "stock_scorer"]

STOCK = {"lpips-vgg": "vgg", "lpips-alex": "alex", "lpips-squeeze": "squeeze"}
"""Name of a stock LPIPS of ours -> its trunk."""

_MOTION = re.compile(r"motion(\d+(?:\.\d+)?)?")


def stock_scorer(name: str, net: str, device: str) -> Scorer:
    """Stock LPIPS 0.1 on one trunk; a reference's activations serve all its distorted pictures."""
    metric = LPIPS(net=net, verbose=False).to(device)
    taps = metric.net.architecture.lpips_taps

    def embed(pictures: Tensor) -> list[Tensor]:
        images = metric.images(pictures, metric.scaling_layer.shift, normalize=True)
        return metric.net.reduce(metric.scaling_layer(images), taps, lambda tap, features: features)

    def distance(reference: list[Tensor], distorted: list[Tensor]) -> Tensor:
        layers = []
        for k, (fx, fy) in enumerate(zip(reference, distorted, strict=True)):
            layer = ILF.lpips_layer(fx, fy, metric.linear(k).weight.flatten())
            layers.append(ILF.spatial_average(layer, keepdim=True))
        return torch.stack(layers).sum(0)

    return EmbeddingScorer(name, metric.describe(), embed, distance)


def invariant_scorer(name: str, device: str) -> Scorer:
    """InvariantLPIPS by a name ``HEAD[+NET][+POOLING][+unit][+bf16][+MOTION][=WEIGHTS]``.

    ``gap``, ``gap+alex``, ``gap+polyphase``, ``gap+unit`` (unit weights), ``gap=my/weights.safetensors``;
    ``default+bf16`` runs its trunk in bfloat16, half the time on processors that have it;
    ``default+motion`` measures shift, turn and zoom, and ``default+motion71`` prices shifts at 71 pixels per degree
    instead of 29.

    Raises:
        ValueError: a part of the name is unknown, or there are no weights for the combination.
    """
    specification, _, path = name.partition("=")
    head, *options = specification.split("+")
    pooling, weights, dtype = "max", path or None, torch.float32
    choices: dict[str, Any] = {}
    for option in options:
        if option in ARCHITECTURES:
            choices["net"] = option
        elif option in POOLINGS:
            pooling = option
        elif option == "unit":
            weights = "unit"
        elif option == "bf16":
            dtype = torch.bfloat16
        elif (match := _MOTION.fullmatch(option)) is not None:
            choices["motion"] = "similarity"
            choices["pixels_per_degree"] = float(match[1] or PIXELS_PER_DEGREE["the study"])
        else:
            raise ValueError(
                f"Metric {name!r} must read HEAD[+NET][+POOLING][+unit][+bf16][+motion[PIXELS PER DEGREE]][=WEIGHTS] "
                f"with a net of {', '.join(ARCHITECTURES)} and a pooling of {', '.join(POOLINGS)}, "
                f"but holds {option!r}."
            )
    if path and not Path(path).is_file():
        raise ValueError(f"Metric {name!r} names weights that are not there: {path}.")
    metric = InvariantLPIPS(head=head, pooling=pooling, weights=weights, normalize=True, **choices)
    return scorer_of(metric.to(dtype), name, device)


def scorer_of(metric: InvariantLPIPS, name: str, device: str) -> EmbeddingScorer:
    """A metric of ours that takes [0, 1], as a scorer that reads each picture once."""
    metric.to(device)

    def distance(reference: Any, distorted: Any) -> Tensor:
        result = metric(reference, distorted)
        assert isinstance(result, Tensor)
        return result

    dtype = next(metric.net.parameters()).dtype
    precision = "" if dtype == torch.float32 else f" in {str(dtype).removeprefix('torch.')}"
    return EmbeddingScorer(name, metric.describe() + precision, metric.reference, distance)
