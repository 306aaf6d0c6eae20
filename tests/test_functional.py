"""The pure functions against their formulas in float64, and at the points where formulas break."""

from __future__ import annotations

import pytest
import torch

from invariant_lpips import functional as ILF

pytestmark = pytest.mark.filterwarnings("ignore:Anomaly Detection")

HALVES = (torch.float16, torch.bfloat16)


def features(*shape: int, seed: int = 0) -> torch.Tensor:
    """Activations as a ReLU gives them: non-negative, many zeros, one dead position."""
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).relu()
    x[..., 0, 0] = 0
    return x


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_full_precision(dtype):
    x = torch.ones(2, dtype=dtype)
    raised = ILF.full_precision(x)
    assert raised.dtype == (torch.float32 if dtype in HALVES else dtype)
    assert (raised is x) == (dtype not in HALVES)


def test_root_has_the_value_of_the_root():
    x = torch.tensor([0.0, 1e-45, 1e-38, 1e-30, 1e-17, 1e-16, 1e-8, 2.0, 3e38, float("inf")])
    assert torch.equal(ILF.safe_sqrt(x), x.sqrt())
    assert torch.equal(ILF.safe_sqrt(x.clone().requires_grad_()).detach(), x.sqrt())


def test_root_passes_nan_on():
    assert ILF.safe_sqrt(torch.tensor([float("nan")])).isnan().all()
    assert ILF.safe_sqrt(torch.tensor([float("nan")], requires_grad=True)).isnan().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_slope_of_the_root(dtype):
    x = torch.tensor([0.0, 1e-30, 1e-17, 1e-12, 4.0], dtype=dtype, requires_grad=True)
    with torch.autograd.detect_anomaly(check_nan=True):
        ILF.safe_sqrt(x).sum().backward()
    highest = 1 / (2 * ILF.ROOT_FLOOR)
    expected = torch.tensor([0.0, highest, highest, 0.5e6, 0.25], dtype=dtype)
    torch.testing.assert_close(x.grad, expected, rtol=1e-5, atol=0)


def test_second_derivative_of_the_root_is_finite():
    x = torch.tensor([0.0, 1e-20, 4.0], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(ILF.safe_sqrt(x).sum(), x, create_graph=True)
    slope.sum().backward()
    torch.testing.assert_close(x.grad, torch.tensor([0.0, 0.0, -1 / 32], dtype=torch.float64))


def test_gradcheck_of_the_root():
    x = torch.rand(8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 0.1
    assert torch.autograd.gradcheck(ILF.safe_sqrt, x.requires_grad_())
    assert torch.autograd.gradgradcheck(ILF.safe_sqrt, x)


def test_unit_normalize():
    x = features(2, 5, 3, 4)
    length = x.square().sum(1, keepdim=True).sqrt()
    torch.testing.assert_close(ILF.unit_normalize(x, 1e-10), x / (length + 1e-10))
    torch.testing.assert_close(ILF.unit_normalize(x, 0.5), x / (length + 0.5))


@pytest.mark.parametrize("dtype", HALVES)
def test_unit_normalize_does_not_overflow_in_half_precision(dtype):
    x = torch.full((1, 512, 1, 1), 200.0, dtype=dtype)
    torch.testing.assert_close(ILF.unit_normalize(x), torch.full((1, 512, 1, 1), 512**-0.5))


@pytest.mark.parametrize(
    "function", [ILF.unit_normalize, lambda f: ILF.lpips_layer(f, f.flip(1), torch.ones(5))]
)
def test_dead_positions_have_finite_gradients(function):
    x = features(1, 5, 3, 3).float().requires_grad_()
    with torch.autograd.detect_anomaly(check_nan=True):
        function(x).sum().backward()
    assert x.grad.isfinite().all()
    assert (x.grad[..., 0, 0].abs() < 1e11).all()


@pytest.mark.parametrize("value", [1e-6, 1e-10, 1e-20, 1e-30, 1e-44])
def test_faint_features_give_finite_numbers(value):
    x = (features(1, 5, 3, 3).float() * value).requires_grad_()
    y = (features(1, 5, 3, 3, seed=1).float() * value).requires_grad_()
    with torch.autograd.detect_anomaly(check_nan=True):
        layer = ILF.lpips_layer(x, y, torch.ones(5))
        layer.sum().backward()
    assert layer.isfinite().all()
    assert x.grad.isfinite().all()
    assert y.grad.isfinite().all()


@pytest.mark.parametrize("needs_graph", [False, True])
def test_lpips_layer(needs_graph):
    x, y = features(2, 5, 3, 4).float(), features(2, 5, 3, 4, seed=1).float()
    weight = torch.rand(5, generator=torch.Generator().manual_seed(2))
    x.requires_grad_(needs_graph)
    before = x.detach().clone(), y.clone(), weight.clone()
    layer = ILF.lpips_layer(x, y, weight, 1e-6)
    nx, ny = (f.double() / (f.double().square().sum(1, keepdim=True).sqrt() + 1e-6) for f in (x, y))
    expected = ((nx - ny).square() * weight.double().view(1, -1, 1, 1)).sum(1, keepdim=True)
    torch.testing.assert_close(layer.double(), expected, rtol=1e-5, atol=1e-7)
    assert all(torch.equal(a, b) for a, b in zip((x, y, weight), before, strict=True)), (
        "an argument was changed"
    )


def test_lpips_layer_of_one_against_many():
    x, y = features(1, 5, 3, 4), features(3, 5, 3, 4, seed=1)
    weight = torch.rand(5, dtype=torch.float64)
    expected = ILF.lpips_layer(x.expand(3, -1, -1, -1), y, weight)
    assert torch.equal(ILF.lpips_layer(x, y, weight), expected)
    assert torch.equal(ILF.lpips_layer(y, x, weight), expected)


def test_gradcheck_of_the_layer():
    x, y = (features(1, 4, 2, 3, seed=s) + 0.1 for s in (0, 1))
    weight = torch.rand(4, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        ILF.lpips_layer, (x.requires_grad_(), y.requires_grad_(), weight.requires_grad_())
    )


def test_gap_distance():
    gx, gy, w = (torch.rand(3, 7, dtype=torch.float64) for _ in range(3))
    expected = (w[0] * (gx - gy)).square().mean(1).sqrt()
    torch.testing.assert_close(ILF.gap_distance(gx, gy, w[0]), expected)
    assert torch.equal(ILF.gap_distance(gx, gx, w[0]), torch.zeros(3, dtype=torch.float64))
    assert ILF.gap_distance(gx.half(), gy.half(), w[0].half()).dtype == torch.float32


@pytest.mark.parametrize("columns", [5, ILF.COLUMNS_AT_ONCE, 600_000])
def test_euclidean_distances(columns):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2, columns, generator=generator)
    y = torch.cat([x[1:], x + 1e-3 * torch.rand(2, columns, generator=generator)]).requires_grad_()
    found = ILF.euclidean_distances(x, y)
    expected = (x.double()[:, None] - y.double()).norm(dim=2)
    torch.testing.assert_close(found.double(), expected, rtol=2e-6, atol=0)
    assert found[1, 0] == 0
    assert torch.equal(found, ILF.euclidean_distances(y, x).T)
    found[1].sum().backward()
    assert (y.grad[0] == 0).all()
    torch.testing.assert_close(y.grad[1:].norm(dim=1), torch.ones(2), rtol=1e-5, atol=0)


def test_squared_distance():
    a, b = torch.rand(2, 3, 4, 5), torch.rand(2, 3, 4, 5)
    torch.testing.assert_close(ILF.squared_distance(a, b), ((a - b) ** 2).sum((1, 2, 3)))


@pytest.mark.parametrize(
    ("cells", "pixels"), [(1, 1), (1, 7), (7, 1), (3, 97), (4, 131), (97, 3), (6, 4), (8, 8)]
)
def test_overlaps_share_out_everything(cells, pixels):
    matrix = ILF.overlap_matrix(cells, pixels, torch.zeros(1, dtype=torch.float64))
    assert matrix.shape == (pixels, cells)
    assert (matrix >= 0).all()
    torch.testing.assert_close(matrix.sum(1), torch.ones(pixels, dtype=torch.float64))
    torch.testing.assert_close(matrix.sum(0), torch.full((cells,), pixels / cells, dtype=torch.float64))


@pytest.mark.parametrize("size", [(97, 131), (12, 20), (2, 3), (6, 10)])
def test_resize_keeps_means_and_whole_ratios(size):
    maps = torch.rand(2, 3, 6, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    resized = ILF.resize_area(maps, size)
    assert resized.shape == (2, 3, *size)
    torch.testing.assert_close(resized.mean((2, 3)), maps.mean((2, 3)), rtol=1e-12, atol=0)
    if size == (12, 20):
        torch.testing.assert_close(resized, maps.repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_overflow_is_never_a_number():
    x, y = features(1, 5, 3, 3).float(), features(1, 5, 3, 3, seed=1).float()
    assert ILF.lpips_layer(x * 1e18, y * 1e18, torch.ones(5)).isfinite().all()
    assert ILF.lpips_layer(x * 1e25, y * 1e25, torch.ones(5))[..., 1:, 1:].isnan().all()
