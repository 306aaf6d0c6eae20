"""On a GPU: agreement with the CPU, invariance, determinism, precisions, captured graphs and gradients.

Skipped where there is no GPU. `INVARIANT_LPIPS_TEST_DEVICE=cpu pytest tests/test_cuda.py` runs every line but the
capture itself on a CPU, so that what is written here works where it is needed.
"""

from __future__ import annotations

import copy
import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from invariant_lpips import LPIPS, InvariantLPIPS
from invariant_lpips.heads import HEADS
from invariant_lpips.trunks.pooling import POOLINGS

DEVICE = os.environ.get("INVARIANT_LPIPS_TEST_DEVICE", "cuda")
# cuBLAS is deterministic only with this, and it is read when its first handle is made.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

pytestmark = pytest.mark.skipif(
    DEVICE == "cuda" and not torch.cuda.is_available(), reason="needs a CUDA device"
)

#: HEAD-POOLING[-NET]: every head and pooling on VGG-16, the other nets, and lpips' own.
METRICS = [
    *(f"{head}-{pooling}" for head in HEADS if head != "regional-32" for pooling in POOLINGS),
    *(f"{head}-max-{net}" for head in ("regional", "regional-32", "gap") for net in ("alex", "pixels")),
    "lpips-vgg",
    "lpips-alex",
]
SHORT = [
    "regional-max",
    "gap-polyphase",
    "gap-spatial-blur",
    "spatial-max",
    "regional-32-max-alex",
    "lpips-alex",
]
#: How far a distance may be from the CPU's, relatively: the convolutions add up in another order.
AGREEMENT = 1e-5


@pytest.fixture(autouse=True)
def full_float32() -> Iterator[None]:
    """Convolutions without TF32, which keeps ten bits only."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


@pytest.fixture
def on(built: Callable[..., Any]) -> Callable[..., Any]:
    """on(name, device): a metric, on the CPU or a copy of it on the device."""

    def make(name: str, device: str = DEVICE) -> Any:
        if name.startswith("lpips-"):
            metric = built(LPIPS, net=name.removeprefix("lpips-"))
        else:
            net = next((net for net in ("alex", "pixels") if name.endswith(f"-{net}")), "vgg")
            head, _, pooling = name.removesuffix(f"-{net}").rpartition("-")
            metric = built(InvariantLPIPS, net=net, head=head, pooling=pooling)
        return copy.deepcopy(metric).to(device)

    return make


@pytest.fixture(scope="module")
def pair(photo, noisy) -> tuple[Tensor, Tensor]:
    x = torch.cat([photo(name, 64, 96) for name in ("astronaut", "coffee")])
    return x, noisy(x, sigma=8)


@pytest.mark.parametrize("name", METRICS)
@torch.no_grad()
def test_agrees_with_the_cpu(name, on, pair):
    metric = on(name)
    found = metric(*(side.to(DEVICE) for side in pair))
    assert found.device.type == DEVICE
    torch.testing.assert_close(found.cpu(), on(name, "cpu")(*pair), rtol=AGREEMENT, atol=0)
    assert (metric(*(pair[0].to(DEVICE),) * 2) == 0).all()


@pytest.mark.parametrize("name", ["regional-max", "gap-max", "gap-polyphase"])
@torch.no_grad()
def test_embeddings_agree_with_the_cpu(name, on, pair):
    metric, x = on(name), pair[0]
    theirs = on(name, "cpu").embed(x)
    assert (metric.embed(x.to(DEVICE)).cpu() - theirs).norm() <= AGREEMENT * theirs.norm()
    pairwise = metric.pairwise(x.to(DEVICE))
    assert (pairwise.diagonal() == 0).all()
    torch.testing.assert_close(pairwise[0, 1], metric(*(side.to(DEVICE) for side in x.split(1))).squeeze())


@pytest.mark.parametrize("motion", ["similarity", "local"])
@torch.no_grad()
def test_motion_agrees_with_the_cpu(motion, built, photo, noisy):
    x = photo("astronaut", 160, 192)
    y = noisy(x.roll((3, -2), (2, 3)), sigma=4)
    metric = built(InvariantLPIPS, net="pixels", head="regional-32", motion=motion)
    found = copy.deepcopy(metric).to(DEVICE).compare(x.to(DEVICE), y.to(DEVICE))
    theirs = metric.compare(x, y)
    torch.testing.assert_close(found.distance.cpu(), theirs.distance, rtol=1e-3, atol=0)
    assert found.found.all()
    torch.testing.assert_close(found.moved.matrix.cpu(), theirs.moved.matrix, rtol=0, atol=0.01)


@torch.no_grad()
def test_masks_agree_with_the_cpu(on, pair):
    mask = torch.zeros(2, 1, 64, 96)
    mask[..., 8:40, 16:80] = 1
    for name in ("regional-max", "gap-max", "spatial-max", "regional-32-max-pixels"):
        found = on(name)(*(side.to(DEVICE) for side in pair), mask=mask.to(DEVICE))
        torch.testing.assert_close(found.cpu(), on(name, "cpu")(*pair, mask=mask), rtol=AGREEMENT, atol=0)


# Half precision may round a picture's maps by where they lie.
@pytest.mark.parametrize(
    ("dtype", "bound"), [(torch.float32, 1e-5), (torch.float16, 1e-2), (torch.bfloat16, 1e-2)]
)
@torch.no_grad()
def test_polyphase_is_invariant_to_circular_shifts(dtype, bound, on, pair, noisy):
    metric, x = on("gap-polyphase").to(dtype), pair[0][:1].to(DEVICE, dtype)
    noise = metric(x, noisy(pair[0][:1], sigma=8).to(DEVICE, dtype)).item()
    for shift in ((0, 1), (1, 0), (3, 5), (16, 31)):
        assert metric(x, x.roll(shift, (2, 3))).item() <= bound * noise, shift


@pytest.mark.parametrize("name", SHORT)
def test_same_bits_with_deterministic_algorithms(name, on, pair):
    metric, (x, y) = on(name), (side.to(DEVICE) for side in pair)
    results = []
    torch.use_deterministic_algorithms(True)
    try:
        for _ in range(3):
            moving = y.clone().requires_grad_()
            distance = metric(x, moving)
            distance.sum().backward()
            results.append((distance.detach(), moving.grad))
    finally:
        torch.use_deterministic_algorithms(False)
    for distance, gradient in results[1:]:
        assert torch.equal(distance, results[0][0])
        assert torch.equal(gradient, results[0][1])


@pytest.mark.parametrize("way", ["own", "autocast"])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.bfloat16, 0.1), (torch.float16, 0.02)])
@pytest.mark.parametrize("name", SHORT)
@torch.no_grad()
def test_half_precisions(name, dtype, bound, way, on, pair):
    metric = on(name).to(dtype) if way == "own" else on(name)
    images = (side.to(DEVICE, dtype if way == "own" else torch.float32) for side in pair)
    with torch.autocast(DEVICE, dtype, enabled=way == "autocast"):
        found = metric(*images)
    assert found.dtype == torch.float32
    # What gap-spatial divides by may be as small as bfloat16's rounding: see docs/precision.md.
    bound = 0.5 if name.startswith("gap-spatial") and dtype == torch.bfloat16 else bound
    torch.testing.assert_close(found.cpu(), on(name, "cpu")(*pair), rtol=bound, atol=0)


@torch.no_grad()
def test_tf32_keeps_ten_bits(on, pair):
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=True):
        found = on("regional-max")(*(side.to(DEVICE) for side in pair))
    torch.testing.assert_close(found.cpu(), on("regional-max", "cpu")(*pair), rtol=5e-3, atol=0)


@pytest.mark.parametrize("name", ["regional-max", "gap-polyphase", "spatial-max", "lpips-vgg"])
@torch.no_grad()
def test_a_forward_can_be_captured_and_replayed(name, on, pair):
    metric, (x, y) = on(name), [side.to(DEVICE) for side in pair]
    still = torch.zeros_like(x), torch.ones_like(y)
    replay, result = capture(metric, still)
    still[0].copy_(x)
    still[1].copy_(y)
    replay()
    torch.testing.assert_close(result, metric(x, y), rtol=AGREEMENT, atol=0)


def capture(metric: Any, arguments: tuple[Tensor, Tensor]) -> tuple[Callable[[], None], Tensor]:
    """(replay, result): a CUDA graph of metric(*arguments); elsewhere the call itself."""
    if DEVICE != "cuda":
        result = metric(*arguments)
        return (lambda: result.copy_(metric(*arguments)), result)
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):  # cuDNN chooses its kernels before the capture
        for _ in range(3):
            metric(*arguments)
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = metric(*arguments)
    return graph.replay, result


@pytest.mark.parametrize("name", SHORT)
@pytest.mark.parametrize("kind", ["noisy", "equal", "1e-7 apart", "constant"])
def test_gradients_are_finite_and_near_the_cpus(kind, name, on, pair):
    x, y = (side[:1] for side in pair)
    x = torch.full_like(x, 0.25) if kind == "constant" else x
    y = {"equal": x, "1e-7 apart": x + 1e-7, "constant": x}.get(kind, y)
    gradients = []
    for device in (DEVICE, "cpu"):
        moving = y.detach().clone().to(device).requires_grad_()
        on(name, device)(x.to(device), moving).sum().backward()
        assert moving.grad.isfinite().all()
        gradients.append(moving.grad.cpu())
    if kind in ("equal", "constant"):
        assert (gradients[0] == 0).all()
    if kind == "noisy":  # a pool's gradient goes to the largest of neighbours, which rounding may exchange
        assert (gradients[0] - gradients[1]).norm() <= 0.02 * gradients[1].norm()


def test_what_the_device_cannot_check_is_never_a_number(on, pair):
    x, y = (side[:1].to(DEVICE) for side in pair)
    y = y.clone()
    y[0, 0, 5, 5] = torch.nan
    metric = InvariantLPIPS(head="gap", checks="never").to(DEVICE)
    assert metric(x, y).isnan().all()
    with pytest.raises(ValueError, match="NaN or infinity"):
        InvariantLPIPS(head="gap", checks="always").to(DEVICE)(x, y)


def test_images_elsewhere_are_refused(on, pair):
    other = "meta" if DEVICE == "cpu" else "cpu"
    with pytest.raises(ValueError, match="move one of them"):
        on("gap-max")(*(side.to(other) for side in pair))


def no_compiler() -> str | None:
    """Why torch.compile cannot make code for the device, if so."""
    if DEVICE == "cuda" and importlib.util.find_spec("triton") is None:
        return "torch.compile needs Triton on a GPU, and it is not installed"
    variable, names = ("CC", ("gcc", "clang")) if DEVICE == "cuda" else ("CXX", ("g++", "clang++"))
    if not any(shutil.which(name) for name in (os.environ.get(variable, names[0]), *names)):
        return (
            f"torch.compile needs a compiler, and there is no {' or '.join(names)}; {variable} may name one"
        )
    return None


needs_compiler = pytest.mark.skipif(no_compiler() is not None, reason=str(no_compiler()))


@pytest.fixture
def compiled() -> Callable[[Any], Any]:
    """Compiles to one graph, with nothing left of what was compiled before."""
    torch.compiler.reset()
    return lambda metric: torch.compile(metric, fullgraph=True)


# The last of this file: benchmarks/gpu.sh may run out of time for what takes longest.
@needs_compiler
@pytest.mark.parametrize("name", ["gap-max", "regional-32-max-alex"])
@torch.no_grad()
def test_compiled_it_gives_the_same(name, compiled, on, pair):
    metric, images = on(name), [side.to(DEVICE) for side in pair]
    torch.testing.assert_close(compiled(metric)(*images), metric(*images), rtol=1e-4, atol=0)


@needs_compiler
@pytest.mark.parametrize("name", ["regional-max-alex", "regional-32-max-alex"])
def test_compiled_it_gives_the_same_gradients(name, compiled, on, pair):
    metric, (x, y) = on(name), [side.to(DEVICE) for side in pair]
    gradients = []
    for call in (metric, compiled(metric)):
        moving = y.clone().requires_grad_()
        call(x, moving).sum().backward()
        gradients.append(moving.grad)
    assert (gradients[1] - gradients[0]).norm() <= 0.02 * gradients[0].norm()
