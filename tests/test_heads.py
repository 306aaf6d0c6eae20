"""Each head against its formula, written out in float64 on the trunk's own activations."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from invariant_lpips import InvariantLPIPS, Trunk
from invariant_lpips.files.safetensors import safetensors_bytes
from invariant_lpips.heads import HEADS, POOL_TAPS, Head, default_taps, make_head
from invariant_lpips.registry import WeightsFile

SIZE = (70, 100)


@pytest.fixture(scope="module")
def activations(photo, noisy) -> tuple[list[Tensor], list[Tensor]]:
    """The five pooled maps of a photograph and of its noisy copy, float64."""
    from invariant_lpips.inputs import ScalingLayer
    from invariant_lpips.registry import load_weights

    trunk = Trunk("vgg").double().requires_grad_(False)
    trunk.load_features(load_weights("vgg16"))
    x = photo("coffee", *SIZE)
    scale = ScalingLayer().double()
    return tuple(trunk.reduce(scale(image.double()), POOL_TAPS, lambda tap, f: f) for image in (x, noisy(x)))


@pytest.fixture(scope="module")
def distance_of(photo, noisy):
    """distance_of(head): weights drawn at random, and the float64 metric's (d, [r_l]) of the same pair with them."""

    def measure(head: str) -> tuple[Tensor, float, list[float]]:
        metric = InvariantLPIPS(head=head, weights="unit").double()
        generator = torch.Generator().manual_seed(len(head))
        weight = torch.rand(metric.head.weight.shape, generator=generator, dtype=torch.float64)
        metric.use_linear_weights({"weight": weight}, "drawn at random")
        x = photo("coffee", *SIZE)
        d, layers = metric(x, noisy(x), retPerLayer=True)
        return weight, d.item(), [layer.item() for layer in layers]

    return measure


def agree(measured: list[float], expected: list[Tensor]) -> None:
    torch.testing.assert_close(torch.tensor(measured).double(), torch.stack(expected), rtol=1e-6, atol=0)


def test_gap(activations, distance_of):
    weight, d, layers = distance_of("gap")
    gx, gy = (torch.cat([f.mean((2, 3)) for f in maps], 1) for maps in activations)
    squares = (weight * (gx - gy)).square()[0]
    assert squares.numel() == 1472
    agree(
        [d, *layers],
        [squares.mean().sqrt(), *(part.sum() / 1472 for part in squares.split([64, 128, 256, 512, 512]))],
    )


def test_spatial(activations, distance_of):
    weight, d, layers = distance_of("spatial")
    expected = []
    for fx, fy in zip(*activations, strict=True):
        nx, ny = (f / (f.norm(dim=1, keepdim=True) + 1e-6) for f in (fx, fy))
        w, weight = weight[: fx.shape[1]], weight[fx.shape[1] :]
        expected.append(((nx - ny).square() * w.view(1, -1, 1, 1)).sum(1).mean())
    agree([d, *layers], [sum(expected), *expected])


def test_gap_spatial(activations, distance_of):
    weight, d, layers = distance_of("gap-spatial")
    expected, count = [], 0
    for fx, fy in zip(*activations, strict=True):
        channels = fx.shape[1]
        nx, ny = (f / (f.square().sum((2, 3), keepdim=True).sqrt() + 1e-6) for f in (fx, fy))
        w, v, weight = weight[:channels], weight[channels : 2 * channels], weight[2 * channels :]
        means = w * (nx - ny).mean((2, 3))
        maps = v.view(1, -1, 1, 1) * (nx - ny)
        expected.append(means.square().sum() + maps.square().sum())
        count += means.numel() + maps.numel()
    expected = [part / count for part in expected]
    agree([d, *layers], [sum(expected).sqrt(), *expected])


def triangles(cells: int, pixels: int) -> list[Tensor]:
    """The weights of each window of 64 pixels along an axis."""
    count = min(cells, max(1, int(2 * pixels / 64 + 0.5)))
    if count == 1:
        return [torch.full((cells,), 1 / cells).double()]
    spacing = cells / count
    windows = []
    for k in range(count):
        window = torch.tensor(
            [max(0.0, 1 - abs(i + 0.5 - (k + 0.5) * spacing) / spacing) for i in range(cells)],
            dtype=torch.float64,
        )
        windows.append(window / window.sum())
    return windows


def test_regional(activations, distance_of):
    weight, d, layers = distance_of("regional")
    typical = (1.0813, 1.8379, 2.052, 0.6896, 0.2334)
    expected = []
    for tap, (pair, s) in enumerate(zip(zip(*activations, strict=True), typical, strict=True)):
        gx, gy = (torch.log1p(f[0] / s) for f in pair)
        rows, columns = triangles(gx.shape[1], SIZE[0]), triangles(gx.shape[2], SIZE[1])
        means, deviations = [], []
        for row in rows:
            for column in columns:
                window = row[:, None] * column
                mx, my = ((g * window).sum((1, 2)) for g in (gx, gy))
                vx, vy = (
                    ((g - m[:, None, None]).square() * window).sum((1, 2)) for g, m in ((gx, mx), (gy, my))
                )
                means.append((mx - my).square())
                deviations.append(((vx + 1e-4).sqrt() - (vy + 1e-4).sqrt()).square())
        squares = torch.stack(means).mean(0)
        if tap < 4:
            squares = torch.cat([squares, torch.stack(deviations).mean(0)])
        w, weight = weight[: squares.numel()], weight[squares.numel() :]
        expected.append((w.square() * squares).sum())
    assert weight.numel() == 0
    expected = [part / 2432 for part in expected]
    agree([d, *layers], [sum(expected).sqrt(), *expected])


def test_unknown_heads_are_refused():
    with pytest.raises(ValueError, match=r"must be one of 'default', 'gap', 'spatial', .* but got 'mean'"):
        InvariantLPIPS(head="mean", weights="unit")


#: Heads with learned weights on the default network.
ON_VGG = [head for head in HEADS if head != "regional-32"]


@pytest.mark.parametrize("head", ON_VGG)
def test_learned_weights_come_in_the_box(head, photo, noisy):
    x = photo("astronaut", 48, 48)
    learned, unit = InvariantLPIPS(head=head), InvariantLPIPS(head=head, weights="unit")
    assert (learned.head.weight >= 0).all()
    assert learned.head.weight.std() > 0
    assert torch.equal(unit.head.weight, torch.ones_like(unit.head.weight))
    assert learned(x, noisy(x)) > 0
    assert learned(x, noisy(x)) != unit(x, noisy(x))


@pytest.mark.parametrize("net", ["alex", "pixels"])
def test_smaller_windows_have_weights_of_their_own(net, photo, noisy):
    x = photo("astronaut", 64, 64)
    metric = InvariantLPIPS(net, "regional-32")
    assert metric.reference(x).summaries[0][0].shape[-2:] == (4, 4)
    assert InvariantLPIPS(net).reference(x).summaries[0][0].shape[-2:] == (2, 2)
    assert 0.5 < metric.jnd(metric(x, noisy(x))).item() < 20
    with pytest.raises(ValueError, match="No learned weights come with"):
        InvariantLPIPS("vgg", "regional-32")


@pytest.mark.parametrize(
    ("net", "head"), [("pixels", "gap-spatial"), ("squeeze", "default"), ("alex", "spatial")]
)
def test_heads_without_learned_weights_say_so(net, head, monkeypatch):
    monkeypatch.setattr(Trunk, "load_features", lambda self, state: None)
    empty = WeightsFile("", Path(), {}, {}, "")
    monkeypatch.setattr("invariant_lpips.registry.trunk_weights.read_weights", lambda name: empty)
    with pytest.raises(ValueError, match="weights='unit' to weigh all channels alike, or a path"):
        InvariantLPIPS(net=net, head=head)


def test_weights_of_ones_own(tmp_path, photo, noisy):
    x = photo("astronaut", 48, 48)
    file = tmp_path / "own.safetensors"
    file.write_bytes(safetensors_bytes({"weight": torch.full((1472,), 3.0)}))
    own, unit = InvariantLPIPS(head="gap", weights=file), InvariantLPIPS(head="gap", weights="unit")
    torch.testing.assert_close(own(x, noisy(x)), 3 * unit(x, noisy(x)))
    described = own.describe()
    assert f"weights={file} [" in described
    file.unlink()
    assert own.describe() == described  # these are still the weights that were read from it
    own.head.weight.data[0] += 1
    assert "weights=own parameters [" in own.describe()


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        (
            {"weight": torch.ones(1471)},
            "must hold one tensor `weight` of shape (1472,), but hold {'weight': (1471,)}",
        ),
        ({"weights": torch.ones(1472)}, "must hold one tensor `weight`"),
        ({"weight": torch.ones(1472), "bias": torch.ones(1)}, "must hold one tensor `weight`"),
        ({"weight": torch.linspace(-1e-6, 1, 1472)}, "must be non-negative"),
    ],
)
def test_unfit_weights_are_refused(tensors, sentence, tmp_path):
    file = tmp_path / "own.safetensors"
    file.write_bytes(safetensors_bytes(tensors))
    with pytest.raises(ValueError, match=re.escape(sentence)):
        InvariantLPIPS(head="gap", weights=file)


@pytest.mark.parametrize("head", ON_VGG)
def test_weights_stay_in_full_precision(head):
    learned = InvariantLPIPS(head=head)
    cited, weight = learned.describe().partition("weights=")[2], learned.head.weight.clone()
    for convert in (
        lambda m: m.half(),
        lambda m: m.bfloat16(),
        lambda m: m.to("cpu", torch.float16),
        lambda m: nn.Sequential(m).type(torch.bfloat16)[0],
    ):
        metric = convert(copy.deepcopy(learned))
        assert next(metric.net.parameters()).element_size() == 2
        assert torch.equal(metric.head.weight, weight)
        assert metric.head.weight.dtype == torch.float32
        assert metric.describe().partition("weights=")[2] == cited
    assert not learned.head.weight.requires_grad
    doubled = copy.deepcopy(learned).double()
    assert doubled.head.weight.dtype == torch.float64
    assert torch.equal(doubled.half().head.weight, weight)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        assert torch.equal(InvariantLPIPS(head=head).head.weight, weight)
    finally:
        torch.set_default_dtype(before)


def test_heads_name_their_taps():
    assert make_head("gap", "vgg").taps == POOL_TAPS
    assert make_head("gap", "alex").taps == ("relu1", "relu2", "relu3", "relu4", "relu5")
    assert "weights=1472" in repr(make_head("gap", "vgg"))


class Peak(Head):
    """A head of one's own, without a map."""

    name = "peak"

    def __init__(self, net: str = "vgg") -> None:
        super().__init__(net, default_taps(net))

    def summary(self, tap, features, size):
        return (features.amax((2, 3)),)

    def components(self, tap, sx, sy):
        return (sx[0] - sy[0]).square()

    def count(self, tap, summary):
        return self.channels[tap]

    def vector(self, tap, summary):
        return summary[0] * self.tap_weight(tap)


def test_a_head_added_at_run_time_is_saved_and_loaded(monkeypatch, tmp_path, photo):
    monkeypatch.setitem(HEADS, "peak", Peak)
    metric = InvariantLPIPS(head="peak", weights="unit")
    metric.save_pretrained(tmp_path)
    x, y = photo("coffee", 40, 48), photo("chelsea", 40, 48)
    assert torch.equal(InvariantLPIPS.from_pretrained(tmp_path)(x, y), metric(x, y))


def test_what_a_head_lacks_is_said(monkeypatch, photo):
    monkeypatch.setitem(HEADS, "peak", Peak)
    x, y = photo("coffee", 40, 48), photo("chelsea", 40, 48)
    with pytest.raises(NotImplementedError, match="Head 'peak' has no map: write its method `heat`"):
        InvariantLPIPS(head="peak", weights="unit", spatial=True)(x, y)
    monkeypatch.delattr(Peak, "vector")
    with pytest.raises(NotImplementedError, match="Head 'peak' has no embedding: write its method `vector`"):
        InvariantLPIPS(head="peak", weights="unit").embed(x)


@pytest.mark.parametrize("head", ON_VGG)
def test_shares_are_linear_in_the_strengths(head, photo):
    metric = InvariantLPIPS(head=head)
    x, y = (
        metric.net.reduce(
            metric.scaling_layer(photo(name, 40, 48)),
            metric.head.taps,
            lambda tap, features: metric.head.summary(tap, features, (40, 48)),
        )
        for name in ("coffee", "chelsea")
    )
    strengths = torch.cat([metric.head.strength(tap) for tap in metric.head.taps])
    torch.testing.assert_close(
        metric.head.shares(x, y) @ strengths, torch.stack(metric.head.layers(x, y)).sum(0)
    )
