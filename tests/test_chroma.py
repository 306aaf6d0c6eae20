"""Colour read as coarsely as people see it: what the low-pass keeps and takes, and that every way of reading has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from invariant_lpips import InvariantLPIPS
from invariant_lpips.heads import HEADS
from invariant_lpips.heads.regional import Regional32
from invariant_lpips.inputs import ScalingLayer
from invariant_lpips.trunks.chroma import LIGHTNESS, SIGMA, ChromaLowPass


@pytest.fixture
def low_pass() -> Callable[[Tensor], Tensor]:
    """The low-pass of pictures in [-1, 1], through the scaling that a trunk's input has."""
    scaling = ScalingLayer()
    layer = ChromaLowPass(scaling.scale)
    return lambda x: layer(scaling(x)) * scaling.scale + scaling.shift


def lightness(x: Tensor) -> Tensor:
    return (x * torch.tensor(LIGHTNESS).view(1, 3, 1, 1)).sum(1)


def test_lightness_and_flat_colours_stay(low_pass, photo):
    x = photo("coffee", 64, 80)
    torch.testing.assert_close(lightness(low_pass(x)), lightness(x), rtol=0, atol=1e-6)
    flat = torch.tensor([0.9, -0.3, 0.1]).view(1, 3, 1, 1).expand(1, 3, 32, 40)
    torch.testing.assert_close(low_pass(flat), flat, rtol=0, atol=1e-6)
    grey = x.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    torch.testing.assert_close(low_pass(grey), grey, rtol=0, atol=1e-6)


@pytest.mark.parametrize("cycles", [2, 4])
def test_a_grating_of_colour_loses_what_the_gaussian_takes(cycles, low_pass):
    frequency = cycles / 29  # cycles per pixel at 29 pixels per degree
    wave = 0.2 * torch.sin(2 * torch.pi * frequency * torch.arange(290.0)).expand(16, -1)
    red, green, _ = LIGHTNESS
    grating = torch.stack([wave, -wave * red / green, torch.zeros_like(wave)]).unsqueeze(0)
    passed = low_pass(grating)[..., 30:-30].abs().max() / 0.2
    expected = torch.exp(torch.tensor(-2 * (torch.pi * frequency * SIGMA) ** 2))
    assert passed.item() == pytest.approx(expected.item(), abs=0.02)


class Sharp(Regional32):
    """The head without the low-pass."""

    name = "sharp"
    coarse_colour = False


@torch.no_grad()
def test_noise_in_colour_costs_less_and_in_lightness_as_much(built, photo, monkeypatch):
    monkeypatch.setitem(HEADS, "sharp", Sharp)
    coarse, sharp = (
        built(InvariantLPIPS, net="alex", head=h, weights="unit") for h in ("regional-32", "sharp")
    )
    x = 0.8 * photo("astronaut", 128, 128)
    noise = 0.05 * torch.randn(1, 1, 128, 128, generator=torch.Generator().manual_seed(0))
    red, green, _ = LIGHTNESS
    in_colour = x + noise * torch.tensor([1.0, -red / green, 0.0]).view(1, 3, 1, 1)
    assert coarse(x, in_colour).item() < 0.6 * sharp(x, in_colour).item()
    assert coarse(x, x + noise).item() == pytest.approx(sharp(x, x + noise).item(), rel=0.1)


def test_a_circle_has_no_seam(photo):
    x = photo("chelsea", 40, 48)
    layer = ChromaLowPass(torch.ones(1, 3, 1, 1), padding="circular")
    torch.testing.assert_close(layer(x).roll((7, -5), (2, 3)), layer(x.roll((7, -5), (2, 3))))


@pytest.mark.parametrize("net", ["alex", "pixels"])
@torch.no_grad()
def test_tiles_read_what_the_low_pass_reads(net, built, photo):
    metric = built(InvariantLPIPS, net=net, head="regional-32")
    x = photo("astronaut", 224, 256)
    whole = metric.embed(x)
    assert (metric.embed(x, tile=96) - whole).norm() < 1e-4 * whole.norm()


def test_it_leaves_state_dicts_and_other_heads_alone(built):
    with_it, without = (
        built(InvariantLPIPS, net="pixels", head=head) for head in ("regional-32", "regional")
    )
    assert with_it.state_dict().keys() == without.state_dict().keys()
    assert with_it.net.chroma is not None
    assert without.net.chroma is None
    assert with_it.net.chroma.window().padding == 3 * SIGMA


def test_half_precision_keeps_flat_colours(photo):
    layer = ChromaLowPass(torch.ones(1, 3, 1, 1)).to(torch.bfloat16)
    flat = torch.tensor([0.5, -0.25, 0.125]).view(1, 3, 1, 1).expand(1, 3, 24, 24).to(torch.bfloat16)
    found: Any = layer(flat)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, flat)


def test_autocast_leaves_it_in_full_precision(photo):
    layer, x = ChromaLowPass(torch.ones(1, 3, 1, 1)), photo("coffee", 40, 48)
    with torch.autocast("cpu", torch.bfloat16):
        inside = layer(x)
    torch.testing.assert_close(inside, layer(x), rtol=0, atol=0)
