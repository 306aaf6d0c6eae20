"""What moved is measured and undone: accuracy, symmetry, and no claims without evidence."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from skimage import data
from torch import Tensor

from invariant_lpips.motion import (
    Motion,
    compensated,
    displacement,
    estimate_motion,
    half_way,
    sampling,
)
from invariant_lpips.motion.bands import band, luma, reduced
from invariant_lpips.motion.evidence import furthest
from invariant_lpips.motion.motion import exponential, similarity_generator
from invariant_lpips.motion.sampling import moved_grid, spline_coefficients, spline_read, strips

SIDE = 112


def photograph(name: str) -> Tensor:
    """(1, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(getattr(data, name)().copy()).permute(2, 0, 1).unsqueeze(0) / 127.5 - 1


def scene(name: str, generator: Tensor, side: int = SIDE, every: int = 2) -> Tensor:
    """A picture of the middle of a photograph, a pixel for every 2x2 of it, moved by a generator in pixels."""
    photo = photograph(name)[0].numpy()
    height, width = photo.shape[1:]
    maps = exponential(-generator)
    line = (torch.arange(side * every, dtype=torch.float64) + 0.5) / every - side / 2
    y, x = torch.meshgrid(line, line, indexing="ij")
    places = [maps[i, 0] * x + maps[i, 1] * y + maps[i, 2] for i in range(2)]
    at = [places[1] * every + height / 2 - 0.5, places[0] * every + width / 2 - 0.5]
    fine = np.stack([map_coordinates(channel, at, order=3, mode="mirror") for channel in photo])
    picture = torch.from_numpy(fine).unsqueeze(0).float()
    return torch.nn.functional.avg_pool2d(picture, every).clamp(-1, 1)


def generator(shift: tuple[float, float] = (0, 0), degrees: float = 0, zoom: float = 1) -> Tensor:
    """A similarity's logarithm in pixels about the centre."""
    one = torch.tensor(1.0, dtype=torch.float64)
    return similarity_generator(
        one * math.log(zoom), one * math.radians(degrees), one * shift[0], one * shift[1]
    )


def pair(name: str, **moved: object) -> tuple[Tensor, Tensor]:
    """Both pictures rendered half of the way from a larger one: neither is privileged."""
    motion = generator(**moved)  # type: ignore[arg-type]
    return scene(name, -motion / 2), scene(name, motion / 2)


MOVES = (
    ("astronaut", {"shift": (9.3, -6.6)}),
    ("chelsea", {"degrees": 17.0}),
    ("coffee", {"zoom": 0.86}),
    ("astronaut", {"shift": (-5.2, 8.1), "degrees": -12.0, "zoom": 1.12}),
    ("coffee", {"shift": (0.4, -0.3)}),
    ("chelsea", {"degrees": -0.5, "zoom": 1.01}),
)


@pytest.fixture(scope="module")
def moved() -> tuple[Tensor, Tensor, Motion]:
    pairs = [pair(name, **moves) for name, moves in MOVES]
    x, y = torch.cat([x for x, _ in pairs]), torch.cat([y for _, y in pairs])
    return x, y, estimate_motion(x, y)


def test_motions_are_measured(moved: tuple[Tensor, Tensor, Motion]) -> None:
    motion = moved[2]
    assert motion.found.all()
    assert (motion.confidence > 0.9).all()
    for got, (_, moves) in enumerate(MOVES):
        shift = torch.tensor(moves.get("shift", (0.0, 0.0)), dtype=torch.float64)
        assert (motion.shift[got] - shift).norm() < 0.1
        assert abs(motion.rotation[got] - moves.get("degrees", 0)) < 0.05
        assert abs(motion.zoom[got] - moves.get("zoom", 1)) < 1e-3


@pytest.mark.parametrize("damage", ["noise", "blur", "contrast"])
def test_damage_does_not_hide_a_motion(moved: tuple[Tensor, Tensor, Motion], damage: str) -> None:
    x, y, clean = moved
    if damage == "noise":
        y = y + torch.randn(y.shape, generator=torch.Generator().manual_seed(0)) * 24 / 127.5
    elif damage == "blur":
        y = torch.nn.functional.avg_pool2d(y, 5, 1, 2, count_include_pad=False)
    else:
        y = y * 0.6 + 0.2
    motion = estimate_motion(x, y)
    assert motion.found[:4].all()
    assert ((motion.shift - clean.shift)[:4].norm(dim=1) < 0.3).all()


def test_the_other_order_gives_the_inverse_bit_for_bit(moved: tuple[Tensor, Tensor, Motion]) -> None:
    x, y, motion = moved
    back = estimate_motion(y, x)
    assert torch.equal(back.generator, motion.inverse().generator)
    assert torch.equal(back.found, motion.found)
    assert torch.equal(back.confidence, motion.confidence)
    assert torch.equal(back.overlap, motion.overlap)
    square = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand(len(x), 1, 3)
    there, again = torch.cat([motion.matrix, square], 1), torch.cat([back.matrix, square], 1)
    assert torch.allclose(there @ again, torch.eye(3, dtype=torch.float64).expand_as(there), atol=1e-9)


def test_motions_follow_one_another() -> None:
    first, second, third = (
        scene("astronaut", generator(**m)) for m in ({}, {"degrees": 6.0}, {"degrees": 10.0})
    )
    there = estimate_motion(first, second).rotation + estimate_motion(second, third).rotation
    assert abs(there - 10) < 0.05
    assert abs(estimate_motion(first, third).rotation - 10) < 0.05


def test_a_pair_does_not_depend_on_its_batch(moved: tuple[Tensor, Tensor, Motion]) -> None:
    x, y, motion = moved
    alone = estimate_motion(x[3:4], y[3:4])
    assert torch.allclose(alone.generator, motion[3:4].generator, atol=1e-5)
    assert torch.equal(alone.found, motion[3:4].found)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dtypes(moved: tuple[Tensor, Tensor, Motion], dtype: torch.dtype) -> None:
    x, y, motion = moved
    other = estimate_motion(x[:2].to(dtype), y[:2].to(dtype))
    assert other.generator.dtype == torch.float64
    assert (other.shift - motion[:2].shift).norm(dim=1).max() < 0.05
    carried, _, _ = half_way(x[:2].to(dtype), y[:2].to(dtype), other)
    assert carried.dtype == dtype


def test_models() -> None:
    x, y = pair("astronaut", shift=(4.0, -7.0))
    shift = estimate_motion(x, y, "shift")
    assert torch.allclose(shift.shift, torch.tensor([[4.0, -7.0]], dtype=torch.float64), atol=0.1)
    assert shift.rotation.item() == 0
    assert shift.zoom.item() == 1
    sheared = torch.tensor([[0.03, 0.05, 3.0], [-0.02, -0.04, 2.0]], dtype=torch.float64)
    x, y = scene("coffee", -sheared / 2), scene("coffee", sheared / 2)
    motion = estimate_motion(x, y, "affine")
    assert motion.found.item()
    assert torch.allclose(motion.matrix[0, :, :2], exponential(sheared)[:, :2], atol=2e-3)
    with pytest.raises(
        ValueError, match="`model` must be one of shift, similarity, affine, local, but got 'warp'"
    ):
        estimate_motion(x, y, "warp")
    with pytest.raises(ValueError, match=r"must both have shape \(N, 3, H, W\)"):
        estimate_motion(x, y[:, :1])


def plaid(period: float, shift: float) -> Tensor:
    line = torch.arange(128.0)
    wave = torch.sin(2 * math.pi * (line - shift) / period) * torch.sin(2 * math.pi * line / period).view(
        -1, 1
    )
    return (wave * 0.8).expand(1, 3, -1, -1)


def no_claims() -> dict[str, tuple[Tensor, Tensor]]:
    photo = photograph("astronaut")[..., :200, :200]
    dot = photo.clone()
    dot[..., 100, 100] = 1
    grey = torch.zeros(1, 3, 64, 64)
    noise = torch.rand(2, 1, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return {
        "equal": (photo, photo.clone()),
        "one pixel": (photo, dot),
        "flat": (grey, grey + 0.5),
        "flat and a photograph": (grey, photo[..., :64, :64]),
        "unrelated": (photo, photograph("coffee")[..., 100:300, 100:300]),
        "noise": (noise[0], noise[1]),
        "halves swapped": (photo, photo.roll(100, -1)),
        "mirrored": (photo, photo.flip(-1)),
        "periodic": (plaid(16, 0), plaid(16, 4)),
        "finely periodic": (plaid(3, 0), plaid(3, 1)),
        "stripes": (
            plaid(16, 0)[..., 4:5, :].expand(-1, -1, 128, -1),
            plaid(16, 3)[..., 4:5, :].expand(-1, -1, 128, -1),
        ),
        "16 pixels": (noise[0, ..., :16, :16], noise[1, ..., :16, :16]),
        "one pixel wide": (noise[0, ..., :1], noise[1, ..., :1]),
        "not a number": (photo * torch.nan, photo),
    }


@pytest.mark.parametrize("case", no_claims())
def test_no_claim(case: str) -> None:
    x, y = no_claims()[case]
    motion = estimate_motion(x, y)
    assert not motion.found.any()
    assert torch.equal(motion.matrix, torch.eye(2, 3, dtype=torch.float64).unsqueeze(0))
    assert motion.confidence.isfinite().all()
    same_x, same_y, mask = half_way(x, y, motion)
    assert same_x is x
    assert same_y is y
    assert mask.all()


def test_unmoved_damage_claims_nothing() -> None:
    photo = photograph("chelsea")[..., :256, :256]
    random = torch.Generator().manual_seed(3)
    blocks = torch.nn.functional.avg_pool2d(photo, 4).repeat_interleave(4, -1).repeat_interleave(4, -2)
    damaged = (
        photo + torch.randn(photo.shape, generator=random) * 0.3,
        torch.nn.functional.avg_pool2d(photo, 7, 1, 3),
        (photo * 3).round() / 3,
        blocks,
        photo * 0.5,
    )
    assert not estimate_motion(photo.expand(len(damaged), -1, -1, -1), torch.cat(damaged)).found.any()


@pytest.mark.parametrize(("height", "width"), [(16, 16), (16, 400), (300, 20), (33, 65)])
def test_sizes(height: int, width: int) -> None:
    photo = photograph("astronaut")
    x = photo[..., 50 : 50 + height, 60 : 60 + width]
    y = photo[..., 49 : 49 + height, 62 : 62 + width]
    motion = estimate_motion(x, y)
    if motion.found.item():
        assert (motion.shift - torch.tensor([[-2.0, 1.0]])).norm() < 0.5
    assert all(part.isfinite().all() for part in compensated(x, y, motion)[:2])


def test_a_whole_shift_is_undone() -> None:
    photo = photograph("astronaut")
    x, y = photo[..., 50:200, 60:210], photo[..., 47:197, 65:215]
    exact = Motion.none(1, (150, 150))
    exact = Motion(
        torch.tensor([[[0.0, 0.0, -5.0], [0.0, 0.0, 3.0]]], dtype=torch.float64) / 75,
        torch.tensor([True]),
        exact.confidence,
        exact.overlap,
        exact.size,
    )
    assert exact.shift[0].tolist() == pytest.approx([-5, 3])
    there, here, seen = half_way(x, y, exact)
    # The same splines, read at the same places; what a spline mirrors at a border reaches a few pixels in.
    assert (there - here)[..., 16:-16, 16:-16].abs().max() < 1e-3
    there, here, seen = half_way(x, y, estimate_motion(x, y))
    assert ((there - here) * seen).abs().mean() < 0.003
    assert ((x - y) * seen).abs().mean() > 0.1


def test_outside_the_overlap_both_show_the_same(moved: tuple[Tensor, Tensor, Motion]) -> None:
    x, y, motion = moved
    there, here, seen = compensated(x, y, motion)
    assert torch.equal(there.masked_select(~seen), here.masked_select(~seen))
    assert 0.6 < seen[0].double().mean() < 1
    assert (there - here).abs().mean() < 0.2 * (x - y).abs().mean()
    back = compensated(y, x, motion.inverse())
    assert torch.equal(back[2], seen)
    assert torch.equal(back[0].masked_select(seen), here.masked_select(seen))


def test_gradients_reach_both_pictures(moved: tuple[Tensor, Tensor, Motion]) -> None:
    x, y, motion = moved[0][:1].clone(), moved[1][:1].clone(), moved[2][:1]
    x.requires_grad_()
    y.requires_grad_()
    there, here, seen = compensated(x, y, motion)
    ((there - here) * seen).square().mean().backward()
    assert x.grad is not None
    assert y.grad is not None
    assert x.grad.isfinite().all()
    assert y.grad.abs().sum() > 0
    small = torch.rand(1, 2, 6, 7, dtype=torch.float64, requires_grad=True)
    maps = exponential(generator(shift=(0.1, 0.2), degrees=10)).unsqueeze(0)
    assert torch.autograd.gradcheck(
        lambda p: spline_read(spline_coefficients(p), moved_grid(maps, (6, 7), (6, 7), p)), (small,)
    )


def test_splines_are_scipys() -> None:
    picture = torch.rand(1, 1, 20, 30, dtype=torch.float64)
    maps = exponential(generator(shift=(0.05, -0.02), degrees=8)).unsqueeze(0)
    grid = moved_grid(maps, (20, 30), (20, 30), picture)
    at = [((grid[0, ..., i] + 1) * n / 2 - 0.5).clamp(0, n - 1).numpy() for i, n in ((1, 20), (0, 30))]
    expected = map_coordinates(picture[0, 0].numpy(), at, order=3, mode="mirror")
    assert np.abs(spline_read(spline_coefficients(picture), grid)[0, 0].numpy() - expected).max() < 1e-7


def bent(picture: Tensor, amplitude: float) -> tuple[Tensor, Tensor]:
    """A picture displaced by a wave, and the wave (2, H, W)."""
    height, width = picture.shape[-2:]
    y, x = np.mgrid[:height, :width].astype(np.float64)
    right = amplitude * np.sin(2 * np.pi * y / height)
    down = amplitude * np.sin(2 * np.pi * x / width)
    moved = [
        map_coordinates(band, [y - down, x - right], order=3, mode="mirror") for band in picture[0].numpy()
    ]
    return torch.from_numpy(np.stack(moved)).float().unsqueeze(0), torch.from_numpy(np.stack([right, down]))


def test_a_bent_scene_is_measured_and_straightened() -> None:
    x = photograph("astronaut")[..., 100:356, 80:336]
    y, wave = bent(x, 2.0)
    motion = estimate_motion(x, y, "local")
    assert motion.found.item()
    assert motion.field is not None
    assert motion.field.shape == (1, 2, 7, 7)
    assert motion.bend.item() == pytest.approx(2.0, rel=0.2)
    assert (displacement(motion, x)[0] - wave).norm(dim=0).median() < 0.35
    there, here, _ = compensated(x, y, motion)
    assert (there - here).abs().mean() < 0.25 * (x - y).abs().mean()
    back = estimate_motion(y, x, "local")
    assert back.field is not None
    assert torch.equal(back.field, -motion.field)
    assert not displacement(estimate_motion(x, y), x).any()


def test_no_field_without_evidence() -> None:
    x = photograph("chelsea")[..., 20:276, 100:356]
    torch.manual_seed(0)
    noisy = (x + 0.2 * torch.randn_like(x)).clamp(-1, 1)
    others = torch.cat([noisy, photograph("coffee")[..., 20:276, 100:356], torch.zeros_like(x), x])
    motion = estimate_motion(x.expand(4, -1, -1, -1), others, "local")
    assert not motion.found.any()
    assert motion.field is not None
    assert not motion.field.any()
    small = estimate_motion(x[..., :100, :], noisy[..., :100, :], "local")
    assert small.field is None
    assert small.bend.item() == 0


def test_large_pictures_are_carried_strip_by_strip(
    moved: tuple[Tensor, Tensor, Motion], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y, motion = moved
    whole = compensated(x, y, motion)
    assert len(strips(x[:1], x.shape[-2])) == 1
    monkeypatch.setattr(sampling, "PIXELS_AT_ONCE", 16 * x.shape[-1])
    assert len(strips(x[:1], x.shape[-2])) > 3
    for expected, part in zip(whole, compensated(x, y, motion), strict=True):
        assert torch.equal(part, expected)
    # Pairs go one by one here: of those without a claim nothing is carried.
    still = replace(motion, found=motion.found & (torch.arange(len(x)) == 0))
    there, here, seen = compensated(x, y, still)
    assert torch.equal(there[1:], x[1:])
    assert torch.equal(here[1:], y[1:])
    assert seen[1:].all()


def test_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="estimated for 1 pairs of 8x9, but got 1 pictures of 8x8"):
        half_way(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8), Motion.none(1, (8, 9)))


def test_a_motion_is_what_it_says() -> None:
    size = (40, 60)
    still = Motion.none(1, size)
    turned = Motion(
        generator((3 / 30, 0), 30, 1.1).unsqueeze(0), still.found, still.confidence, still.overlap, size
    )
    assert torch.allclose(turned.shift, torch.tensor([[3.0, 0.0]], dtype=torch.float64))
    assert turned.rotation.item() == pytest.approx(30)
    assert turned.zoom.item() == pytest.approx(1.1)
    centre = torch.tensor([29.5, 19.5], dtype=torch.float64)
    right = torch.tensor([39.5, 19.5], dtype=torch.float64)
    moved = [turned.matrix[0, :, :2] @ point + turned.matrix[0, :, 2] for point in (centre, right)]
    assert torch.allclose(moved[0], centre + torch.tensor([3.0, 0.0]))
    assert (moved[1] - moved[0])[1] > 0  # clockwise: what is to the right of the centre goes down
    assert furthest(still.generator, size).item() == 0


def test_bands_are_blind_to_gain_and_offset() -> None:
    photo = photograph("coffee")
    grey = reduced(luma(photo), 96)
    assert grey.shape == (1, 1, 96, 144)
    assert (band(grey) - band(grey * 0.5 + 0.3)).abs().max() < 1e-3
    assert band(torch.full((1, 1, 20, 20), 0.3)).abs().max() == 0
