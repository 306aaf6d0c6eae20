"""Downsamplers: their formulas, and that polyphase pooling forgets every circular shift."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from invariant_lpips import InvariantLPIPS, Trunk
from invariant_lpips.cli.metric_options import MetricChoice
from invariant_lpips.evaluation.own_scorers import invariant_scorer
from invariant_lpips.trunks.circular import CircularConv2d, in_pieces
from invariant_lpips.trunks.pooling import (
    POOLINGS,
    BlurPool2d,
    PolyphasePool2d,
    Pool2d,
    Window,
    dense_max,
    handedness,
    make_pool,
    strongest_phase,
)

#: The largest distance to a shifted copy, as a share of the distance to noise of sigma 8/255.
RESIDUAL = 1e-5


def maps(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


# Formulas


def test_dense_max():
    x = maps(2, 3, 4, 5)
    wrapped, repeated = dense_max(x, "circular"), dense_max(x, "zeros")
    assert wrapped.shape == repeated.shape == x.shape
    for i in range(4):
        for j in range(5):
            window = torch.stack([x[..., a % 4, b % 5] for a in (i, i + 1) for b in (j, j + 1)])
            assert torch.equal(wrapped[..., i, j], window.amax(0))
            window = torch.stack([x[..., min(a, 3), min(b, 4)] for a in (i, i + 1) for b in (j, j + 1)])
            assert torch.equal(repeated[..., i, j], window.amax(0))


def test_circular_convolution_is_torchs_and_keeps_the_order_in_memory():
    own = CircularConv2d(3, 4, 5, stride=2, padding=2)
    theirs = torch.nn.Conv2d(3, 4, 5, 2, 2, padding_mode="circular")
    own.load_state_dict(theirs.state_dict())
    x = maps(2, 3, 9, 6)
    torch.testing.assert_close(own(x), theirs(x))
    assert own(x.contiguous(memory_format=torch.channels_last)).is_contiguous(
        memory_format=torch.channels_last
    )
    with pytest.raises(ValueError, match="at least 2x2 to be wrapped"):
        own(maps(1, 3, 1, 6))


def test_large_batches_run_in_pieces(monkeypatch):
    x = maps(5, 2, 4, 4)
    monkeypatch.setattr("invariant_lpips.trunks.circular.REUSED_BLOCK", 4 * x[0].nbytes)
    sizes = []
    assert torch.equal(in_pieces(lambda piece: sizes.append(len(piece)) or 2 * piece, x), 2 * x)
    assert sizes == [2, 2, 1]


@pytest.mark.parametrize("padding", ["zeros", "circular"])
def test_blur(padding):
    x = maps(1, 2, 6, 7)
    kernel = torch.tensor([1.0, 2.0, 1.0])
    kernel = (kernel[:, None] * kernel / 16).expand(2, 1, 3, 3)
    mode = "circular" if padding == "circular" else "replicate"
    padded = torch.nn.functional.pad(dense_max(x, padding), (1, 1, 1, 1), mode=mode)
    expected = torch.nn.functional.conv2d(padded, kernel, groups=2)[..., 0:6:2, 0:6:2]
    torch.testing.assert_close(BlurPool2d(padding)(x), expected)


@pytest.mark.parametrize("size", [(2, 2), (3, 2), (5, 8), (16, 17)])
@pytest.mark.parametrize("pooling", ["max", "blur"])
def test_halved_sizes(pooling, size):
    pooled = make_pool(pooling, "zeros")(maps(2, 3, *size))
    assert pooled.shape == (2, 3, size[0] // 2, size[1] // 2)
    assert make_pool(pooling, "zeros")(torch.full((1, 1, *size), 0.7)).sub(0.7).abs().max() < 1e-6


@pytest.mark.parametrize(
    ("size", "pooled"),
    [((4, 6), (2, 3)), ((5, 6), (5, 3)), ((4, 7), (2, 7)), ((5, 7), (5, 7)), ((2, 1), (1, 1))],
)
def test_odd_axes_keep_their_length_under_polyphase(size, pooled):
    assert PolyphasePool2d()(maps(2, 3, *size)).shape == (2, 3, *pooled)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("pooling", ["max", "blur", "polyphase"])
@pytest.mark.parametrize("padding", ["zeros", "circular"])
def test_precisions(padding, pooling, dtype):
    x = maps(2, 3, 6, 8).to(dtype)
    pooled = make_pool(pooling, padding)(x)
    assert pooled.dtype == dtype
    torch.testing.assert_close(pooled.float(), make_pool(pooling, padding)(x.float()), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("net", "pooling"), [("alex", "polyphase"), ("squeeze", "blur"), ("squeeze", "polyphase")]
)
def test_pools_of_other_sizes_are_refused(net, pooling):
    with pytest.raises(ValueError, match=r"needs a trunk that pools 2x2 .* but this one pools 3x3"):
        Trunk(net, pooling=pooling)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="`pooling` must be one of max, blur, polyphase, but got 'mean'"):
        Trunk("vgg", pooling="mean")
    with pytest.raises(ValueError, match="`padding` must be one of zeros, circular, but got 'reflect'"):
        Trunk("vgg", padding="reflect")


class MeanPool2d(Pool2d):
    name = "mean"

    def __init__(self, padding, kernel_size=2, ceil_mode=False):
        super().__init__()
        self.kernel_size = kernel_size

    def forward(self, x):
        return torch.nn.functional.avg_pool2d(x, self.kernel_size, 2)

    def window(self):
        return Window(self.kernel_size, 2, 0, "floor")


def test_a_pooling_is_one_class_and_one_line(monkeypatch, photo, tmp_path):
    monkeypatch.setitem(POOLINGS, "mean", MeanPool2d)
    metric = InvariantLPIPS(head="gap", pooling="mean")
    assert "vgg16-gap" in metric.describe()  # weights fitted with max, until it has its own
    x = photo("coffee", 96, 128)
    torch.testing.assert_close(metric.embed(x, tile=64), metric.embed(x))
    assert MetricChoice(head="gap", pooling="mean").build().net.pooling == "mean"
    assert invariant_scorer("gap+mean", "cpu").describe() == metric.describe()
    metric.save_pretrained(tmp_path)
    assert InvariantLPIPS.from_pretrained(tmp_path).net.pooling == "mean"


def test_the_command_line_refuses_an_unknown_pooling():
    with pytest.raises(ValueError, match="--pooling must be one of max, blur, polyphase, but got 'mean'"):
        MetricChoice(pooling="mean").build()


@pytest.mark.parametrize("pooling", ["max", "blur", "polyphase"])
def test_smallest_image(pooling, built, photo):
    metric = built(InvariantLPIPS, head="gap", weights="unit", pooling=pooling)
    assert metric(photo("coffee", 32, 33), photo("astronaut", 32, 33)) > 0
    with pytest.raises(ValueError, match="at least 32 pixels"):
        metric(photo("coffee", 32, 31), photo("astronaut", 32, 31))


# One pool


@pytest.mark.parametrize("size", [(6, 8), (6, 6), (5, 6), (7, 5), (2, 4)])
def test_one_polyphase_pool_commutes_with_every_shift(size):
    x = maps(1, 4, *size)
    pool = PolyphasePool2d()
    pooled = pool(x)
    moved = {tuple(pooled.roll(s, (2, 3)).flatten().tolist()) for s in shifts(*pooled.shape[-2:])}
    for shift in shifts(*size):
        assert tuple(pool(x.roll(shift, (2, 3))).flatten().tolist()) in moved


def shifts(height: int, width: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(height) for j in range(width)]


def test_each_image_of_a_batch_has_its_own_phase():
    x = maps(6, 4, 8, 6)
    singles = torch.cat([PolyphasePool2d()(image) for image in x.split(1)])
    assert torch.equal(PolyphasePool2d()(x), singles)


def test_first_of_equal_phases():
    phases = [torch.ones(2, 3, 4, 4)] * 4
    assert strongest_phase(phases).tolist() == [0, 0]
    assert strongest_phase([0 * phase for phase in phases]).tolist() == [0, 0]


def test_handedness_ignores_shifts_and_knows_left_from_right():
    profile = maps(3, 24).double()
    value = handedness(profile)
    for shift in range(24):
        torch.testing.assert_close(handedness(profile.roll(shift, -1)), value)
    torch.testing.assert_close(handedness(profile.flip(-1)), -value)


@pytest.mark.parametrize("length", [8, 31, 32, 64])
def test_handedness_of_two_peaks_vanishes_at_half_the_circle_only(length):
    for distance in range(1, length):
        profile = torch.full((length,), 5.0, dtype=torch.float64)
        profile[0] += 2
        profile[distance] += 1
        vanishes = handedness(profile).abs() < 1e-6
        assert vanishes == (2 * distance == length), distance


def test_gradient_follows_the_shift(built, photo):
    metric = built(InvariantLPIPS, head="gap", weights="unit", pooling="polyphase")
    x, target = photo("coffee", 32, 32), metric.reference(photo("astronaut", 32, 32))
    gradients = []
    for shift in (0, 5):
        image = x.roll((shift, 2 * shift), (2, 3)).requires_grad_()
        metric(image, target).sum().backward()
        gradients.append(image.grad.roll((-shift, -2 * shift), (2, 3)))
    assert gradients[0].abs().sum() > 0
    assert (gradients[0] - gradients[1]).norm() < 1e-2 * gradients[0].norm()


# The whole metric


def residuals(built, x: Tensor, moves: list[tuple[int, int]]) -> Tensor:
    """Distances to shifted copies over the distance to a noisy one."""
    metric = built(InvariantLPIPS, head="gap", weights="unit", pooling="polyphase")
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0)) * 8 / 127.5
    copies = [x, (x + noise).clamp(-1, 1), *(x.roll(move, (2, 3)) for move in moves)]
    with torch.no_grad():
        e = torch.cat([metric.embed(copy) for copy in copies])
    distances = (e - e[:1]).norm(dim=1)
    return distances[2:] / distances[1]


def test_every_shift_down_and_across(built, photo):
    moves = [(s, (37 * s + 5) % 64) for s in range(64)]  # every s in 0..63 once in each axis
    assert residuals(built, photo("chelsea", 64, 64), moves).max() < RESIDUAL


@pytest.mark.parametrize("name", ["astronaut", "coffee", "rocket"])
@pytest.mark.parametrize("size", [(32, 64), (48, 40), (64, 36)])
def test_rectangles(name, size, built, photo):
    moves = [(1, 0), (0, 1), (3, 2), (16, 16), (31, 31)]
    assert residuals(built, photo(name, *size), moves).max() < RESIDUAL


@pytest.mark.parametrize("size", [(33, 32), (34, 39)])
def test_odd_sizes(size, built, photo):
    assert residuals(built, photo("coffee", *size), [(1, 0), (0, 1), (17, 20)]).max() < RESIDUAL


def test_max_pooling_does_not_have_the_property(built, photo):
    # The yardstick can fail: the same shifts under the network's own pooling.
    metric = built(InvariantLPIPS, head="gap", weights="unit", padding="circular")
    x = photo("chelsea", 64, 64)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0)) * 8 / 127.5
    assert metric(x, x.roll(1, 3)) > 0.01 * metric(x, (x + noise).clamp(-1, 1))


row, column = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")


def spread(picture: Tensor) -> Tensor:
    return picture.float().expand(1, 3, *picture.shape[-2:]).clone()


def objects(*places: tuple[int, int], size: int = 7) -> Tensor:
    """Copies of one random object on a flat ground."""
    x = torch.zeros(1, 3, 64, 64)
    stamp = maps(1, 3, size, size, seed=3) * 2 - 1
    for i, j in places:
        x[..., i : i + size, j : j + size] = stamp
    return x


PICTURES = {
    # Two equal objects an odd distance apart: phases of equal norm and different content.
    "two objects": lambda: objects((5, 5), (5, 28)),
    "two objects, both axes": lambda: objects((5, 5), (32, 28)),
    "two dots": lambda: objects((10, 10), (10, 33), size=1),
    "four objects": lambda: objects((5, 5), (5, 28), (32, 5), (32, 28)),
    "the same twice over": lambda: objects((5, 3), (5, 14), (5, 35), (5, 46)),
    # Phases of equal content.
    "flat": lambda: spread(torch.full((64, 64), 0.3)),
    "checkerboard": lambda: spread((row + column) % 2) * 2 - 1,
    "coarse checkerboard": lambda: spread((row // 8 + column // 8) % 2) * 2 - 1,
    "stripes": lambda: spread(column % 2) * 2 - 1,
    "period 3": lambda: spread(column[:60, :60] % 3) - 1,
    "diagonals": lambda: spread((row + column) % 7) / 3.5 - 1,
    # Symmetric ones, and ones with little to choose by.
    "disc": lambda: spread((row - 32) ** 2 + (column - 32) ** 2 < 200) * 2 - 1,
    "waves": lambda: spread(torch.sin(2 * math.pi * 3 * column / 64) * torch.sin(2 * math.pi * 5 * row / 64)),
    "mirrored noise": lambda: (maps(1, 3, 64, 64) + maps(1, 3, 64, 64).flip(-1)) - 1,
    "transposed noise": lambda: (maps(1, 3, 64, 64) + maps(1, 3, 64, 64).transpose(2, 3)) - 1,
    "faint noise": lambda: maps(1, 3, 64, 64) * 1e-3 + 0.25,
    "one faint dot": lambda: objects((9, 9), size=1) / 255,
}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.filterwarnings("ignore:.*none below 0")
def test_ties(name, built):
    assert residuals(built, PICTURES[name](), [(0, 1), (1, 0), (3, 5), (17, 22)]).max() < RESIDUAL
