"""Apple's GPUs have no float64. Here no operation may give it, which plays their rule on the CPU."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from invariant_lpips import LPIPS, InvariantLPIPS
from invariant_lpips.heads.windows import window_matrix

METRICS: dict[str, Any] = {
    "default": InvariantLPIPS,
    "default, blur": lambda: InvariantLPIPS(pooling="blur"),
    "default, polyphase": lambda: InvariantLPIPS(pooling="polyphase"),
    "default, map": lambda: InvariantLPIPS(spatial=True),
    "gap": lambda: InvariantLPIPS("alex", "gap", weights="unit"),
    "gap, map": lambda: InvariantLPIPS("alex", "gap", weights="unit", spatial=True),
    "gap-spatial": lambda: InvariantLPIPS("alex", "gap-spatial", weights="unit"),
    "spatial": lambda: InvariantLPIPS("alex", "spatial", weights="unit"),
    "LPIPS": LPIPS,
    "LPIPS, map": lambda: LPIPS(spatial=True),
}


class NoFloat64(TorchDispatchMode):
    def __torch_dispatch__(self, f: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = f(*args, **(kwargs or {}))
        if any(isinstance(x, Tensor) and x.dtype == torch.float64 for x in tree_leaves(result)):
            raise TypeError(f"This device has no float64, but {f} was asked for it.")
        return result


@pytest.mark.parametrize("name", METRICS)
def test_distances_and_gradients_need_no_float64(name):
    x, y = torch.rand(2, 1, 3, 72, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1
    metric = METRICS[name]()
    expected = metric(x, y)
    with NoFloat64():
        start = x.clone().requires_grad_()
        found = metric(start, y)
        found.sum().backward()
        if isinstance(metric, InvariantLPIPS) and metric.head.euclidean:
            metric(x, metric.reference(y)) if not metric.spatial else metric.embed(x)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("cells", "windows"), [(4, 2), (7, 3), (32, 8), (1023, 17)])
def test_windows_are_as_exact_without_it(cells, windows):
    spacing = cells / windows
    centre = (torch.arange(windows, dtype=torch.float64) + 0.5).unsqueeze(1) * spacing
    cell = torch.arange(cells, dtype=torch.float64) + 0.5
    height = (1 - (cell - centre).abs() / spacing).clamp_min(0)
    expected = height / height.sum(1, keepdim=True)
    for dtype, rounding in ((torch.float32, 1.2e-7), (torch.float64, 1e-14)):
        found = window_matrix(cells, windows, torch.zeros((), dtype=dtype))
        torch.testing.assert_close(found.double(), expected, rtol=rounding, atol=1e-15)


def test_motion_is_priced_where_the_distance_lies():
    # On such a device the motion stays on the CPU.
    metric = InvariantLPIPS(motion="shift")
    priced = metric._priced(torch.empty(2, device="meta"), torch.ones(2, dtype=torch.float64))
    assert priced.device.type == "meta"
