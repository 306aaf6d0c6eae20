"""The demonstration: copies are what their names say, tables add up, and it runs without a network."""

from __future__ import annotations

import csv
import io
import re
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("skimage", reason="the demo needs scikit-image")
pytest.importorskip("matplotlib", reason="the demo needs matplotlib")

from invariant_lpips.demo import copies, figure, measurements
from invariant_lpips.demo.__main__ import main

NAMES = (*copies.DAMAGE, *copies.DISPLACEMENT)
CENTRE = copies.PHOTOGRAPHS["chelsea"]


def test_moved_copies_hold_only_pixels_of_the_photograph() -> None:
    picture = copies.photograph("chelsea")
    window = copies.reference(picture, CENTRE)
    moved = copies.altered(picture, CENTRE)[copies.DISPLACEMENT[0]]
    np.testing.assert_array_equal(moved[:, copies.SHIFT_PIXELS :], window[:, : -copies.SHIFT_PIXELS])
    top, left = CENTRE[0] - copies.SIDE // 2, CENTRE[1] - copies.SIDE // 2
    beyond = picture[top : top + copies.SIDE, left - copies.SHIFT_PIXELS : left]
    np.testing.assert_array_equal(moved[:, : copies.SHIFT_PIXELS], beyond)


def test_turning_by_nothing_changes_nothing() -> None:
    picture = copies.photograph("chelsea")
    still = copies._eight_bits(copies._turned_and_scaled(picture, CENTRE))
    np.testing.assert_array_equal(still, copies.reference(picture, CENTRE))


@pytest.mark.parametrize("name", list(copies.PHOTOGRAPHS))
def test_rotation_and_zoom_reach_no_border(name: str) -> None:
    # Beyond its border the sampled picture would be black: none may show in a picture made white.
    white = np.full_like(copies.photograph(name), 255)
    for alteration in ({"degrees": copies.ROTATION_DEGREES}, {"degrees": -4.0}, {"scale": copies.ZOOM}):
        moved = copies._turned_and_scaled(white, copies.PHOTOGRAPHS[name], **alteration)
        assert moved.min() > 254


def test_rotation_turns_by_the_angle_it_names() -> None:
    picture = np.zeros((400, 400, 3), np.uint8)
    picture[198:202, 260:264] = 255  # 62 px right of the centre
    turned = copies._turned_and_scaled(picture, (200, 200), degrees=copies.ROTATION_DEGREES)[..., 0]
    rows, columns = np.indices(turned.shape)
    middle = (copies.SIDE - 1) / 2
    down, right = ((turned * axis).sum() / turned.sum() - middle for axis in (rows, columns))
    assert abs(np.degrees(np.arctan2(down, right))) == pytest.approx(copies.ROTATION_DEGREES, abs=0.1)


def test_damage_has_the_strength_it_names() -> None:
    grey = np.full((400, 400, 3), 128, np.uint8)
    made = copies.altered(grey, (200, 200))
    assert made[copies.DAMAGE[0]].astype(float).std() == pytest.approx(copies.NOISE_LEVELS, rel=0.02)
    edge = grey.copy()
    edge[:, 200:] = 255
    blurred = copies.altered(edge, (200, 200))[copies.DAMAGE[2]].astype(float)[0, :, 0]
    slope = np.diff(blurred)
    spread = np.sqrt((slope * (np.arange(slope.size) - slope.argmax()) ** 2).sum() / slope.sum())
    assert spread == pytest.approx(copies.BLUR_PIXELS, abs=0.1)


def test_tables() -> None:
    first = {
        name: {m: float(i + 1) for m in (*measurements.COLUMNS, "1 - SSIM", "mean square")}
        for i, name in enumerate(NAMES)
    }
    second = {name: {metric: 3 * value for metric, value in row.items()} for name, row in first.items()}
    means = measurements.mean([first, second])
    assert means[NAMES[0]]["SSIM"] == 2
    shares = measurements.shares([first, second])
    assert [shares[name]["ours, motion off"] for name in NAMES] == [1, 2, 3, 4, 5, 6]
    roots = [shares[name]["LPIPS vgg, root"] ** 2 for name in NAMES]
    assert roots == pytest.approx([1, 2, 3, 4, 5, 6])  # a mean of squares
    text = measurements.as_text(means, measurements.COLUMNS, digits=3)
    assert len(text.splitlines()) == 1 + 6 + 1
    columns = list(shares[NAMES[0]])
    heads = re.split(r" {2,}", measurements.as_text(shares, columns, digits=2).splitlines()[0].strip())
    assert heads == columns  # each stands apart from the next
    rows = list(csv.DictReader(io.StringIO(measurements.as_csv({"cat": first}))))
    assert len(rows) == len(NAMES) * len(measurements.COLUMNS)
    assert rows[0] == {
        "photograph": "cat",
        "copy": "noise sigma 20 of 255",
        "metric": "ours",
        "value": "1",
    }


def test_without_scikit_image_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "skimage", None)
    with pytest.raises(ImportError, match=r"pip install 'invariant-lpips\[demo\]'"):
        copies.photograph("chelsea")


def test_the_whole_of_it_offline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: Any) -> None:
        raise OSError("the demo tried to reach the network")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(copies, "PHOTOGRAPHS", {"chelsea": CENTRE})
    monkeypatch.setattr(copies, "SIDE", 64)
    assert main(["--out", str(tmp_path / "demo")]) == 0
    out, err = capsys.readouterr()
    assert "rotation 2 degrees" in out
    assert "InvariantLPIPS(net=alexnet" in err
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == ["figure.png", "table.csv"]
    rows = list(csv.DictReader((tmp_path / "demo" / "table.csv").open()))
    values = {(row["copy"], row["metric"]): float(row["value"]) for row in rows}
    # what the package is for: a moved picture is nearer than a damaged one
    for moved in ("shift 4 px", "rotation 2 degrees", "zoom 2 %"):
        for damaged in ("noise sigma 20 of 255", "JPEG quality 10", "blur sigma 2 px"):
            assert values[moved, "ours"] < values[damaged, "ours"]


def test_numbers_and_maps_are_on_one_scale() -> None:
    metrics = measurements.Metrics()
    row = dict.fromkeys(measurements.NETWORKS, 0.25)
    said = metrics.said({"noise": row})["noise"]
    assert said[measurements.PLAIN] == "0.25 = 2.5 JND"
    assert said["LPIPS vgg"] == "0.50"  # the root
    window = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    for metric in (measurements.PLAIN, "LPIPS vgg"):
        heat = metrics.maps(metric, window, {"inverse": 255 - window})["inverse"]
        x, y = (measurements.as_tensor([picture]) for picture in (window, 255 - window))
        squares = metrics.networks[metric].maps(x, y)
        torch.testing.assert_close(heat * heat.abs(), squares, rtol=1e-4, atol=1e-6)


def test_figure_shows_every_copy(tmp_path: Path) -> None:
    window = np.zeros((32, 32, 3), np.uint8)
    heat = {name: torch.rand(1, 1, 32, 32) - 0.2 for name in NAMES}
    said = {name: dict.fromkeys(measurements.NETWORKS, "0.50") for name in NAMES}
    maps = dict.fromkeys(measurements.NETWORKS[:2], heat)
    moved = dict.fromkeys(NAMES, "moved 4.0 px to the right; looks 0.01 apart otherwise")
    shares = {name: dict.fromkeys(measurements.DISTANCES, 0.5) for name in NAMES}
    brightest = dict.fromkeys(maps, (0.5, "5 JND"))
    copied = dict.fromkeys(NAMES, window)
    figure.draw(tmp_path / "figure.png", window, copied, maps, brightest, said, shares, moved)
    from PIL import Image

    with Image.open(tmp_path / "figure.png") as drawn:
        assert drawn.width > 1000
        assert len(np.unique(np.asarray(drawn.convert("L")))) > 50
