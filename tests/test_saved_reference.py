"""A Reference on disk: the same distances again, by the metric that read it and by no other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from invariant_lpips import InvariantLPIPS, Reference
from invariant_lpips.files.safetensors import safetensors_bytes

X, Y = torch.rand(2, 2, 3, 40, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture(scope="module")
def metric() -> InvariantLPIPS:
    return InvariantLPIPS("alex", "gap", weights="unit")


@pytest.fixture
def file(metric: InvariantLPIPS, tmp_path: Path) -> Path:
    metric.reference(X).save(tmp_path / "x.safetensors")
    return tmp_path / "x.safetensors"


@pytest.mark.parametrize("head", ["default", "gap-spatial", "spatial"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_distances_are_the_same_again(head, dtype, tmp_path):
    net = "vgg" if head == "default" else "alex"
    metric = InvariantLPIPS(net, head, weights=None if head == "default" else "unit").to(dtype)
    kept = metric.reference(X.to(dtype))
    kept.save(tmp_path / "x.safetensors")
    for again in (
        Reference.load(tmp_path / "x.safetensors"),
        Reference.load(tmp_path / "x.safetensors", metric),
    ):
        assert torch.equal(metric(Y.to(dtype), again), metric(Y.to(dtype), kept))
        assert again.reader == kept.reader


def test_a_motion_is_measured_from_the_file(tmp_path):
    metric = InvariantLPIPS(motion="shift")
    big = torch.nn.functional.interpolate(X[:1, :, :16, :16], (128, 140), mode="bicubic").clamp(-1, 1)
    x, y = big[..., :128], big[..., 8:136]
    metric.reference(x).save(tmp_path / "x.safetensors")
    again = Reference.load(tmp_path / "x.safetensors", metric)
    assert torch.equal(metric(y, again), metric(y, metric.reference(x)))
    assert metric.compare(y, again).moved.found.item()
    InvariantLPIPS().reference(x).save(tmp_path / "plain.safetensors")
    plain = Reference.load(tmp_path / "plain.safetensors", metric)
    with pytest.raises(ValueError, match="must hold its images where motion is measured"):
        metric(y, plain)


def test_another_metric_refuses_it(file):
    other = InvariantLPIPS("alex", "gap-spatial", weights="unit")
    with pytest.raises(
        ValueError, match=r"must have been read by this metric .*head=gap-spatial.* another .*head=gap,"
    ):
        Reference.load(file, other)
    with pytest.raises(ValueError, match="must have been read by this metric"):
        other(X, Reference.load(file))


def test_a_damaged_or_foreign_file_is_refused(file, metric):
    data = bytearray(file.read_bytes())
    data[-2] ^= 1
    file.write_bytes(data)
    with pytest.raises(ValueError, match="not as it was written"):
        Reference.load(file)
    file.write_bytes(data[:-5])
    with pytest.raises(ValueError, match="must be a whole safetensors file"):
        Reference.load(file)
    file.write_bytes(safetensors_bytes({"weight": torch.ones(3)}))
    with pytest.raises(ValueError, match="must be a saved Reference"):
        Reference.load(file)
    with pytest.raises(FileNotFoundError):
        Reference.load(file.with_name("nowhere"))


def test_what_is_not_finite_is_not_saved_and_the_old_file_stays(file, metric):
    before = file.read_bytes()
    broken = InvariantLPIPS("alex", "gap", weights="unit", checks="never").reference(X * float("nan"))
    with pytest.raises(ValueError, match="must hold finite numbers to be saved"):
        broken.save(file)
    assert file.read_bytes() == before
    metric.reference(X).save(file)
    assert file.read_bytes() == before, "the same reference gives the same bytes"
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_repr_is_one_line(metric):
    said = repr(metric.reference(X))
    assert said == "Reference(2 images of 40x48, read by net=alex, head=gap)"
    assert repr(metric.reference(X[:1])).startswith("Reference(1 image of 40x48, ")
