"""`LPIPS` against the lpips package 0.1.4 itself: same trunk parameters in, same numbers and gradients out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from invariant_lpips import LPIPS

lpips = pytest.importorskip("lpips", reason="compares with the lpips package")

# SqueezeNet's trained file isn't in the box: its trunk is random here, which the arithmetic doesn't mind.
NETS = ("alex", "vgg", "squeeze")
RELATIVE = 1e-5


def couple(net: str, **options):
    """Our metric and theirs with our trunk in it."""
    torch.manual_seed(0)
    ours = LPIPS(net=net, pnet_rand=net == "squeeze", verbose=False, **options)
    theirs = lpips.LPIPS(net=net, pnet_rand=True, verbose=False, **options)
    theirs.net.load_state_dict(ours.net.state_dict())
    return ours, theirs.requires_grad_(False)


@pytest.fixture(scope="module")
def couples():
    made = {}

    def get(net: str, **options):
        key = (net, *sorted(options.items()))
        if key not in made:
            made[key] = couple(net, **options)
        return made[key]

    return get


def assert_same(ours, theirs, x, y, **call):
    """Values and the gradients of both inputs agree to 1e-5 of themselves."""
    results = []
    for metric in (ours, theirs):
        a, b = x.clone().requires_grad_(), y.clone().requires_grad_()
        distance = metric(a, b, **call)
        weighted = distance * torch.linspace(0.5, 1.5, distance.numel()).view_as(distance)
        weighted.sum().backward()
        results.append((distance.detach(), a.grad, b.grad))
    for mine, reference in zip(*results, strict=True):
        assert mine.shape == reference.shape
        assert (mine - reference).norm() <= RELATIVE * reference.norm()
    torch.testing.assert_close(results[0][0], results[1][0], rtol=RELATIVE, atol=0)


def pictures(photo, noisy, net):
    height, width = (33, 47) if net == "alex" else (35, 46)
    x = torch.cat([photo("astronaut", height, width), photo("coffee", height, width)])
    return x, noisy(x)


@pytest.mark.parametrize("net", NETS)
def test_photographs_and_gradients(net, couples, photo, noisy):
    assert_same(*couples(net), *pictures(photo, noisy, net))


@pytest.mark.parametrize("net", NETS)
def test_a_large_photograph(net, couples, photo):
    ours, theirs = couples(net)
    x, y = photo("chelsea", 160, 131), photo("rocket", 160, 131)
    with torch.no_grad():
        torch.testing.assert_close(ours(x, y), theirs(x, y), rtol=RELATIVE, atol=0)


@pytest.mark.parametrize("net", NETS)
def test_random_images(net, couples):
    generator = torch.Generator().manual_seed(1)
    x, y = (torch.rand(2, 3, 40, 36, generator=generator) * 2 - 1 for _ in "xy")
    assert_same(*couples(net), x, y)


@pytest.mark.parametrize("net", NETS)
def test_normalize(net, couples, photo, noisy):
    x, y = pictures(photo, noisy, net)
    assert_same(*couples(net), (x + 1) / 2, (y + 1) / 2, normalize=True)


@pytest.mark.parametrize("net", NETS)
def test_spatial(net, couples, photo, noisy):
    assert_same(*couples(net, spatial=True), *pictures(photo, noisy, net))


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("spatial", [False, True])
def test_per_layer(net, spatial, couples, photo, noisy):
    x, y = pictures(photo, noisy, net)
    ours, theirs = couples(net, spatial=spatial)
    with torch.no_grad():
        (total, layers), (their_total, their_layers) = (
            ours(x, y, retPerLayer=True),
            theirs(x, y, retPerLayer=True),
        )
    assert isinstance(layers, list)
    assert len(layers) == len(their_layers) == ours.L
    for mine, reference in zip([total, *layers], [their_total, *their_layers], strict=True):
        torch.testing.assert_close(mine, reference, rtol=RELATIVE, atol=1e-7)
    torch.testing.assert_close(sum(layers), total)


@pytest.mark.parametrize("net", NETS)
def test_version_without_scaling(net, couples, photo, noisy):
    assert_same(*couples(net, version="0.0"), *pictures(photo, noisy, net))


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("spatial", [False, True])
def test_without_linear_layers(net, spatial, couples, photo, noisy):
    assert_same(*couples(net, lpips=False, spatial=spatial), *pictures(photo, noisy, net))


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("single", [0, 1])
def test_one_image_against_a_batch(net, single, couples, photo, noisy):
    x, y = pictures(photo, noisy, net)
    pair = (x[:1], y) if single == 0 else (x, y[:1])
    assert_same(*couples(net), *pair)


@pytest.mark.parametrize(("net", "smallest"), [("alex", 31), ("vgg", 16), ("squeeze", 17)])
def test_smallest_images(net, smallest, couples, photo):
    x, y = photo("astronaut", smallest, smallest + 2), photo("coffee", smallest, smallest + 2)
    assert_same(*couples(net), x, y)
    with pytest.raises(ValueError, match=f"at least {smallest} pixels"):
        couples(net)[0](x[..., 1:, :], y[..., 1:, :])


@pytest.mark.parametrize("net", NETS)
def test_gradient_on_one_side_only(net, couples, photo, noisy):
    # One side then runs without a graph, which must not change its numbers.
    x, y = pictures(photo, noisy, net)
    ours, _ = couples(net)
    both = [x.clone().requires_grad_(), y.clone().requires_grad_()]
    distance = ours(*both)
    distance.sum().backward()
    for side in (0, 1):
        pair = [x, y]
        pair[side] = pair[side].clone().requires_grad_()
        alone = ours(*pair)
        alone.sum().backward()
        torch.testing.assert_close(alone, distance, rtol=RELATIVE, atol=0)
        assert (pair[side].grad - both[side].grad).norm() <= RELATIVE * both[side].grad.norm()


@pytest.mark.parametrize("aliases", [True, False])
@pytest.mark.parametrize(
    ("net", "their_dropout", "our_dropout"),
    [
        ("alex", True, True),
        ("alex", True, False),
        ("alex", False, True),
        ("alex", False, False),
        ("squeeze", False, True),
        ("vgg", True, True),
    ],
)
def test_old_state_dict_loads_strictly(aliases, net, their_dropout, our_dropout):
    theirs = lpips.LPIPS(net=net, pnet_rand=True, pretrained=False, use_dropout=their_dropout, verbose=False)
    state = {
        key: value for key, value in theirs.state_dict().items() if aliases or not key.startswith("lins.")
    }
    ours = LPIPS(net=net, pnet_rand=True, pretrained=False, use_dropout=our_dropout)
    size = len(state)
    ours.load_state_dict(state, strict=True)
    assert len(state) == size, "the caller's dict was changed"
    x, y = torch.rand(2, 1, 3, 33, 33) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(ours(x, y), theirs(x, y), rtol=RELATIVE, atol=1e-9)


@pytest.mark.parametrize("net", NETS)
def test_state_dict_has_their_keys(net, couples):
    ours, theirs = couples(net)
    assert {key: value.shape for key, value in ours.state_dict().items()} == {
        key: value.shape for key, value in theirs.state_dict().items()
    }
    theirs.load_state_dict(ours.state_dict(), strict=True)


def test_old_state_dict_loads_inside_a_parent():
    theirs = torch.nn.ModuleDict({"loss": lpips.LPIPS(pnet_rand=True, verbose=False)})
    ours = torch.nn.ModuleDict({"loss": LPIPS(pnet_rand=True, pretrained=False)})
    ours.load_state_dict(theirs.state_dict(), strict=True)
    assert torch.equal(ours["loss"].lin3.weight, theirs["loss"].lin3.model[1].weight)


def test_incomplete_state_dict_is_refused():
    metric = LPIPS(pnet_rand=True, pretrained=False)
    state = metric.state_dict()
    for key in ("lin2.model.1.weight", "lins.2.model.1.weight"):
        del state[key]
    with pytest.raises(RuntimeError, match=r"lin2\.model\.1\.weight"):
        metric.load_state_dict(state)


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("version", ["0.0", "0.1"])
def test_their_files_of_linear_weights(net, version):
    path = Path(lpips.__file__).parent / "weights" / f"v{version}" / f"{net}.pth"
    theirs = LPIPS(net=net, version=version, pnet_rand=True, model_path=str(path))
    bundled = LPIPS(net=net, version=version, pnet_rand=True)
    for mine, reference in zip(bundled.lins, theirs.lins, strict=True):
        assert torch.equal(mine.weight, reference.weight)
        assert (mine.weight >= 0).all()


def test_linear_weights_of_another_network_are_refused():
    path = Path(lpips.__file__).parent / "weights" / "v0.1" / "vgg.pth"
    with pytest.raises(ValueError, match="made for this network"):
        LPIPS(net="alex", pnet_rand=True, model_path=path)
    with pytest.raises(ValueError, match="made for this network"):
        LPIPS(net="squeeze", pnet_rand=True, model_path=path)


def test_missing_linear_weights_name_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no-such-file"):
        LPIPS(pnet_rand=True, model_path=tmp_path / "no-such-file.pth")


SHAPES = [
    ((3, 40, 36), (3, 40, 36)),
    ((1, 40, 36), (1, 40, 36)),
    ((40, 36), (40, 36)),
    ((2, 1, 40, 36), (2, 1, 40, 36)),
    ((40, 36), (2, 1, 40, 36)),
    ((3, 40, 36), (2, 3, 40, 36)),
    ((2, 3, 40, 36), (1, 40, 36)),
    ((1, 1, 40, 36), (2, 3, 40, 36)),
    ((0, 3, 40, 36), (0, 3, 40, 36)),
    ((0, 1, 40, 36), (1, 3, 40, 36)),
]


@pytest.mark.parametrize("spatial", [False, True])
@pytest.mark.parametrize("shapes", SHAPES)
def test_shapes_that_lpips_broadcasts(shapes, spatial, couples):
    ours, theirs = couples("alex")
    generator = torch.Generator().manual_seed(2)
    x, y = (torch.rand(shape, generator=generator) * 2 - 1 for shape in shapes)
    ours.spatial = theirs.spatial = spatial
    try:
        found, layers = ours(x, y, retPerLayer=True)
        # lpips takes the map's size from the first picture, and finds none in fewer than four dimensions.
        whole = x if x.dim() == 4 else x.view(1, -1, 40, 36)
        expected, their_layers = theirs(whole, y, retPerLayer=True)
    finally:
        ours.spatial = theirs.spatial = False
    assert [layer.shape for layer in layers] == [layer.shape for layer in their_layers]
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected.detach(), rtol=RELATIVE, atol=1e-7)


def test_a_single_picture_without_a_batch_gets_its_gradient(couples):
    ours, theirs = couples("alex")
    assert_same(ours, theirs, *(torch.rand(3, 40, 36) * 2 - 1 for _ in "xy"))
    nothing = torch.zeros(0, 3, 40, 36, requires_grad=True)
    ours(nothing, nothing).sum().backward()
    assert nothing.grad.shape == nothing.shape


@pytest.mark.parametrize("shape", [(2, 40, 36), (4, 40, 36), (40,), (1, 1, 3, 40, 36), (1, 4, 40, 36)])
def test_shapes_that_lpips_refuses(shape, couples):
    x = torch.zeros(shape)
    for metric, error in zip(couples("alex"), (ValueError, RuntimeError), strict=True):
        with pytest.raises(error):
            metric(x, x)


@pytest.mark.parametrize("net", NETS)
def test_activations_have_their_names(net, couples):
    ours, theirs = couples(net)
    x = torch.rand(1, 3, 40, 36)
    mine, reference = ours.net(x), theirs.net(x)
    assert mine._fields == reference._fields
    for name in reference._fields:
        torch.testing.assert_close(getattr(mine, name), getattr(reference, name), rtol=1e-4, atol=1e-4)
