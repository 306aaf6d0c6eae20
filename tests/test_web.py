"""What the browser's page takes from Python; the page itself is tested by `make web-test`."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from invariant_lpips import InvariantLPIPS, __version__

WEB = Path(__file__).resolve().parent.parent / "web"


@pytest.fixture(scope="module")
def models() -> ModuleType:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason="pip install 'invariant-lpips[export]'")
    spec = importlib.util.spec_from_file_location("web_models", WEB / "models.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_npm_package_has_the_same_version() -> None:
    assert json.loads((WEB / "package.json").read_text())["version"] == __version__


def test_a_model_sums_to_the_squared_distance(models: ModuleType, tmp_path: Path) -> None:
    import onnxruntime

    metric = InvariantLPIPS(net="pixels")
    path = tmp_path / "pixels.onnx"
    models.write(metric, path)
    assert path.stat().st_size < 100_000
    assert models.difference(path, metric) < 1e-4
    assert models.difference(path, InvariantLPIPS(net="pixels", weights="unit")) > 1e-4
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_outputs()] == [*metric.head.taps, "just_noticeable"]
    (fit,) = session.run(["just_noticeable"], {"image": np.zeros((1, 3, 64, 64), np.float32)})
    assert metric.jnd_fit is not None
    assert fit.tolist() == pytest.approx([0.1, metric.jnd_fit["b"]])


def small_model() -> Any:
    from onnx import TensorProto, helper, numpy_helper

    exact, inexact = np.full(2048, 0.5, np.float32), np.full(2048, 0.1, np.float32)
    graph = helper.make_graph(
        [helper.make_node("Add", ["exact", "inexact"], ["sum"])],
        "sum",
        [],
        [helper.make_tensor_value_info("sum", TensorProto.FLOAT, [2048])],
        [numpy_helper.from_array(exact, "exact"), numpy_helper.from_array(inexact, "inexact")],
    )
    return helper.make_model(graph)


def test_constants_are_halved_only_where_nothing_is_lost(models: ModuleType) -> None:
    from onnx import TensorProto

    model = small_model()
    models.store_halves(model)
    types = {constant.name: constant.data_type for constant in model.graph.initializer}
    assert types == {"exact.float16": TensorProto.FLOAT16, "inexact": TensorProto.FLOAT}
    assert [node.op_type for node in model.graph.node] == ["Cast", "Add"]


def test_a_model_that_differs_is_not_kept(
    models: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "model_of", lambda metric: small_model())
    monkeypatch.setattr(models, "difference", lambda path, metric: 1e-3)
    with pytest.raises(ValueError, match=r"differs from the metric by 1\.0e-03"):
        models.write(InvariantLPIPS(net="pixels"), tmp_path / "pixels.onnx")
    assert not list(tmp_path.iterdir())
