"""What a program written for lpips relies on, one test a line of the list in docs/dropin.md."""

from __future__ import annotations

import copy
import inspect
import io
import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import invariant_lpips
from invariant_lpips import LPIPS, InvariantLPIPS
from invariant_lpips import inputs as checks

lpips = pytest.importorskip("lpips", reason="compares with the lpips package")


@pytest.fixture
def metric(built):
    return built(LPIPS)


@pytest.fixture
def pair(photo, noisy):
    x = torch.cat([photo("astronaut", 40, 48), photo("coffee", 40, 48)])
    return x, noisy(x)


def test_constructor_takes_the_arguments_of_lpips_in_their_order():
    theirs = inspect.signature(lpips.LPIPS.__init__).parameters.values()
    ours = inspect.signature(LPIPS.__init__).parameters.values()
    positional = [(p.name, p.default) for p in ours if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert positional == [(p.name, p.default) for p in theirs]
    LPIPS(True, "squeeze", "0.0", True, True, True, False, False, None, False, False)


def test_two_classes_share_one_trunk(built):
    ours, stock = built(InvariantLPIPS, head="gap", weights="unit"), built(LPIPS, net="vgg")
    assert type(ours.net) is type(stock.net)
    assert all(torch.equal(a, b) for a, b in zip(ours.net.parameters(), stock.net.parameters(), strict=True))
    assert not isinstance(ours, LPIPS)


@pytest.mark.parametrize(("net", "layers"), [("alex", 5), ("vgg", 5), ("vgg16", 5), ("squeeze", 7)])
def test_networks_and_their_attributes(net, layers):
    ours = LPIPS(net=net, pnet_rand=True)
    theirs = lpips.LPIPS(net=net, pnet_rand=True, pretrained=False, verbose=False)
    for name in ("pnet_type", "pnet_tune", "pnet_rand", "chns", "L", "version", "spatial", "lpips"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert isinstance(ours.net, nn.Module)
    assert ours.net.N_slices == theirs.net.N_slices
    assert len(ours.lins) == layers
    assert all(ours.lins[k] is getattr(ours, f"lin{k}") for k in range(layers))
    assert torch.equal(ours.scaling_layer.shift, theirs.scaling_layer.shift)
    assert torch.equal(ours.scaling_layer.scale, theirs.scaling_layer.scale)


def test_without_linear_layers_there_are_none():
    assert not hasattr(LPIPS(lpips=False, pnet_rand=True), "lins")


@pytest.mark.parametrize("net", ["resnet", "", "VGG", None, 3, ["vgg"]])
def test_other_networks_are_refused(net):
    with pytest.raises(ValueError, match="'vgg', 'alex' or 'squeeze'"):
        LPIPS(net=net)


def test_other_versions_are_refused():
    with pytest.raises(ValueError, match=r"'0\.0' or '0\.1', but got '0\.2'"):
        LPIPS(version="0.2")


def test_forward_by_name_by_position_and_directly(metric, pair):
    x, y = pair
    called = metric(x, y)
    total, layers = metric.forward(x, y, True, False)
    assert torch.equal(metric.forward(in0=x, in1=y, retPerLayer=False, normalize=False), called)
    assert torch.equal(total, called)
    assert len(layers) == metric.L
    assert called.shape == (2, 1, 1, 1)
    torch.testing.assert_close(metric((x + 1) / 2, (y + 1) / 2, normalize=True), called, rtol=1e-4, atol=0)


def test_symmetric_nonnegative_and_zero_for_the_same(metric, pair):
    x, y = pair
    assert torch.equal(metric(x, y), metric(y, x))
    assert (metric(x, y) > 0).all()
    assert (metric(x, x.clone()) == 0).all()


def test_single_image_meets_a_batch(metric, pair):
    x, y = pair
    expected = torch.cat([metric(x[:1], y[:1]), metric(x[:1], y[1:])])
    torch.testing.assert_close(metric(x[:1], y), expected, rtol=1e-5, atol=0)
    torch.testing.assert_close(metric(y, x[:1]), expected, rtol=1e-5, atol=0)


def test_spatial_switches_at_any_time(pair):
    metric = LPIPS(spatial=True)
    assert metric(*pair).shape == (2, 1, 40, 48)
    metric.spatial = False
    assert metric(*pair).shape == (2, 1, 1, 1)


def test_layers_add_up(metric, pair):
    total, layers = metric(*pair, retPerLayer=True)
    torch.testing.assert_close(torch.stack(layers).sum(0), total)


HELPERS = (
    "im2tensor tensor2im load_image normalize_tensor spatial_average upsample tensor2np np2tensor tensor2vec l2 psnr "
    "dssim voc_ap score_2afc_dataset score_jnd_dataset NetLinLayer ScalingLayer BCERankingLoss Dist2LogitLayer LPIPS"
)


@pytest.mark.parametrize("name", HELPERS.split())
def test_helpers_take_the_same_arguments(name):
    ours, theirs = (
        inspect.signature(getattr(module, name)).parameters for module in (invariant_lpips, lpips)
    )
    assert list(ours)[: len(theirs)] == list(theirs)


def test_tensor_helpers_give_the_same_numbers():
    x = torch.randn(2, 5, 6, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        invariant_lpips.normalize_tensor(x), lpips.normalize_tensor(x), rtol=1e-6, atol=0
    )
    torch.testing.assert_close(
        invariant_lpips.normalize_tensor(x, 0.5), lpips.normalize_tensor(x, 0.5), rtol=1e-6, atol=0
    )
    for keepdim in (True, False):
        assert torch.equal(invariant_lpips.spatial_average(x, keepdim), lpips.spatial_average(x, keepdim))
    assert torch.equal(invariant_lpips.upsample(x), lpips.upsample(x))
    assert torch.equal(invariant_lpips.upsample(x, (9, 7)), lpips.upsample(x, (9, 7)))
    pictures = torch.rand(2, 3, 4, 5)
    assert torch.equal(invariant_lpips.ScalingLayer()(pictures), lpips.ScalingLayer()(pictures))


def test_linear_layer_has_the_same_parameters():
    for dropout in (False, True):
        ours, theirs = (
            module.NetLinLayer(7, 2, use_dropout=dropout).eval() for module in (invariant_lpips, lpips)
        )
        ours.load_state_dict(theirs.state_dict())
        x = torch.rand(1, 7, 3, 3)
        assert torch.equal(ours(x), theirs(x))


def trainable(module: nn.Module) -> list[str]:
    return [name for name, parameter in module.named_parameters() if parameter.requires_grad]


class Parent(nn.Module):
    def __init__(self, metric: nn.Module) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1)
        self.metric = metric


@pytest.mark.parametrize("make", [LPIPS, lambda: InvariantLPIPS(head="gap", weights="unit")])
def test_frozen_inside_a_parent(make):
    parent = Parent(make())
    parent.train()
    assert parent.layer.training
    assert not any(module.training for module in parent.metric.modules())
    assert trainable(parent) == ["layer.weight", "layer.bias"]
    optimiser = torch.optim.SGD(parent.parameters(), lr=1.0, weight_decay=0.5)
    before = copy.deepcopy(parent.metric.state_dict())
    x, y = torch.rand(2, 1, 3, 40, 40) * 2 - 1
    parent.metric(parent.layer(x).tanh(), y).sum().backward()
    optimiser.step()
    assert parent.layer.weight.grad.abs().sum() > 0
    assert all(torch.equal(value, before[key]) for key, value in parent.metric.state_dict().items())


def test_trainable_linear_layers():
    torch.manual_seed(0)
    metric = LPIPS(pnet_rand=True, pretrained=False, eval_mode=False)
    assert metric.training
    assert sorted(trainable(metric)) == [f"lin{k}.model.1.weight" for k in range(5)]
    x, y = torch.rand(2, 4, 3, 33, 33) * 2 - 1
    assert not torch.equal(metric(x, y), metric(x, y)), "the dropout is off"
    optimiser = torch.optim.Adam((p for p in metric.parameters() if p.requires_grad), lr=1e-2)
    metric.eval()
    first = metric(x, y).sum()
    for _ in range(3):
        loss = metric(x, y).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < first
    assert metric.lin0 is metric.lins[0]


def test_training_without_dropout_equals_evaluation(pair):
    metric = LPIPS(eval_mode=False, use_dropout=False)
    with torch.no_grad():
        training = metric(*pair)
        torch.testing.assert_close(training, metric.eval()(*pair), rtol=1e-5, atol=0)


def test_tuned_trunk_gets_gradients(pair):
    metric = LPIPS(pnet_tune=True)
    assert len(trainable(metric)) == 10
    metric(*pair).sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in metric.net.parameters())


def same_numbers(copied, metric, pair):
    assert torch.equal(copied(*pair), metric(*pair))
    assert not copied.training
    assert trainable(copied) == []


def test_deepcopy(pair):
    metric = LPIPS()
    copied = copy.deepcopy(metric)
    same_numbers(copied, metric, pair)
    state = metric.state_dict()
    del metric
    copied.load_state_dict(state)  # its hooks belong to the copy


@pytest.mark.parametrize("make", [LPIPS, lambda: InvariantLPIPS(head="gap", weights="unit")])
def test_pickle_and_save(make, pair):
    metric = make()
    same_numbers(pickle.loads(pickle.dumps(metric)), metric, pair)
    file = io.BytesIO()
    torch.save(metric, file)
    file.seek(0)
    same_numbers(torch.load(file, weights_only=False), metric, pair)
    file = io.BytesIO()
    torch.save(metric.state_dict(), file)
    file.seek(0)
    other = make()
    with torch.no_grad():
        next(other.parameters()).zero_()
    other.load_state_dict(torch.load(file, weights_only=True))
    same_numbers(other, metric, pair)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("make", [LPIPS, lambda: InvariantLPIPS(head="gap", weights="unit")])
def test_other_precisions(make, dtype, photo, noisy):
    x = photo("coffee", 32, 32)
    y = noisy(x)
    metric = make()
    expected = metric(x, y)
    metric.to(dtype)
    distance = metric(x.to(dtype), y.to(dtype))
    assert distance.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    tolerance = {torch.float16: 1e-2, torch.bfloat16: 5e-2, torch.float64: 1e-4}[dtype]
    torch.testing.assert_close(distance.float(), expected, rtol=tolerance, atol=0)
    assert trainable(metric) == []


def test_half_and_float_and_double_return_the_metric(pair):
    metric = LPIPS()
    assert metric.half() is metric
    assert metric.lin0.weight.dtype == torch.float16
    assert metric.scaling_layer.shift.dtype == torch.float16
    assert metric.double().to("cpu").float() is metric


def test_data_parallel(metric, pair):
    assert torch.equal(nn.DataParallel(metric)(*pair), metric(*pair))


class Subclass(LPIPS):
    def __init__(self, **options):
        super().__init__(net="alex", **options)
        self.extra = nn.Parameter(torch.zeros(1))

    def forward(self, in0, in1, retPerLayer=False, normalize=False):
        return super().forward(in0, in1, retPerLayer, normalize) + self.extra


def test_subclass(metric, pair):
    subclass = Subclass()
    assert torch.equal(subclass(*pair), metric(*pair))
    assert trainable(subclass) == ["extra"]


def test_requires_grad_and_eval_are_obeyed():
    metric = LPIPS()
    assert metric.eval() is metric
    assert metric.requires_grad_(False) is metric
    metric.requires_grad_(True)
    assert len(trainable(metric)) == 15


def test_range_is_minus_one_to_one(metric, monkeypatch):
    monkeypatch.setattr(checks, "_already_warned", set())
    x = torch.rand(1, 3, 40, 40)
    with pytest.warns(UserWarning, match="normalize=True"):
        metric(x, x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metric(x, x)
        metric(x, x, normalize=True)
    with pytest.raises(ValueError, match=r"divide 8-bit values by 127\.5 and subtract 1"):
        metric(x * 255, x * 255)


def test_nothing_is_printed(capsys, pair):
    LPIPS(verbose=True)(*pair)
    assert capsys.readouterr() == ("", "")


def test_verbose_is_logged(caplog):
    with caplog.at_level("INFO", logger="invariant_lpips"):
        LPIPS(verbose=False)
        assert caplog.text == ""
        LPIPS(verbose=True)
    assert "LPIPS(net=alexnet, version=0.1, trunk=alexnet [" in caplog.text


@pytest.mark.parametrize("cls", [LPIPS, InvariantLPIPS])
def test_pyiqa_attributes(cls):
    assert cls.lower_better is True
    assert cls.metric_mode == "FR"
    assert cls.score_range == "0, inf"


def test_description_follows_the_weights(photo):
    metric = LPIPS()
    registered = metric.describe()
    assert "trunk=alexnet [" in registered
    assert "linear=lpips-alex-v0.1 [" in registered
    assert registered in repr(metric)
    other = LPIPS(version="0.0")
    metric.load_state_dict(other.state_dict())
    assert "trunk=alexnet [" in metric.describe()
    assert "linear=own parameters [" in metric.describe()
    with torch.no_grad():
        metric.net.slice1[0].bias[0] += 1
    assert "trunk=own parameters [" in metric.describe()
    assert "trunk=own parameters [" in LPIPS(pnet_rand=True).describe()


def test_names_without_a_counterpart_say_so():
    page = (Path(__file__).resolve().parent.parent / "docs" / "dropin.md").read_text()
    for name, instead in invariant_lpips._NOT_PROVIDED.items():
        with pytest.raises(
            AttributeError, match=rf"does not provide lpips' `{name}`: use {re.escape(instead)} "
        ):
            getattr(invariant_lpips, name)
        assert f"`{name}" in page


def test_modules_of_lpips_are_there():
    for name in ("lpips", "pretrained_networks", "pn"):
        assert hasattr(lpips, name)
        assert inspect.ismodule(getattr(invariant_lpips, name))
    assert invariant_lpips.pn is invariant_lpips.pretrained_networks
    assert invariant_lpips.lpips.LPIPS is LPIPS
    for name, net in (("vgg16", "vgg"), ("alexnet", "alex")):
        ours, stock = getattr(invariant_lpips.pn, name)(), LPIPS(net=net).net
        assert list(inspect.signature(getattr(lpips.pn, name)).parameters) == ["requires_grad", "pretrained"]
        assert list(inspect.signature(type(ours)).parameters) == ["requires_grad", "pretrained"]
        assert trainable(ours) == []
        x = torch.rand(1, 3, 40, 40)
        assert all(torch.equal(a, b) for a, b in zip(ours(x), stock(x), strict=True))
    assert trainable(invariant_lpips.pn.squeezenet(requires_grad=True, pretrained=False))
    with pytest.raises(AttributeError, match=r"`resnet`: use torchvision\.models"):
        invariant_lpips.pn.resnet  # noqa: B018


def test_the_range_warning_says_what_differs(metric, monkeypatch):
    monkeypatch.setattr(checks, "_already_warned", set())
    x = torch.rand(1, 3, 40, 40)
    with pytest.warns(
        UserWarning, match=r"half their contrast.*published so .*otherwise pass normalize=True"
    ):
        metric(x, x)


@pytest.mark.parametrize("metric", [lambda: LPIPS(net="alex", verbose=False), lambda: InvariantLPIPS("alex")])
def test_torch_traces_it_where_gradients_are_on(metric: Any) -> None:
    # torch checks a trace against one that it makes under no_grad.
    made = metric()
    x, y = torch.rand(2, 1, 3, 40, 40) * 2 - 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(made, (x, y))
    torch.testing.assert_close(traced(y, x), made(y, x))
