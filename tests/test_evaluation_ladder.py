"""The ladder of detection thresholds: its rungs, its order, and the benchmark as a user runs it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from invariant_lpips.cli import main
from invariant_lpips.evaluation.ladder import LADDER, inner, ladder, summary, visibility
from invariant_lpips.pictures.images import read_image


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    data = pytest.importorskip("skimage.data")
    from PIL import Image

    folder = tmp_path_factory.mktemp("photographs")
    Image.fromarray(data.astronaut()).save(folder / "astronaut.png")
    return folder / "astronaut.png"


def test_rungs_are_what_they_say(photograph):
    picture = read_image(photograph)
    reference = inner(picture)
    for (kind, amount), rung in zip(LADDER, ladder(picture, 3), strict=True):
        assert rung.shape == reference.shape
        assert rung.abs().max() <= 1
        if kind == "noise":
            sigma = ((rung - reference) * 127.5).std().item()
            assert 0.6 * amount < sigma <= 1.05 * amount  # clipping takes some of it
        elif kind == "shift":  # the same scene, moved by `amount` to the nearest pixel
            found = [
                np.hypot(dy, dx)
                for dy in range(-32, 33)
                for dx in range(-32, 33)
                if abs(np.hypot(dy, dx) - amount) < 1 and torch.equal(inner(picture, dy, dx), rung)
            ]
            assert found


def test_visibility_is_one_at_the_thresholds():
    seen = dict(zip(LADDER, visibility(1 / 0.23), strict=True))
    assert seen["shift", 1] == pytest.approx(1)
    assert seen["turn", 3.6] == seen["zoom", 1.026] == pytest.approx(1)


def test_a_metric_that_sees_as_assumed_scores_one():
    seen = visibility(29.0)
    row = summary(np.stack([seen, seen]))
    assert row["ladder_29"] == pytest.approx(1)
    assert row["ladder_71"] < 1
    assert row["shift_1px_share_of_noise"] == pytest.approx((1 / (0.23 * 29)) / (5.7 / 6.5))


def test_small_pictures_are_refused():
    with pytest.raises(ValueError, match="at least 320 x 416"):
        inner(torch.zeros(1, 3, 300, 500))


def test_bench_keeps_and_reuses_its_distances(photograph, tmp_path, capsys):
    out = tmp_path / "ladder.json"
    line = ["bench", "ladder", "--images", str(photograph.parent), "--metrics", "psnr", "--out", str(out)]
    assert main(line) == 0
    table = capsys.readouterr().out
    assert "ladder_29" in table
    assert table.splitlines()[1].startswith("psnr")
    kept = json.loads(out.read_text())
    assert len(kept["metrics"]["psnr"]["distances"][0]) == len(LADDER)
    kept["metrics"]["psnr"]["distances"] = "kept"
    out.write_text(json.dumps(kept))
    assert main(line) == 0
    assert json.loads(out.read_text())["metrics"]["psnr"]["distances"] == "kept"
