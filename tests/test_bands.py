"""Large pictures run on bands of rows: the same numbers, whatever the bands."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from invariant_lpips import InvariantLPIPS
from invariant_lpips.trunks import trunk as trunks
from invariant_lpips.trunks.bands import halo, in_bands

HEADS = ("regional", "gap", "gap-spatial", "spatial")


def pair(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Two smooth pictures, the second noisy."""
    generator = torch.Generator().manual_seed(height * width)
    coarse = torch.rand(1, 3, 6, 6, generator=generator) * 2 - 1
    x = nn.functional.interpolate(coarse, size=(height, width), mode="bicubic").clamp(-1, 1)
    return x, (x + 0.1 * torch.randn(x.shape, generator=generator)).clamp(-1, 1)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bands of 16 rows, and how many of them ran."""
    ran: list[int] = []

    def counted(run: Any, x: Tensor, rows: int, halo: int) -> Tensor:
        def one(band: Tensor) -> Tensor:
            ran.append(band.shape[2])
            return run(band)  # type: ignore[no-any-return]

        return in_bands(one, x, rows, halo)

    monkeypatch.setattr(trunks, "LARGEST_BAND_CPU", 1)
    monkeypatch.setattr(trunks, "in_bands", counted)
    return ran


@pytest.mark.parametrize("size", [(96, 64), (71, 45), (34, 100)], ids=str)
@pytest.mark.parametrize("name", HEADS)
def test_bands_change_no_distance(name: str, size: tuple[int, int], request: pytest.FixtureRequest) -> None:
    metric = InvariantLPIPS(head=name)
    x, y = pair(*size)
    with torch.no_grad():
        whole, embedded = metric(x, y), metric.embed(x) if metric.head.euclidean else None
        ran = request.getfixturevalue("narrow")
        assert torch.isclose(metric(x, y), whole, rtol=1e-5, atol=0).all()
        if embedded is not None:
            torch.testing.assert_close(metric.embed(x), embedded, rtol=1e-4, atol=1e-5)
    assert max(ran) < size[0]


@pytest.mark.parametrize("name", HEADS)
def test_bands_change_no_gradient(name: str, request: pytest.FixtureRequest) -> None:
    metric = InvariantLPIPS(head=name, checkpointing=True)
    x, y = pair(71, 45)
    x.requires_grad_()
    (whole,) = torch.autograd.grad(metric(x, y).sum(), x)
    ran = request.getfixturevalue("narrow")
    (banded,) = torch.autograd.grad(metric(x, y).sum(), x)
    assert ran
    assert (banded - whole).norm() < 1e-4 * whole.norm()


def test_without_checkpointing_a_graph_has_no_bands(narrow: list[int]) -> None:
    x, y = pair(64, 64)
    InvariantLPIPS(head="gap")(x.requires_grad_(), y.requires_grad_()).sum().backward()
    assert not narrow


@pytest.mark.parametrize("rows", [2, 3, 8, 100])
@pytest.mark.parametrize("height", [2, 3, 17, 32])
@pytest.mark.parametrize("convolutions", [0, 1, 2, 3])
def test_every_height_in_bands_of_every_height(convolutions: int, height: int, rows: int) -> None:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for _ in range(convolutions):
        layers += [nn.Conv2d(3, 3, 3, padding=1), nn.ReLU()]
    layers.append(nn.MaxPool2d(2))
    network = nn.Sequential(*layers).double()
    reach = halo(layers)
    assert reach is not None
    x = torch.randn(2, 3, height, 9, dtype=torch.float64, requires_grad=True)
    whole, banded = network(x), in_bands(network, x, rows, reach)
    torch.testing.assert_close(banded, whole)
    torch.testing.assert_close(
        *(torch.autograd.grad(result.square().sum(), x)[0] for result in (banded, whole))
    )
    with torch.no_grad():
        torch.testing.assert_close(in_bands(network, x, rows, reach), whole)
        last = x.contiguous(memory_format=torch.channels_last)
        banded = in_bands(network, last, rows, reach)
    torch.testing.assert_close(banded, whole)


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Conv2d(3, 3, 3, padding=1), nn.ReLU()],
        [nn.Conv2d(3, 3, 5, padding=2), nn.MaxPool2d(2)],
        [nn.Conv2d(3, 3, 3, stride=2, padding=1), nn.MaxPool2d(2)],
        [nn.Conv2d(3, 3, 3, padding=1), nn.MaxPool2d(3, stride=2)],
        [nn.Conv2d(3, 3, 3, padding=1), nn.MaxPool2d(2, ceil_mode=True)],
        [nn.Conv2d(3, 3, 3, padding=1, padding_mode="circular"), nn.MaxPool2d(2)],
    ],
    ids=["no pool", "wide", "stride", "overlapping pool", "rounded up", "circular"],
)
def test_other_layers_have_no_halo(layers: list[nn.Module]) -> None:
    assert halo(layers) is None


def test_transforms_of_torch_func(narrow: list[int]) -> None:
    metric = InvariantLPIPS(head="gap")
    x, y = pair(64, 64)
    many = torch.cat([x, y])
    mapped = torch.func.vmap(lambda one: metric(one[None], y).sum())(many)
    torch.testing.assert_close(mapped, metric(many, y.expand(2, -1, -1, -1)).flatten(), rtol=1e-4, atol=1e-6)
    slope = torch.func.jvp(lambda one: metric(one, y).sum(), (x,), (torch.ones_like(x),))[1]
    (gradient,) = torch.autograd.grad(metric(x.requires_grad_(), y).sum(), x)
    torch.testing.assert_close(slope, gradient.sum(), rtol=1e-3, atol=1e-6)
    assert narrow
