"""Training of the classifiers: cached features, resumed runs, options, logs and the command."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from invariant_lpips.classifier import GAPClassifier
from invariant_lpips.cli import main
from invariant_lpips.datasets import folders
from invariant_lpips.training import backbone_features
from invariant_lpips.training.backbone import train_backbone
from invariant_lpips.training.backbone_batches import PictureSource, epoch_order, groups_of
from invariant_lpips.training.backbone_config import BackboneConfig
from invariant_lpips.training.backbone_features import cached_features

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Three classes of 32x32 pictures: textures that a random linear layer can't name, a trained one can."""
    from invariant_lpips.pictures.images import write_image

    root = tmp_path_factory.mktemp("pictures")
    generator = torch.Generator().manual_seed(1)
    for part, count in (("train", 6), ("val", 3), ("test", 3)):
        for label, name in enumerate(("fine stripes", "noise", "slope")):
            folder = root / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                noise = torch.rand(1, 3, 32, 32, generator=generator)
                axis = torch.arange(32.0).view(1, 1, 1, 32)
                base = [(axis * 1.6 + number).sin(), 2 * noise - 1, axis / 16 - 1][label]
                image = (0.9 * base + 0.1 * (2 * noise - 1)).expand(1, 3, 32, 32)
                write_image(image, folder / f"{number}.png")
    return root


def config(tree, **options):
    given = {"data": str(tree), "head": "final-gap", "image_size": 32, "epochs": 4, "batch_size": 4} | options
    return BackboneConfig(**given)


def bytes_of(run: Path) -> dict[str, bytes]:
    names = ("log.csv", "result.json", "model/model.safetensors", "model/config.json")
    return {name: (run / name).read_bytes() for name in names}


class Stop(Exception):
    pass


def stopping_after(batches: int):
    """A wrap that breaks off after so many training batches."""
    left = [batches]

    def wrap(steps, what):
        for step in steps:
            if what.startswith("epoch"):
                if not left[0]:
                    raise Stop
                left[0] -= 1
            yield step

    return wrap


def test_frozen_run_learns_and_its_model_loads(tree, tmp_path):
    result = train_backbone(
        config(tree, epochs=12, seed=1), tmp_path / "run", cache=tmp_path / "cache", device="cpu"
    )
    assert result["test_accuracy"] == 1.0
    assert result["trainable_parameters"] == 512 * 3 + 3
    model = GAPClassifier.from_pretrained(tmp_path / "run" / "model")
    assert model.classes == ("fine stripes", "noise", "slope")
    of_run = GAPClassifier.from_pretrained(tmp_path / "run")  # the run's own folder will do
    assert torch.equal(of_run.linear.weight, model.linear.weight)
    picture = folders.load_picture(tree / "test" / "slope" / "0.png", (32, 32))
    assert model.classes[model(picture[None]).argmax()] == "slope"
    with (tmp_path / "run" / "log.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["epoch"]) for row in rows] == list(range(1, 13))
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])


@pytest.mark.parametrize("stop", [1, 5, 12])
def test_interrupted_run_ends_as_an_uninterrupted_one(tree, tmp_path, stop):
    options = config(tree, head="gap-flatten")
    train_backbone(options, tmp_path / "whole", cache=tmp_path / "cache", device="cpu")
    with pytest.raises(Stop):
        train_backbone(
            options,
            tmp_path / "broken",
            cache=tmp_path / "cache",
            device="cpu",
            checkpoint_seconds=0,
            wrap=stopping_after(stop),
        )
    train_backbone(options, tmp_path / "broken", cache=tmp_path / "cache", device="cpu")
    assert bytes_of(tmp_path / "broken") == bytes_of(tmp_path / "whole")


def test_killed_fine_tuning_ends_as_one_that_was_not(tree, tmp_path):
    pytest.importorskip("accelerate", reason="extra [train] is not installed")
    options = config(tree, tune=1, shift=3, flip=True, consistency=0.5, epochs=2)
    train_backbone(options, tmp_path / "whole", device="cpu")
    script = f"""
import os, signal, torch
torch.set_num_threads(1)
from invariant_lpips.training.backbone import train_backbone
from invariant_lpips.training.backbone_config import BackboneConfig
left = [7]
def wrap(steps, what):
    for step in steps:
        if what.startswith("epoch"):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
        yield step
config = BackboneConfig(**{vars(options)!r})
train_backbone(config, {str(tmp_path / "killed")!r}, device="cpu", checkpoint_seconds=0, wrap=wrap)
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    killed = subprocess.run([sys.executable, "-c", script], env=environment, check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert not (tmp_path / "killed" / "result.json").exists()
    train_backbone(options, tmp_path / "killed", device="cpu")
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "whole")
    changed = GAPClassifier.from_pretrained(tmp_path / "killed" / "model").config()["trunk"]
    assert changed["name"] == "tuned"


def test_two_processes_train_as_one_does(tree, tmp_path):
    pytest.importorskip("accelerate", reason="extra [train] is not installed")
    options = ["--data", str(tree), "--image-size", "32", "--head", "final-gap", "--epochs", "1"]
    options += ["--batch-size", "6", "--tune", "1", "--shift", "2", "--device", "cpu", "--quiet"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    out = ["--out", str(tmp_path / "two"), "--threads", "1"]
    done = subprocess.run(
        [*launcher, "-m", "invariant_lpips", "train", "backbone", *options, *out],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        check=False,
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr.decode()
    printed = json.loads(done.stdout)  # once, not by each process
    assert json.loads((tmp_path / "two" / "config.json").read_text())["processes"] == 2
    alone = train_backbone(
        config(tree, epochs=1, batch_size=6, tune=1, shift=2), tmp_path / "one", device="cpu"
    )
    assert printed["val_loss"] == pytest.approx(alone["val_loss"], rel=1e-3)


def test_interrupted_bfloat16_run_ends_as_an_uninterrupted_one(tree, tmp_path):
    pytest.importorskip("accelerate", reason="extra [train] is not installed")
    options = config(tree, tune=1, flip=True, epochs=1, precision="bf16", channels_last=True)
    train_backbone(options, tmp_path / "whole", device="cpu")
    with pytest.raises(Stop):
        train_backbone(
            options, tmp_path / "broken", device="cpu", checkpoint_seconds=0, wrap=stopping_after(3)
        )
    logs = importlib.util.find_spec("tensorboard") is not None
    train_backbone(options, tmp_path / "broken", device="cpu", tensorboard=logs)
    assert bytes_of(tmp_path / "broken") == bytes_of(tmp_path / "whole")
    assert not logs or list((tmp_path / "broken" / "tensorboard").iterdir())


def test_feature_cache_goes_on_after_a_kill(tree, tmp_path):
    data = folders.load(tree)
    model = GAPClassifier("gap-flatten", 3, 32)

    def three_then_stop(steps):
        for count, step in enumerate(steps):
            if count == 3:
                raise Stop
            yield step

    with pytest.raises(Stop):
        cached_features(model, data.train, tmp_path, batch_size=4, progress=three_then_stop)
    visited = []
    kept = cached_features(
        model, data.train, tmp_path, batch_size=4, progress=lambda steps: visited.extend(steps) or visited
    )
    assert visited == [12, 16]
    pictures = torch.stack(
        [folders.load_picture(data.train.file(i), (32, 32)) for i in range(len(data.train))]
    )
    with torch.inference_mode():
        direct = model.features(pictures)
    torch.testing.assert_close(kept.head_input(model, torch.arange(18)), direct, rtol=1e-4, atol=1e-5)


def test_cache_file_of_another_process_is_not_replaced(tmp_path, monkeypatch):
    """Two processes find no file at once; the later one's empty file must not hide the rows of the other."""
    path = tmp_path / "means.npy"
    first = backbone_features._open(path, (2, 3))
    first[:] = 7
    first.flush()
    monkeypatch.setattr(Path, "is_file", lambda self: False)
    assert (backbone_features._open(path, (2, 3)) == 7).all()
    assert [each.name for each in tmp_path.iterdir()] == ["means.npy"]


def test_cache_notices_a_changed_picture(tree, tmp_path):
    data = folders.load(tree)
    before = data.val.fingerprint()
    path = data.val.file(0)
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert data.val.fingerprint() != before


def test_a_run_of_another_configuration_is_refused(tree, tmp_path):
    train_backbone(config(tree, epochs=1), tmp_path / "run", cache=tmp_path / "cache", device="cpu")
    with pytest.raises(
        ValueError, match=r"another configuration \(epochs: 1 there, 2 here; seed: 0 there, 3 here\)"
    ):
        train_backbone(
            config(tree, epochs=2, seed=3), tmp_path / "run", cache=tmp_path / "cache", device="cpu"
        )


def test_a_run_whose_pictures_changed_is_refused_for_them(tree, tmp_path):
    root = shutil.copytree(tree, tmp_path / "tree")
    train_backbone(config(root, epochs=1), tmp_path / "run", cache=tmp_path / "cache", device="cpu")
    shutil.copy(root / "val" / "noise" / "0.png", root / "val" / "noise" / "new.png")
    with pytest.raises(ValueError, match="other pictures: files of val were added"):
        train_backbone(config(root, epochs=1), tmp_path / "run", cache=tmp_path / "cache", device="cpu")


def test_a_run_says_where_it_goes_on(tree, tmp_path):
    said: list[str] = []
    options = {"cache": tmp_path / "cache", "device": "cpu", "checkpoint_seconds": 0, "say": said.append}
    for batches in (0, 6):  # of five an epoch
        with pytest.raises(Stop):
            train_backbone(config(tree, epochs=2), tmp_path / "run", wrap=stopping_after(batches), **options)
    train_backbone(config(tree, epochs=2), tmp_path / "run", **options)
    train_backbone(config(tree, epochs=2), tmp_path / "run", **options)
    assert said[0].endswith("holds no checkpoint: starting anew")
    assert said[1].endswith("going on from epoch 2, step 2")
    assert said[2].endswith("trained to its end, 2 epochs; only the result is written again")


def test_early_stopping_keeps_the_best_epoch(tree, tmp_path):
    options = config(tree, epochs=60, patience=3)
    result = train_backbone(options, tmp_path / "run", cache=tmp_path / "cache", device="cpu")
    with (tmp_path / "run" / "log.csv").open() as stream:
        accuracies = [float(row["val_accuracy"]) for row in csv.DictReader(stream)]
    best = accuracies.index(max(accuracies)) + 1
    assert (result["epochs"], result["best_epoch"]) == (best + 3, best)
    assert result["val_accuracy"] == max(accuracies)


def test_batches_do_not_depend_on_the_reading_workers(tree):
    data = folders.load(tree)
    groups = groups_of(epoch_order(len(data.train), 5, 2), 4)[:2]
    options = {"shift": 4, "flip": True, "views": 2, "seed": 5}
    here = list(PictureSource(data.train, (32, 32), **options).batches(groups, 2))
    there = list(PictureSource(data.train, (32, 32), workers=1, **options).batches(groups, 2))
    for (a, labels_a), (b, labels_b) in zip(here, there, strict=True):
        assert a.shape == (4, 2, 3, 32, 32)
        assert torch.equal(a, b)
        assert torch.equal(labels_a, labels_b)
    later = next(iter(PictureSource(data.train, (32, 32), **options).batches(groups, 3)))
    assert not torch.equal(later[0], here[0][0])


def test_class_list_selects_and_orders(tree, tmp_path):
    listed = tmp_path / "classes.txt"
    listed.write_text("# two of three\nslope\nfine stripes\n")
    assert folders.read_class_list(listed, tree) == ("slope", "fine stripes")
    listed.write_text("noise n, an ImageNet line\n")
    assert folders.read_class_list(listed, tree) == ("noise",)
    listed.write_text("marble\n")
    with pytest.raises(FileNotFoundError, match="line 1: class 'marble'"):
        folders.read_class_list(listed, tree)


def test_one_tree_is_split_by_seed(tree):
    whole = tree / "train"
    first = folders.load(whole, fractions=(1 / 3, 1 / 3), seed=0)
    assert [len(first.train), len(first.val), len(first.test)] == [6, 6, 6]
    assert not set(first.train.paths) & set(first.val.paths) & set(first.test.paths)
    assert folders.load(whole, fractions=(1 / 3, 1 / 3), seed=0) == first
    assert folders.load(whole, fractions=(1 / 3, 1 / 3), seed=1) != first


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_a_class_without_pictures_is_refused(tree, tmp_path, part):
    root = shutil.copytree(tree, tmp_path / "tree")
    for picture in (root / part / "noise").iterdir():
        picture.unlink()
    with pytest.raises(ValueError, match=f"pictures .* in .*{part}, but these have none: 'noise'"):
        folders.load(root)


def test_a_folder_of_something_else_is_refused(tree, tmp_path):
    (tmp_path / "api").mkdir()
    shutil.copytree(tree / "test" / "slope", tmp_path / "figures")
    with pytest.raises(ValueError, match="these have none: 'api'"):
        folders.load(tmp_path)
    shutil.copy(tree / "test" / "slope" / "0.png", tmp_path / "api")
    with pytest.raises(ValueError, match=r"keep pictures to train on .* these have none: 'api'"):
        folders.load(tmp_path, fractions=(0.6, 0.1))


def test_command_trains_and_repeats_a_run_from_its_config(tree, tmp_path, capsys):
    def call(*arguments: str) -> int:
        return main(["train", "backbone", "--quiet", "--device", "cpu", *arguments])

    options = ["--data", str(tree), "--image-size", "32", "--epochs", "2", "--head", "multi-gap"]
    assert call("--out", str(tmp_path / "a"), *options) == 0
    first = json.loads(capsys.readouterr().out)
    assert first.pop("model") == str(tmp_path / "a" / "model")
    assert call("--out", str(tmp_path / "b"), "--config", str(tmp_path / "a" / "config.json")) == 0
    assert json.loads(capsys.readouterr().out) == first | {"model": str(tmp_path / "b" / "model")}
    assert (tmp_path / "a/model/model.safetensors").read_bytes() == (
        tmp_path / "b/model/model.safetensors"
    ).read_bytes()
    assert call("--out", str(tmp_path / "c")) == 2
    assert "--data" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"head": "gap"}, "`head` must be one of"),
        ({"consistency": 1.0}, "needs `shift`"),
        ({"patience": 0}, "`patience` must be above 0"),
        ({"precision": "fp8"}, "`precision` must be one of"),
    ],
)
def test_wrong_options_are_named(tree, options, message):
    with pytest.raises(ValueError, match=message):
        config(tree, **options)
