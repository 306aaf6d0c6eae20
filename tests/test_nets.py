"""The networks beside VGG-16 with learned weights: every method of the metric works on them."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from invariant_lpips import LPIPS, InvariantLPIPS, Trunk
from invariant_lpips.classifier import GAPClassifier
from invariant_lpips.evaluation.metrics import resolve_metric
from invariant_lpips.heads import Regional, regional
from invariant_lpips.registry import load_weights
from invariant_lpips.trunks import pixels
from invariant_lpips.trunks.pixels import Contours, Halve, Opponents
from invariant_lpips.trunks.pooling import BlurPool2d

#: net, head, pooling, number of weights.
METRICS = [
    ("alex", "regional", "max", 2304),
    ("alex", "gap", "max", 1152),
    ("alex", "gap", "blur", 1152),
    ("pixels", "regional", "max", 88),
    ("pixels", "gap", "max", 44),
]


@pytest.fixture(scope="module", params=METRICS, ids=lambda choice: "-".join(map(str, choice[:3])))
def metric(request) -> InvariantLPIPS:
    net, head, pooling, count = request.param
    made = InvariantLPIPS(net, head, pooling)
    assert made.head.weight.numel() == count
    assert made.fitted_pooling == pooling
    return made


@pytest.fixture(scope="module")
def pair(photo, noisy) -> tuple[Tensor, Tensor]:
    x = photo("coffee", 96, 112)
    return x, noisy(x)


def test_learned_distances(metric, pair):
    x, y = pair
    d = metric(x, y)
    assert metric(x, x).item() == 0 < d.item()
    assert 0.5 < metric.jnd(d).item() < 20, (
        "noise of 20 grey levels is seen, and by no means a different picture"
    )


def test_embedding_reference_tiles_and_map_agree(metric, pair):
    x, y = pair
    d = metric(x, y).item()
    ex, ey = metric.embed(x), metric.embed(y)
    assert (ex - ey).norm().item() == pytest.approx(d, rel=1e-5)
    assert metric.pairwise(x, y).item() == pytest.approx(d, rel=1e-5)
    assert metric(y, metric.reference(x)).item() == pytest.approx(d, rel=1e-5)
    assert metric.maps(x, y).mean().item() == pytest.approx(d**2, rel=1e-4)
    assert (metric.embed(x, tile=48) - ex).norm() < 2e-5 * ex.norm()


def test_saved_and_loaded(metric, pair, tmp_path):
    metric.save_pretrained(tmp_path)
    again = InvariantLPIPS.from_pretrained(tmp_path)
    assert again.identity.to_dict() == metric.identity.to_dict()
    assert torch.equal(again(*pair), metric(*pair))
    assert again.jnd_fit == metric.jnd_fit


def test_gradient_through_the_distance(metric, pair):
    x, y = pair[0].clone().requires_grad_(), pair[1]
    metric(x, y).backward()
    assert bool(torch.isfinite(x.grad).all())
    assert x.grad.abs().max() > 0


def test_regional_head_without_typical_activations_is_refused():
    with pytest.raises(ValueError, match=r"known of .*, but got 'squeeze'; use head='gap'"):
        Regional("squeeze")


@pytest.mark.parametrize("size", [(11, 14), (12, 7), (3, 3), (4, 5)])
def test_blur_of_threes_keeps_the_sizes_of_the_pool_it_replaces(size):
    x = torch.rand(1, 2, *size, generator=torch.Generator().manual_seed(0))
    dense = torch.nn.functional.max_pool2d(x, 3, 1)
    kernel = torch.tensor([1.0, 2.0, 1.0])
    kernel = (kernel[:, None] * kernel / 16).expand(2, 1, 3, 3)
    padded = torch.nn.functional.pad(dense, (1, 1, 1, 1), mode="replicate")
    expected = torch.nn.functional.conv2d(padded, kernel, groups=2, stride=2)
    assert expected.shape == torch.nn.functional.max_pool2d(x, 3, 2).shape
    torch.testing.assert_close(BlurPool2d("zeros", 3)(x), expected)


def test_blur_of_threes_goes_around_a_circle():
    x = torch.rand(1, 2, 12, 14, generator=torch.Generator().manual_seed(0))
    pool = BlurPool2d("circular", 3)
    assert torch.equal(pool(x.roll((2, 4), (2, 3))), pool(x).roll((1, 2), (2, 3)))


# The front end without a network


def scaled(rgb: Tensor) -> Tensor:
    """A picture in [0, 1] as the trunk gets it."""
    return InvariantLPIPS("pixels", weights="unit").scaling_layer(rgb * 2 - 1)


def test_opponents_of_grey_and_of_colours():
    grey, orange = torch.full((1, 3, 1, 1), 0.4), torch.tensor([0.8, 0.4, 0.1]).view(1, 3, 1, 1)
    found = Opponents()(scaled(torch.cat([grey, orange], dim=3)))[0, :, 0].T
    y = 0.299 * 0.8 + 0.587 * 0.4 + 0.114 * 0.1
    i = 0.596 * 0.8 - 0.274 * 0.4 - 0.322 * 0.1
    q = 0.211 * 0.8 - 0.523 * 0.4 + 0.312 * 0.1
    expected = [[0.4 / 0.4, 0.6 / 0.25, 0.53 / 0.25], [y / 0.4, (i + 0.6) / 0.25, (q + 0.53) / 0.25]]
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-5, atol=1e-5)


def test_contours_of_a_ramp():
    # Lightness that climbs by 0.045 from column to column, its typical difference: the gradient is 2 of its units (the
    # filter spans two columns), as is the difference across; nothing changes down, or for the second time.
    ramp = (torch.arange(8.0) * 0.045).expand(1, 3, 6, 8)
    found = Contours("zeros")(Opponents()(scaled(ramp)))[0, 3:, 2, 3]
    expected = torch.tensor([0, 2, 26 / 16, 26 / 16, 0, 2, 0, 0])
    torch.testing.assert_close(found, expected, rtol=0, atol=0.011)  # a floor of 0.01 under the roots


def test_halving_keeps_means_and_flat_pictures():
    x = torch.rand(2, 11, 9, 14, generator=torch.Generator().manual_seed(0))
    assert Halve("zeros")(x).shape == (2, 3, 4, 7)
    torch.testing.assert_close(Halve("zeros")(torch.full((1, 3, 4, 6), 0.7)), torch.full((1, 3, 2, 3), 0.7))
    even = x[:, :, :8]
    torch.testing.assert_close(Halve("circular")(even).mean((2, 3)), even[:, :3].mean((2, 3)))


def convolved(layer, x):
    """What a layer makes without sums of planes, which are for float32 alone."""
    return copy.deepcopy(layer).double()(x.double())


@pytest.mark.parametrize("padding", ["zeros", "circular"])
def test_sums_are_the_convolutions_and_so_are_their_derivatives(padding, monkeypatch):
    monkeypatch.setattr(pixels, "STRIP", 100)  # strips of two rows, and one at the end
    x = torch.rand(2, 3, 19, 22, generator=torch.Generator().manual_seed(0)) * 2
    for layer in (Contours(padding), Halve(padding)):
        with monkeypatch.context() as patch:
            patch.setattr(pixels.F, "conv2d", None)
            found = layer(x)
        expected = convolved(layer, x)
        torch.testing.assert_close(found, expected.float(), rtol=2e-6, atol=1e-5)
        sides = []
        for read, dtype in (
            (layer, torch.float32),
            (lambda x, layer=layer: convolved(layer, x), torch.float64),
        ):
            y = x.to(dtype).requires_grad_()
            result = read(y)
            assert dtype == torch.float64 or torch.equal(result, found)  # with and without a graph
            (first,) = torch.autograd.grad(result.square().sum(), y, create_graph=True)
            (second,) = torch.autograd.grad(first.square().sum(), y)
            sides.append((first.detach().double(), second.double()))
        for mine, theirs in zip(*sides, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5 * float(theirs.abs().max()))


def test_other_filters_are_taken_as_they_are():
    x = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for layer in (Contours("zeros"), Halve("zeros")):
        before = layer(x)
        next(layer.parameters()).mul_(2)
        after = layer(x)
        torch.testing.assert_close(after, convolved(layer, x).float(), rtol=1e-5, atol=1e-5)
        assert not torch.allclose(before, after)


@pytest.mark.parametrize("name", ["regional+pixels", "gap+pixels", "regional"])
def test_equal_pictures_of_which_one_has_a_gradient(name, photo):
    head, _, net = name.partition("+")
    metric = InvariantLPIPS(net or "vgg", head)
    x = photo("coffee", 64, 96)
    y = x.clone().requires_grad_()
    for other in (x, metric.reference(x)):
        distance = metric(y, other)
        assert distance.item() == 0
        distance.backward()
        assert not y.grad.any()


def test_planes_are_summarised_in_pieces(monkeypatch):
    features = torch.rand(2, 11, 40, 48, generator=torch.Generator().manual_seed(0))
    head = InvariantLPIPS("pixels").head
    whole = head.summary("octave1", features, (40, 48))
    monkeypatch.setattr(regional, "PIECE", 4 * 2 * 40 * 48 * 4)  # four planes of each picture
    for tensor, expected in zip(head.summary("octave1", features, (40, 48)), whole, strict=True):
        torch.testing.assert_close(tensor, expected)
    halves = head.summary("octave1", features.bfloat16(), (40, 48))
    assert all(tensor.dtype == torch.float32 for tensor in halves)


def test_constants_and_file_are_one():
    state, stored = Trunk("pixels").features_state(), load_weights("pixels")
    assert state.keys() == stored.keys()
    assert all(torch.equal(state[name], stored[name]) for name in state)


def test_whole_circular_shifts_are_forgotten(photo):
    metric = InvariantLPIPS("pixels", "gap", padding="circular")
    x = photo("coffee", 64, 96)
    assert metric(x, x.roll((8, -16), (2, 3))) < 1e-3 * metric(x, x.flip(2) * 0.9)


def test_no_pool_and_no_network_to_choose():
    with pytest.raises(ValueError, match="pools nothing: leave `pooling` at 'max', but got 'blur'"):
        InvariantLPIPS("pixels", pooling="blur")
    for cls in (LPIPS, GAPClassifier):
        with pytest.raises(ValueError, match="must be one of 'vgg', 'alex' or 'squeeze', but got 'pixels'"):
            cls(net="pixels")


def test_benchmarks_name_the_network():
    assert "net=alexnet" in resolve_metric("default+alex").describe()
    assert "net=pixels" in resolve_metric("gap+pixels").describe()
    with pytest.raises(ValueError, match="net of vgg, alex, squeeze, pixels and a pooling of max"):
        resolve_metric("gap+resnet")
