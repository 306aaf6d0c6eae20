"""What `InvariantLPIPS` returns, and that every road to a distance gives the same one."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from invariant_lpips import InvariantLPIPS

HEADS = ("gap", "regional", "gap-spatial", "spatial")
EUCLIDEAN = HEADS[:3]


@pytest.fixture(scope="module")
def pair(photo, noisy):
    x = torch.cat([photo("astronaut", 40, 64), photo("coffee", 40, 64), photo("chelsea", 40, 64)])
    return x, noisy(x)


def assert_paths_agree(d1: Tensor, d2: Tensor, *embeddings: Tensor) -> None:
    """|d1 - d2| <= 1e-5 d + 2e-6 max ||e||, the bound that docs/inputs.md promises."""
    largest = max((e.norm(dim=1).max().item() for e in embeddings), default=1.0)
    assert ((d1 - d2).abs() <= 1e-5 * d1 + 2e-6 * largest).all(), (d1 - d2).abs().max() / largest


# What comes out


@pytest.mark.parametrize("head", HEADS)
def test_shapes(head, named, pair):
    metric = named(head)
    distance = metric(*pair)
    assert distance.shape == (3, 1, 1, 1)
    assert distance.dtype == torch.float32
    assert (distance > 0).all()
    assert not distance.requires_grad
    total, layers = metric(*pair, retPerLayer=True)
    assert torch.equal(total, distance)
    assert [layer.shape for layer in layers] == [(3, 1, 1, 1)] * 5
    assert all((layer >= 0).all() for layer in layers)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("suffix", ["", "-map"])
def test_layers_sum_to_the_square(head, suffix, named, pair):
    total, layers = named(head + suffix)(*pair, retPerLayer=True)
    expected = total if head == "spatial" or suffix else total.square()
    torch.testing.assert_close(torch.stack(layers).sum(0), expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        *itertools.product(HEADS, [(97, 131), (64, 64), (33, 40)]),
        ("gap-blur", (33, 40)),
        ("gap-polyphase", (34, 40)),
    ],
)
def test_mean_of_the_map_is_the_square(name, size, named, photo, noisy):
    x = photo("coffee", *size)
    y = noisy(x)
    distance, heat = named(name)(x, y), named(f"{name}-map")(x, y)
    assert heat.shape == (1, 1, *size)
    expected = distance if name == "spatial" else distance.square()
    torch.testing.assert_close(heat.double().mean().view(1, 1, 1, 1), expected.double(), rtol=2e-5, atol=0)


def test_map_shows_where(named, photo):
    x = photo("coffee", 128, 128)
    y = x.clone()
    y[..., 16:32, 96:112] = -y[..., 16:32, 96:112]
    heat = named("regional-map")(x, y)[0, 0]
    assert heat[:64, 64:].sum() > 0.6 * heat.sum()


@pytest.mark.parametrize("head", HEADS)
def test_one_image_meets_a_batch(head, named, pair):
    metric = named(head)
    one, many = pair[0][:1], pair[1]
    expected = torch.cat([metric(one, image) for image in many.split(1)])
    embeddings = [metric.embed(one), metric.embed(many)] if head != "spatial" else []
    assert_paths_agree(expected, metric(one, many), *embeddings)
    assert_paths_agree(expected, metric(many, one), *embeddings)


# The same distance by every road


@pytest.mark.parametrize("name", [*EUCLIDEAN, "gap-blur", "gap-polyphase"])
def test_embedding_pairwise_and_reference_agree(name, named, photo, noisy):
    x = torch.cat([photo("astronaut", 40, 36), photo("coffee", 40, 36)])
    y = torch.cat([noisy(x), noisy(x[:1], sigma=0.5), torch.zeros(1, 3, 40, 36), x[:1]])
    metric = named(name)
    ex, ey = metric.embed(x), metric.embed(y)
    assert ex.dtype == torch.float32
    direct = torch.stack([metric(image, y).flatten() for image in x.split(1)])
    pairwise = metric.pairwise(x, y)
    assert pairwise.shape == (2, 5)
    assert_paths_agree(direct, pairwise, ex, ey)
    assert_paths_agree(direct, (ex[:, None] - ey).norm(dim=2), ex, ey)
    references = metric.reference(x[:1]), metric.reference(y)
    assert_paths_agree(direct[0], metric(x[:1], references[1]).flatten(), ex, ey)
    assert_paths_agree(direct[0], metric(references[0], y).flatten(), ex, ey)
    assert_paths_agree(direct[0], metric(*references).flatten(), ex, ey)


@pytest.mark.parametrize("name", [*HEADS, "gap-polyphase", "default"])
def test_batch_equals_singles(name, named, photo, noisy):
    x = torch.cat([photo("astronaut", 40, 36), photo("coffee", 40, 36), torch.zeros(1, 3, 40, 36)])
    y = torch.cat([noisy(x[:1]), noisy(x[1:2], sigma=0.1), torch.full((1, 3, 40, 36), -0.1)])
    metric = named(name)
    singles = torch.cat([metric(a, b) for a, b in zip(x.split(1), y.split(1), strict=True)])
    embeddings = [metric.embed(x), metric.embed(y)] if name != "spatial" else []
    assert_paths_agree(singles, metric(x, y), *embeddings)
    order = [2, 0, 1]
    assert_paths_agree(singles[order], metric(x[order], y[order]), *embeddings)


@pytest.mark.parametrize("head", EUCLIDEAN)
def test_pairwise_with_itself(head, named, pair):
    metric = named(head)
    x = torch.cat([pair[0], pair[0][:1] + 1e-7, pair[0][:1]])
    distances = metric.pairwise(x)
    assert (distances.diagonal() == 0).all()
    assert torch.equal(distances, distances.T)
    bound = 2e-6 * metric.embed(x).norm(dim=1).max()
    assert distances[0, 3] <= bound
    assert distances[0, 4] <= bound


@pytest.mark.parametrize("head", HEADS)
def test_symmetry_is_exact(head, named, pair):
    x, y = pair
    assert torch.equal(named(head)(x, y), named(head)(y, x))


@pytest.mark.parametrize("head", EUCLIDEAN)
def test_triangle_inequality(head, named, pair):
    metric = named(head)
    pictures = torch.cat([*pair, torch.zeros(1, 3, 40, 64), torch.full((1, 3, 40, 64), -1.0)])
    d = metric.pairwise(pictures)
    bound = 2e-6 * metric.embed(pictures).norm(dim=1).max()
    for i, j, k in itertools.permutations(range(len(pictures)), 3):
        assert d[i, k] <= d[i, j] + d[j, k] + bound


@pytest.mark.parametrize("head", HEADS)
def test_a_faint_change_is_seen(head, named, photo):
    x = photo("coffee", 48, 48)
    faint = x.clone()
    faint[0, 0, 20, 20] += 1 / 255
    assert named(head)(x, faint) > 0


# Embeddings


def test_images_of_different_sizes(named, photo):
    metric = named("gap")
    x, y = photo("astronaut", 48, 64), photo("coffee", 40, 33)
    e = metric.embed([x, y[0], x[0]])
    assert e.shape == (3, 1472)
    torch.testing.assert_close(e[:1], metric.embed(x))
    torch.testing.assert_close(e[1:2], metric.embed(y))
    assert metric.pairwise([x], [y]).shape == (1, 1)
    assert metric(metric.reference(x), metric.reference(y)).shape == (1, 1, 1, 1)


@pytest.mark.parametrize("head", ["regional", "gap-spatial"])
def test_embeddings_that_grow_with_the_image_refuse_mixed_sizes(head, named, photo):
    metric = named(head)
    x, y = photo("astronaut", 48, 128), photo("coffee", 48, 64)
    sentence = r"one size, since its embedding grows with the image; .* head='gap'"
    with pytest.raises(ValueError, match=sentence):
        metric.embed([x, y])
    with pytest.raises(ValueError, match=sentence):
        metric.pairwise(x, y)
    turned = y.transpose(-2, -1)  # as many numbers as of y
    assert metric.embed(turned).shape == metric.embed(y).shape
    for images in ((turned, y), ([turned[0]], y), (turned, [y, y[0]])):
        with pytest.raises(ValueError, match=sentence):
            metric.pairwise(*images)
    with pytest.raises(ValueError, match="the same height and width, but got 48x128 and 48x64"):
        metric(metric.reference(x), y)
    assert metric.embed([y, y[0]]).shape[0] == 2


def test_what_has_no_embedding_says_so(named, pair):
    metric = named("spatial")
    for call in (metric.embed, metric.pairwise):
        with pytest.raises(ValueError, match=f"'spatial' has no Euclidean form and so no `{call.__name__}`"):
            call(pair[0])
    torch.testing.assert_close(metric(pair[0], metric.reference(pair[1])), metric(*pair), rtol=1e-5, atol=0)


def test_a_map_needs_both_images(named, pair):
    metric = named("gap-map")
    with pytest.raises(ValueError, match="needs both images"):
        metric(pair[0], metric.reference(pair[1]))


def test_an_empty_list_is_refused(named):
    with pytest.raises(ValueError, match="got an empty list"):
        named("gap").embed([])


def test_constructor_normalize_and_its_exception(built, named, pair):
    x, y = pair
    metric = built(InvariantLPIPS, head="gap", weights="unit", normalize=True)
    expected = named("gap")(x, y)
    torch.testing.assert_close(metric((x + 1) / 2, (y + 1) / 2), expected, rtol=1e-4, atol=0)
    torch.testing.assert_close(metric(x, y, normalize=False), expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(
        metric.embed(x, normalize=False), metric.embed((x + 1) / 2), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize(
    "other",
    [
        {"pooling": "polyphase"},
        {"padding": "circular"},
        {"head": "regional"},
        {"net": "alex", "weights": "unit"},
    ],
    ids=str,
)
def test_a_reference_of_another_metric_is_refused(other):
    x, y = torch.rand(2, 1, 3, 64, 64) * 2 - 1
    metric = InvariantLPIPS(head="gap")
    foreign = InvariantLPIPS(**{"head": "gap", **other}).reference(y)
    with pytest.raises(
        ValueError,
        match=r"read by this metric \(InvariantLPIPS\(net=vgg16 .*, head=gap, .* but was read by another",
    ):
        metric(x, foreign)
    torch.testing.assert_close(metric(x, InvariantLPIPS(head="gap").reference(y)), metric(x, y))
