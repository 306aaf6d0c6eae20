"""Exported metrics give the metric's numbers at sizes and batches they have not seen.

The quick tests use AlexNet. `INVARIANT_LPIPS_EXPORT_TESTS=1` tries the whole table of docs/export.md.
"""

from __future__ import annotations

import os

import pytest
import torch
from torch import Tensor

from invariant_lpips import LPIPS, InvariantLPIPS
from invariant_lpips.cli import main
from invariant_lpips.integrations import export

table = pytest.mark.skipif(
    os.environ.get("INVARIANT_LPIPS_EXPORT_TESTS") != "1",
    reason="minutes: set INVARIANT_LPIPS_EXPORT_TESTS=1",
)


def need_onnx() -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason="pip install 'invariant-lpips[export]'")


def images(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def pair(batch: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    return images(batch, 3, height, width, seed=1), images(batch, 3, height, width, seed=2)


def agree(found: Tensor, expected: Tensor) -> None:
    assert found.shape == expected.shape
    assert (expected > 0).all()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=0)


@pytest.fixture(scope="module")
def small() -> InvariantLPIPS:
    return InvariantLPIPS("alex", "gap", weights="unit")


def test_program_has_free_batch_and_size(small, tmp_path):
    export.save_program(export.to_program(small), tmp_path / "metric.pt2")
    loaded = torch.export.load(tmp_path / "metric.pt2").module()
    for shape in ((1, 64, 64), (3, 97, 131)):
        agree(loaded(*pair(*shape)), small(*pair(*shape)))
    x, _ = pair(1, 64, 64)
    assert loaded(x, x).item() == 0


def test_onnx_has_free_batch_and_size(small, tmp_path):
    need_onnx()
    path = tmp_path / "metric.onnx"
    export.to_onnx(small, path, normalize=True)
    assert [file.name for file in tmp_path.iterdir()] == ["metric.onnx"]
    import onnx
    import onnxruntime

    model = onnx.load(path)
    onnx.checker.check_model(model)
    assert {p.key: p.value for p in model.metadata_props}["description"] == small.describe()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_inputs()] == ["reference", "distorted"]
    assert [value.name for value in session.get_outputs()] == ["distance"]
    x, y = ((image + 1) / 2 for image in pair(4, 77, 200))
    (found,) = session.run(None, {"reference": x.numpy(), "distorted": y.numpy()})
    agree(torch.from_numpy(found), small(x, y, normalize=True))
    (zero,) = session.run(None, {"reference": x.numpy(), "distorted": x.numpy()})
    assert not zero.any()


def test_onnx_that_differs_is_not_kept(small, tmp_path):
    need_onnx()
    with pytest.raises(ValueError, match="differs from the metric"):
        export.to_onnx(small, tmp_path / "metric.onnx", tolerance=-1.0)
    assert not list(tmp_path.iterdir())


def test_torchscript(small, tmp_path):
    export.save_torchscript(export.to_torchscript(small, embed=True), tmp_path / "embed.pt")
    traced = torch.jit.load(tmp_path / "embed.pt")
    for shape in ((1, 64, 64), (3, 97, 131)):
        x, _ = pair(*shape)
        torch.testing.assert_close(traced(x), small.embed(x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "make", [lambda: InvariantLPIPS(head="gap", weights="unit"), lambda: LPIPS(net="alex")]
)
def test_compiles_to_one_graph_with_gradients(make):
    metric = make()
    torch._dynamo.reset()
    compiled = torch.compile(metric, fullgraph=True, backend="eager", dynamic=True)
    for shape in ((2, 64, 96), (1, 70, 65)):
        x, y = pair(*shape)
        gradients = []
        for call in (metric, compiled):
            moving = x.clone().requires_grad_()
            distance = call(moving, y)
            distance.sum().backward()
            gradients.append((distance.detach(), moving.grad))
        (expected, slope), (found, found_slope) = gradients
        agree(found, expected)
        torch.testing.assert_close(found_slope, slope, rtol=1e-3, atol=1e-7)


def test_what_cannot_be_exported_says_why(small):
    with pytest.raises(ValueError, match=r"float32 to be exported, but is in torch.float64"):
        export.to_program(InvariantLPIPS("alex", "gap", weights="unit").double())
    with pytest.raises(ValueError, match="gives maps"):
        export.to_program(InvariantLPIPS("alex", "gap", weights="unit", spatial=True))
    with pytest.raises(ValueError, match=r"Polyphase .* fix the size"):
        export.to_program(InvariantLPIPS("vgg", "gap", "polyphase", weights="unit"))
    for metric in (LPIPS(net="alex"), InvariantLPIPS("alex", "spatial", weights="unit")):
        with pytest.raises(ValueError, match="no embedding to export"):
            export.to_program(metric, embed=True)


def test_missing_package_is_named(small, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(
        ImportError, match=r"needs (onnx|onnxscript), .* pip install 'invariant-lpips\[export\]'"
    ):
        export.to_onnx(small, tmp_path / "metric.onnx")


def run(*arguments: str) -> int:
    return main(["export", *arguments])


def test_command(tmp_path, capsys):
    out = tmp_path / "metric.pt"
    chosen = ("--net", "alex", "--head", "gap", "--weights", "unit", "-o", str(out))
    assert run("torchscript", *chosen, "--size", "80x64") == 0
    captured = capsys.readouterr()
    assert captured.out == f"{out}\n"
    assert "alexnet" in captured.err
    x, y = pair(2, 64, 80)
    agree(torch.jit.load(out)(x, y), InvariantLPIPS("alex", "gap", weights="unit")(x, y))
    assert run("pt2", "--metric", "lpips", "--embed", "-o", str(out)) == 2
    assert "no embedding" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run("onnx", *chosen, "--size", "0x64")


CONFIGURATIONS = [
    ("vgg", "gap", "max", None),
    ("vgg", "gap", "blur", None),
    ("vgg", "gap", "polyphase", (97, 131)),
    ("vgg", "gap-spatial", "max", None),
    ("vgg", "spatial", "max", None),
    ("vgg", "regional", "max", None),
    ("alex", "gap", "max", None),
    ("vgg", "lpips", "max", None),
    ("alex", "lpips", "max", None),
]


def configured(net: str, head: str, pooling: str) -> LPIPS | InvariantLPIPS:
    if head == "lpips":
        return LPIPS(net=net)
    return InvariantLPIPS(net, head, pooling, weights="unit")


@table
@pytest.mark.parametrize(("net", "head", "pooling", "size"), CONFIGURATIONS)
def test_table(net, head, pooling, size, tmp_path):
    need_onnx()
    metric = configured(net, head, pooling)
    export.to_onnx(metric, tmp_path / "metric.onnx", size=size)
    if head != "lpips" and metric.head.euclidean:
        export.to_onnx(metric, tmp_path / "embed.onnx", embed=True, size=size)
    traced = export.to_torchscript(metric, size=size)
    torch._dynamo.reset()
    compiled = torch.compile(metric, fullgraph=True, backend="eager", dynamic=size is None)
    for shape in export._trial_shapes(size):
        agree(compiled(*pair(*shape)), metric(*pair(*shape)))
        agree(traced(*pair(*shape)), metric(*pair(*shape)))


@table
def test_inductor():
    metric = InvariantLPIPS(head="gap", weights="unit")
    compiled = torch.compile(metric, fullgraph=True)
    x, y = pair(2, 64, 96)
    agree(compiled(x, y), metric(x, y))
