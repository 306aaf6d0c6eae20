"""Learning linear weights: the fit recovers known weights, its files load, and its command resumes from the cache."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from invariant_lpips import InvariantLPIPS, training
from invariant_lpips.cli import main
from invariant_lpips.datasets import load_dataset
from invariant_lpips.registry import load_metadata, load_weights
from invariant_lpips.training import TrainLinearSettings
from invariant_lpips.training.components import collect_components
from invariant_lpips.training.strengths import (
    FitSettings,
    cross_validate,
    distances,
    fit,
    fit_all,
    folds_by_reference,
    ranking_loss,
)
from invariant_lpips.training.threshold import fit_threshold
from invariant_lpips.training.two_afc import fit_choices

SETTINGS = FitSettings(steps=300, lr=0.05, decay=0.0)


def simulated(seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[str], np.ndarray]:
    """Components, quality, references and the strengths that made the quality."""
    generator = np.random.default_rng(seed)
    components = generator.gamma(0.5, size=(400, 12)).astype(np.float32)
    strengths = generator.gamma(0.5, size=12)
    quality = 8 - 2 * distances(components, strengths, root=True)
    return components, quality, [f"I{i % 10}" for i in range(400)], strengths


@pytest.mark.parametrize("loss", ["pearson", "ranking"])
def test_fit_finds_the_weights_behind_the_scores(loss: str) -> None:
    components, quality, _, strengths = simulated()
    found = fit(
        components, quality, FitSettings(loss=loss, steps=600, lr=0.05, decay=0.0), root=True
    ).strengths
    assert np.corrcoef(found, strengths)[0, 1] > 0.99
    assert (found >= 0).all()


def test_dead_components_get_no_weight() -> None:
    components, quality, _, _ = simulated()
    components[:, 3] = 0
    assert fit(components, quality, SETTINGS, root=True).strengths[3] == 0


def test_left_out_references_never_guide_their_own_prediction() -> None:
    components, quality, references, _ = simulated()
    before = cross_validate(components, quality, references, SETTINGS, root=True, folds=5)
    fold = folds_by_reference(references, 5, 0)
    changed = quality.copy()
    changed[fold == 0] = changed[fold == 0][::-1]
    after = cross_validate(components, changed, references, SETTINGS, root=True, folds=5)
    assert np.array_equal(before.predictions[fold == 0], after.predictions[fold == 0])
    assert not np.array_equal(before.predictions[fold == 1], after.predictions[fold == 1])


def test_the_same_seed_gives_the_same_weights() -> None:
    components, quality, references, _ = simulated()
    settings = FitSettings(steps=60, batch_size=32)
    validation = cross_validate(components, quality, references, settings, root=True, folds=4)
    once = fit_all(components, quality, validation, settings, root=True).strengths
    again = fit_all(components, quality, validation, settings, root=True).strengths
    assert np.array_equal(once, again)


def test_ranking_loss_prefers_the_right_order() -> None:
    quality = torch.tensor([3.0, 2.0, 1.0])
    right, wrong = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.3, 0.2, 0.1])
    assert ranking_loss(right, quality) < ranking_loss(wrong, quality)


def test_threshold_recovers_its_curve() -> None:
    generator = np.random.default_rng(0)
    d = generator.uniform(0.02, 0.8, 600)
    quality = 10 - 10 * (1.1 * d**0.4 + generator.normal(0, 0.02, 600))
    found = fit_threshold(d, quality, [str(i % 12) for i in range(600)], draws=50)
    expected = (0.445 / 1.1) ** (1 / 0.4)
    assert found.d0 == pytest.approx(expected, rel=0.05)
    assert found.bootstrap_low < found.d0 < found.bootstrap_high
    assert found.low < found.d0 < found.high


def test_choices_teach_the_nearer_picture() -> None:
    components, _, _, strengths = simulated()
    d = distances(components, strengths, root=True)
    judge = (d[:200] > d[200:]).astype(np.float64)
    found = fit_choices(components, judge, SETTINGS, root=True).strengths
    e = distances(components, found, root=True)
    assert np.mean((e[:200] > e[200:]) == (judge == 1)) > 0.95


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"loss": "mse"}, "must be one of pearson, ranking"),
        ({"steps": 0}, "must be positive"),
        ({"batch_size": 1}, "at least 3"),
    ],
)
def test_settings_are_refused_with_a_sentence(arguments: dict[str, object], part: str) -> None:
    with pytest.raises(ValueError, match=part):
        FitSettings(**arguments)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def rated_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three references with four noisy copies each, rated by the noise."""
    folder = tmp_path_factory.mktemp("rated")
    generator = np.random.default_rng(0)
    lines = ["reference,distorted,score"]
    for i in range(3):
        clean = np.kron(generator.integers(40, 216, (6, 6, 3)), np.ones((8, 8, 1))).astype(np.float64)
        Image.fromarray(clean.astype(np.uint8)).save(folder / f"r{i}.png")
        for sigma in (4, 10, 20, 40):
            noisy = np.clip(clean + generator.normal(0, sigma, clean.shape), 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(folder / f"r{i}_{sigma}.png")
            lines.append(f"r{i}.png,r{i}_{sigma}.png,{5 - sigma / 10}")
    table = folder / "pairs.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


def train_linear(table: Path, *options: str) -> list[str]:
    """The command on a table of pairs."""
    return ["train", "linear", "--dataset", "csv", "--root", str(table), *options]


def test_command_writes_weights_that_the_metric_loads(rated_csv: Path, tmp_path: Path, capsys) -> None:
    command = train_linear(rated_csv, "--head", "gap", "--head", "regional")
    command += ["--folds", "3", "--steps", "40", "--cache", str(tmp_path / "cache")]
    assert main([*command, "--out", str(tmp_path / "a")]) == 0
    out = capsys.readouterr().out
    assert "SRCC, references left out (3 folds)" in out
    assert "SRCC of unit weights" in out
    assert "SRCC of the bundled weights" in out
    metric = InvariantLPIPS(head="regional", weights=tmp_path / "a" / "vgg16-regional.safetensors")
    assert metric.head.weight.numel() == 2432
    with pytest.raises(ValueError, match="no calibration"):
        metric.jnd(torch.ones(1))
    card = (tmp_path / "a" / "vgg16-regional.md").read_text()
    assert "invariant-lpips train linear --dataset csv" in card
    # Again, from the cached components: the same file to the last bit.
    assert main([*command, "--out", str(tmp_path / "b")]) == 0
    name = "vgg16-regional.safetensors"
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_library_call_writes_what_the_command_writes(rated_csv: Path, tmp_path: Path, capsys) -> None:
    command = train_linear(
        rated_csv, "--head", "gap", "--folds", "3", "--steps", "5", "--out", str(tmp_path / "a")
    )
    assert main(command) == 0
    said: list[str] = []
    settings = TrainLinearSettings(
        "csv", rated_csv, heads=("gap",), fit=FitSettings(steps=5), folds=3, out=tmp_path / "b"
    )
    (trained,) = training.train_linear(settings, say=said.append)
    assert trained.path == tmp_path / "b" / "vgg16-gap.safetensors"
    for name in ("vgg16-gap.safetensors", "vgg16-gap.md"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    printed = capsys.readouterr()
    assert [line.split("\t", 1)[1] for line in printed.out.splitlines()] == [
        trained.sha256,
        *(f"{figure}\t{value}" for figure, value in trained.figures.items()),
    ]
    assert said == ["gap: 3-fold cross-validation by reference"]


def test_weights_for_a_tuned_trunk_are_its_own(rated_csv: Path, tmp_path: Path, capsys) -> None:
    from invariant_lpips.classifier import GAPClassifier

    classifier = GAPClassifier("final-gap", 2, 64)
    with torch.no_grad():
        classifier.trunk.get_parameter("slice5.28.weight").mul_(1.1)
    classifier.save_pretrained(tmp_path / "tuned")
    command = train_linear(rated_csv, "--head", "gap")
    command += ["--net", str(tmp_path / "tuned"), "--folds", "3", "--steps", "40", "--out", str(tmp_path)]
    assert main(command) == 0
    assert "bundled" not in capsys.readouterr().out
    file = tmp_path / "vgg16-tuned-gap.safetensors"
    metric = InvariantLPIPS(net=tmp_path / "tuned", head="gap", weights=file)
    assert int((metric.head.weight > 0).sum()) > 0
    assert load_metadata(file)["trunk"] == classifier.config()["trunk"]["hash"]
    card = file.with_suffix(".md").read_text()
    assert str(tmp_path) not in card
    assert "net=CLASSIFIER" in card
    with pytest.raises(ValueError, match="must have been learned on the trunk of this metric"):
        InvariantLPIPS(head="gap", weights=file)
    with pytest.raises(ValueError, match="must have been learned on the trunk of this metric"):
        InvariantLPIPS(net=classifier, head="gap", weights="vgg16-gap")


def test_weights_worse_than_unit_weights_are_said_to_be(rated_csv: Path, tmp_path: Path, capsys) -> None:
    """Scores that fall with the noise in one reference and rise with it in the others teach nothing."""
    lines = rated_csv.read_text().splitlines()
    table = rated_csv.with_name("contrary.csv")
    turned = [f"{line.rsplit(',', 1)[0]},{10 - float(line.rsplit(',', 1)[1])}" for line in lines[9:]]
    table.write_text("\n".join([*lines[:9], *turned]) + "\n")
    command = train_linear(table, "--head", "gap", "--folds", "3")
    assert main([*command, "--steps", "5", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().err
    assert "gap: worse than unit weights on pictures left out (SRCC " in said
    assert said.rstrip().endswith('use weights="unit"')


def test_too_few_folds_are_refused_before_the_trunk_runs(
    rated_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(train_linear(rated_csv, "--cache", str(tmp_path / "cache"), "--folds", "2")) == 2
    assert "--folds must be between 3" in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()


def test_heads_that_read_colour_differently_are_not_read_together(rated_csv: Path) -> None:
    pairs = load_dataset("csv", rated_csv)
    with pytest.raises(ValueError, match="read different taps, or colour differently"):
        collect_components(pairs, ["regional", "regional-32"], net="pixels", progress=False)


def test_weights_for_another_head_are_refused(rated_csv: Path, tmp_path: Path) -> None:
    from invariant_lpips.registry import weights_path

    with pytest.raises(ValueError, match="must hold one tensor"):
        InvariantLPIPS(head="gap", weights=weights_path("vgg16-regional"))


@pytest.mark.parametrize("head", ["gap", "gap-blur", "spatial", "gap-spatial", "regional", "regional-blur"])
def test_bundled_weights_are_non_negative_and_calibrated(head: str) -> None:
    weight = load_weights(f"vgg16-{head}")["weight"]
    assert bool((weight >= 0).all())
    assert bool((weight > 0).any())
    fit = json.loads(load_metadata(f"vgg16-{head}")["jnd"])
    assert fit["d0"] == pytest.approx(0.1, abs=1e-4)
    assert fit["low"] < fit["d0"] < fit["high"]


def test_blur_pooling_takes_the_weights_fitted_with_it() -> None:
    metric = InvariantLPIPS(head="gap", pooling="blur")
    assert (metric.weights, metric.fitted_pooling) == ("vgg16-gap-blur", "blur")
    assert float(metric.jnd(torch.tensor(0.1))) == pytest.approx(1, abs=1e-3)
    assert InvariantLPIPS.from_pretrained("vgg16-gap-blur").describe() == metric.describe()
    # None are fitted with blur for this head: it takes those fitted with max, whose calibration does not hold.
    other = InvariantLPIPS(head="spatial", pooling="blur")
    assert (other.weights, other.fitted_pooling) == ("vgg16-spatial", "max")
