"""What a header says in places that decoders pass over, and files that are something else than their name."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from invariant_lpips.pictures.images import read_image
from invariant_lpips.pictures.refusals import PictureWarning

COLOUR = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)


def values(path: Path, **how: Any) -> NDArray[np.float64]:
    """(H, W, 3) in [0, 255]."""
    return (read_image(path, **how)[0].permute(1, 2, 0).double().numpy() + 1) * 127.5


def png(path: Path, *chunks: tuple[bytes, bytes]) -> Path:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.tobytes() for row in COLOUR)
    header = struct.pack(">IIBBBBB", 12, 9, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))
    return path


@pytest.mark.parametrize(
    ("code_points", "sentence"),
    [((9, 16, 0, 1), "HDR \\(PQ\\)"), ((9, 18, 0, 1), "HDR \\(HLG\\)"), ((12, 13, 0, 1), "primaries 12")],
)
def test_png_with_code_points_of_other_colours(
    tmp_path: Path, code_points: tuple[int, ...], sentence: str
) -> None:
    path = png(tmp_path / "a.png", (b"cICP", bytes(code_points)))
    with pytest.raises(ValueError, match=f"its colours are .*{sentence}"):
        read_image(path)
    assert np.array_equal(values(path, icc="ignore").round(), COLOUR)


def test_png_with_the_code_points_of_srgb(tmp_path: Path) -> None:
    path = png(tmp_path / "a.png", (b"cICP", bytes((1, 13, 0, 1))))
    assert np.array_equal(values(path).round(), COLOUR)
    with pytest.raises(ValueError, match="limited range"):
        read_image(png(tmp_path / "b.png", (b"cICP", bytes((1, 13, 0, 0)))))


LINEAR = (b"gAMA", struct.pack(">I", 100_000))
WIDE = (b"cHRM", struct.pack(">8I", 31270, 32900, 70800, 29200, 17000, 79700, 13100, 4600))
USUAL = (
    (b"gAMA", struct.pack(">I", 45455)),
    (b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)),
)


@pytest.mark.parametrize(
    ("chunks", "said"),
    [
        ((LINEAR,), "a gamma of 1,"),
        ((LINEAR, WIDE), "a gamma of 1 and primaries other than sRGB's,"),
        (USUAL, None),
        (((b"sRGB", b"\0"), LINEAR), None),
        (((b"gAMA", struct.pack(">I", 45000)),), None),
    ],
)
def test_gamma_that_is_not_applied_is_said(
    tmp_path: Path, chunks: tuple[tuple[bytes, bytes], ...], said: str | None
) -> None:
    path = png(tmp_path / "a.png", *chunks)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PictureWarning)
        assert np.array_equal(values(path).round(), COLOUR)
    assert [said in str(one.message) for one in caught] == ([True] if said else [])


def targa(path: Path, bits: int, descriptor: int, pixels: NDArray[Any], kind_of_alpha: int = -1) -> Path:
    header = struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 12, 9, bits, 0x20 | descriptor)
    data = header + pixels.tobytes()
    if kind_of_alpha >= 0:
        area = struct.pack("<H", 495) + bytes(492) + bytes([kind_of_alpha])
        data += area + struct.pack("<II", len(data), 0) + b"TRUEVISION-XFILE.\0"
    path.write_bytes(data)
    return path


def test_targa_without_bits_of_alpha(tmp_path: Path) -> None:
    unused = np.dstack([COLOUR[..., ::-1], np.zeros((9, 12), np.uint8)])
    assert np.array_equal(values(targa(tmp_path / "a.tga", 32, 0, unused)).round(), COLOUR)
    # All of it transparent is what the file says.
    assert (values(targa(tmp_path / "b.tga", 32, 8, unused)) == 255).all()
    for kind in (1, 2):
        path = targa(tmp_path / f"{kind}.tga", 32, 8, unused, kind_of_alpha=kind)
        assert np.array_equal(values(path).round(), COLOUR)
    assert (values(targa(tmp_path / "c.tga", 32, 8, unused, kind_of_alpha=3)) == 255).all()
    with pytest.raises(ValueError, match="premultiplied alpha"):
        read_image(targa(tmp_path / "d.tga", 32, 8, unused, kind_of_alpha=4))


def test_targa_of_sixteen_bits(tmp_path: Path) -> None:
    fives = (COLOUR >> 3).astype("<u2")
    packed = fives[..., 0] << 10 | fives[..., 1] << 5 | fives[..., 2]
    for name, descriptor, pixels in (("a", 0, packed), ("b", 1, packed | 0x8000), ("c", 1, packed)):
        found = values(targa(tmp_path / f"{name}.tga", 16, descriptor, pixels.astype("<u2")))
        assert np.abs(found - fives * 255 / 31).max() < 1
    packed[0, 0] |= 0x8000
    with pytest.raises(ValueError, match="programs differ in which value"):
        read_image(targa(tmp_path / "d.tga", 16, 1, packed))


def test_bitmap_of_sixteen_bits_a_pixel(tmp_path: Path) -> None:
    levels = COLOUR >> np.array([3, 2, 3], np.uint8)
    wide = levels.astype("<u2")
    body = (wide[..., 0] << 11 | wide[..., 1] << 5 | wide[..., 2])[::-1].tobytes()
    header = struct.pack("<IiiHHIIiiII", 40, 12, 9, 1, 16, 3, len(body), 0, 0, 0, 0)
    masks = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
    start = struct.pack("<IHHI", 66 + len(body), 0, 0, 66)
    (tmp_path / "a.bmp").write_bytes(b"BM" + start + header + masks + body)
    assert np.abs(values(tmp_path / "a.bmp") - levels * (255 / np.array([31, 63, 31]))).max() < 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"qoif" + bytes(20), "but a QOI file; convert it"),
        (b"8BPS\0\1" + bytes(20), "but a Photoshop file"),
        (b"\0\0\1\0\1\0" + bytes(20), "but an icon"),
        (b"\n<!DOCTYPE html><html>", "but a web page, perhaps in place of a download that failed"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "but a pointer of Git LFS; fetch"),
        (b"\n  <svg xmlns", "but an SVG drawing"),
        (b"\xff\xd8\xff\xc1\0\x11\x0c" + bytes(20), "a JPEG of 12 bits is not handled"),
        (b"RIFF\xff\xff\0\0WEBPVP8 " + bytes(20), "is cut short .65507 bytes are missing"),
        (b"hello", "not a picture in a format that is read, or its header is damaged"),
    ],
)
def test_what_it_is_instead(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=said):
        read_image(path)


def test_half_a_webp(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "a.webp")
    whole = (tmp_path / "a.webp").read_bytes()
    (tmp_path / "a.webp").write_bytes(whole[:-10])
    with pytest.raises(ValueError, match=r"is cut short .* bytes are missing"):
        read_image(tmp_path / "a.webp")


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_whose_end_was_filled_with_zeros(tmp_path: Path, progressive: bool) -> None:
    picture = Image.fromarray(COLOUR).resize((96, 80))
    thumbnail = b"Exif\0\0" + b"\xff\xd8 a small picture of its own \xff\xd9"
    picture.save(tmp_path / "a.jpg", quality=95, progressive=progressive, exif=thumbnail)
    whole = (tmp_path / "a.jpg").read_bytes()
    read_image(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes(whole + bytes(20))  # what comes after the end doesn't matter
    read_image(tmp_path / "a.jpg")
    half = len(whole) * 3 // 4
    (tmp_path / "a.jpg").write_bytes(whole[:half] + bytes(len(whole) - half))
    with pytest.raises(ValueError, match=r"damaged or cut short"):
        read_image(tmp_path / "a.jpg")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_pictures_are_turned_by_exif_and_not_by_xmp(tmp_path: Path, suffix: str) -> None:
    picture = Image.fromarray(COLOUR).resize((48, 48))
    how: dict[str, Any] = {"jpg": {"quality": 100, "subsampling": 0}, "webp": {"lossless": True}}.get(
        suffix, {}
    )
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    said = PngInfo()
    said.add_itxt("XML:com.adobe.xmp", xmp.decode())
    how |= {"pnginfo": said} if suffix == "png" else {"xmp": xmp}
    picture.save(tmp_path / f"a.{suffix}", **how)
    assert np.abs(values(tmp_path / f"a.{suffix}") - np.asarray(picture)).mean() < 1
    exif = Image.Exif()
    exif[0x10F] = "maker"  # EXIF that says nothing of an orientation
    picture.save(tmp_path / f"a.{suffix}", exif=exif, **how)
    assert np.abs(values(tmp_path / f"a.{suffix}") - np.asarray(picture)).mean() < 1
    exif[0x112] = 3
    picture.save(tmp_path / f"a.{suffix}", exif=exif, **how)
    assert np.abs(values(tmp_path / f"a.{suffix}") - np.asarray(picture)[::-1, ::-1]).mean() < 1
