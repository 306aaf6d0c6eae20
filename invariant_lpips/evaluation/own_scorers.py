"""This package's metrics behind the benchmarks' call: stock LPIPS, and InvariantLPIPS with any head."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from invariant_lpips import functional as ILF
from invariant_lpips.evaluation.metric_names import Vocabulary, own_name
from invariant_lpips.evaluation.scorers import EmbeddingScorer, Scorer
from invariant_lpips.heads import HEADS
from invariant_lpips.metric import InvariantLPIPS
from invariant_lpips.statistics.thresholds import PIXELS_PER_DEGREE
from invariant_lpips.stock import LPIPS
from invariant_lpips.trunks import ARCHITECTURES
from invariant_lpips.trunks.pooling import POOLINGS

__all__ = ["STOCK", "invariant_scorer", "scorer_of", "stock_scorer", "vocabulary"]

STOCK = {"lpips-vgg": "vgg", "lpips-alex": "alex", "lpips-squeeze": "squeeze"}
"""Name of a stock LPIPS of ours -> its trunk."""


def vocabulary(singles: tuple[str, ...] = ()) -> Vocabulary:
    """The names of what a metric of ours may be made of, and of `singles` beside."""
    return Vocabulary(singles, tuple(HEADS), tuple(ARCHITECTURES), tuple(POOLINGS))


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
    made_of = own_name(name, vocabulary())
    choices: dict[str, Any] = {}
    if made_of.net is not None:
        choices["net"] = made_of.net
    if made_of.motion is not None:
        choices["motion"] = "similarity"
        choices["pixels_per_degree"] = float(made_of.motion or PIXELS_PER_DEGREE["the study"])
    metric = InvariantLPIPS(
        head=made_of.head,
        pooling=made_of.pooling or "max",
        weights=made_of.weights,
        normalize=True,
        **choices,
    )
    dtype = torch.bfloat16 if made_of.bf16 else torch.float32
    return scorer_of(metric.to(dtype), name, device)


def scorer_of(metric: InvariantLPIPS, name: str, device: str) -> EmbeddingScorer:
    """A metric of ours that takes [0, 1], as a scorer that reads each picture once."""
    metric.to(device)

    def distance(reference: Any, distorted: Any) -> Tensor:
        result = metric(reference, distorted)
        assert isinstance(result, Tensor)
        return result

    def masked(reference: Tensor, distorted: Tensor, mask: Tensor) -> Tensor:
        result = metric(reference, distorted, mask=mask)
        assert isinstance(result, Tensor)
        return result

    dtype = next(metric.net.parameters()).dtype
    precision = "" if dtype == torch.float32 else f" in {str(dtype).removeprefix('torch.')}"
    return EmbeddingScorer(
        name,
        metric.describe() + precision,
        metric.reference,
        distance,
        masked=masked if metric.motion is None else None,
    )
