"""`metric.frames`: (N, T, 3, H, W) twice to (N, T), a few frames at a time."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from invariant_lpips import LPIPS, InvariantLPIPS

METRICS: dict[str, Any] = {
    "invariant": lambda: InvariantLPIPS("alex"),
    "checkpointing": lambda: InvariantLPIPS("alex", checkpointing=True),
    "motion": lambda: InvariantLPIPS("alex", motion="shift"),
    "lpips": lambda: LPIPS(net="alex", verbose=False),
}


@cache
def metric(name: str) -> Any:
    return METRICS[name]()


def videos(count: int = 2, frames: int = 5) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(count, frames, 3, 40, 48, generator=draw) * 2 - 1
    return x, (x + 0.2 * torch.randn(x.shape, generator=draw)).clamp(-1, 1)


def one_by_one(measure: Any, x: Tensor, y: Tensor) -> Tensor:
    pairs = [
        [measure(a[None], b[None]).view(()) for a, b in zip(xs, ys, strict=True)]
        for xs, ys in zip(x, y, strict=True)
    ]
    return torch.stack([torch.stack(of_video) for of_video in pairs])


@pytest.mark.parametrize("name", METRICS)
def test_numbers_and_gradients_are_those_of_single_frames(name: str) -> None:
    x, y = videos()
    expected = one_by_one(metric(name), x, y)
    for at_once in (1, 2, 8):
        found = metric(name).frames(x, y, at_once=at_once)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)
    a, b = (x.clone().requires_grad_() for _ in range(2))
    (together,) = torch.autograd.grad(metric(name).frames(a, y, at_once=2).square().sum(), a)
    (alone,) = torch.autograd.grad(one_by_one(metric(name), b, y).square().sum(), b)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-7)
    assert torch.equal(metric(name).frames(x, x), torch.zeros(2, 5))


def test_one_video_against_many_and_the_range() -> None:
    x, y = videos()
    found = metric("lpips").frames(x[:1], y)
    assert torch.equal(found, metric("lpips").frames(x[:1].expand_as(y), y))
    assert torch.equal(found, metric("lpips").frames(y, x[:1]))
    scaled = metric("invariant").frames((x + 1) / 2, (y + 1) / 2, normalize=True)
    torch.testing.assert_close(scaled, metric("invariant").frames(x, y), rtol=1e-4, atol=1e-6)


def test_trained_parameters_get_their_gradient() -> None:
    x, y = videos(1, 3)
    trained = LPIPS(net="alex", eval_mode=False, use_dropout=False, verbose=False)
    trained.frames(x, y, at_once=2).sum().backward()
    gradients = [parameter.grad for parameter in trained.lins.parameters()]
    trained.zero_grad()
    trained(x[0], y[0]).sum().backward()
    for found, parameter in zip(gradients, trained.lins.parameters(), strict=True):
        assert found is not None
        torch.testing.assert_close(found, parameter.grad)


def test_the_graph_does_not_grow_with_the_video() -> None:
    def kept(frames: int) -> int:
        total = 0

        def pack(tensor: Tensor) -> Tensor:
            nonlocal total
            total += tensor.nbytes
            return tensor

        x, y = videos(1, frames)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            metric("invariant").frames(x.requires_grad_(), y, at_once=2)
        return total

    images = 2 * 3 * 40 * 48 * 4
    assert kept(2) > 2.5 * 2 * images
    assert kept(8) <= 8 * images


def test_functional_gradients() -> None:
    x, y = videos(1, 3)
    found = torch.func.grad(lambda z: metric("invariant").frames(z, y, at_once=1).sum())(x)
    a = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(metric("invariant").frames(a, y).sum(), a)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-7)


def test_refusals() -> None:
    x, y = videos()
    frames = metric("invariant").frames
    with pytest.raises(TypeError, match=r"`in1` must be a torch\.Tensor, but got list"):
        frames(x, [y])
    with pytest.raises(ValueError, match=r"\(N, T, 3, H, W\), but got \(5, 3, 40, 48\); .*unsqueeze\(0\)"):
        frames(x[0], y)
    with pytest.raises(ValueError, match="at least one frame"):
        frames(x[:, :0], y[:, :0])
    with pytest.raises(ValueError, match=r"same number of frames, but got 5 and 3; .*x\[:, :3\]"):
        frames(x, y[:, :3])
    with pytest.raises(
        ValueError, match="same number of videos, or one of them a single one, but got 3 and 2"
    ):
        frames(x[[0, 1, 0]], y)
    with pytest.raises(ValueError, match="`at_once` must be a whole number of at least 1, but got 0"):
        frames(x, y, at_once=0)
    with pytest.raises(ValueError, match="3 channels"):
        frames(x[:, :, :1], y[:, :, :1])
    for spatial in (
        InvariantLPIPS("pixels", spatial=True),
        LPIPS(net="alex", spatial=True, verbose=False),
    ):
        assert isinstance(spatial, nn.Module)
        with pytest.raises(ValueError, match="spatial=True"):
            spatial.frames(x, y)


def test_masks_of_all_frames_and_of_each() -> None:
    x, y = videos(2, 5)
    draw = torch.Generator().manual_seed(1)
    each = torch.rand(2, 5, 1, 40, 48, generator=draw)
    each[..., 20:] = 0
    measure = metric("invariant")
    for mask in (each, each[:1], each[:, 0], each[:1, 0], each > 0.5):
        of_each = mask if mask.dim() == 5 else mask.unsqueeze(1)
        of_each = of_each.expand(2, 5, 1, 40, 48)
        expected = torch.stack([measure(x[:, t], y[:, t], mask=of_each[:, t]).flatten() for t in range(5)], 1)
        for at_once in (2, 8):
            found = measure.frames(x, y, mask=mask, at_once=at_once)
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(
        measure.frames(x[:1], y, mask=each)[1], measure.frames(x[:1], y[1:], mask=each[1:])[0]
    )
    changed = torch.where(each > 0, y, torch.zeros_like(y))
    torch.testing.assert_close(measure.frames(x, changed, mask=each), measure.frames(x, y, mask=each))
    a = x.clone().requires_grad_()
    measure.frames(a, y, mask=each, at_once=2).sum().backward()
    assert a.grad is not None
    assert not a.grad[..., 20:].any()
    assert a.grad[..., :20].any()


def test_masks_that_do_not_fit() -> None:
    x, y = videos(2, 5)
    frames = metric("invariant").frames
    for shape in ((5, 1, 40, 48), (2, 4, 1, 40, 48), (3, 5, 1, 40, 48), (40, 48)):
        with pytest.raises(
            ValueError, match=r"must have shape \(N or 1, T, 1, H, W\), or .* of 2 videos of 5"
        ):
            frames(x, y, mask=torch.ones(shape))
    with pytest.raises(ValueError, match=r"`mask` must have shape \(N or 1, 1, H, W\)"):
        frames(x, y, mask=torch.ones(1, 1, 40, 40))
    with pytest.raises(TypeError, match=r"`mask` must be a torch\.Tensor, but got str"):
        frames(x, y, mask="disc")
    with pytest.raises(ValueError, match="motion or a Reference"):
        metric("motion").frames(x, y, mask=torch.ones(1, 1, 40, 48))
