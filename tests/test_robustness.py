"""Moves, the protocol, the residual of moved pictures, exact invariance, digits on canvases."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torchvision.transforms.functional import to_pil_image

from invariant_lpips.classifier import HEADS, GAPClassifier
from invariant_lpips.cli import main
from invariant_lpips.datasets import digits, folders
from invariant_lpips.evaluation.translation import classifiers as classifier_bench
from invariant_lpips.evaluation.translation import embeddings as invariance_bench
from invariant_lpips.evaluation.translation import robustness
from invariant_lpips.evaluation.translation.classifiers import configurations, judge, load_classifiers
from invariant_lpips.evaluation.translation.residuals import (
    comb_spectrum,
    shift_shares,
    with_noise,
)
from invariant_lpips.evaluation.translation.robustness import Move, answers, protocol, relative_loss, summary
from invariant_lpips.pictures.moves import (
    circular_shift,
    fourier_shift,
    mirror_rotate,
    mirror_shift,
    mirror_zoom,
    window,
)
from invariant_lpips.trunks.pooling import PolyphasePool2d, dense_max, dense_phases


def texture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    """A picture with structure at several scales, (1, 3, height, width) in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(1, 3, height, width)
    for scale in (1, 4, 16):
        coarse = torch.rand(1, 3, -(-height // scale), -(-width // scale), generator=generator)
        total += torch.nn.functional.interpolate(coarse, scale_factor=scale)[..., :height, :width] / 3
    return total


def test_mirror_shift_is_a_window_of_mirrored_tiles():
    x = texture(6, 9)
    row = torch.cat([x.flip(-1), x, x.flip(-1)], -1)
    plane = torch.cat([row.flip(-2), row, row.flip(-2)], -2)
    for dx, dy in ((0, 0), (2, -3), (-9, 6), (5, 5)):
        expected = plane[..., 6 + dy : 12 + dy, 9 + dx : 18 + dx]
        assert torch.equal(mirror_shift(x, dx, dy), expected)


def test_rotation_and_zoom_keep_the_centre_and_still_means_still():
    x = texture(33, 47)
    assert mirror_rotate(x, 0) is x
    torch.testing.assert_close(mirror_zoom(x, 1.0), x)
    torch.testing.assert_close(mirror_rotate(x, 90)[..., 16, 23], x[..., 16, 23], atol=1e-5, rtol=0)
    square = texture(32, 32)
    torch.testing.assert_close(mirror_rotate(square, 90), square.rot90(-1, (-2, -1)), atol=1e-4, rtol=0)
    half = mirror_zoom(x, 0.5)  # twice the window: the whole picture in the middle half
    assert half.shape == x.shape
    assert torch.all((half >= 0) & (half <= 1))
    with pytest.raises(ValueError, match="`factor` must be above 0"):
        mirror_zoom(x, 0)


@pytest.mark.parametrize("size", [(16, 24), (15, 21)])
def test_fourier_shift_adds_up_and_agrees_with_whole_pixels(size):
    # Without the Nyquist frequency, whose phase is undefined, halves add up exactly.
    x = torch.nn.functional.avg_pool2d(
        torch.nn.functional.pad(texture(*size), (1, 1, 1, 1), "circular"), 3, 1
    )
    torch.testing.assert_close(fourier_shift(x, 3, -2), circular_shift(x, 3, -2), atol=1e-5, rtol=0)
    if size[0] % 2:
        twice = fourier_shift(fourier_shift(x.double(), 0.25, 0.5), 0.75, 0.5)
        torch.testing.assert_close(twice, circular_shift(x.double(), 1, 1))


def test_protocol_is_the_papers():
    assert len(protocol(full=True)) == 101 * 101 + 20 + 20
    coarse = protocol()
    assert coarse[0].still
    assert {(m.dx, m.dy) for m in coarse if m.kind == "shift"} == {
        (dx, dy) for dx in (-50, -25, 0, 25, 50) for dy in (-50, -25, 0, 25, 50)
    }
    assert [m.degrees for m in coarse if m.kind == "rotation"] == [5, 10, 15, 20]
    assert len(protocol(cross=True, shifts_only=True)) == 9
    finer = protocol(dx_step=10, all_turns=True)
    assert len(finer) == 25 + 8 + 20 + 20
    assert len(set(finer)) == len(finer)
    assert [m for m in finer if m.kind == "shift"] == [m for m in coarse if m.kind == "shift"]


def test_relative_loss_and_summary_by_hand():
    labels = [0, 1, 2, 3]
    moves = [Move(), Move(dx=5), Move(dy=5)]
    table = np.array([[0, 0, 0], [1, 1, 0], [2, 0, 2], [0, 3, 0]])[:, :, None]  # accuracy 3/4, 3/4, 2/4
    correct = table == np.array(labels)[:, None, None]
    assert relative_loss(correct)[0] == pytest.approx((0 + 1 / 3) / 2)
    entry = summary(table, labels, moves, ["m"])["m"]
    assert entry["accuracy"] == 0.75
    assert entry["shift"]["mean_relative_loss"] == pytest.approx(1 / 6)
    assert entry["shift"]["worst_accuracy"] == 0.5
    assert entry["shift"]["consistency"] == pytest.approx((2 / 4 + 3 / 4) / 2)


def test_shifts_between_those_of_the_grid_are_in_the_curve_and_not_in_the_means():
    moves = [Move(), Move(dx=50), Move("line", dx=5)]
    table = np.array([[0, 1, 0], [1, 0, 1]])[:, :, None]  # right at rest and at 5 px, wrong at 50 px
    entry = summary(table, [0, 1], moves, ["m"])["m"]
    assert entry["shift"]["mean_relative_loss"] == 1.0
    assert entry["shift"]["consistency"] == 0.0
    assert entry["by_move"][2] == {"kind": "line", "dx": 5, "dy": 0, "accuracy": 1.0, "consistency": 1.0}
    picture = texture(16, 16)
    assert torch.equal(moves[2](picture), mirror_shift(picture, 5, 0))


def test_only_seeds_of_one_configuration_share_a_row(tmp_path):
    """Runs as `train backbone` leaves them, of which two differ in their seed and in where the pictures lay."""

    def run(name, trained, **options):
        model = GAPClassifier("multi-gap", 2, 32, classes=["a", "b"])
        if options["tune"]:
            with torch.no_grad():
                next(model.trunk.parameters()).add_(1)
        model.save_pretrained(tmp_path / name / "model")
        config = {"options": options, "classes": ["a", "b"], "pictures": {}, "trunk": {}}
        (tmp_path / name / "config.json").write_text(json.dumps(config))
        (tmp_path / name / "result.json").write_text(json.dumps({"trainable_parameters": trained}))
        return tmp_path / name

    paths = [
        run("a-0", 99, tune=0, seed=0, data="here"),
        run("a-1", 99, tune=0, seed=1, data="there"),
        run("b-0", 12345, tune=1, seed=0, data="here"),
    ]
    GAPClassifier("multi-gap", 2, 32, classes=["a", "b"]).save_pretrained(tmp_path / "alone")
    models, runs = load_classifiers([*paths[:2], paths[2] / "model", tmp_path / "alone"])
    assert set(runs) == {"a-0", "a-1", "b-0"}
    rows = configurations(models, runs)
    assert rows == {
        "multi-gap (a-0 ...)": ["a-0", "a-1"],
        "multi-gap (b-0)": ["b-0"],
        "multi-gap (alone)": ["alone"],
    }
    assert configurations({name: models[name] for name in ("a-0", "a-1")}, runs) == {
        "multi-gap": ["a-0", "a-1"]
    }
    for part in ("train", "test"):
        for label in "ab":
            (tmp_path / "data" / part / label).mkdir(parents=True)
            to_pil_image(texture(32, 32)[0]).save(tmp_path / "data" / part / label / "x.png")
    images = folders.load(tmp_path / "data").test
    judged = judge(models, images, [Move(), Move(dx=3)], tmp_path / "answers", runs=runs)["heads"]
    assert [judged[row]["trainable_parameters"] for row in rows] == [99, 12345, 2 * 1472 + 2]
    combs = classifier_bench.combs(models, images.select([0]), 2, runs=runs)
    assert list(combs) == list(rows)


def test_answers_are_kept_and_shared_between_heads(tmp_path, monkeypatch):
    tree = digits.write_tree(tmp_path / "tree", 56, per_class=(1, 1, 1))
    images = folders.load(tree).test.select(range(4))
    torch.manual_seed(0)
    models = {head: GAPClassifier(head, 10, 56) for head in HEADS}
    moves = [Move(), Move(dx=7), Move("rotation", degrees=10.0)]
    monkeypatch.setattr(robustness, "SAVE_SECONDS", 0.0)

    def broken(steps):
        for count, step in enumerate(steps):
            if count == 4:
                raise KeyboardInterrupt
            yield step

    with pytest.raises(KeyboardInterrupt):
        answers(models, images, moves, tmp_path / "answers", batch_size=1, wrap=broken)
    left = []
    table = answers(
        models,
        images,
        moves,
        tmp_path / "answers",
        batch_size=1,
        wrap=lambda steps: left.extend(steps) or left,
    )
    assert left == [(1, 1), (1, 2), *((i, move) for i in (2, 3) for move in range(3))]
    assert table.shape == (4, 3, 4)
    for column, model in enumerate(models.values()):
        picture = folders.load_picture(images.file(1), (56, 56))[None]
        with torch.no_grad():
            assert table[1, 2, column] == model.eval()(moves[2](picture)).argmax()
    assert np.array_equal(answers(models, images, moves, tmp_path / "whole"), table)
    judged = judge(models, images, moves, tmp_path / "answers")
    assert set(judged["heads"]) == set(HEADS)


def test_digits_lie_in_the_middle_and_move_over_black(tmp_path):
    train, labels, test, _ = digits.load_digits()
    assert (len(train), len(test), train.shape[1:]) == (1297, 500, (28, 28))
    assert 0 <= float(train.min()) < float(train.max()) <= 1
    assert set(labels.tolist()) == set(range(10))
    canvas = digits.on_canvas(train[:2], 56)
    # As far as the protocol moves it, a mirrored border is as black as an endless one.
    assert torch.equal(mirror_shift(canvas, 10, -10), circular_shift(canvas, -10, 10))


def test_mnist_files_are_read(tmp_path):
    for name, count in (("train", 3), ("t10k", 2)):
        header = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (count, 28, 28))
        (tmp_path / f"{name}-images-idx3-ubyte").write_bytes(header + bytes([255] * count * 784))
        labels = b"\0\0\x08\x01" + count.to_bytes(4, "big") + bytes(range(count))
        (tmp_path / f"{name}-labels-idx1-ubyte").write_bytes(labels)
    train, train_labels, test, _ = digits.load_digits(tmp_path)
    assert train.shape == (3, 28, 28)
    assert float(train.min()) == 1.0
    assert train_labels.tolist() == [0, 1, 2]
    assert len(test) == 2
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match="t10k-labels-idx1-ubyte"):
        digits.load_digits(tmp_path)


@pytest.mark.parametrize("padding", ["circular", "zeros"])
@pytest.mark.parametrize("size", [(12, 10), (7, 8), (9, 7), (2, 2), (1, 1)])
def test_phases_are_slices_of_the_dense_maximum(size, padding):
    x = torch.rand(2, 3, *size)
    dense = dense_max(x, padding)
    for axis in (2, 3):
        if size[axis - 2] % 2:
            dense = dense.index_select(axis, torch.arange(0, 2 * size[axis - 2], 2) % size[axis - 2])
    rows, columns = (1 if side % 2 else 2 for side in size)
    expected = [dense[..., r::rows, c::columns] for r in range(rows) for c in range(columns)]
    found = dense_phases(x, padding)
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a, b)


def test_polyphase_of_a_batch_is_that_of_its_images():
    x = torch.rand(3, 4, 8, 6)
    pool = PolyphasePool2d("circular")
    batch = pool.pool(x)
    assert torch.equal(pool(x), batch)
    assert torch.equal(torch.cat([pool(image[None]) for image in x]), batch)


@pytest.mark.parametrize("size", [(64, 64), (96, 64), (35, 33), (100, 44)])
def test_gap_on_polyphase_is_exactly_invariant(size):
    metric = invariance_bench.own("polyphase, circular")
    x = torch.cat([texture(*size, seed) for seed in (0, 1)])
    moves = [(1.0, 0.0), (0.0, 1.0), (5.0, 3.0), (31.0, 32.0), (33.0, 17.0), (63.0, 63.0)]
    assert float(shift_shares(metric, x, moves).max()) < 1e-5


def test_max_pooling_leaves_a_residual_that_polyphase_removes():
    x = texture(64, 64)
    shares = shift_shares(invariance_bench.own("max, zeros"), x, [(1.0, 0.0), (16.0, 0.0)])
    assert float(shares.min()) > 1e-3


def test_comb_stands_at_the_strides():
    metric = invariance_bench.own("max, circular")
    shares = shift_shares(metric, texture(64, 64), [(float(d), 0.0) for d in range(64)])
    spectrum = dict(comb_spectrum(shares))
    # With circular padding the residual repeats every 32 px, so only periods that divide 32 can be there.
    assert spectrum[64.0] < 1e-5
    assert spectrum[32.0] > 1e-3


def test_window_and_its_limits():
    photo = torch.arange(100.0).view(1, 1, 10, 10)
    assert window(photo, (2, 2), 1, -1)[0, 0].tolist() == [[35.0, 36.0], [45.0, 46.0]]
    with pytest.raises(ValueError, match="must lie inside the picture"):
        window(photo, (8, 8), 2, 0)


def test_noise_is_the_stated_one_and_repeats():
    x = torch.full((2, 3, 64, 64), 0.5)
    noisy = with_noise(x)
    assert float((noisy - x).std()) == pytest.approx(8 / 255, rel=0.03)
    assert torch.equal(noisy, with_noise(x))


def test_benchmark_writes_results_and_figures(tmp_path, capsys):
    pytest.importorskip("matplotlib")

    def bench(*words: str) -> int:
        return main(["bench", "translation", *words])

    tree = digits.write_tree(tmp_path / "tree", 56, per_class=(1, 1, 1))
    torch.manual_seed(0)
    for head in ("flatten", "multi-gap"):
        GAPClassifier(head, 10, 56, classes=[str(d) for d in range(10)]).save_pretrained(tmp_path / head)
    arguments = ["classifiers", "--data", str(tree), "--classifier", str(tmp_path / "flatten")]
    arguments += [
        str(tmp_path / "multi-gap"),
        "--out",
        str(tmp_path / "out"),
        "--step",
        "50",
        "--quiet",
        "--cross",
    ]
    assert bench(*arguments, "--shifts-only", "--comb-pictures", "1", "--shifts", "8") == 0
    result = json.loads((tmp_path / "out" / "translation-classifiers.json").read_text())
    assert result["heads"]["flatten"]["trainable_parameters"] == 10 * 512 + 10
    assert result["combs"]["multi-gap"]["drift"][0] == 0
    assert max(result["combs"]["flatten"]["drift"]) > 0
    assert {"command", "versions", "machine"} <= set(result)
    (tmp_path / "out" / "translation-accuracy-map.png").unlink()
    assert bench("figures", "--out", str(tmp_path / "out")) == 0  # from the result alone
    for figure in (
        "translation-accuracy-map.png",
        "translation-accuracy-moves.png",
        "translation-heads-comb.png",
    ):
        assert (tmp_path / "out" / figure).stat().st_size > 5000
    with pytest.raises(SystemExit):  # an option of another part
        bench("digits", "--comb-pictures", "1")
    assert bench("classifiers", "--data", "nowhere", "--classifier", "nothing") == 2
    assert "nothing" in capsys.readouterr().err
