"""Convolutions by Winograd's way are torch's, and so are their gradients."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from invariant_lpips.trunks import winograd
from invariant_lpips.trunks.frozen_weights import Conv2d, freeze


def layer(channels: int = 128, width: int = 136) -> Conv2d:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return freeze(Conv2d(channels, width, 3, padding=1).requires_grad_(False))


def maps(*shape: int) -> Tensor:
    x = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    return x.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    "patches", [2**23, 200_000, 1]
)  # at once, an image at a time, and a row of tiles at a time
@pytest.mark.parametrize(
    "shape", [(3, 128, 18, 33), (2, 128, 16, 32)]
)  # with tiles that stick out, and without
def test_it_is_about_as_near_to_float64_as_torch(patches, shape, monkeypatch):
    monkeypatch.setattr(winograd, "PATCHES", patches)
    x, conv = maps(*shape), layer()
    found = winograd.convolved(x, conv.weight, conv.bias)
    exact = nn.functional.conv2d(x.double(), conv.weight.double(), conv.bias.double(), padding=1)
    plain = nn.functional.conv2d(x, conv.weight, conv.bias, padding=1)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert (found - exact).norm() < 2 * (plain - exact).norm()
    assert (found - exact).abs().max() < 3e-6


def test_filters_are_kept_where_that_is_asked_for(monkeypatch):
    made: list[torch.Size] = []

    def counted(weight: Tensor, make=winograd._filters) -> Tensor:
        made.append(weight.shape)
        return make(weight)

    monkeypatch.setattr(winograd, "_filters", counted)
    x, conv, kept = maps(2, 128, 16, 16), layer(), {}
    first = conv(x)
    made.clear()
    for _ in range(2):  # tasks of one run
        with winograd.kept_filters(kept):
            assert torch.allclose(conv(x), first, atol=1e-6)
            conv(x)
    assert made == [conv.weight.shape]
    conv(x)
    assert len(made) > 1


def test_layers_take_it_on_wide_maps_only(monkeypatch):
    calls = []

    def counted(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        calls.append(x.shape)
        return nn.functional.conv2d(x, weight, bias, padding=1)

    monkeypatch.setattr(winograd, "convolved", counted)
    conv, x = layer(), maps(2, 128, 16, 16)
    conv(x)
    conv(maps(2, 128, 16, 20)[:, :, 2:])  # a band of rows
    conv(x.clone().requires_grad_())  # whose twin may have none
    conv(maps(2, 128, 17, 16))
    assert len(calls) == 4
    conv(x.contiguous())  # an order of dimensions that somebody asked for
    conv(x[:1])
    conv(maps(30, 128, 5, 5))  # tiles that stick out too far
    layer(48)(maps(2, 48, 16, 16))
    layer().double()(x.double())
    Conv2d(128, 128, 3, padding=1, dilation=2).requires_grad_(False)(maps(2, 128, 18, 18))
    with torch.autocast("cpu", torch.bfloat16):
        conv(x)
    torch.func.jvp(conv, (x,), (x,))
    layer().requires_grad_(True)(x)
    assert len(calls) == 4


def test_gradients_of_first_and_second_order():
    conv, sides = layer(), []
    for dtype in (torch.float32, torch.float64):
        read, x = copy.deepcopy(conv).to(dtype), maps(2, 128, 16, 18).to(dtype).requires_grad_()
        result = read(x).relu()
        (first,) = torch.autograd.grad(result.pow(3).sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), x)
        sides.append((first.detach().double(), second.double()))
    for mine, theirs in zip(*sides, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5 * float(theirs.abs().max()))
