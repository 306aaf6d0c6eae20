"""The GAP classifiers: parameters, what each head reads, saving, and their trunk inside the metric."""

from __future__ import annotations

import json

import pytest
import torch

from invariant_lpips import registry
from invariant_lpips.classifier import HEADS, GAPClassifier, count_parameters, trunk_from
from invariant_lpips.files.safetensors import safetensors_bytes
from invariant_lpips.pictures.moves import circular_shift
from invariant_lpips.registry.saved_classifier import is_classifier

PAPER = {"flatten": 5_243_040, "final-gap": 82_080, "multi-gap": 235_680}


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return {head: GAPClassifier(head, 3, 64, classes="abc").eval() for head in HEADS}


@pytest.fixture(scope="module")
def x():
    generator = torch.Generator().manual_seed(0)
    return torch.rand(2, 3, 64, 64, generator=generator) * 2 - 1


@pytest.mark.parametrize("head", HEADS)
def test_parameter_counts_are_the_papers(head):
    model = GAPClassifier(head, num_classes=160, image_size=256)
    expected = PAPER.get(head, 160 * (1472 + 8 * 8 * 512) + 160)
    assert count_parameters(model.linear) == count_parameters(model, trainable=True) == expected
    assert count_parameters(model) == 14_714_688 + expected


def test_readouts_are_means_and_positions_of_the_pools(small, x):
    with torch.no_grad():
        features = {head: model.features(x) for head, model in small.items()}
        trunk = small["flatten"].trunk
        taps = [f"pool{k}" for k in range(1, 6)]
        maps = trunk.reduce(small["flatten"].scaling_layer(x), taps, lambda tap, f: f)
    means = torch.cat([m.mean((2, 3)) for m in maps], 1)
    torch.testing.assert_close(features["multi-gap"], means)
    torch.testing.assert_close(features["final-gap"], maps[-1].mean((2, 3)))
    torch.testing.assert_close(features["flatten"], maps[-1].flatten(1))
    torch.testing.assert_close(features["gap-flatten"], torch.cat([means, maps[-1].flatten(1)], 1))


def test_gap_heads_take_any_size_and_heads_with_positions_say_why_not(small):
    larger = torch.zeros(1, 3, 96, 70)
    assert small["multi-gap"](larger).shape == small["final-gap"](larger).shape == (1, 3)
    for head in ("flatten", "gap-flatten"):
        with pytest.raises(ValueError, match="images must be 64x64"):
            small[head](larger)


@pytest.mark.parametrize("head", ["final-gap", "multi-gap"])
def test_gap_classifier_on_polyphase_answers_alike_for_every_circular_shift(head, x):
    torch.manual_seed(1)
    model = GAPClassifier(head, 5, 64, "polyphase").eval()
    with torch.no_grad():
        still = model(x)
        for dx, dy in ((1, 0), (3, 7), (32, 31), (63, 2)):
            torch.testing.assert_close(model(circular_shift(x, dx, dy)), still, rtol=0, atol=1e-5)


def test_rectangles_and_poolings_set_the_positions():
    assert GAPClassifier("flatten", 2, (64, 96)).map_shape == (512, 2, 3)
    assert GAPClassifier("flatten", 2, (64, 100), "polyphase").map_shape == (512, 2, 25)


@pytest.mark.parametrize("head", HEADS)
def test_saved_and_loaded_gives_the_same_logits(head, small, x, tmp_path):
    model = small[head]
    model.save_pretrained(tmp_path / "saved")
    tensors = registry.load_weights(tmp_path / "saved" / "model.safetensors")
    assert set(tensors) == {"linear.weight", "linear.bias"}  # the frozen trunk is named, not copied
    loaded = GAPClassifier.from_pretrained(tmp_path / "saved")
    assert (loaded.head_name, loaded.classes, loaded.image_size) == (head, ("a", "b", "c"), (64, 64))
    with torch.no_grad():
        assert torch.equal(loaded(x), model(x))
    (tmp_path / "one.safetensors").write_bytes(model.as_file())
    with torch.no_grad():
        assert torch.equal(GAPClassifier.from_pretrained(tmp_path / "one.safetensors")(x), model(x))


def test_registered_classifiers_load(x):
    names = [name for name in ("vgg16-final-gap", "vgg16-multi-gap") if name in registry.ENTRIES]
    if not names:
        pytest.skip("no classifier is registered")
    for name in names:
        model = GAPClassifier.from_pretrained(name)
        assert model.head_name == name.removeprefix("vgg16-")
        assert model(x).shape == (2, len(model.classes))


def tuned() -> GAPClassifier:
    model = GAPClassifier("final-gap", 2, 64)
    with torch.no_grad():
        model.trunk.get_parameter("slice5.28.bias").add_(0.5)
    return model


def test_a_tuned_trunk_is_saved_and_handed_to_the_metric(tmp_path):
    model = tuned()
    model.save_pretrained(tmp_path)
    loaded = GAPClassifier.from_pretrained(tmp_path)
    for source in (model, str(tmp_path), tmp_path):
        weights = trunk_from(source)
        assert weights is not None
        assert not weights.bundled
        assert weights.hash == loaded.config()["trunk"]["hash"] != registry.weights_hash("vgg16")
        expected = registry.load_weights("vgg16")["features.28.bias"] + 0.5
        torch.testing.assert_close(weights.state["features.28.bias"], expected)


def test_trunk_from_tells_classifiers_from_networks(small, tmp_path):
    for other in ("vgg", "alex", "vgg16", "no such thing", None, 3):
        assert trunk_from(other) is None
    for path in (tmp_path, str(tmp_path), "no/such.safetensors"):
        with pytest.raises(FileNotFoundError, match="a path to one"):
            trunk_from(path)
    frozen = trunk_from(small["multi-gap"])
    assert frozen is not None
    assert frozen.bundled
    assert frozen.hash == registry.weights_hash("vgg16")
    assert not is_classifier("lpips-vgg-v0.1")


def edited(folder, **changes):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config.update(changes)
    path.write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "pickle"}, 'must have "format"'),
        ({"class": "os.system"}, "missing or foreign: \\['class'\\]"),
        ({"head": "os.system"}, "`head` must be one of"),
        ({"head": "a" * 1000}, "'head' must be a name, but is 'a{37}"),
        ({"pooling": "os.system"}, "`pooling` must be one of"),
        ({"net": "../vgg"}, "`net` must be one of"),
        ({"num_classes": True}, "'num_classes' must be int"),
        ({"num_classes": 4, "classes": []}, "must hold a linear layer of 4 classes"),
        ({"image_size": [64]}, "two sides"),
        ({"classes": ["a"]}, "name all 3 classes"),
        ({"trunk": {"name": "vgg16", "hash": "0" * 12}}, "predictions would be wrong"),
    ],
)
def test_a_config_that_is_not_one_is_refused(small, tmp_path, changes, message):
    small["final-gap"].save_pretrained(tmp_path)
    edited(tmp_path, **changes)
    with pytest.raises(ValueError, match=message):
        GAPClassifier.from_pretrained(tmp_path)


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must hold config\.json"):
        GAPClassifier.from_pretrained(tmp_path)
    with pytest.raises(FileNotFoundError, match="registered name"):
        GAPClassifier.from_pretrained("nothing.safetensors")
    plain = tmp_path / "plain.safetensors"
    plain.write_bytes(safetensors_bytes({"linear.weight": torch.zeros(2, 2)}))
    with pytest.raises(ValueError, match="must carry a classifier's config"):
        GAPClassifier.from_pretrained(plain)


def test_an_unfinished_run_has_no_model(tmp_path):
    for source in (tmp_path, str(tmp_path)):
        with pytest.raises(FileNotFoundError, match="holds no finished model"):
            trunk_from(source)
    (tmp_path / "config.json").write_text('{"options": {}}')
    for load in (trunk_from, GAPClassifier.from_pretrained):
        with pytest.raises(FileNotFoundError, match=r"holds no finished model \(model\.safetensors\)"):
            load(tmp_path)


def test_a_path_is_not_looked_for_on_the_hub(tmp_path, monkeypatch):
    from invariant_lpips.registry import download as hub

    asked = []

    def download(repo, file, revision, access):
        asked.append((repo, revision))
        raise ConnectionError("no network here")

    monkeypatch.setattr(hub, "download", download)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    with pytest.raises(
        FileNotFoundError, match=r"no classifier 'nosuch' in the folder 'runs' .* 'runs/nosuch@main'"
    ):
        GAPClassifier.from_pretrained("runs/nosuch")
    assert not asked
    for name in ("runs/nosuch@main", "owner/name"):
        with pytest.raises(ConnectionError):
            GAPClassifier.from_pretrained(name)
    assert asked == [("runs/nosuch", "main"), ("owner/name", None)]


def test_gap_heads_load_with_another_pooling(x, small, tmp_path):
    small["final-gap"].save_pretrained(tmp_path / "gap")
    model = GAPClassifier.from_pretrained(tmp_path / "gap", pooling="polyphase")
    assert (model.trunk.pooling, model.trunk.padding, model.training) == ("polyphase", "circular", False)
    assert model.classes == ("a", "b", "c")
    with torch.no_grad():
        torch.testing.assert_close(model(circular_shift(x, 3, 7)), model(x), rtol=0, atol=1e-5)
    zeros = GAPClassifier.from_pretrained(tmp_path / "gap", pooling="polyphase", padding="zeros")
    assert (zeros.trunk.pooling, zeros.trunk.padding) == ("polyphase", "zeros")
    small["flatten"].save_pretrained(tmp_path / "flatten")
    with pytest.raises(ValueError, match="for GAP heads only"):
        GAPClassifier.from_pretrained(tmp_path / "flatten", pooling="polyphase")
    with pytest.raises(TypeError, match=r"takes pooling, padding, revision, .*, not depth\."):
        GAPClassifier.from_pretrained(tmp_path / "gap", depth=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"head": "gap"}, "`head` must be one of"),
        ({"num_classes": 0}, "`num_classes` must be"),
        ({"image_size": 16}, "at least 32"),
        ({"image_size": (64, 64, 3)}, "`image_size` must be a side"),
        ({"num_classes": 2, "classes": ["a"]}, "must name 2 classes"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        GAPClassifier(**options)


def test_unfreezing_from_the_last_block():
    model = GAPClassifier("final-gap", 2, 64)
    model.unfreeze(1)
    trainable = {name for name, p in model.trunk.named_parameters() if p.requires_grad}
    assert trainable == {f"slice5.{k}.{kind}" for k in (24, 26, 28) for kind in ("weight", "bias")}
    model.unfreeze()
    assert count_parameters(model, trainable=True) == count_parameters(model)
    with pytest.raises(ValueError, match="`blocks` must be 0 to 5"):
        model.unfreeze(6)


@pytest.mark.parametrize(
    ("head", "change"),
    [("multi-gap", {"num_classes": 1_000_000}), ("flatten", {"image_size": [16384, 16384]})],
)
def test_a_config_cannot_ask_for_more_memory_than_its_tensors(head, change, tmp_path):
    import json

    GAPClassifier(head, num_classes=2, image_size=32).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "classes": [], **change}))
    with pytest.raises(ValueError, match="must hold a linear layer of"):
        GAPClassifier.from_pretrained(tmp_path)
