"""AVIF, HEIC, JPEG XL, JPEG 2000, TGA, HDR and EXR: every bit kept, or one sentence that says what to install."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, features

from invariant_lpips.cli import main
from invariant_lpips.pictures.decoding import SUFFIXES
from invariant_lpips.pictures.images import read_image
from invariant_lpips.pictures.linear_light import srgb_curve

COLOUR = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
DEEP = np.random.default_rng(1).integers(0, 65536, (40, 50, 3), dtype=np.uint16)


def values(path: Path, scale: float = 255, **how: Any) -> NDArray[Any]:
    return (read_image(path, **how)[0].permute(1, 2, 0).double().numpy() + 1) / 2 * scale


@pytest.fixture
def imagecodecs() -> Any:
    return pytest.importorskip("imagecodecs")


@pytest.mark.parametrize("name", ["a.tga", "a.jfif", "a.jpe", "a.jp2", "a.j2k", "a.avif"])
def test_formats_of_pillow(tmp_path: Path, name: str) -> None:
    feature = {"avif": "avif", "jp2": "jpg_2000", "j2k": "jpg_2000"}.get(name[2:])
    if feature is not None and not features.check(feature):
        pytest.skip("this Pillow has no such codec")
    how: dict[str, Any] = {"avif": {"quality": 100}, "jfif": {"format": "JPEG"}}.get(name[2:], {})
    Image.fromarray(COLOUR).save(tmp_path / name, **how)
    assert np.array_equal(values(tmp_path / name).round(), np.asarray(Image.open(tmp_path / name)))
    assert Path(name).suffix in SUFFIXES
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cannot read .*(damaged|cut)"):
        read_image(tmp_path / name)


def test_a_tga_is_told_by_its_suffix(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "a.tga")
    (tmp_path / "a.tga").rename(tmp_path / "a.png")
    with pytest.raises(ValueError, match="not a picture"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("bits", [10, 12])
def test_avif_of_more_bits(
    tmp_path: Path, imagecodecs: Any, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = DEEP >> (16 - bits)
    (tmp_path / "a.avif").write_bytes(imagecodecs.avif_encode(stored, bitspersample=bits, level=100))
    np.testing.assert_allclose(values(tmp_path / "a.avif", 2**bits - 1), stored, atol=1e-2)
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(ValueError, match=rf"an AVIF of {bits} bits needs imagecodecs; pip install"):
        read_image(tmp_path / "a.avif")


@pytest.mark.parametrize("bits", [9, 12, 16])
@pytest.mark.parametrize("codecformat", ["jp2", "j2k"])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_2000_of_more_bits(
    tmp_path: Path,
    imagecodecs: Any,
    bits: int,
    codecformat: str,
    channels: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored = DEEP[..., :channels] >> (16 - bits)
    array = stored[..., 0] if channels == 1 else stored
    data = imagecodecs.jpeg2k_encode(array, bitspersample=bits, level=0, codecformat=codecformat)
    (tmp_path / "a.jp2").write_bytes(data)
    np.testing.assert_allclose(
        values(tmp_path / "a.jp2", 2**bits - 1), np.broadcast_to(stored, DEEP.shape), atol=0.01
    )
    (tmp_path / "b.jp2").write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match="damaged or cut short"):
        read_image(tmp_path / "b.jp2")
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(ValueError, match=rf"a JPEG 2000 of {bits} bits needs imagecodecs; pip install"):
        read_image(tmp_path / "a.jp2")


def jxl(image: Image.Image, **how: Any) -> bytes:
    pytest.importorskip("pillow_jxl")
    stream = io.BytesIO()
    image.save(stream, "JXL", **how)
    return stream.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
@pytest.mark.parametrize("use_container", [False, True])
def test_jpeg_xl(tmp_path: Path, imagecodecs: Any, mode: str, use_container: bool) -> None:
    image = Image.fromarray(COLOUR).convert(mode)
    (tmp_path / "a.jxl").write_bytes(jxl(image, lossless=True, use_container=use_container))
    np.testing.assert_allclose(values(tmp_path / "a.jxl"), np.asarray(image.convert("RGB")), atol=1e-4)
    with pytest.raises(ValueError, match="2000 pixels is over the limit of 100 pixels"):
        read_image(tmp_path / "a.jxl", max_pixels=100)


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_jpeg_xl_of_more_bits_is_shown_as_its_profile_says(
    tmp_path: Path, imagecodecs: Any, bits: int
) -> None:
    pytest.importorskip("pillow_jxl")
    stored = DEEP >> (16 - bits)
    # What this encoder is given in 16 bits it calls linear light, so that is what a viewer shows.
    data = imagecodecs.jpegxl_encode(stored, lossless=True, bitspersample=bits)
    (tmp_path / "a.jxl").write_bytes(data)
    np.testing.assert_allclose(values(tmp_path / "a.jxl", 2**bits - 1, icc="ignore"), stored, atol=0.01)
    shown = srgb_curve(stored / (2**bits - 1))
    np.testing.assert_allclose(values(tmp_path / "a.jxl", 1), shown, atol=2e-3)
    (tmp_path / "b.jxl").write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match="damaged or cut short"):
        read_image(tmp_path / "b.jxl")


def test_a_jpeg_packed_as_jpeg_xl_is_the_jpeg(tmp_path: Path, imagecodecs: Any) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "a.jpg", quality=80)
    pytest.importorskip("pillow_jxl")
    (tmp_path / "a.jxl").write_bytes(imagecodecs.jpegxl_encode_jpeg((tmp_path / "a.jpg").read_bytes()))
    assert torch.equal(read_image(tmp_path / "a.jxl"), read_image(tmp_path / "a.jpg"))


def test_animated_jpeg_xl(tmp_path: Path, imagecodecs: Any) -> None:
    pytest.importorskip("pillow_jxl")
    (tmp_path / "a.jxl").write_bytes(
        imagecodecs.jpegxl_encode(np.stack([COLOUR, 255 - COLOUR]), lossless=True)
    )
    with pytest.warns(UserWarning, match="holds 2 frames"):
        first = read_image(tmp_path / "a.jxl")
    torch.testing.assert_close(read_image(tmp_path / "a.jxl", frame=1), -first, atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="frame 2 was asked for"):
        read_image(tmp_path / "a.jxl", frame=2)


@pytest.mark.parametrize(
    "size", [(8, 8), (40, 50), (256, 256), (300, 400), (1080, 1920), (9000, 40), (33, 700)]
)
def test_the_size_of_a_jpeg_xl_is_known_before_it_is_decoded(imagecodecs: Any, size: tuple[int, int]) -> None:
    from invariant_lpips.pictures.boxed_files import _codestream, _JpegXlHeader

    for dtype, bits in (("uint8", 8), ("uint16", 16)):
        data = imagecodecs.jpegxl_encode(np.zeros((*size, 3), dtype), effort=1)
        header = _JpegXlHeader(_codestream(data))
        assert (header.height, header.width, header.bits, header.animated) == (*size, bits, False)


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_heic(tmp_path: Path, bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    heif = pytest.importorskip("pillow_heif")
    if bits == 8:
        file = heif.from_bytes("RGB", (50, 40), COLOUR.tobytes())
    else:
        monkeypatch.setattr(heif.options, "SAVE_HDR_TO_12_BIT", bits == 12)
        file = heif.from_bytes("RGB;16", (50, 40), DEEP.tobytes())
    file.save(tmp_path / "a.heic", quality=-1, chroma=444, matrix_coefficients=0)
    expected = COLOUR if bits == 8 else DEEP >> (16 - bits)
    np.testing.assert_allclose(values(tmp_path / "a.heic", 2**bits - 1), expected, atol=1e-3)
    with pytest.raises(ValueError, match="over the limit"):
        read_image(tmp_path / "a.heic", max_pixels=100)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ValueError, match=r"HEIC needs the package pillow-heif; pip install 'invariant-lpips"):
        read_image(tmp_path / "a.heic")


@pytest.mark.parametrize(
    ("primaries", "transfer", "said"), [(12, 13, "primaries 12"), (9, 16, r"HDR \(PQ\)")]
)
def test_colours_that_nothing_converts_are_refused(
    tmp_path: Path, primaries: int, transfer: int, said: str
) -> None:
    heif = pytest.importorskip("pillow_heif")
    file = heif.from_bytes("RGB", (50, 40), COLOUR.tobytes())
    file.save(tmp_path / "a.heic", quality=-1, color_primaries=primaries, transfer_characteristics=transfer)
    with pytest.raises(ValueError, match=said + r".*icc='ignore'"):
        read_image(tmp_path / "a.heic")
    assert read_image(tmp_path / "a.heic", icc="ignore").shape == (1, 3, 40, 50)


def test_radiance_hdr(tmp_path: Path, imagecodecs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    light = (COLOUR / 255).astype(np.float32)
    light[0, 0] = 7
    (tmp_path / "a.hdr").write_bytes(imagecodecs.rgbe_encode(light))
    with pytest.warns(UserWarning, match=r"0\.1% of the pixels .* brighter than white"):
        shown = values(tmp_path / "a.hdr", 1)
    stored = imagecodecs.rgbe_decode((tmp_path / "a.hdr").read_bytes(), header=True)
    np.testing.assert_allclose(shown, srgb_curve(stored), atol=1e-6)
    with pytest.raises(ValueError, match="over the limit"):
        read_image(tmp_path / "a.hdr", max_pixels=100)
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(ValueError, match="Radiance HDR needs imagecodecs; pip install"):
        read_image(tmp_path / "a.hdr")


@pytest.mark.parametrize("dtype", ["f2", "f4"])
@pytest.mark.parametrize("channels", ["Y", "RGB", "RGBA"])
def test_openexr(tmp_path: Path, dtype: str, channels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    exr = pytest.importorskip("OpenEXR")
    light = (np.arange(40 * 50).reshape(40, 50, 1) / 2000 * [[[1, 0.5, 0.25, 1]]]).astype(dtype)
    header = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
    planes = {name: np.ascontiguousarray(light[..., band]) for band, name in enumerate(channels)}
    exr.File(header, planes).write(str(tmp_path / "a.exr"))
    expected = light[..., [0, 0, 0] if channels == "Y" else [0, 1, 2]].astype(np.float32)
    if channels == "RGBA":  # whose colours are multiplied by alpha
        expected = np.divide(expected, light[..., 3:], where=light[..., 3:] > 0, out=np.zeros_like(expected))
    found = values(tmp_path / "a.exr", 1, alpha="drop")
    np.testing.assert_allclose(found, srgb_curve(expected), atol=1e-6)
    with pytest.raises(ValueError, match="over the limit"):
        read_image(tmp_path / "a.exr", max_pixels=100)
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(
        ValueError, match=r"needs the package OpenEXR; pip install 'invariant-lpips\[formats\]'"
    ):
        read_image(tmp_path / "a.exr")


def test_parts_of_an_exr_are_frames(tmp_path: Path) -> None:
    exr = pytest.importorskip("OpenEXR")
    header = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
    planes = [np.full((8, 8), value, np.float32) for value in (0.0, 1.0)]
    parts = [exr.Part({**header, "name": str(number)}, {"Y": plane}) for number, plane in enumerate(planes)]
    exr.File(parts).write(str(tmp_path / "a.exr"))
    with pytest.warns(UserWarning, match="holds 2 frames"):
        assert values(tmp_path / "a.exr", 1).max() == 0
    assert values(tmp_path / "a.exr", 1, frame=1).min() == 1
    data = (tmp_path / "a.exr").read_bytes()
    (tmp_path / "a.exr").write_bytes(data[:-20])
    with pytest.raises(ValueError, match="damaged or cut short"):
        read_image(tmp_path / "a.exr", frame=0)


def test_an_exr_of_other_things_is_refused(tmp_path: Path) -> None:
    exr = pytest.importorskip("OpenEXR")
    header = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
    exr.File(header, {"Z": np.ones((8, 8), np.float32)}).write(str(tmp_path / "z.exr"))
    with pytest.raises(ValueError, match="an EXR of the channels Z is not handled"):
        read_image(tmp_path / "z.exr")


def test_commands_name_what_needs_an_extra(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pillow_heif", "pillow_jxl", "imagecodecs", "OpenEXR"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("a.png", "b.png"):
        Image.fromarray(np.tile(COLOUR, (2, 2, 1))).save(tmp_path / name)
    (tmp_path / "c.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(99))
    (tmp_path / "d.jxl").write_bytes(b"\xff\x0a" + bytes(99))
    (tmp_path / "e.exr").write_bytes(b"\x76\x2f\x31\x01" + bytes(99))
    quick = ["--net", "alex", "--head", "gap", "--weights", "unit", "--quiet", "--workers", "0"]
    assert main(["duplicates", str(tmp_path), "--below", "0.1", *quick]) == 1
    said = capsys.readouterr().err
    for name in ("c.heic", "d.jxl", "e.exr"):
        assert name in said
    assert said.count("pip install 'invariant-lpips[formats]'") == 3
