"""Every fast path gives the distances and gradients of the plain one.

Plain is one image at a time, each side through the whole trunk on its own, in the order of the dimensions in memory
that the caller chose, with torch's own layers and a graph that keeps all they want.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from invariant_lpips import LPIPS, InvariantLPIPS, distance_matrix, spatial_average
from invariant_lpips.indexing import Index
from invariant_lpips.trunks import trunk as trunks

HEADS = ("regional", "gap", "gap-spatial", "spatial", "stock")
COUNT = 3  # the first pair is equal


def build(head: str) -> Any:
    if head == "stock":
        return LPIPS(net="vgg", verbose=False)
    return InvariantLPIPS(head=head, weights="unit" if head in ("gap-spatial", "spatial") else None)


@pytest.fixture(scope="module")
def metrics() -> dict[str, Any]:
    return {head: build(head) for head in HEADS}


@pytest.fixture(scope="module")
def pictures() -> tuple[Tensor, Tensor]:
    """Smooth pictures, and others that are equal, nearly equal and different."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(COUNT, 3, 4, 5, generator=generator) * 2 - 1
    x = torch.nn.functional.interpolate(coarse, size=(32, 40), mode="bicubic").clamp(-1, 1)
    y = x + torch.tensor([0.0, 1e-3, 0.3]).view(-1, 1, 1, 1) * torch.randn(x.shape, generator=generator)
    return x, y.clamp(-1, 1)


class Apart(torch.nn.Module):
    """The plain path: layers as torch has them, one side after the other, every activation kept."""

    def __init__(self, metric: Any) -> None:
        super().__init__()
        self.metric = metric

    def taps(self, image: Tensor) -> list[Tensor]:
        metric = self.metric
        wanted = metric.net.architecture.lpips_taps if isinstance(metric, LPIPS) else metric.head.taps
        places = [metric.net.architecture.taps[tap].layer for tap in wanted]
        layers = [layer for group in metric.net.children() for layer in group.children()]
        x = metric.scaling_layer(image)
        found = []
        for place, layer in enumerate(layers[: max(places) + 1]):
            x = layer(x)
            if place in places:
                found.append(x.clone())  # the next layer may write over it
        return found

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        fx, fy = self.taps(x), self.taps(y)
        metric = self.metric
        if isinstance(metric, LPIPS):
            return torch.stack(
                [
                    spatial_average(metric._layer(k, a, b), keepdim=True)
                    for k, (a, b) in enumerate(zip(fx, fy, strict=True))
                ]
            ).sum(0)
        size = (x.shape[-2], x.shape[-1])
        head = metric.head
        sides = [
            [head.summary(tap, f, size) for tap, f in zip(head.taps, side, strict=True)] for side in (fx, fy)
        ]
        count = (
            sum(head.count(tap, s) for tap, s in zip(head.taps, sides[0], strict=True))
            if head.euclidean
            else 1
        )
        return head.total(
            [head.layer(tap, a, b) / count for tap, a, b in zip(head.taps, *sides, strict=True)]
        ).view(-1, 1, 1, 1)


def plain(metric: Any, x: Tensor, y: Tensor) -> Tensor:
    apart = Apart(metric)
    return torch.cat([apart(a[None], b[None]) for a, b in zip(x, y, strict=True)])


class Truth(NamedTuple):
    """What the plain path gives: distances (N,), what they may be off by, and gradients but of the equal pair."""

    distances: Tensor
    allowed: Tensor
    gradients: tuple[Tensor, Tensor]


@pytest.fixture(scope="module")
def truths(metrics: dict[str, Any], pictures: tuple[Tensor, Tensor]) -> Callable[[str], Truth]:
    @functools.cache
    def truth(head: str) -> Truth:
        metric, (x, y) = metrics[head], pictures
        a, b = (side[1:].clone().requires_grad_() for side in pictures)  # the root has no slope at 0
        different = plain(metric, a, b)
        gradients = torch.autograd.grad(different.sum(), [a, b])
        with torch.no_grad():
            distances = torch.cat([plain(metric, x[:1], y[:1]), different.detach()]).flatten()
            length = torch.ones(len(x))
            if not isinstance(metric, LPIPS) and metric.head.euclidean:
                length = torch.maximum(metric.embed(x).norm(dim=1), metric.embed(y).norm(dim=1))
        return Truth(distances, 1e-5 * distances + 2e-6 * length, gradients)

    return truth


def parts(metric: Any, x: Tensor, y: Tensor) -> Tensor:
    return metric(x, y)


def channels_last(metric: Any, x: Tensor, y: Tensor) -> Tensor:
    return metric(*(side.contiguous(memory_format=torch.channels_last) for side in (x, y)))


def one_by_one(metric: Any, x: Tensor, y: Tensor) -> Tensor:
    return torch.cat([metric(a[None], b[None]) for a, b in zip(x, y, strict=True)])


def reference(metric: Any, x: Tensor, y: Tensor) -> Tensor:
    return metric(x, metric.reference(y))


def spatial(metric: Any, x: Tensor, y: Tensor) -> Tensor:
    metric.spatial = True
    try:
        total = metric(x, y).mean((1, 2, 3), keepdim=True)
    finally:
        metric.spatial = False
    return total.clamp_min(0).sqrt() if not isinstance(metric, LPIPS) and metric.head.euclidean else total


def embeddings(metric: Any, x: Tensor, y: Tensor) -> Tensor:
    return (metric.embed(x) - metric.embed(y)).norm(dim=1)


def pairwise(metric: Any, x: Tensor, y: Tensor) -> Tensor:
    return metric.pairwise(x, y).diagonal()


def matrix(metric: Any, x: Tensor, y: Tensor) -> Tensor:
    rows = torch.cat([metric.embed(x), metric.embed(y)])
    return torch.as_tensor(distance_matrix(Index.of_tensor(rows))).diagonal(len(x))


def tiled(metric: Any, x: Tensor, y: Tensor) -> Tensor:
    return (metric.embed(x, tile=32) - metric.embed(y, tile=32)).norm(dim=1)


def compiled(metric: Any, x: Tensor, y: Tensor) -> Tensor:
    torch._dynamo.reset()
    return torch.compile(metric, backend="eager", fullgraph=True)(x, y)


#: Path -> heads that have it.
PATHS: dict[Callable[[Any, Tensor, Tensor], Tensor], tuple[str, ...]] = {
    parts: HEADS,
    one_by_one: HEADS,
    channels_last: HEADS,
    compiled: ("gap",),  # `regional`, too, in test_running.py
    reference: ("regional", "gap", "gap-spatial", "spatial"),
    embeddings: ("regional", "gap", "gap-spatial"),
    pairwise: ("regional", "gap", "gap-spatial"),
    matrix: ("regional", "gap"),
    tiled: ("regional", "gap"),
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.__name__)
@pytest.mark.parametrize("largest_map", [2**25, 1], ids=["at once", "in parts"])
def test_distances(
    path: Any, head: str, largest_map: int, metrics: Any, pictures: Any, truths: Any, monkeypatch: Any
) -> None:
    if head not in PATHS[path]:
        pytest.skip("the head has no such path")
    if largest_map == 1 and path in (one_by_one, compiled, tiled):
        pytest.skip("the path has no parts")
    expected, allowed, _ = truths(head)
    monkeypatch.setattr(trunks, "LARGEST_MAP_CPU", largest_map)
    with torch.no_grad():
        found = path(metrics[head], *pictures).flatten()
    assert found.shape == expected.shape
    assert bool(((found - expected).abs() <= allowed).all()), (found, expected)
    assert bool((expected > 0)[1:].all())
    if path is not tiled:
        assert found[0] == 0


@pytest.mark.parametrize("head", HEADS)
def test_maps(head: str, metrics: Any, pictures: Any, truths: Any) -> None:
    """A map's mean is the square of the distance (the distance, where that has no root)."""
    with torch.no_grad():
        found = spatial(metrics[head], *pictures).flatten()
    assert torch.allclose(found, truths(head).distances, rtol=1e-4 if head != "stock" else 0.1, atol=1e-6)


@pytest.mark.parametrize("head", ["regional", "spatial", "stock"])
@pytest.mark.parametrize("largest_map", [2**25, 1], ids=["at once", "in parts"])
@pytest.mark.parametrize("both", [False, True], ids=["one side", "both sides"])
@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "checkpointed"])
def test_gradients(
    head: str,
    largest_map: int,
    both: bool,
    checkpointing: bool,
    metrics: Any,
    pictures: Any,
    truths: Any,
    monkeypatch: Any,
) -> None:
    """Distances with a graph are those of torch's own layers, and so are gradients."""
    if head == "spatial" and largest_map == 1:
        pytest.skip("parts are joined as those of regional")
    expected, allowed, wanted = truths(head)
    monkeypatch.setattr(trunks, "LARGEST_MAP_CPU", largest_map)
    metric = metrics[head]
    monkeypatch.setattr(metric, "checkpointing", checkpointing)
    a, b = (side[1:].clone() for side in pictures)
    distance = metric(a.requires_grad_(), b.requires_grad_(both))
    gradients = torch.autograd.grad(distance.sum(), [a, b] if both else [a])
    assert bool(((distance.detach().flatten() - expected[1:]).abs() <= allowed[1:]).all())
    for found, gradient in zip(gradients, wanted, strict=False):
        # A max pool may choose another of two neighbours that differ in the last bit only, and move a few gradients.
        assert float((found - gradient).norm() / gradient.norm()) < 1e-2


@pytest.mark.parametrize("head", ["regional", "gap"])
def test_gradient_against_a_reference(head: str, metrics: Any, pictures: Any, truths: Any) -> None:
    metric, (x, y) = metrics[head], (side[1:] for side in pictures)
    found = []
    for checkpointing in (False, True):
        metric.checkpointing = checkpointing
        a = x.clone().requires_grad_()
        found += torch.autograd.grad(metric(a, metric.reference(y)).sum(), a)
    metric.checkpointing = False
    expected, _ = truths(head).gradients
    assert torch.equal(found[0], found[1])
    assert float((found[0] - expected).norm() / expected.norm()) < 2e-3


def test_checkpointing_leaves_trained_parameters_their_gradient(pictures: Any) -> None:
    metric = InvariantLPIPS(head="gap", weights="unit", checkpointing=True)
    metric.head.requires_grad_(True)
    x, y = pictures
    metric(x.clone().requires_grad_(), y).sum().backward()
    assert metric.head.weight.grad is not None


def test_equal_rows_are_at_zero_in_pairwise(metrics: Any, pictures: Any) -> None:
    x, y = pictures
    for head in ("regional", "gap", "gap-spatial"):
        rows = torch.cat([x, y[1:], x])
        distances = metrics[head].pairwise(rows)
        same = (rows.flatten(1)[:, None] == rows.flatten(1)).all(2)
        assert bool((distances[same] == 0).all())
        assert bool((distances[~same] > 0).all())
        assert torch.equal(distances, distances.mT)


@pytest.mark.parametrize("largest_map", [1, 2**25], ids=["in parts", "at once"])
@pytest.mark.parametrize("head", ["regional", "gap", "spatial", "stock"])
def test_distances_and_maps_in_one_pass(
    head: str, largest_map: int, metrics: Any, pictures: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(trunks, "LARGEST_MAP_CPU", largest_map)
    metric, (x, y) = metrics[head], pictures
    distances, maps = metric.distances_and_maps(x, y)
    assert torch.equal(distances, metric(x, y))
    assert torch.equal(maps, metric.maps(x, y))
    same, nothing = metric.distances_and_maps(x, x)
    assert not same.any()
    assert not nothing.any()
