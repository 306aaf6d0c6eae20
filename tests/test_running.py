"""Gradients, and the ways in which PyTorch lets a module be run, copied and captured."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

from invariant_lpips import LPIPS, InvariantLPIPS
from invariant_lpips.outside_checkpoints import keep_out_of_checkpoints

HEADS = ("gap", "regional", "gap-spatial", "spatial")


@pytest.fixture(scope="module")
def pair(photo, noisy):
    x = torch.cat([photo("astronaut", 40, 36), photo("coffee", 40, 36)])
    return x, noisy(x)


@pytest.fixture
def fresh_compiler():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


# Gradients


@pytest.mark.parametrize("name", ["gap", "regional", "gap-spatial", "spatial", "alex", "gap-polyphase"])
def test_gradcheck(name, named, photo, noisy):
    metric = copy.deepcopy(named(name)).double()
    x = photo("coffee", 32, 34).double()
    y = noisy(photo("coffee", 32, 34)).double()
    assert torch.autograd.gradcheck(
        metric, (x.requires_grad_(), y.requires_grad_()), fast_mode=True, eps=1e-7
    )


@pytest.mark.parametrize("name", [*HEADS, "gap-polyphase"])
def test_gradients_on_either_side_and_both(name, named, photo, noisy):
    metric = named(name)
    images = (photo("coffee", 32, 34), noisy(photo("coffee", 32, 34)))
    gradients = {}
    for sides in ((True, True), (True, False), (False, True)):
        pair = [image.clone().requires_grad_(side) for image, side in zip(images, sides, strict=True)]
        metric(*pair).sum().backward()
        for k in (0, 1):
            assert (pair[k].grad is not None) == sides[k]
            if sides[k]:
                gradients.setdefault(k, []).append(pair[k].grad)
    for both, alone in gradients.values():
        assert both.abs().sum() > 0
        # A max pool may send its gradient to either of two neighbours that differ in the last bit.
        assert (both - alone).norm() < 0.02 * both.norm()


def test_gradient_through_a_reference_and_an_embedding(named, photo, noisy):
    metric = named("gap")
    x, y = photo("coffee", 32, 34), noisy(photo("coffee", 32, 34)).requires_grad_()
    with torch.inference_mode():
        reference = metric.reference(x)
    metric(reference, y).sum().backward()
    first, y.grad = y.grad, None
    (metric.embed(x) - metric.embed(y)).norm().backward()
    torch.testing.assert_close(first, y.grad, rtol=1e-3, atol=1e-7)
    y.grad = None
    metric.pairwise(y.repeat(2, 1, 1, 1)).sum().backward()
    assert y.grad.isfinite().all()


def test_optimising_towards_a_reference(named, photo):
    metric = named("gap")
    target = photo("coffee", 32, 32)
    image = torch.zeros_like(target).requires_grad_()
    optimiser = torch.optim.Adam([image], lr=0.05)
    first = metric(image, target).item()
    for _ in range(5):
        optimiser.zero_grad()
        loss = metric(image, target).mean()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.9 * first


# Ways to run


@pytest.mark.parametrize("name", ["alex", "regional", "gap-map", "gap-polyphase"])
@pytest.mark.usefixtures("fresh_compiler")
def test_compile_to_one_graph(name, named, photo, noisy):
    metric = named(name)
    x = photo("coffee", 32, 34)
    y = noisy(x).requires_grad_()
    compiled = torch.compile(metric, fullgraph=True, backend="aot_eager" if name == "alex" else "eager")
    distance, expected = compiled(x, y), metric(x, y)
    torch.testing.assert_close(distance, expected, rtol=1e-5, atol=1e-7)
    (gradient,) = torch.autograd.grad(distance.sum(), y)
    (own,) = torch.autograd.grad(expected.sum(), y)
    assert (gradient - own).norm() <= 0.02 * own.norm()


@pytest.mark.parametrize("name", ["alex", "gap", "regional", "gap-polyphase"])
def test_trace(name, named, photo, noisy):
    metric = named(name)
    x = photo("coffee", 32, 34)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(metric, (x, noisy(x)), check_trace=False)
    y = noisy(x, seed=5)
    torch.testing.assert_close(traced(x, y), metric(x, y), rtol=1e-5, atol=0)


@pytest.mark.usefixtures("fresh_compiler")
@pytest.mark.parametrize("name", ["alex", "gap", "gap-map"])
def test_export(name, named, photo, noisy):
    metric = named(name)
    x = photo("coffee", 32, 34)
    exported = torch.export.export(metric, (x, noisy(x))).module()
    y = noisy(x, seed=5)
    torch.testing.assert_close(exported(x, y), metric(x, y), rtol=1e-5, atol=1e-8)


def test_functional_transforms(named, photo, noisy):
    metric = named("gap")
    x = photo("coffee", 32, 34)
    y = noisy(x)
    gradient = torch.func.grad(lambda image: metric(x, image).sum())(y)
    y = y.clone().requires_grad_()
    metric(x, y).sum().backward()
    assert (gradient - y.grad).norm() < 0.02 * y.grad.norm()


def test_threads_share_a_metric(named, pair):
    from concurrent.futures import ThreadPoolExecutor

    metric = named("gap")
    x, y = pair
    expected = metric(x, y)
    with ThreadPoolExecutor(4) as threads:
        for distance in threads.map(lambda _: metric(x, y), range(8)):
            torch.testing.assert_close(distance, expected, rtol=1e-5, atol=0)


def test_same_input_same_bits(named, pair):
    for head in HEADS:
        metric = named(head)
        assert torch.equal(metric(*pair), metric(*pair))


def test_unpickled_and_copied_metrics_are_the_same(named, pair):
    metric = named("gap")
    assert torch.equal(copy.deepcopy(metric)(*pair), metric(*pair))
    state = metric.state_dict()
    other = InvariantLPIPS(head="gap", weights="unit")
    other.load_state_dict(state, strict=True)
    assert torch.equal(other(*pair), metric(*pair))


def test_loader_workers_and_distributed_training():
    """Workers that are forked and spawned, and two processes of DistributedDataParallel, in a program of their own."""
    program = Path(__file__).with_name("running_processes.py")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(program)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {"spawn", "two processes"} <= set(done.stdout.split("\n"))


class Model(torch.nn.Module):
    def __init__(self, metric: torch.nn.Module) -> None:
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 3, 1)
        self.metric = metric

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.metric(self.layer(x).tanh(), x.tanh()).sum()


@pytest.mark.parametrize("make", [LPIPS, lambda: InvariantLPIPS("alex", "gap", weights="unit")])
def test_kept_out_of_checkpoints(make, tmp_path):
    old = Model(make()).state_dict()
    model = Model(keep_out_of_checkpoints(make()))
    x = torch.linspace(-1, 1, 3 * 40 * 44).view(1, 3, 40, 44).requires_grad_()
    expected = model(x)
    for other in (
        model,
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model).half(),
    ):
        assert list(other.state_dict()) == ["layer.weight", "layer.bias"]
        assert not other.metric.state_dict()
    torch.save(model.state_dict(), tmp_path / "model.pt")
    assert (tmp_path / "model.pt").stat().st_size < 10_000
    again = Model(keep_out_of_checkpoints(make()))
    again.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True), strict=True)
    torch.testing.assert_close(again(x), expected)
    scrambled = {key: value + 1 if key.startswith("metric") else value for key, value in old.items()}
    again.load_state_dict(scrambled, strict=True)  # saved before, with a metric: passed over
    assert all(
        torch.equal(again.metric.net.state_dict()[key], value)
        for key, value in make().net.state_dict().items()
    )
    if isinstance(model.metric, InvariantLPIPS):
        model.metric.save_pretrained(tmp_path / "saved")
        InvariantLPIPS.from_pretrained(tmp_path / "saved")


def test_what_is_thawed_is_in_the_checkpoint_again():
    model = Model(keep_out_of_checkpoints(LPIPS())).requires_grad_(True)
    state = model.state_dict()
    assert len(state) > 2
    other = Model(keep_out_of_checkpoints(LPIPS())).requires_grad_(True)
    other.load_state_dict({key: value + 1 for key, value in state.items()})
    assert torch.equal(other.metric.lin0.model[1].weight, model.metric.lin0.model[1].weight + 1)


def test_a_trained_metric_is_not_kept_out():
    with pytest.raises(ValueError, match="must be frozen"):
        keep_out_of_checkpoints(LPIPS(eval_mode=False))
