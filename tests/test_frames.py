"""Files of several frames or pages: which one is read, and a word where the others are not."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from invariant_lpips import InvariantLPIPS, embed_file
from invariant_lpips.cli import main
from invariant_lpips.indexing import Reading, embed_folder, open_index
from invariant_lpips.pictures import Pair, Pairing, compare
from invariant_lpips.pictures.images import read_image
from invariant_lpips.pictures.refusals import PictureWarning

COLOURS = ("red", "lime", "blue")


def moving(path: Path, size: tuple[int, int] = (9, 8), **how: Any) -> Path:
    frames = [Image.new("RGB", size, colour) for colour in COLOURS]
    lossless = {"lossless": True} if path.suffix == ".webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **lossless, **how)
    return path


def pixel(image: torch.Tensor) -> list[float]:
    assert torch.equal(image, image[..., :1, :1].expand_as(image))
    return [float(value) for value in image[0, :, 0, 0]]


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif"])
def test_a_frame_is_chosen_and_the_others_are_said(tmp_path: Path, suffix: str) -> None:
    path = moving(tmp_path / f"moving.{suffix}")
    with pytest.warns(
        UserWarning, match=rf"moving\.{suffix} holds 3 frames, of which the first is read.*frame=2"
    ):
        assert pixel(read_image(path)) == [1, -1, -1]
    with warnings.catch_warnings():
        warnings.simplefilter("error", PictureWarning)
        found = [pixel(read_image(path, frame=frame)) for frame in range(3)]
    assert found == [[1, -1, -1], [-1, 1, -1], [-1, -1, 1]]
    with pytest.raises(ValueError, match="it holds 3 frames, counted from 0, but frame 3 was asked for"):
        read_image(path, frame=3)
    for wrong in (-1, 1.0, True, "1"):
        with pytest.raises(ValueError, match="Argument `frame`"):
            read_image(path, frame=wrong)  # type: ignore[arg-type]


def test_a_picture_of_one_frame(tmp_path: Path) -> None:
    Image.new("RGB", (9, 8), "red").save(tmp_path / "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error", PictureWarning)
        assert torch.equal(read_image(tmp_path / "a.png"), read_image(tmp_path / "a.png", frame=0))
    with pytest.raises(ValueError, match="it holds 1 frame, counted from 0, but frame 1 was asked for"):
        read_image(tmp_path / "a.png", frame=1)


def test_previews_of_a_photograph_are_no_frames(tmp_path: Path) -> None:
    moving(tmp_path / "a.mpo", format="MPO")
    with warnings.catch_warnings():
        warnings.simplefilter("error", PictureWarning)
        assert read_image(tmp_path / "a.mpo").shape == (1, 3, 8, 9)


def test_frames_build_on_those_before(tmp_path: Path) -> None:
    # The second frame holds a corner only, as encoders write what has not changed.
    first, second = Image.new("RGB", (16, 16), "red"), Image.new("RGB", (16, 16), "red")
    second.paste("blue", (0, 0, 4, 4))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second], disposal=1)
    image = read_image(tmp_path / "a.gif", frame=1)
    assert [float(value) for value in image[0, :, 0, 0]] == [-1, -1, 1]
    assert [float(value) for value in image[0, :, 9, 9]] == [1, -1, -1]


def test_stacks_of_sixteen_bits(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    stack = np.random.default_rng(0).integers(0, 65536, (5, 40, 40), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "z.tif", stack, imagej=True)
    colour = np.random.default_rng(0).integers(0, 65536, (3, 40, 40, 3), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "c.tif", colour, photometric="rgb", compression="zlib")
    for frame in (0, 2):
        read = read_image(tmp_path / "z.tif", frame=frame)
        np.testing.assert_allclose((read[0, 0].double() + 1) * 32767.5, stack[frame], atol=0.02)
        read = read_image(tmp_path / "c.tif", frame=frame)[0].permute(1, 2, 0)
        np.testing.assert_allclose((read.double() + 1) * 32767.5, colour[frame], atol=0.02)
    with pytest.warns(UserWarning, match="holds 5 frames"):
        read_image(tmp_path / "z.tif")


def test_a_large_imagej_stack_has_one_page(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    stack = np.full((5, 40, 40), 40_000, np.uint16)
    tifffile.imwrite(
        tmp_path / "z.tif", stack, imagej=True, contiguous=True, metadata={"axes": "ZYX"}, truncate=True
    )
    with pytest.warns(UserWarning, match="holds 5 frames"):
        read_image(tmp_path / "z.tif")
    with pytest.raises(ValueError, match="of an ImageJ stack without pages only the first frame is read"):
        read_image(tmp_path / "z.tif", frame=1)


def test_reduced_copies_are_no_frames(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    full = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(full[::2, ::2], photometric="rgb", subfiletype=1)
        file.write(full, photometric="rgb")
        file.write(full[::4, ::4], photometric="rgb", subfiletype=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", PictureWarning)
        assert read_image(tmp_path / "a.tif").shape == (1, 3, 64, 64)
    with pytest.raises(ValueError, match="holds 1 frame"):
        read_image(tmp_path / "a.tif", frame=1)


def test_embeddings_of_a_frame(tmp_path: Path) -> None:
    metric = InvariantLPIPS("alex", head="gap", weights="unit")
    for suffix in ("gif", "tif"):
        path = moving(tmp_path / f"a.{suffix}", (70, 70))
        whole = metric.embed(read_image(path, frame=2))
        assert (embed_file(metric, path, tile=64, frame=2) - whole).norm() < 2e-6 * whole.norm()
        with pytest.warns(UserWarning, match="3 frames"):
            embed_file(metric, path, tile=64)
    embed_folder(metric, tmp_path, tmp_path / "second.npz", reading=Reading(frame=2), progress=False)
    index = open_index(tmp_path / "second.npz")
    assert index.settings.reading == Reading(frame=2)
    torch.testing.assert_close(torch.as_tensor(index.rows(0, 1)), whole, rtol=1e-5, atol=1e-6)


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gif = moving(tmp_path / "a.gif", (64, 64))
    Image.new("RGB", (64, 64), "blue").save(tmp_path / "b.png")
    command = ["compare", str(gif), str(tmp_path / "b.png"), "--quiet", "--net", "alex", "--head", "gap"]
    command += ["--weights", "unit"]
    assert main(command) == 0
    said = capsys.readouterr()
    assert float(said.out.split()[-1]) > 0.1
    assert said.err.startswith(
        f"invariant-lpips compare: {gif} holds 3 frames, of which the first is read; choose"
    )
    assert main([*command, "--frame", "2"]) == 2  # the other side has one frame
    assert "it holds 1 frame" in capsys.readouterr().err
    assert main([*command[:2], str(gif), *command[3:], "--frame", "2"]) == 0
    assert not capsys.readouterr().err


def test_a_frame_of_each_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gif = str(moving(tmp_path / "a.gif", (64, 64)))
    Image.new("RGB", (64, 64), "blue").save(tmp_path / "blue.png")
    command = ["--quiet", "--net", "alex", "--head", "gap", "--weights", "unit"]
    assert main(["compare", gif, str(tmp_path / "blue.png"), *command, "--frame", "2,0"]) == 0
    assert float(capsys.readouterr().out) == 0
    out = tmp_path / "out.json"
    assert main(["compare", gif, gif, *command, "--frame", "0,2", "-o", str(out)]) == 0
    report = json.loads(out.read_text())
    assert report["frame"] == [0, 2]
    metric = InvariantLPIPS("alex", head="gap", weights="unit")
    red, blue = read_image(gif, frame=0), read_image(gif, frame=2)
    assert report["pairs"][0]["distance"] == pytest.approx(metric(red, blue).item(), rel=1e-5)
    metrics = ["--metrics", "gap+alex+unit,psnr"]
    assert main(["compare", gif, gif, "--quiet", *metrics, "--frame", "0,2", "-o", str(out)]) == 0
    several = json.loads(out.read_text())
    assert several["frame"] == [0, 2]
    assert several["pairs"][0]["values"]["gap+alex+unit"] == pytest.approx(report["pairs"][0]["distance"])
    assert several["pairs"][0]["values"]["psnr"] == pytest.approx(10 * math.log10(3 / 2), abs=0.3)
    # One file on both sides is two pictures, also in later pairs.
    pair = Pair(Path(gif), Path(gif), label="")
    found = compare(
        metric, Pairing((pair, pair)), reading=Reading(frame=0), distorted_reading=Reading(frame=2)
    )
    assert [outcome.distance for outcome in found] == [pytest.approx(metric(red, blue).item(), rel=1e-5)] * 2
    capsys.readouterr()
    for wrong in ("-1", "1,2,3", "a", "1,"):
        with pytest.raises(SystemExit):
            main(["compare", gif, gif, *command, f"--frame={wrong}"])
        assert "expected one or two frame numbers from 0" in capsys.readouterr().err
    assert main(["compare", gif, gif, *command, "--frame", "0,3"]) == 2
    assert "frame 3 was asked for" in capsys.readouterr().err
