"""Properties that hold for any tensors and arguments: a right number, or one of the documented errors.

The examples are the same in every run. INVARIANT_LPIPS_EXAMPLES=1000 draws that many others for each property.
"""

from __future__ import annotations

import os
import warnings

import pytest
import torch
from torch import Tensor

from invariant_lpips import LPIPS, InvariantLPIPS

pytest.importorskip("hypothesis", reason="needs hypothesis")
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MORE = int(os.environ.get("INVARIANT_LPIPS_EXAMPLES", "0"))

FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
OTHERS = (torch.uint8, torch.int64, torch.bool, torch.complex64, torch.int8)
SPECIAL = (0.0, -0.0, 1.0, -1.0, 1e-45, 1e-20, 1.001, 1.4, 2.0, 255.0, 1e30, float("nan"), float("inf"))
METRICS = ("gap", "lpips", "map", "spatial")
DOCUMENTED = (ValueError, TypeError)


def examples(count: int):
    return settings(
        max_examples=MORE or count,
        derandomize=not MORE,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@pytest.fixture
def metric_of(built):
    def make(name: str):
        if name == "lpips":
            return built(LPIPS, net="alex")
        head = "spatial" if name == "spatial" else "gap"
        return built(InvariantLPIPS, net="alex", head=head, weights="unit", spatial=name == "map")

    return make


def assert_sentence(error: Exception) -> None:
    message = str(error)
    assert message.endswith(".")
    assert "\n" not in message
    assert 20 < len(message) < 600


@st.composite
def anything(draw: st.DrawFn) -> Tensor:
    """A tensor of any rank, kind, range and order in memory; often one that is an image."""
    if draw(st.booleans()):
        shape = (draw(st.integers(1, 2)), 3, draw(st.integers(31, 36)), draw(st.integers(31, 36)))
    else:
        shape = tuple(draw(st.lists(st.sampled_from((0, 1, 2, 3, 4, 31, 33)), max_size=5)))
    dtype = draw(st.sampled_from(FLOATS if draw(st.integers(0, 3)) else OTHERS))
    scale = draw(st.sampled_from((1.0, 1.0, 1.0, 0.5, 1e-6, 1.3, 2.0, 127.0)))
    shift = draw(st.sampled_from((0.0, 0.0, 0.0, 0.5, 1.0)))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**16)))
    x = (torch.rand(shape, generator=generator) * 2 - 1) * scale + shift
    if x.numel() and draw(st.integers(0, 3)) == 0:
        x.view(-1)[draw(st.integers(0, x.numel() - 1))] = draw(st.sampled_from(SPECIAL))
    x = x.to(dtype)
    return x.requires_grad_() if x.is_floating_point() and draw(st.integers(0, 3)) == 0 else x


@st.composite
def views(draw: st.DrawFn, x: Tensor) -> Tensor:
    """The values of x, held differently."""
    order = draw(st.permutations(range(4)))
    x = x.permute(*order).contiguous().permute(*(order.index(k) for k in range(4)))
    if draw(st.booleans()):
        x = x.flip(3).clone().flip(3) if draw(st.booleans()) else torch.cat([x[..., :1], x], 3)[..., 1:]
    return x


@st.composite
def image(draw: st.DrawFn, count: int, height: int, width: int) -> Tensor:
    """(count, 3, height, width) in [-1, 1]: noise of some contrast on a flat colour, some values saturated."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**16)))
    flat = draw(st.sampled_from((-1.0, -0.3, 0.0, 1.0)))
    contrast = draw(st.sampled_from((0.0, 1e-7, 1 / 255, 0.3, 4.0)))
    noise = torch.rand((count, 3, height, width), generator=generator) * 2 - 1
    return (flat + contrast * noise).clamp(-1, 1)


@examples(400)
@given(x=anything(), y=anything(), same=st.booleans(), name=st.sampled_from(METRICS), options=st.data())
def test_any_two_tensors_give_a_distance_or_a_documented_error(x, y, same, name, options, metric_of):
    metric = metric_of(name)
    normalize = options.draw(st.sampled_from((False, True, None)))
    y = x.detach().clone() if same else y
    before = x.detach().clone(), y.detach().clone()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            distance = metric(x, y) if normalize is None else metric(x, y, normalize=normalize)
        except DOCUMENTED as error:
            assert_sentence(error)
            return
    assert distance.dtype == torch.float32
    assert distance.isfinite().all()
    assert (distance >= 0).all()
    size = x.shape[2:] if name == "map" else (1, 1)
    assert distance.shape == (max(len(x), len(y)), 1, *size)
    if same:
        assert (distance == 0).all()
    assert distance.requires_grad == (x.requires_grad or y.requires_grad)
    for side, kept in zip((x, y), before, strict=True):
        assert torch.equal(side.detach(), kept)


@examples(100)
@given(data=st.data(), name=st.sampled_from(METRICS), height=st.integers(31, 37), width=st.integers(31, 37))
@torch.no_grad()
def test_a_batch_equals_its_pairs_however_they_are_held(data, name, height, width, metric_of):
    metric = metric_of(name)
    count = data.draw(st.integers(1, 3))
    x = data.draw(image(count, height, width))
    y = data.draw(st.sampled_from((x, x.flip(3), None)))
    y = data.draw(image(data.draw(st.sampled_from((1, count))), height, width)) if y is None else y
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        distance = metric(data.draw(views(x)), data.draw(views(y)))
        assert torch.equal(metric(x, y), metric(y, x))
        singles = torch.cat([metric(x[k : k + 1], y[k % len(y)][None]) for k in range(count)])
        scale = metric.embed(torch.cat([x, y])).norm(dim=1).max() if name == "gap" else torch.ones(())
    bound = 1e-5 * singles + 2e-6 * scale
    if name == "map":
        bound = 1e-5 * singles.amax() + 2e-6
    assert ((distance - singles).abs() <= bound).all()
    for k in range(count):
        if torch.equal(x[k], y[k % len(y)]):
            assert (singles[k] == 0).all()


@examples(40)
@given(data=st.data(), name=st.sampled_from(("gap", "lpips", "spatial")), sides=st.sampled_from((1, 2, 3)))
def test_gradients_of_any_pair_are_finite(data, name, sides, metric_of):
    x, y = (data.draw(image(1, 32, 33)) for _ in range(2))
    y = data.draw(st.sampled_from((y, x, x * (1 - 1e-8), x + 1e-40))).clone()
    x = x.clone()
    x.requires_grad_(bool(sides & 1))
    y.requires_grad_(bool(sides & 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        distance = metric_of(name)(x, y)
    distance.sum().backward()
    assert distance.isfinite().all()
    for side in (x, y):
        assert side.grad is None or side.grad.isfinite().all()
        if torch.equal(x, y) and side.grad is not None:
            assert (side.grad == 0).all()


@examples(40)
@given(
    data=st.data(),
    sizes=st.lists(st.tuples(st.integers(32, 40), st.integers(32, 40)), min_size=1, max_size=3),
)
@torch.no_grad()
def test_embeddings_are_a_metric_space(data, sizes, metric_of):
    metric = metric_of("gap")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = metric.embed([data.draw(image(1, *size)) for size in sizes])
    assert rows.shape == (len(sizes), metric.head.weight.numel())
    assert rows.isfinite().all()
    table = torch.cdist(rows.double(), rows.double(), compute_mode="donot_use_mm_for_euclid_dist")
    for a in range(len(rows)):
        for b in range(len(rows)):
            for c in range(len(rows)):
                assert table[a, c] <= (table[a, b] + table[b, c]) * (1 + 1e-12)


WORDS = st.sampled_from(
    ("alex", "gap", "max", "blur", "circular", "unit", "auto", "never", "", "os.system", "\0")
)
VALUES = st.one_of(
    WORDS, st.none(), st.booleans(), st.integers(-2, 2), st.floats(), st.lists(st.integers(), max_size=1)
)


@examples(50)
@given(
    options=st.dictionaries(
        st.sampled_from(
            ("head", "pooling", "padding", "weights", "spatial", "normalize", "checks", "repeat_grey")
        ),
        VALUES,
        max_size=3,
    ),
    lpips=st.booleans(),
    path=VALUES,
)
def test_any_arguments_build_a_metric_or_say_what_is_wrong(options, lpips, path):
    try:
        if lpips:
            shared = {name: options[name] for name in ("spatial", "checks", "repeat_grey") if name in options}
            metric = LPIPS(net=options.get("head", "alex"), model_path=path, **shared)
        else:
            metric = InvariantLPIPS("alex", **{"head": "gap", "weights": "unit", **options})
    except (*DOCUMENTED, FileNotFoundError) as error:
        assert_sentence(error)
        return
    x = torch.linspace(0.05, 0.9, 3 * 33 * 34).view(1, 3, 33, 34)
    assert metric(x, x.flip(3)).isfinite().all()
