"""Derivatives in every direction and under every transform: all of them are those of reverse mode."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad

from invariant_lpips import LPIPS, InvariantLPIPS
from invariant_lpips.functional import safe_sqrt

STOCK = {
    "alex": {},
    "squeeze": {"net": "squeeze", "pnet_rand": True},
    "unweighted": {"lpips": False},
    "trained": {"eval_mode": False, "use_dropout": False},
    "tuned": {"pnet_tune": True},
}
OWN = {
    "default": {},
    "blur": {"pooling": "blur"},
    "polyphase": {"pooling": "polyphase"},
    "map": {"net": "alex", "head": "gap", "weights": "unit", "spatial": True},
    "gap": {"net": "alex", "head": "gap", "weights": "unit"},
    "gap-spatial": {"net": "alex", "head": "gap-spatial", "weights": "unit"},
    "spatial": {"net": "alex", "head": "spatial", "weights": "unit"},
}


def made(name: str) -> LPIPS | InvariantLPIPS:
    return LPIPS(**STOCK[name]).double() if name in STOCK else InvariantLPIPS(**OWN[name]).double()


def pictures(side: int = 34) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x, y, v = (
        torch.rand(1, 3, side, side, generator=generator, dtype=torch.float64) * 2 - 1 for _ in range(3)
    )
    return x, y, v


def forward_mode(f: Callable[[Tensor], Tensor], x: Tensor, v: Tensor) -> Tensor:
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(f(forward_ad.make_dual(x, v))).tangent


@pytest.mark.parametrize("name", [*STOCK, *OWN])
def test_slopes_agree(name):
    metric = made(name)
    x, y, v = pictures(32 if name == "polyphase" else 34)

    def f(z: Tensor) -> Tensor:
        return metric(z, y).sum()

    start = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(f(start), start)
    slope = (gradient * v).sum()
    zero = torch.zeros((), dtype=torch.float64)
    with torch.no_grad():
        unrecorded = torch.func.jvp(f, (x,), (v,))[1]
    found = {"jvp": torch.func.jvp(f, (x,), (v,))[1], "jvp without a graph": unrecorded}
    if name not in ("default", "blur", "polyphase"):  # these are slower, and share all but their head
        found |= {
            "forward AD": forward_mode(f, x, v),
            "grad": (torch.func.grad(f)(x) * v).sum(),
            "vjp": (torch.func.vjp(f, x)[1](torch.ones_like(zero))[0] * v).sum(),
            "jacrev": (torch.func.jacrev(f)(x) * v).sum(),
            "jacfwd": torch.func.jacfwd(lambda t: f(x + t * v))(zero),
            "vmap of grad": (torch.vmap(torch.func.grad(lambda one: f(one[None])))(x) * v).sum(),
        }
    for way, value in found.items():
        torch.testing.assert_close(
            value.detach(), slope, rtol=1e-7, atol=0, msg=f"{way}: {value} for {slope}"
        )
    torch.testing.assert_close(torch.vmap(lambda one: f(one[None]))(x)[0], f(x), rtol=1e-9, atol=0)


@pytest.mark.parametrize("name", ["alex", "gap-spatial"])
def test_curvatures_agree(name):
    metric = made(name)
    x, y, v = pictures()

    def f(z: Tensor) -> Tensor:
        return metric(z, y).sum()

    def slope(z: Tensor) -> Tensor:
        return torch.func.jvp(f, (z,), (v,))[1]

    start = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(f(start), start, create_graph=True)
    (product,) = torch.autograd.grad((gradient * v).sum(), start)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x.clone().requires_grad_(), v)
        over_reverse = forward_ad.unpack_dual(torch.autograd.grad(f(dual), dual)[0]).tangent
    found = {
        "forward over grad": torch.func.jvp(torch.func.grad(f), (x,), (v,))[1],
        "forward over autograd": over_reverse,
        "grad over forward": torch.func.grad(slope)(x),
        "vjp over grad": torch.func.vjp(torch.func.grad(f), x)[1](v)[0],
    }
    for way, value in found.items():
        torch.testing.assert_close(value, product, rtol=1e-6, atol=1e-12, msg=way)
    torch.testing.assert_close(torch.func.jvp(slope, (x,), (v,))[1], (product * v).sum(), rtol=1e-7, atol=0)


def test_single_precision_and_both_pictures():
    metric = LPIPS()
    x, y, v = (z.float() for z in pictures(64))
    a, b = x.clone().requires_grad_(), y.clone().requires_grad_()
    metric(a, b).backward()
    found = torch.func.jvp(metric, (x, y), (v, -v))[1]
    torch.testing.assert_close(found.item(), ((a.grad - b.grad) * v).sum().item(), rtol=1e-4, atol=0)


@pytest.mark.parametrize("pooling", ["max", "blur", "polyphase"])
def test_default_head_under_vmap(pooling):
    metric = InvariantLPIPS(pooling=pooling)
    x, y = torch.rand(2, 2, 3, 40, 40, generator=torch.Generator().manual_seed(0)) * 2 - 1
    mapped = torch.vmap(lambda a, b: metric(a[None], b[None]).squeeze())(x, y)
    torch.testing.assert_close(mapped, metric(x, y).flatten(), rtol=1e-5, atol=0)
    torch.testing.assert_close(torch.vmap(lambda a: metric.embed(a[None])[0])(x), metric.embed(x))
    reference = metric.reference(y[:1])
    against = torch.vmap(lambda a: metric(a[None], reference).squeeze())(x)
    torch.testing.assert_close(against, metric(x, y[:1]).flatten(), rtol=1e-5, atol=0)


def test_equal_pictures_have_no_slope():
    x, _, v = pictures()
    with torch.no_grad():
        for name in ("alex", "default", "gap-spatial"):
            metric = made(name)
            assert torch.func.jvp(lambda z, metric=metric: metric(z, x), (x,), (v,))[1].item() == 0
        one = torch.ones(2)
        assert forward_mode(safe_sqrt, torch.tensor([0.0, 4.0]), one).tolist() == [0.0, 0.25]


def test_a_reference_is_held_in_forward_mode_too():
    metric = InvariantLPIPS("alex", "gap", weights="unit")
    x, y, v = (z.float() for z in pictures())
    held = torch.func.jvp(lambda z: metric(y, metric.reference(z)), (x,), (v,))[1]
    assert held.item() == 0


@pytest.mark.parametrize("capture", ["trace", "export"])
def test_a_captured_metric_can_be_a_loss(capture):
    metric = LPIPS(checks="never")
    x, y = (z.float() for z in pictures(40)[:2])
    if capture == "trace":
        module = torch.jit.trace(metric, (x, y), check_trace=False)
    else:
        module = torch.export.export(metric, (x, y)).module()
    slopes = []
    for loss in (metric, module):
        start = x.clone().requires_grad_()
        slopes.append(torch.autograd.grad(loss(start, y).sum(), start)[0])
    assert (slopes[0] - slopes[1]).norm() <= 1e-4 * slopes[0].norm()


def test_checkpointing_gives_way_to_transforms():
    metric = InvariantLPIPS("alex", "gap", weights="unit", checkpointing=True).double()
    x, y, _ = pictures()
    start = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(metric(start, y).sum(), start)
    torch.testing.assert_close(torch.func.grad(lambda z: metric(z, y).sum())(x), gradient)
