"""A frozen metric inside a model: what loops over the model's modules and parameters can't change its distances."""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from invariant_lpips import LPIPS, InvariantLPIPS

X, Y = torch.rand(2, 2, 3, 40, 40, generator=torch.Generator().manual_seed(0)) * 2 - 1

MAKERS: dict[str, Callable[[], Any]] = {
    "LPIPS": LPIPS,
    "InvariantLPIPS": lambda: InvariantLPIPS("alex", "gap", weights="unit"),
    "pixels": lambda: InvariantLPIPS("pixels"),
    "squeeze": lambda: LPIPS(net="squeeze", pnet_rand=True),
    "circular": lambda: InvariantLPIPS(head="gap", pooling="polyphase"),
}


class Model(nn.Module):
    def __init__(self, metric: nn.Module) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1)
        self.metric = metric

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.metric(self.layer(x).tanh(), y).mean()


@pytest.fixture(params=["LPIPS", "InvariantLPIPS"])
def model(request) -> Model:
    return Model(MAKERS[request.param]())


def written(module: nn.Module) -> None:
    if "Conv" in type(module).__name__:
        nn.init.normal_(module.weight, 0.0, 0.02)


def written_past_autograd(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        module.weight.data.normal_(0.0, 0.02)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("init", [written, written_past_autograd])
def test_apply_leaves_the_metric_as_it_was(init, name):
    model = Model(MAKERS[name]())
    before, layer = model.metric(X, Y), model.layer.weight.detach().clone()
    model.apply(init)
    assert torch.equal(model.metric(X, Y), before)
    assert not torch.equal(model.layer.weight, layer)


def test_reset_parameters_leaves_the_metric_as_it_was(model):
    before = model.metric(X, Y)
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    assert torch.equal(model.metric(X, Y), before)


def test_no_optimiser_reaches_the_metric(model):
    before = model.metric(X, Y)
    model.requires_grad_(True)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.5)
    with pytest.warns(UserWarning, match=r"call requires_grad_\(True\) on the metric itself"):
        model(X, Y).backward()
    optimiser.step()
    assert model.layer.weight.grad is not None
    assert all(p.grad is None for p in model.metric.parameters())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert torch.equal(model.metric(X, Y), before)


LOOPS: dict[str, Callable[[nn.Parameter], Any]] = {
    "initialised": lambda p: nn.init.normal_(p),
    "initialised past autograd": lambda p: p.data.normal_(),
    "decayed": lambda p: p.data.mul_(0.99),
    "replaced": lambda p: setattr(p, "data", torch.zeros_like(p)),
}


@pytest.mark.parametrize("way", LOOPS)
def test_what_was_written_into_parameters_is_said(way, model):
    model.metric(X, Y)
    with torch.no_grad():
        for parameter in model.parameters():
            LOOPS[way](parameter)
    copied, moved = copy.deepcopy(model.metric), copy.deepcopy(model.metric).double()
    for metric, dtype in ((model.metric, X.dtype), (copied, X.dtype), (moved, torch.float64)):
        with pytest.raises(
            RuntimeError, match=r"weights of this metric were changed after it was made .* others"
        ):
            metric(X.to(dtype), Y.to(dtype))


def test_a_single_layer_that_was_written_is_said():
    metric = LPIPS()
    nn.init.zeros_(metric.lin3.weight)
    with pytest.raises(RuntimeError, match="were changed after it was made"):
        metric(X, Y)
    own = InvariantLPIPS("alex", "gap", weights="unit")
    with torch.no_grad():
        own.head.weight.mul_(2)
    with pytest.raises(RuntimeError, match="were changed after it was made"):
        own.embed(X)


def test_weights_loaded_again_are_welcome(model):
    before, fresh = model.metric(X, Y), copy.deepcopy(model.metric.state_dict())
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    model.metric.load_state_dict(fresh)
    assert torch.equal(model.metric(X, Y), before)


def test_an_average_of_equal_weights_passes(model):
    expected = model.metric(X, Y)
    average = copy.deepcopy(model)
    for _ in range(20):
        for mean, now in zip(average.parameters(), model.parameters(), strict=True):
            mean.data.mul_(0.999).add_(now.data, alpha=0.001)
    torch.testing.assert_close(average.metric(X, Y), expected, rtol=1e-5, atol=0)


def test_weights_changed_on_purpose(model):
    metric = model.metric
    before = metric(X, Y)
    assert metric.requires_grad_(True) is metric
    metric(X, Y).sum().backward()
    assert all(p.grad is not None for p in metric.parameters())
    with torch.no_grad():
        next(metric.parameters()).mul_(1.5)
    assert metric.requires_grad_(False) is metric
    assert not torch.equal(metric(X, Y), before)
    nn.init.normal_(next(metric.parameters()))
    with pytest.raises(RuntimeError, match="were changed after it was made"):
        metric(X, Y)


def test_only_what_is_loaded_is_left_undrawn(monkeypatch):
    drawn = []
    monkeypatch.setattr(torch.nn.Conv2d, "reset_parameters", lambda layer: drawn.append(layer))
    InvariantLPIPS("alex")
    LPIPS(net="alex", lpips=False)
    assert drawn == []
    LPIPS(net="alex", lpips=False, pnet_rand=True)
    assert len(drawn) == 5


def test_what_lpips_trains_is_trained():
    metric = LPIPS(pnet_rand=True, pnet_tune=True, eval_mode=False)
    optimiser = torch.optim.SGD(metric.parameters(), lr=1e-3)
    metric(X, Y).mean().backward()
    optimiser.step()
    metric(X, Y)
    metric.apply(written)
    metric(X, Y)


def test_functional_call_gets_the_gradients_of_what_it_puts_in():
    frozen, tuned = LPIPS(), LPIPS(pnet_tune=True)
    given = {name: p.detach().clone().requires_grad_() for name, p in frozen.named_parameters()}
    total = torch.func.functional_call(frozen, given, (X, Y)).sum()
    found = torch.autograd.grad(total, [given[f"net.{name}"] for name, _ in tuned.net.named_parameters()])
    expected = torch.autograd.grad(tuned(X, Y).sum(), list(tuned.net.parameters()))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-6)
    twice = {name: 2 * p.detach() for name, p in frozen.named_parameters()}
    assert not torch.equal(torch.func.functional_call(frozen, twice, (X, Y)), frozen(X, Y))


def test_precisions_copies_and_pickles_pass(model):
    metric = model.half().float().metric
    expected = metric(X, Y)
    file = io.BytesIO()
    torch.save(metric, file)
    file.seek(0)
    for other in (copy.deepcopy(metric), torch.load(file, weights_only=False), nn.DataParallel(metric)):
        assert torch.equal(other(X, Y), expected)


@pytest.mark.parametrize("name", ["LPIPS", "InvariantLPIPS"])
def test_a_model_made_on_meta_has_its_metric(name):
    expected = MAKERS[name]()(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with torch.device("meta"):
            made = Model(MAKERS[name]())
        assert made.layer.weight.is_meta
        assert torch.equal(made.metric(X, Y), expected)
        made.to_empty(device="cpu")
        assert torch.equal(made.metric(X, Y), expected)
    lost = made.metric.to("meta").to_empty(device="cpu")
    with pytest.raises(RuntimeError, match="were changed after it was made"):
        lost(X, Y)


@pytest.mark.parametrize("name", ["LPIPS", "InvariantLPIPS"])
def test_made_under_inference_mode_it_can_be_a_loss(name):
    with torch.inference_mode():
        metric = MAKERS[name]()
    start = X.clone().requires_grad_()
    metric(start, Y).sum().backward()
    metric.load_state_dict(metric.state_dict())
    assert start.grad.abs().sum() > 0


def test_parameters_cast_alone_decide_the_precision(model):
    expected = model.metric(X, Y)
    for parameter in model.metric.parameters():
        parameter.data = parameter.data.bfloat16()
    torch.testing.assert_close(model.metric(X, Y), expected, rtol=0.05, atol=0)


@pytest.fixture
def one_process(monkeypatch):
    distributed = pytest.importorskip("torch.distributed")
    if not distributed.is_available() or not distributed.is_gloo_available():
        pytest.skip("needs torch.distributed with gloo")
    store = distributed.HashStore()
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("one_process")
def test_data_parallel_and_sharded(model):
    expected = model.metric(X, Y)
    parallel = nn.parallel.DistributedDataParallel(copy.deepcopy(model))
    parallel(X, Y).backward()
    assert torch.equal(parallel.module.metric(X, Y), expected)
    fsdp = pytest.importorskip("torch.distributed.fsdp")
    if not hasattr(fsdp, "fully_shard"):
        pytest.skip("needs FSDP2")
    whole = model(X, Y)
    policy = fsdp.MixedPrecisionPolicy(param_dtype=torch.bfloat16)
    for mixed, rtol in ((None, 1e-5), (policy, 0.1)):
        sharded = copy.deepcopy(model)
        fsdp.fully_shard(sharded, **({} if mixed is None else {"mp_policy": mixed}))
        for _ in range(2):
            loss = sharded(X, Y)
            loss.backward()
            torch.testing.assert_close(loss.float(), whole, rtol=rtol, atol=0)
