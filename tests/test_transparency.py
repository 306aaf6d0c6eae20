"""Transparent pictures: against which ground they are shown, and a word where it hides them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from invariant_lpips import InvariantLPIPS, embed_file
from invariant_lpips.cli import main
from invariant_lpips.pictures.images import read_image
from invariant_lpips.pictures.refusals import PictureWarning

SQUARE, CROSS = [(30, 30, 98, 98)], [(10, 60, 118, 70), (60, 10, 70, 118)]


def drawing(
    path: Path, boxes: list[tuple[int, int, int, int]], colour: str = "white", size: int = 128
) -> Path:
    image = Image.new("RGBA", (size, size))
    for box in boxes:
        ImageDraw.Draw(image).rectangle(box, fill=colour)
    image.save(path)
    return path


@pytest.mark.parametrize(("colour", "alpha"), [("white", "white"), ("black", "black"), ("#808080", "grey")])
def test_a_ground_that_hides_a_shape_is_said(tmp_path: Path, colour: str, alpha: str) -> None:
    logo = drawing(tmp_path / "logo.png", SQUARE, colour)
    with pytest.warns(
        UserWarning, match=rf"logo\.png is transparent, and against {alpha} its shape cannot be seen"
    ):
        hidden = read_image(logo, alpha=alpha)  # type: ignore[arg-type]
    assert (hidden - hidden[..., :1, :1]).abs().max() < 0.01
    with pytest.warns(UserWarning, match="its shape cannot be seen"):
        embed_file(InvariantLPIPS("alex", head="gap", weights="unit"), logo, tile=64, alpha=alpha)  # type: ignore[arg-type]


def soft(image: NDArray[np.float64]) -> NDArray[np.float64]:
    for _ in range(12):
        image = (image + np.roll(image, 1, 0) + np.roll(image, 1, 1) + np.roll(image, -1, 0)) / 4
    return image


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_soft_outline_of_the_ground_s_colour_is_hidden_too(tmp_path: Path, dtype: str) -> None:
    tifffile = pytest.importorskip("tifffile")
    top = np.iinfo(dtype).max
    alpha = np.zeros((64, 64, 1))
    alpha[16:40, 16:40] = 1
    samples = np.concatenate([np.full((64, 64, 3), top), soft(alpha) * top], axis=2).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", extrasamples=["unassalpha"])
    with pytest.warns(UserWarning, match="cannot be seen"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("colour", "alpha"), [("white", "grey"), ("black", "white"), ("red", "white"), ("white", "drop")]
)
def test_nothing_is_said_where_the_shape_is_seen(tmp_path: Path, colour: str, alpha: str) -> None:
    logo = drawing(tmp_path / "logo.png", SQUARE, colour)
    with warnings.catch_warnings():
        warnings.simplefilter("error", PictureWarning)
        read_image(logo, alpha=alpha)  # type: ignore[arg-type]


def test_a_cut_out_with_a_few_white_places_is_no_hidden_shape(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 4), dtype=np.uint8)
    noise[..., 3] = 0
    noise[8:56, 8:56, 3] = 255
    noise[8:12, 8:30, :3] = 255  # a seventh of the outline is white
    Image.fromarray(noise).save(tmp_path / "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error", PictureWarning)
        read_image(tmp_path / "a.png")


def test_grey_shows_white_and_black_drawings(tmp_path: Path) -> None:
    found = [
        read_image(drawing(tmp_path / "a.png", SQUARE, colour), alpha="grey") for colour in ("white", "black")
    ]
    assert torch.equal(found[0], -found[1])
    assert found[0].unique().tolist() == [0, 1]


def test_commands_say_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = drawing(tmp_path / "square.png", SQUARE), drawing(tmp_path / "cross.png", CROSS)
    quick = ["--net", "alex", "--head", "gap", "--weights", "unit", "--quiet"]
    assert main(["compare", str(a), str(b), *quick]) == 0
    said = capsys.readouterr()
    assert float(said.out.split()[-1]) == 0
    for name in ("square", "cross"):
        assert f"invariant-lpips compare: {tmp_path / name}.png is transparent, and against white" in said.err
    assert main(["compare", str(a), str(b), "--alpha", "grey", *quick]) == 0
    said = capsys.readouterr()
    assert float(said.out.split()[-1]) > 0.1
    assert not said.err
    main(["duplicates", str(tmp_path), "--below", "0.05", "--workers", "0", *quick])
    assert "cross.png is transparent, and against white its shape cannot be seen" in capsys.readouterr().err
