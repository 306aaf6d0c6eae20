"""Two videos compared frame by frame: exact values, colours, resuming, and what is said of odd ones."""

from __future__ import annotations

import csv
import io
import json
import sys
import weakref
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from invariant_lpips import InvariantLPIPS, read_image, write_image
from invariant_lpips.cli import main
from invariant_lpips.pictures import Reading
from invariant_lpips.pictures.video import Selection, VideoFile, VideoPairing, compare_videos
from invariant_lpips.pictures.video.colour import MATRICES, Coding, rgb_from_planes
from invariant_lpips.pictures.video.decoding import stored_frame

av = pytest.importorskip("av", reason="videos need PyAV: pip install 'invariant-lpips[video]'")

Picture = NDArray[np.uint8]
CODES = {"BT.709": 1, "BT.601": 6, "SMPTE 240M": 7, "BT.2020": 9}


def pictures(count: int, *, noise: int = 0, size: tuple[int, int] = (64, 64)) -> list[Picture]:
    """Moving stripes; `noise` levels of noise, more from frame to frame."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    draw = np.random.default_rng(1)
    found = []
    for number in range(count):
        colours = [127 + 90 * np.sin((x + k * y + 5 * number) / (7 + k)) for k in range(3)]
        frame = np.stack(colours, axis=-1) + draw.normal(0, noise * (number + 1), (height, width, 3))
        found.append(frame.clip(0, 255).astype(np.uint8))
    return found


def write_frames(path: Path, frames: list[Any], codec: str = "ffv1", rate: int = 25, **how: Any) -> Path:
    """Frames as PyAV takes them; ffv1 keeps every value."""
    times = how.pop("times", range(len(frames)))
    turned, options = how.pop("turned", None), how.pop("options", {})
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, frames[0].format.name
        if turned is not None:
            stream.set_display_rotation(turned)
        for name, value in how.items():
            setattr(stream.codec_context, name, value)
        for time, frame in zip(times, frames, strict=True):
            frame.pts, frame.time_base = time, Fraction(1, rate)
            for name, value in how.items():
                if hasattr(frame, name):  # not all versions of PyAV have all
                    setattr(frame, name, value)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_rgb(path: Path, frames: list[Picture], codec: str = "ffv1", fmt: str = "bgr0", **how: Any) -> Path:
    shown = [av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format=fmt) for frame in frames]
    return write_frames(path, shown, codec, **how)


def frame_of(planes: list[NDArray[Any]], fmt: str) -> Any:
    """A frame with the given planes, uint8 or uint16."""
    frame = av.VideoFrame(planes[0].shape[1], planes[0].shape[0], fmt)
    for plane, values in zip(frame.planes, planes, strict=True):
        held = np.zeros((plane.height, plane.line_size // values.itemsize), values.dtype)
        held[:, : plane.width] = values
        plane.update(held.tobytes())
    return frame


def draw_plane(bits: int) -> NDArray[Any]:
    draw = np.random.default_rng(0)
    return draw.integers(0, 2**bits, (64, 64)).astype(np.uint8 if bits == 8 else np.uint16)


def compared(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[dict[str, str]], str]:
    """Status, rows and what was said, of a quick metric."""
    status = main(["compare", *map(str, arguments), "--net", "pixels", "--quiet"])
    out, said = capsys.readouterr()
    return status, list(csv.DictReader(io.StringIO(out))), said


def test_frames_are_the_pictures_that_were_written(tmp_path: Path) -> None:
    frames = pictures(5)
    video = VideoFile(write_rgb(tmp_path / "a.mkv", frames), Reading())
    for number, frame in enumerate(video):
        write_image(torch.from_numpy(frames[number] / 127.5 - 1).permute(2, 0, 1), tmp_path / "frame.png")
        assert torch.equal(frame.picture(), read_image(tmp_path / "frame.png"))
        assert (frame.number, frame.time) == (number, pytest.approx(number / 25))
    assert number == 4
    assert video.size == (64, 64)
    assert video.colours == "bgr0, full range"


def as_planes(rgb: NDArray[Any], bits: int, matrix: str, full: bool) -> list[NDArray[Any]]:
    """RGB in [0, 1] to Y, Cb, Cr as ITU-T H.273 has it, rounded to whole numbers."""
    kr, kb = MATRICES[matrix]
    y = rgb @ np.array([kr, 1 - kr - kb, kb])
    cb, cr = (rgb[..., 2] - y) / (2 - 2 * kb), (rgb[..., 0] - y) / (2 - 2 * kr)
    step, top = 2 ** (bits - 8), 2**bits - 1
    scales = [(top, 0), (top, 128 * step)] if full else [(219 * step, 16 * step), (224 * step, 128 * step)]
    values = [y * scales[0][0] + scales[0][1], *(c * scales[1][0] + scales[1][1] for c in (cb, cr))]
    return [value.round().astype(np.uint8 if bits == 8 else np.uint16) for value in values]


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("bits", "fmt"), [(8, "yuv444p"), (10, "yuv444p10le"), (16, "yuv444p16le")])
def test_matrix_range_and_bits(tmp_path: Path, matrix: str, full: bool, bits: int, fmt: str) -> None:
    rgb = pictures(1)[0] / 255
    planes = as_planes(rgb, bits, matrix, full)
    path = write_frames(
        tmp_path / "a.mkv", [frame_of(planes, fmt)], colorspace=CODES[matrix], color_range=2 if full else 1
    )
    video = VideoFile(path, Reading())
    assert video.colours == f"{fmt}, {matrix}, {'full' if full else 'limited'} range"
    assert not video.assumed
    (frame,) = video
    error = np.abs(frame.picture()[0].permute(1, 2, 0).numpy() - (2 * rgb - 1)).max() * 127.5
    # What rounding Y, Cb and Cr leaves, in 8-bit levels: a fourth with each two bits more.
    assert error < 1.7 / 2 ** (bits - 8)


def test_ten_bits_are_kept(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.arange(400, 464, dtype=np.uint16), (64, 64))
    grey = np.full((32, 32), 512, np.uint16)
    path = write_frames(tmp_path / "a.mkv", [frame_of([ramp, grey, grey], "yuv420p10le")], color_range=1)
    (frame,) = VideoFile(path, Reading())
    steps = frame.picture()[0, 0, 0].diff()
    torch.testing.assert_close(steps, torch.full((63,), 2 / 876), rtol=1e-3, atol=0)


def test_where_chroma_lies() -> None:
    luma, cr = np.full((4, 8), 128, np.uint8), np.full((2, 4), 128, np.uint8)
    cb = np.array([[128, 178, 228, 228]] * 2, np.uint8)
    left = rgb_from_planes([luma, cb, cr], Coding(8, "BT.601", full_range=True, steps=(2, 2)))
    blue = (left[0, :, 2] - left[0, 0, 2]) / (1.772 / 255)
    assert blue[:5] == pytest.approx([0, 25, 50, 71.67, 71.67], abs=0.01)  # 71.67: 255 is all there is
    middle = rgb_from_planes([luma, cb, cr], Coding(8, "BT.601", True, centred=True, steps=(2, 2)))
    assert (middle[0, :, 2] - middle[0, 0, 2])[:3] / (1.772 / 255) == pytest.approx([0, 12.5, 37.5], abs=0.01)


def test_samples_that_share_planes_and_opacity(tmp_path: Path) -> None:
    picture = pictures(1)[0]
    deep = [draw_plane(bits=10) for _ in range(3)]
    (frame,) = VideoFile(write_frames(tmp_path / "a.mkv", [frame_of(deep, "gbrp10le")]), Reading())
    green, blue, red = (torch.from_numpy(plane / 511.5 - 1).float() for plane in deep)
    assert torch.equal(frame.picture(), torch.stack([red, green, blue])[None])
    clear = np.concatenate([picture, np.zeros((64, 64, 1), np.uint8)], axis=-1)
    shown = av.VideoFrame.from_ndarray(clear, format="rgba").reformat(format="bgra")
    (frame,) = VideoFile(write_frames(tmp_path / "b.mkv", [shown]), Reading(alpha="black"))
    assert torch.equal(frame.picture(), torch.full((1, 3, 64, 64), -1.0))
    clear[..., :3], clear[20:40, 20:40, 3] = 255, 255
    logo = av.VideoFrame.from_ndarray(clear, format="rgba").reformat(format="bgra")
    with pytest.warns(UserWarning, match="against white its shape cannot be seen"):
        VideoFile(write_frames(tmp_path / "c.mkv", [logo]), Reading())


@pytest.mark.skipif("libvpx-vp9" not in av.codecs_available, reason="this FFmpeg has no libvpx")
def test_opacity_beside_the_frames_of_a_webm(tmp_path: Path) -> None:
    rgba = np.full((64, 64, 4), 200, np.uint8)
    rgba[..., 3] = 0
    rgba[:32, :, 3] = 255
    frames = [av.VideoFrame.from_ndarray(rgba, format="rgba").reformat(format="yuva420p") for _ in range(3)]
    path = write_frames(tmp_path / "a.webm", frames, "libvpx-vp9", options={"lossless": "1"})
    found = [frame.picture() for frame in VideoFile(path, Reading(alpha="black"))]
    assert len(found) == 3
    for picture in found:
        assert (picture[..., 34:, :] == -1).all()
        assert ((picture[..., :30, :] + 1) * 127.5 - 200).abs().max() < 3


@pytest.mark.skipif(
    not hasattr(av.video.stream.VideoStream, "set_display_rotation"), reason="PyAV can't turn"
)
def test_turned_videos_are_upright(tmp_path: Path) -> None:
    corner = np.zeros((48, 64, 3), np.uint8)
    corner[:8, :16] = 255
    for turned, turns in ((90, 1), (180, 2), (-90, 3)):
        path = write_rgb(tmp_path / "a.mp4", [corner], "png", "rgb24", turned=turned)
        video = VideoFile(path, Reading())
        (frame,) = video
        assert torch.equal(
            frame.picture(),
            torch.from_numpy(np.rot90(corner, turns) / 127.5 - 1).float().permute(2, 0, 1)[None],
        )
        assert video.size == ((48, 64) if turns % 2 else (64, 48))


def test_palettes_and_formats_that_are_not_read() -> None:
    palette = np.zeros((256, 4), np.uint8)  # alpha, red, green, blue
    palette[:, 1], palette[:, 3] = np.arange(256), 7
    chosen = draw_plane(bits=8)
    frame = av.VideoFrame.from_ndarray((chosen, palette), format="pal8")
    expected = np.stack([chosen, np.zeros_like(chosen), np.full_like(chosen, 7)], axis=-1)
    assert np.array_equal(stored_frame(frame, "a.avi").samples, expected)
    for fmt in ("rgb565le", "grayf32le", "ya8", "monow"):
        with pytest.raises(ValueError, match=f"its pixel format {fmt} is not read; convert the video to"):
            stored_frame(av.VideoFrame(64, 64, fmt), "a.avi")


def test_table_summary_and_the_same_numbers_as_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = pictures(12), pictures(12, noise=4)
    write_rgb(tmp_path / "a.mkv", a)
    write_rgb(tmp_path / "b.mkv", b)
    status, rows, said = compared(capsys, tmp_path / "a.mkv", tmp_path / "b.mkv")
    assert status == 0
    assert list(rows[0]) == ["reference", "distorted", "frame", "time", "distance", "error"]
    metric = InvariantLPIPS("pixels")
    for row, x, y in zip(rows, a, b, strict=True):
        images = (torch.from_numpy(v).permute(2, 0, 1)[None].double() / 127.5 - 1 for v in (x, y))
        assert float(row["distance"]) == pytest.approx(metric(*(v.float() for v in images)).item(), rel=1e-5)
    assert [(row["frame"], row["time"]) for row in rows[:3]] == [("0", "0"), ("1", "0.04"), ("2", "0.08")]
    distances = [float(row["distance"]) for row in rows]
    mean, median = f"{np.mean(distances):.7g}", f"{np.median(distances):.7g}"
    assert f"12 frames: mean {mean}, median {median}, worst {max(distances):.7g} (frame 11 at 0.44 s)" in said

    folder = tmp_path / "frames"
    folder.mkdir()
    for number, picture in enumerate(b):  # 10 comes after 9
        write_image(torch.from_numpy(picture / 127.5 - 1).permute(2, 0, 1), folder / f"f{number}.png")
    status, of_folder, _ = compared(capsys, tmp_path / "a.mkv", folder)
    assert status == 0
    assert [row["distance"] for row in of_folder] == [row["distance"] for row in rows]
    assert of_folder[10]["distorted"] == str(folder / "f10.png")


def test_chosen_frames_batches_and_a_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = write_rgb(tmp_path / "a.mkv", pictures(12))
    b = write_rgb(tmp_path / "b.mkv", pictures(12, noise=4))
    _, rows, _ = compared(capsys, a, b)
    status, chosen, said = compared(
        capsys, a, b, "--frames", "2:11", "--every", 3, "--batch-size", 2, "--fail-above", rows[5]["distance"]
    )
    assert status == 3
    assert [row["frame"] for row in chosen] == ["2", "5", "8"]
    assert [float(row["distance"]) for row in chosen] == [
        pytest.approx(float(rows[k]["distance"]), rel=1e-5) for k in (2, 5, 8)
    ]
    assert "distances above" in said
    assert "frame 8 at 0.32 s" in said
    status, _, said = compared(capsys, a, b, "--frames", "12:")
    assert status == 2
    assert "there is no frame to compare: the frames chosen begin with 12, but only 12 are in both" in said
    for wrong, sentence in (
        (("--frames", "3:2"), "--frames must end after its start, but got 3:2"),
        (("--every", 0), "--every must be at least 1, but got 0"),
    ):
        status, _, said = compared(capsys, a, b, *wrong)
        assert status == 2
        assert sentence in said
    with pytest.raises(ValueError, match="0 <= start < stop and every >= 1"):
        Selection(3, 2)
    with pytest.raises(SystemExit):
        compared(capsys, a, b, "--frames", "5")
    assert "expected frame numbers as 10:20, 10: or :20, but got '5'" in capsys.readouterr().err


def test_multiples_of_what_people_notice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = write_rgb(tmp_path / "a.mkv", pictures(3))
    b = write_rgb(tmp_path / "b.mkv", pictures(3, noise=4))
    noticed = InvariantLPIPS("pixels").jnd_fit["d0"]  # type: ignore[index]
    status, rows, said = compared(capsys, a, b, "--jnd", "--fail-above-jnd", "0.001")
    assert status == 3
    for row in rows:
        assert float(row["jnd"]) == pytest.approx(float(row["distance"]) / noticed, rel=1e-6)
    assert said.count("times just noticeable") == 3
    assert "(0.001 just noticeable): 3 of 3" in said
    assert compared(capsys, a, b, "--jnd", "-o", tmp_path / "x.csv")[0] == 0
    with (tmp_path / "x.csv").open() as stream:
        assert list(csv.DictReader(stream)) == rows
    assert compared(capsys, a, b, "--jnd", "-o", tmp_path / "x.json")[0] == 0
    written = json.loads((tmp_path / "x.json").read_text())
    assert [row["jnd"] for row in written["pairs"]] == [float(row["jnd"]) for row in rows]
    assert written["summary"]["worst"]["jnd"] == float(rows[2]["jnd"])


def test_motion_stock_lpips_crop_and_luma(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    still = pictures(1, size=(96, 96))[0]
    a = write_rgb(tmp_path / "a.mkv", [still[:, 6:86]] * 2)
    b = write_rgb(tmp_path / "b.mkv", [still[:, :80]] * 2)
    status, rows, _ = compared(capsys, a, b, "--motion", "shift", "--crop-border", 4, "--luma")
    assert status == 0
    assert float(rows[1]["dx"]) == pytest.approx(6, abs=0.4)
    main(["compare", str(a), str(b), "--metric", "lpips", "--net", "alex", "--quiet"])
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_stopped_run_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    a = write_rgb(tmp_path / "a.mkv", pictures(9))
    b = write_rgb(tmp_path / "b.mkv", pictures(9, noise=4))
    whole, out = tmp_path / "whole.json", tmp_path / "out.json"
    assert compared(capsys, a, b, "-o", whole)[0] == 0

    measured: list[int] = []
    own = InvariantLPIPS.forward

    def counted(self: InvariantLPIPS, *images: Any, **how: Any) -> Any:
        measured.append(1)
        if len(measured) == 5:
            raise KeyboardInterrupt
        return own(self, *images, **how)

    monkeypatch.setattr(InvariantLPIPS, "forward", counted)
    status, _, said = compared(capsys, a, b, "-o", out)
    assert status == 130
    unfinished = tmp_path / "out.json.unfinished"
    assert f"what was measured is in {unfinished}; the same command goes on from there" in said
    assert not out.exists()

    kept = unfinished.read_bytes()
    status, _, said = compared(
        capsys, a, b, "-o", out, "--map", tmp_path / "maps"
    )  # of the frames before there are none
    assert status == 2
    assert "holds the unfinished work of another run (map was None, and is " in said
    status, _, said = compared(capsys, a, b, "-o", out, "--resize", 32)
    assert status == 2
    assert "holds the unfinished work of another run (resize was None, and is 32x32 now)" in said
    assert unfinished.read_bytes() == kept

    unfinished.write_bytes(kept[:-7])  # as a kill in the middle of a line leaves it
    status, _, said = compared(capsys, a, b, "-o", out)
    assert status == 0
    assert "goes on after frame 2" in said
    assert len(measured) == 5 + 6
    assert out.read_text() == whole.read_text()
    assert not unfinished.exists()

    unfinished.write_bytes(kept)
    write_rgb(b, pictures(9, noise=5))
    status, _, said = compared(capsys, a, b, "-o", out)
    assert status == 2
    assert "the unfinished work of another run (files have been written anew since)" in said
    assert json.loads(out.read_text())["summary"]["count"] == 9


def test_lengths_sizes_and_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = write_rgb(tmp_path / "a.mkv", pictures(6))
    short = write_rgb(tmp_path / "short.mkv", pictures(4))
    status, rows, said = compared(capsys, a, short)
    assert status == 1
    assert len(rows) == 4
    assert f"{short} ends after 4 frames and {a} goes on; what both have was compared" in said
    assert compared(capsys, a, short, "--allow-unmatched")[0] == 0
    assert compared(capsys, a, short, "--frames", ":4")[0] == 0

    small = write_rgb(tmp_path / "small.mkv", pictures(6, size=(48, 64)))
    status, rows, said = compared(capsys, a, small)
    assert status == 2
    assert not rows
    assert "differ in the size of their frames (64 x 64 and 48 x 64); use --resize" in said
    assert compared(capsys, a, small, "--resize", 64)[0] == 0

    late = write_rgb(tmp_path / "late.mkv", pictures(6), times=[0, 1, 2, 4, 5, 6])
    status, _, said = compared(capsys, a, late)
    assert status == 0
    assert said.count("frames are paired by their number, but frame 3 is shown at 0.12 s") == 1


def test_colours_that_are_assumed_or_not_standard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planes = as_planes(pictures(1)[0] / 255, 8, "BT.709", False)
    said_so = write_frames(tmp_path / "a.mkv", [frame_of(planes, "yuv444p")], colorspace=1, color_range=1)
    silent = write_frames(tmp_path / "b.mkv", [frame_of(planes, "yuv444p")], color_range=1)
    assert VideoFile(silent, Reading()).colours == "yuv444p, BT.601, limited range"
    status, rows, said = compared(capsys, said_so, silent)
    assert status == 0
    assert float(rows[0]["distance"]) > 0
    assert f"{silent} does not say its matrix" in said
    hdr = write_frames(
        tmp_path / "hdr.mkv", [frame_of(planes, "yuv444p")], colorspace=9, color_primaries=9, color_trc=16
    )
    status, _, said = compared(capsys, said_so, hdr)
    assert status == 2
    assert "its colours are HDR (PQ)" in said
    assert compared(capsys, hdr, hdr, "--icc", "ignore")[0] == 0


def test_damaged_and_cut_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw = np.random.default_rng(0)
    block = draw.integers(0, 256, (4, 5, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
    frames = [np.roll(block, (3 * k, 5 * k), (0, 1)) for k in range(20)]
    whole = write_rgb(tmp_path / "whole.mp4", frames, "mpeg4", "yuv420p", options={"movflags": "faststart"})
    cut = tmp_path / "cut.mp4"
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) - (len(data) - data.index(b"mdat")) // 2])
    status, rows, said = compared(capsys, whole, cut)
    assert status == 1
    assert 0 < len(rows) < 20
    # A decoder of one thread reads half a frame and fails there; of several, it ends before.
    assert str(cut) in rows[-1]["error"]
    assert "cut short" in rows[-1]["error"]
    assert not rows[-1]["distance"]
    assert f"of {len(rows)} frames failed" in said

    for content in (b"", b"no video"):
        (tmp_path / "no.mp4").write_bytes(content)
        status, _, said = compared(capsys, whole, tmp_path / "no.mp4")
        assert status == 2
        assert "no.mp4: it is no video, or damaged" in said


def test_what_does_not_go_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = write_rgb(tmp_path / "a.mkv", pictures(2))
    write_image(torch.zeros(1, 3, 64, 64), tmp_path / "a.png")
    for arguments, sentence in (
        ((a, a, a), "two at a time, but got 3 paths"),
        ((a, tmp_path / "a.png"), "a.png is neither by its suffix"),
        ((a, tmp_path / "gone.mp4"), "there is no such file"),
        ((a, a, "--frame", 1), "do not go with --frame"),
        ((a, a, "-o", tmp_path / "x.txt"), "must end in one of .csv, .json for videos"),
        ((tmp_path / "a.png", tmp_path / "a.png", "--every", 2), "but none was named"),
    ):
        status, _, said = compared(capsys, *arguments)
        assert status == 2
        assert sentence in said


def test_without_pyav(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    a = write_rgb(tmp_path / "a.mkv", pictures(1))
    monkeypatch.setitem(sys.modules, "av", None)
    status, _, said = compared(capsys, a, a)
    assert status == 2
    assert said == "invariant-lpips compare: Videos need PyAV: pip install 'invariant-lpips[video]'\n"


def test_few_frames_are_held(tmp_path: Path) -> None:
    path = write_rgb(tmp_path / "a.mkv", pictures(60))
    pairing = VideoPairing(path, path, selection=Selection(every=2))
    held: weakref.WeakSet[torch.Tensor] = weakref.WeakSet()
    most = count = 0
    for _, x, _ in pairing.read():
        held.add(x())
        most = max(most, len(held))
        count += 1
    assert count == 30
    assert most <= 2
    assert len(list(compare_videos(InvariantLPIPS("pixels"), pairing))) == 30


def write_pictures(folder: Path, frames: list[Picture], first: int = 0, name: str = "f{}.png") -> Path:
    folder.mkdir()
    for number, frame in enumerate(frames, first):
        Image.fromarray(frame).save(folder / name.format(number))
    return folder


def test_a_mask_for_each_frame_of_a_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = pictures(12)
    changed = [frame.copy() for frame in frames]
    masks = [np.full((64, 64), 255, np.uint8) for _ in frames]
    for number in range(12):
        changed[number][:, number : number + 9] ^= 255
        masks[number][:, number : number + 9] = 0
    a, b = write_rgb(tmp_path / "a.mkv", frames), write_rgb(tmp_path / "b.mkv", changed)
    folder = write_pictures(tmp_path / "masks", masks, first=1)  # f10 comes after f9
    _, rows, _ = compared(capsys, a, b)
    assert all(float(row["distance"]) > 0 for row in rows)
    status, rows, _ = compared(capsys, a, b, "--mask", folder)
    assert status == 0
    assert [row["distance"] for row in rows] == ["0"] * 12
    status, rows, _ = compared(capsys, a, b, "--mask", folder / "f1.png")  # a still one
    assert (rows[0]["distance"], status) == ("0", 0)
    assert float(rows[5]["distance"]) > 0
    (folder / "f12.png").unlink()
    status, rows, said = compared(capsys, a, b, "--mask", folder)
    assert status == 1
    assert "masks holds 11 masks, and none for frame 11" in rows[-1]["error"]
    (folder / "f5.png").unlink()
    status, _, said = compared(capsys, a, b, "--mask", folder)
    assert status == 2
    assert "must be numbered without gaps, but in" in said
    assert "f6.png follows f4.png" in said
    status, _, said = compared(capsys, a, b, "--mask", a)
    assert status == 2
    assert "--mask takes pictures, not the video" in said
    (folder / "f1.png").rename(folder / "a.png")  # named as the video: for all of it
    status, rows, _ = compared(capsys, a, b, "--mask", folder)
    assert (rows[0]["distance"], status) == ("0", 0)


def test_two_folders_of_frames_as_videos(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    a = write_pictures(tmp_path / "a", pictures(12))
    b = write_pictures(tmp_path / "b", pictures(12, noise=4), first=100)
    _, by_order, _ = compared(capsys, a, b, "--frames", ":")
    assert [Path(row["distorted"]).name for row in by_order] == [f"f{k}.png" for k in range(100, 112)]
    whole, out = tmp_path / "whole.json", tmp_path / "out.json"
    assert compared(capsys, a, b, "--every", 2, "-o", whole)[0] == 0
    report = json.loads(whole.read_text())
    assert report["decoder"] is None
    assert [pair["distance"] for pair in report["pairs"]] == [float(row["distance"]) for row in by_order[::2]]

    own, calls = InvariantLPIPS.forward, [0]

    def counted(self: InvariantLPIPS, *images: Any, **how: Any) -> Any:
        calls[0] += 1
        if calls[0] == 4:
            raise KeyboardInterrupt
        return own(self, *images, **how)

    monkeypatch.setattr(InvariantLPIPS, "forward", counted)
    assert compared(capsys, a, b, "--every", 2, "-o", out)[0] == 130
    status, _, said = compared(capsys, a, b, "--every", 2, "-o", out)
    assert status == 0
    assert "goes on after frame 4" in said
    assert calls[0] == 4 + 3
    assert out.read_text() == whole.read_text()


def test_frames_that_are_missing_in_a_folder_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = pictures(6)
    video = write_rgb(tmp_path / "v.mkv", frames)
    a, b = write_pictures(tmp_path / "a", frames), write_pictures(tmp_path / "b", frames, first=1)
    scaled = write_pictures(tmp_path / "scaled", frames, name="f{:04d}_x4.png")
    shots = write_pictures(tmp_path / "shots", frames[:3], name="shot1_{}.png")
    for number, frame in enumerate(frames[:3]):
        Image.fromarray(frame).save(shots / f"shot2_{number}.png")
    for pair in (
        (a, b, "--frames", ":"),
        (a, video),
        (video, b),
        (a, scaled, "--frames", ":"),
        (shots, video),
    ):
        assert "come apart" not in compared(capsys, *pair)[2]
    (b / "f3.png").unlink()
    assert "in their order, but the numbers in their names come apart" in compared(capsys, video, b)[2]
    _, _, said = compared(capsys, a, b, "--frames", ":")
    assert "f2.png would be compared with" in said
    assert "f4.png): a frame may be missing" in said
