"""What the browser's page takes from Python; the page itself is tested by `make web-test`."""

from __future__ import annotations

import importlib
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
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(WEB))  # as it is when the script runs
        return importlib.import_module("models")


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


def convolutions() -> Any:
    """A 5 x 5, a 3 x 3 and a strided convolution, one after the other, of an image of any size."""
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    nodes, constants = [], []
    for k, (given, made, width, stride) in enumerate([(3, 4, 5, 1), (4, 6, 3, 1), (6, 2, 3, 2)]):
        filters = random.normal(size=(made, given, width, width)).astype(np.float32)
        constants += [
            numpy_helper.from_array(filters, f"filters{k}"),
            numpy_helper.from_array(random.normal(size=made).astype(np.float32), f"bias{k}"),
        ]
        nodes.append(
            helper.make_node(
                "Conv",
                [f"x{k}", f"filters{k}", f"bias{k}"],
                [f"x{k + 1}"],
                pads=[width // 2] * 4,
                strides=[stride] * 2,
            )
        )
    image = helper.make_tensor_value_info("x0", TensorProto.FLOAT, [1, 3, "H", "W"])
    result = helper.make_tensor_value_info("x3", TensorProto.FLOAT, [1, 2, "h", "w"])
    graph = helper.make_graph(nodes, "convolutions", [image], [result], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def test_convolutions_with_fewer_products_have_the_same_values(models: ModuleType) -> None:
    import onnxruntime

    plain, fast = convolutions(), convolutions()
    models.replace_convolutions(fast)
    operators = [node.op_type for node in fast.graph.node]
    assert operators.count("Conv") == 1  # the strided one
    assert "filters0" not in {constant.name for constant in fast.graph.initializer}
    for height, width in ((1, 7), (8, 8), (21, 34)):
        image = np.random.default_rng(1).normal(size=(1, 3, height, width)).astype(np.float32)
        expected, found = (
            onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(
                None, {"x0": image}
            )[0]
            for model in (plain, fast)
        )
        np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())


def test_a_model_that_differs_is_not_kept(
    models: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "model_of", lambda metric: small_model())
    monkeypatch.setattr(models, "difference", lambda path, metric: 1e-3)
    with pytest.raises(ValueError, match=r"differs from the metric by 1\.0e-03"):
        models.write(InvariantLPIPS(net="pixels"), tmp_path / "pixels.onnx")
    assert not list(tmp_path.iterdir())
