"""Equal and nearly equal images: exactly 0, gradient 0, and nothing infinite on the way there."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from torch import Tensor

pytestmark = [
    pytest.mark.filterwarnings("ignore:Anomaly Detection"),
    pytest.mark.filterwarnings("ignore:.*none below 0"),
]

SHAPE = (2, 3, 32, 36)
METRICS = ("alex", "vgg", "gap", "regional", "gap-spatial", "spatial", "gap-blur", "gap-polyphase", "default")
MAPS = ("alex-map", "gap-map", "regional-map", "gap-spatial-map", "spatial-map")
KINDS = ("photograph", "noise", "black", "white", "zero", "flat", "saturated")


def image(kind: str, photo) -> Tensor:
    noise = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    flat = {"black": -1.0, "white": 1.0, "zero": 0.0, "flat": -0.3}
    if kind in flat:
        return torch.full(SHAPE, flat[kind])
    return {
        "photograph": photo("coffee", 32, 36).repeat(2, 1, 1, 1),
        "noise": noise,
        "saturated": noise.sign(),
    }[kind]


def assert_zero(metric, x: Tensor, y: Tensor) -> None:
    with torch.autograd.detect_anomaly(check_nan=True):
        distance = metric(x, y)
        assert torch.equal(distance, torch.zeros_like(distance))
        assert not distance.signbit().any()
        distance.sum().backward()
    for side in (x, y):
        assert side.grad is None or (side.grad == 0).all()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *itertools.product(("alex", "regional"), KINDS),
        *itertools.product((*METRICS, *MAPS), ("photograph", "zero")),
    ],
)
def test_value_and_gradient_are_zero(name, kind, named, photo):
    x = image(kind, photo)
    assert_zero(named(name), x.clone().requires_grad_(), x.clone().requires_grad_())


@pytest.mark.parametrize("name", [*METRICS, *MAPS])
def test_with_a_gradient_on_one_side(name, named, photo):
    x = image("photograph", photo)
    assert_zero(named(name), x.clone().requires_grad_(), x.clone())
    assert_zero(named(name), x.clone(), x.clone().requires_grad_())


@pytest.mark.parametrize("name", ["alex", "regional", "spatial"])
def test_however_the_images_are_held(name, named, photo):
    x = image("photograph", photo)
    for y in (
        x.contiguous(memory_format=torch.channels_last),
        x.transpose(2, 3).contiguous().transpose(2, 3),
        x[:1],
        x[:1].expand(2, -1, -1, -1),
        x.double(),
    ):
        # Two orders in memory, or one image against many, may round differently: the value is 0 all the same.
        moving = y.detach().clone().requires_grad_()
        distance = named(name)(x, moving)
        assert (distance == 0).all()
        assert (named(name)(y, x) == 0).all()
        distance.sum().backward()
        assert moving.grad.norm() < 1e-4


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("alex", "photograph"),
        ("alex", "zero"),
        ("alex-map", "photograph"),
        ("regional", "photograph"),
        ("gap", "zero"),
    ],
)
def test_in_other_precisions(name, kind, dtype, named, photo):
    x = image(kind, photo)[:1].to(dtype)
    metric = copy.deepcopy(named(name)).to(dtype)
    if dtype == torch.float16:  # convolutions in float16 are slow on CPUs, backwards most of all
        distance = metric(x, x.clone())
        assert torch.equal(distance, torch.zeros_like(distance))
    else:
        assert_zero(metric, x.clone().requires_grad_(), x.clone().requires_grad_())


@pytest.mark.parametrize("name", ["alex", "gap", "regional", "gap-spatial", "spatial"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_under_autocast(name, dtype, named, photo):
    x = image("photograph", photo)
    with torch.autocast("cpu", dtype):
        if dtype == torch.bfloat16:
            assert_zero(named(name), x.clone().requires_grad_(), x.clone().requires_grad_())
        assert (named(name)(x, x.clone()) == 0).all()


@pytest.mark.parametrize("name", ["alex", "vgg", "gap", "regional", "gap-spatial", "spatial"])
def test_second_derivatives(name, named, photo):
    # People measure the local geometry of a metric by its Hessian where the images are equal.
    x = photo("coffee", 32, 33)
    y = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(named(name)(x, y).sum(), y, create_graph=True)
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    (curvature,) = torch.autograd.grad((gradient * direction).sum(), y)
    assert curvature.isfinite().all()
    if name in ("alex", "vgg", "spatial"):  # the others end in a root, which has none there
        assert (curvature * direction).sum() > 0


@pytest.mark.parametrize("name", ["alex", "vgg", "gap", "regional", "gap-spatial", "spatial"])
@pytest.mark.parametrize(("difference", "kind"), [(1e-8, "photograph"), (1e-7, "flat"), (1e-6, "photograph")])
def test_nearly_equal_images_have_finite_gradients(difference, kind, name, named, photo):
    x = image(kind, photo)[:1].requires_grad_()
    y = (x.detach() * (1 - difference)).requires_grad_()
    with torch.autograd.detect_anomaly(check_nan=True):
        distance = named(name)(x, y)
        distance.sum().backward()
    assert distance.isfinite().all()
    assert (distance >= 0).all()
    for side in (x, y):
        assert side.grad.isfinite().all()
        assert side.grad.norm() < 100
