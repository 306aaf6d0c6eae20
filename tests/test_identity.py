"""Who a metric is: one identity, compared as data wherever numbers of two metrics could be mixed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from invariant_lpips import InvariantLPIPS
from invariant_lpips.classifier import GAPClassifier
from invariant_lpips.files import reading
from invariant_lpips.indexing.settings import Settings
from invariant_lpips.registry.identity import Identity

X = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1


def tuned(pooling: str = "max") -> GAPClassifier:
    model = GAPClassifier("final-gap", 2, 64, pooling=pooling)
    with torch.no_grad():
        model.trunk.get_parameter("slice5.28.bias").add_(0.5)
    return model


@pytest.fixture(scope="module")
def bundled() -> InvariantLPIPS:
    return InvariantLPIPS(head="gap", weights="unit")


def test_a_reloaded_metric_on_a_tuned_trunk_refuses_the_bundled_ones_reference(
    bundled: InvariantLPIPS, tmp_path: Path
) -> None:
    own = InvariantLPIPS(tuned(), head="gap")
    own.save_pretrained(tmp_path)
    reloaded = InvariantLPIPS.from_pretrained(tmp_path)
    assert reloaded.identity == own.identity
    assert reloaded.identity.trunk == "own parameters"
    with pytest.raises(ValueError, match="must have been read by this metric"):
        reloaded(X, bundled.reference(X))
    with pytest.raises(ValueError, match="must have been read by this metric"):
        bundled(X, reloaded.reference(X))
    assert reloaded(X, own.reference(X)) == 0


def test_a_trunk_loaded_later_is_known_to_references(bundled: InvariantLPIPS) -> None:
    metric = InvariantLPIPS(head="gap", weights="unit")
    before = metric.reference(X)
    assert metric(X, before) == 0
    holder = torch.nn.ModuleDict({"metric": metric})  # loaded through its parent, as a checkpoint is
    holder.load_state_dict(
        {f"metric.{k}": v for k, v in InvariantLPIPS(tuned(), head="gap").state_dict().items()}
    )
    with pytest.raises(ValueError, match="must have been read by this metric"):
        metric(X, before)
    holder.load_state_dict({f"metric.{k}": v for k, v in bundled.state_dict().items()})
    assert metric(X, before) == 0


@pytest.mark.parametrize("way", ["load_features", "load_state_dict", "replaced", "in place", "copied"])
def test_a_trunk_changed_in_any_way_is_known_to_references(bundled: InvariantLPIPS, way: str) -> None:
    metric, other = InvariantLPIPS(head="gap", weights="unit"), InvariantLPIPS(tuned(), head="gap")
    before = metric.reference(X)
    if way == "load_features":
        metric.net.load_features(other.net.features_state())
    elif way == "load_state_dict":
        metric.net.load_state_dict(other.net.state_dict())
    elif way == "replaced":
        metric.net = other.net
    else:
        metric.requires_grad_(True)
        with torch.no_grad():
            metric.net.get_parameter("slice5.28.bias").add_(0.5)
        metric.requires_grad_(False)
        metric = copy.deepcopy(metric) if way == "copied" else metric
    with pytest.raises(ValueError, match="must have been read by this metric"):
        metric(X, before)
    assert metric(X, other.reference(X)) == 0


def test_own_weights_are_the_same_wherever_they_lie(tmp_path: Path) -> None:
    own = InvariantLPIPS("alex", "gap", weights="unit")
    own.use_linear_weights({"weight": torch.linspace(0, 2, own.head.weight.numel())}, "for tests")
    own.save_pretrained(tmp_path)
    reloaded = InvariantLPIPS.from_pretrained(tmp_path)
    from_file = InvariantLPIPS("alex", "gap", weights=tmp_path / "model.safetensors")
    assert own.identity.measures_like(reloaded.identity)
    assert own.identity.measures_like(from_file.identity)
    assert own.jnd_fit is None


def test_linear_weights_come_after_a_reference(bundled: InvariantLPIPS) -> None:
    learned = InvariantLPIPS(head="gap")
    assert learned(X, bundled.reference(X)) == 0
    assert learned.identity.reads_like(bundled.identity)
    assert not learned.identity.measures_like(bundled.identity)


@pytest.mark.parametrize("trained", ["blur", "polyphase"])
def test_a_pooling_that_is_named_is_the_pooling_that_is_used(trained: str) -> None:
    backbone = tuned(trained)
    kept = InvariantLPIPS(backbone, head="gap")
    assert (kept.net.pooling, kept.net.padding) == (backbone.trunk.pooling, backbone.trunk.padding)
    chosen = InvariantLPIPS(backbone, head="gap", pooling="max")
    assert (chosen.net.pooling, chosen.net.padding) == ("max", "zeros")
    assert chosen.identity.trunk_hash == kept.identity.trunk_hash
    assert InvariantLPIPS(head="gap").net.pooling == "max"


def test_describe_prints_the_identity_and_nothing_else_says_it() -> None:
    metric = InvariantLPIPS(head="gap", pooling="blur", padding="circular")
    assert metric.describe() == str(metric.identity)
    assert metric.identity == Identity(
        net="vgg",
        head="gap",
        pooling="blur",
        padding="circular",
        trunk="vgg16",
        trunk_hash="5105565f61f2",
        weights="vgg16-gap-blur",
        weights_hash="ee53842f1d53",
        fitted_pooling="blur",
        version=metric.identity.version,
    )


@pytest.mark.parametrize("change", [torch.Tensor.double, torch.Tensor.half, torch.Tensor.bfloat16])
def test_parameters_are_known_in_any_precision(change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    metric = InvariantLPIPS(head="gap")
    before = metric.identity
    metric._apply(change)
    assert metric.identity == before
    with torch.no_grad():
        next(metric.net.parameters()).data[0, 0, 0, 0] += 1
        metric.head.weight.data[0] += 1
    assert metric.identity.trunk == metric.identity.weights == "own parameters"


def test_what_is_no_identity_is_refused(bundled: InvariantLPIPS) -> None:
    fields = bundled.identity.to_dict()
    assert Identity.from_dict(json.loads(json.dumps(fields)), "x") == bundled.identity
    for wrong in (None, "InvariantLPIPS(...)", {**fields, "net": 1}, {**fields, "more": ""}, {}):
        with pytest.raises(ValueError, match="x must say who its metric is"):
            Identity.from_dict(wrong, "x")


OLD_INDEX = (
    '{"alpha": "white", "arguments": {"head": "gap", "net": "alex", "padding": "zeros", "pooling": "max", "weights": '
    '"%s"}, "batch_size": 1, "dtype": "float32", "max_pixels": 89478485, "metric": "InvariantLPIPS(net=alexnet '
    '[db775859525e], head=gap, pooling=max, padding=zeros, weights=%s, invariant-lpips 0.1.0)", "pictures": '
    '"ed94d23f45cd9893", "resize": null, "tile": null}'
)


def test_an_index_of_version_0_1_is_still_read() -> None:
    settings = Settings.from_json(OLD_INDEX % ("unit", "unit"), "old.npz")
    settings.require_metric(InvariantLPIPS("alex", "gap", weights="unit"), "old.npz")
    with pytest.raises(ValueError, match=r"old\.npz was made by InvariantLPIPS\(net=alexnet"):
        settings.require_metric(
            InvariantLPIPS("alex", "gap", pooling="max", padding="circular", weights="unit"), "old.npz"
        )
    assert replace(settings, tile=64).unlike_rows(settings) == ""
    other = Settings.from_json(OLD_INDEX % ("mine.safetensors", "mine.safetensors [0123456789ab]"), "old.npz")
    assert (other.metric.weights, other.metric.weights_hash) == ("mine.safetensors", "0123456789ab")
    assert other.unlike_rows(settings).startswith("metric: ")
    with pytest.raises(ValueError, match="is no index of this package"):
        Settings.from_json(OLD_INDEX.replace("InvariantLPIPS(", "(") % ("unit", "unit"), "old.npz")


def test_a_file_is_read_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    read: list[str] = []
    whole = reading.read_whole

    def counted(path: Path, *largest: int) -> bytes:
        read.append(path.name)
        return whole(path, *largest)

    for user in ("weights", "finding", "saved"):
        monkeypatch.setattr(f"invariant_lpips.registry.{user}.read_whole", counted)
    metric = InvariantLPIPS()
    assert sorted(read) == ["vgg16-regional.safetensors", "vgg16.safetensors"]
    read.clear()
    repr(metric)
    metric.save_pretrained(tmp_path)
    assert read == []
    InvariantLPIPS.from_pretrained(tmp_path)
    assert sorted(read) == [
        "config.json",
        "model.safetensors",
        "vgg16-regional.safetensors",
        "vgg16.safetensors",
    ]
    tuned().save_pretrained(tmp_path / "tuned")
    read.clear()
    InvariantLPIPS(tmp_path / "tuned", head="gap")
    assert sorted(read) == ["config.json", "model.safetensors"]
