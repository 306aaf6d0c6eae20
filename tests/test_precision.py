"""The numerical contract of docs/precision.md: against an independent float64 reference, and against itself."""

from __future__ import annotations

import copy
import importlib.util
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from invariant_lpips import LPIPS, InvariantLPIPS

_specification = importlib.util.spec_from_file_location(
    "reference_float64", Path(__file__).with_name("reference_float64.py")
)
assert _specification is not None
assert _specification.loader is not None
reference = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(reference)

EUCLIDEAN = ("regional", "gap", "gap-spatial")
METRICS = (*EUCLIDEAN, "spatial", "lpips-vgg", "lpips-alex")
LIGHT = ("regional", "gap", "lpips-alex")
POOLED = ("gap-blur", "gap-polyphase")


@pytest.fixture
def metric_of(built):
    def make(name: str):
        if name.startswith("lpips-"):
            return built(LPIPS, net=name.removeprefix("lpips-"))
        head, pooling = reference.split(name)
        return built(InvariantLPIPS, head=head, pooling=pooling)

    return make


@pytest.fixture(scope="module")
def pair(photo, noisy):
    x = photo("astronaut", 32, 48)
    return x, noisy(x, sigma=8)


@pytest.fixture(scope="module")
def truth(pair):
    """(the parts of each tap, the distance, the longer embedding) in float64, of the pair, by name."""
    taps = {}

    def of(name: str):
        kind = "alex" if name == "lpips-alex" else reference.split(name)[1]
        if kind not in taps:
            taps[kind] = [reference.taps_of(x[0].double().numpy(), name) for x in pair]
        layers = reference.layers(*taps[kind], tuple(pair[0].shape[-2:]), name)
        total = sum(layers)
        return layers, total if name.startswith(("lpips", "spatial")) else total**0.5

    return of


@pytest.mark.parametrize("name", [*METRICS, *POOLED])
def test_float32_against_the_reference(name, metric_of, pair, truth):
    layers, distance = truth(name)
    found, parts = metric_of(name)(*pair, retPerLayer=True)
    assert found.item() == pytest.approx(distance, rel=1e-5)
    for part, layer in zip(parts, layers, strict=True):
        assert part.item() == pytest.approx(layer, abs=2e-5 * sum(layers))


@pytest.mark.parametrize("name", [*METRICS, *POOLED])
def test_float64_against_the_reference(name, metric_of, pair, truth):
    # What is left are the constants of the input scaling, which a metric holds in float32 until it is converted.
    metric = copy.deepcopy(metric_of(name)).double()
    assert metric(*(x.double() for x in pair)).item() == pytest.approx(truth(name)[1], rel=1e-6)


#: Divided by the norms of channels that are all but off, bfloat16's rounding is as large as they are.
LOOSE = {("gap-spatial", torch.bfloat16): 0.5}


@pytest.mark.parametrize("kind", ["own", "autocast"])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.bfloat16, 0.1), (torch.float16, 0.02)])
@pytest.mark.parametrize("name", [*METRICS, *POOLED])
def test_half_precisions_against_the_reference(kind, dtype, bound, name, metric_of, pair, truth):
    bound = LOOSE.get((name, dtype), bound)
    metric, images = metric_of(name), pair
    if kind == "own":
        metric, images = copy.deepcopy(metric).to(dtype), [x.to(dtype) for x in pair]
    with torch.no_grad(), torch.autocast("cpu", dtype, enabled=kind == "autocast"):
        found = metric(*images)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(truth(name)[1], rel=bound)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", [*METRICS, *POOLED])
def test_on_a_gpu_against_the_reference(name, metric_of, pair, truth):
    metric = copy.deepcopy(metric_of(name)).cuda()
    for allowed, bound in ((False, 1e-5), (True, 5e-3)):  # TF32 keeps ten bits
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=allowed):
            found = metric(*(x.cuda() for x in pair))
        assert found.item() == pytest.approx(truth(name)[1], rel=bound)


# Ways to the same number


def lengths(metric, *sides: Tensor) -> Tensor:
    """max(||e(x)||, ||e(y)||), or 1 for metrics without embeddings."""
    if isinstance(metric, LPIPS) or not metric.head.euclidean:
        return torch.ones(len(sides[0]))
    return torch.stack([metric.embed(side).norm(dim=1) for side in sides]).amax(0)


@pytest.fixture(scope="module")
def batch(photo, noisy):
    """Three pairs: far, nearly equal, equal."""
    x = torch.cat([photo(name, 33, 34) for name in ("astronaut", "chelsea", "rocket")])
    y = noisy(x, sigma=8)
    y[1:] = x[1:]
    y[1, 1, 20, 30] -= 2 / 255
    return x, y


@pytest.mark.parametrize("name", [*EUCLIDEAN, "spatial", "lpips-alex"])
@torch.no_grad()
def test_ways_to_one_distance_agree(name, metric_of, batch, monkeypatch):
    metric = metric_of(name)
    x, y = batch
    singles = torch.cat([metric(a[None], b[None]).flatten() for a, b in zip(x, y, strict=True)])
    bound = 1e-5 * singles + 2e-6 * lengths(metric, x, y)
    order = torch.tensor([2, 0, 1])
    ways = {
        "batch": metric(x, y),
        "order": metric(x[order], y[order])[order.argsort()],
        "channels_last": metric(*(side.contiguous(memory_format=torch.channels_last) for side in batch)),
        "strides": metric(*(side.transpose(2, 3).contiguous().transpose(2, 3) for side in batch)),
    }
    if not name.startswith("lpips-"):
        ways["reference"] = metric(metric.reference(x), y)
    if name in EUCLIDEAN:
        ways["embeddings"] = (metric.embed(x) - metric.embed(y)).norm(dim=1)
        ways["one by one"] = (metric.embed(list(x)) - metric.embed(list(y))).norm(dim=1)
        ways["pairwise"] = metric.pairwise(x, y).diagonal()
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if threads > 1 else 2)
    try:
        ways["threads"] = metric(x, y)
    finally:
        torch.set_num_threads(threads)
    for images, way in ((1, "each image alone"), (4, "parts of two pairs")):
        monkeypatch.setattr(type(metric.net), "images_at_once", lambda self, x, images=images: images)
        ways[way] = metric(x, y)
    for way, found in ways.items():
        assert ((found.flatten() - singles).abs() <= bound).all(), way
    assert (singles[:2] > 0).all()
    for way in ways.keys() - {"reference", "embeddings", "one by one", "pairwise"}:
        assert ways[way].flatten()[2] == 0, way


@pytest.mark.parametrize("name", LIGHT)
def test_same_bits_with_deterministic_algorithms(name, metric_of, batch):
    metric = metric_of(name)
    results = []
    # As torch.use_deterministic_algorithms(True), without its slow imports.
    torch.set_deterministic_debug_mode("error")
    try:
        for _ in range(2):
            x, y = batch[0][:1], batch[1][:1].clone().requires_grad_()
            distance = metric(x, y)
            distance.sum().backward()
            results.append((distance.detach(), y.grad, metric(x, y.detach())))
    finally:
        torch.set_deterministic_debug_mode("default")
    for first, second in zip(*results, strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize("name", [*METRICS, *POOLED])
@pytest.mark.parametrize(("count", "height", "width"), [(1, 33, 34), (2, 32, 34)])
def test_symmetry_is_exact(name, count, height, width, metric_of, photo, noisy):
    metric = metric_of(name)
    x = torch.cat([photo(which, height, width) for which in ("astronaut", "coffee", "chelsea")[:count]])
    y = noisy(x, sigma=8)
    with torch.no_grad():
        assert torch.equal(metric(x, y), metric(y, x))
        if count > 1:
            assert torch.equal(metric(x[:1], y), metric(y, x[:1]))
    if count == 1 and "polyphase" not in name:
        moving = y.clone().requires_grad_()
        assert torch.equal(metric(x, moving), metric(moving, x))


@pytest.mark.parametrize("name", EUCLIDEAN)
@torch.no_grad()
def test_triangle_inequality(name, metric_of, photo, noisy):
    metric = metric_of(name)
    x = photo("astronaut", 33, 40)
    images = torch.cat(
        [x, noisy(x, 2), noisy(x, 4, seed=1), x.flip(-1), photo("coffee", 33, 40), (x + noisy(x, 8)) / 2]
    )
    table = metric.pairwise(images).double()
    assert torch.equal(table, table.T)
    assert (table.diagonal() == 0).all()
    for a, b, c in itertools.permutations(range(len(images)), 3):
        assert table[a, c] <= (table[a, b] + table[b, c]) * (1 + 1e-6)


@pytest.mark.parametrize("name", [*EUCLIDEAN, *POOLED])
@torch.no_grad()
def test_zero_only_where_embeddings_are_equal(name, metric_of, photo):
    metric = metric_of(name)
    x = photo("coffee", 32, 34)
    changes = [
        x,
        torch.nextafter(x, torch.ones_like(x)),
        x + 1e-7,
        x * (1 + 1e-6),
        x.index_fill(3, torch.tensor([7]), 0.0),
        torch.full_like(x, -1.0),
    ]
    flat = torch.full_like(x, 1e-20)  # lost when the scaling adds its shift
    for a, b in [*((x, change) for change in changes), (torch.zeros_like(x), flat), (x, x.roll(1, 3))]:
        distance = metric(a, b).item()
        if torch.equal(a, b):
            assert distance == 0
        elif distance == 0:
            both = metric.embed(torch.cat([a, b]))
            assert torch.equal(both[0], both[1])
    assert metric(x, changes[4]).item() > 0


# Gradients where they could break


def near_zero(metric, x: Tensor) -> Tensor:
    """An image pulled towards x along the gradient until the distance is as small as it gets."""
    y = (x + 0.01 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))).clamp(-1, 1)
    for step in range(4):
        y = (x + (y - x) * 10.0**-step).requires_grad_()
        (slope,) = torch.autograd.grad(metric(x, y).sum(), y)
        y = (y - slope * 1e-3 / (slope.norm() + 1e-12)).detach()
    return y


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
@pytest.mark.filterwarnings("ignore:.*none below 0")
@pytest.mark.parametrize("name", LIGHT)
@pytest.mark.parametrize(
    "kind", ["identical", "constant", "saturated", "1e-8 apart", "denormal", "adversarial", "tiny weights"]
)
def test_gradients_are_finite(kind, name, metric_of, photo):
    metric = metric_of(name)
    x = photo("coffee", 32, 36)
    if kind == "tiny weights":
        metric = copy.deepcopy(metric).requires_grad_(True)
        with torch.no_grad():
            for parameter in (p for n, p in metric.named_parameters() if n.startswith(("head", "lin"))):
                parameter.mul_(1e-12)
        metric.requires_grad_(False)
    x = {"constant": torch.full_like(x, 0.25), "saturated": x.sign()}.get(kind, x)
    y = {
        "constant": lambda: torch.full_like(x, 0.25 + 1e-6),
        "saturated": lambda: -x,
        "1e-8 apart": lambda: x * (1 - 1e-8),
        "denormal": lambda: x + 1e-40,
        "adversarial": lambda: near_zero(metric, x),
        "tiny weights": lambda: x.flip(-1),
    }.get(kind, x.clone)()
    x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
    with torch.autograd.detect_anomaly(check_nan=True):
        distance = metric(x, y)
        distance.sum().backward()
    assert distance.isfinite().all()
    assert (distance >= 0).all()
    for side in (x, y):
        assert side.grad.isfinite().all()
        assert side.grad.norm() < 1e3


def test_the_reference_knows_its_own_arithmetic():
    """The parts of the reference that a reader can check in the head."""
    ones = np.ones((1, 3, 3))
    kernel = np.ones((1, 1, 3, 3))
    assert reference.convolved(ones, kernel, np.zeros(1), 1, 1, False)[0].tolist() == [
        [4, 6, 4],
        [6, 9, 6],
        [4, 6, 4],
    ]
    assert (reference.convolved(ones, kernel, np.ones(1), 1, 1, True) == 10).all()
    assert reference.pooled(np.arange(16.0).reshape(1, 4, 4), "max", False).tolist() == [[[5, 7], [13, 15]]]
    assert np.allclose(reference.windows(8, 2).sum(1), 1)
    assert [phase.tolist() for phase in reference.phases_of(4)] == [[0, 2], [1, 3]]
    assert [phase.tolist() for phase in reference.phases_of(5)] == [[0, 2, 4, 1, 3]]
