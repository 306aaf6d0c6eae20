"""Picture files to tensors: every pixel type in a stated way, every broken file in one sentence."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps

from invariant_lpips.pictures.images import read_image, write_image

COLOUR = np.random.default_rng(0).integers(0, 256, (11, 13, 3), dtype=np.uint8)
DEEP = np.random.default_rng(1).integers(0, 65536, (11, 13, 4), dtype=np.uint16)


def as_tensor(array: NDArray[np.generic], full_scale: int = 255) -> torch.Tensor:
    """What read_image promises for stored values (H, W, 3)."""
    scaled = array.astype(np.float64) / (full_scale / 2) - 1
    return torch.from_numpy(scaled.astype(np.float32).transpose(2, 0, 1)[None].copy())


def png(array: NDArray[np.uint16], colour_type: int, *, interlaced: bool = False, key: bytes = b"") -> bytes:
    """A 16-bit PNG (Pillow writes none in colour). Filters: none, left and up in turn."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = array.shape[:2]
    passes = [
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ]
    data = b""
    for top, left, down, right in passes if interlaced else [(0, 0, 1, 1)]:
        part = np.ascontiguousarray(array[top::down, left::right]).astype(">u2")
        if not part.size:
            continue
        rows = np.frombuffer(part.tobytes(), np.uint8).reshape(part.shape[0], -1)
        step = 2 * array.shape[2]
        above = np.zeros_like(rows[0])
        for number, row in enumerate(rows):
            before = np.concatenate([np.zeros(step, np.uint8), row[:-step]])
            data += bytes([number % 3]) + (row - [0 * row, before, above][number % 3]).tobytes()
            above = row
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, int(interlaced))
    transparent = chunk(b"tRNS", key) if key else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + transparent
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "tiff", "ppm", "webp"])
def test_lossless_formats_keep_every_value(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture.{suffix}"
    Image.fromarray(COLOUR).save(path, **({"lossless": True} if suffix == "webp" else {}))
    image = read_image(path)
    assert image.dtype == torch.float32
    assert image.is_contiguous()
    torch.testing.assert_close(image, as_tensor(COLOUR), rtol=0, atol=0)


def test_jpeg_is_what_pillow_decodes(tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    Image.fromarray(COLOUR).save(path, quality=90)
    assert torch.equal(read_image(path), as_tensor(np.asarray(Image.open(path))))


def test_values_are_those_of_lpips(tmp_path: Path) -> None:
    lpips = pytest.importorskip("lpips")
    Image.fromarray(COLOUR).save(tmp_path / "picture.png")
    assert torch.equal(read_image(tmp_path / "picture.png"), lpips.im2tensor(COLOUR))


@pytest.mark.parametrize("mode", ["L", "1"])
def test_grey_is_repeated(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray(COLOUR).convert(mode)
    picture.save(tmp_path / "grey.png")
    grey = np.asarray(picture.convert("L"))
    assert torch.equal(read_image(tmp_path / "grey.png"), as_tensor(np.stack([grey] * 3, 2)))


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_sixteen_bit_png_keeps_all_bits(
    tmp_path: Path, colour_type: int, channels: int, interlaced: bool
) -> None:
    stored = DEEP[..., :channels]
    (tmp_path / "deep.png").write_bytes(png(stored, colour_type, interlaced=interlaced))
    colour = stored[..., :3] if channels > 2 else stored[..., [0, 0, 0]]
    read = read_image(tmp_path / "deep.png", alpha="drop")
    assert torch.equal(read, as_tensor(colour, 65535))
    if channels in (2, 4):
        alpha = torch.from_numpy(stored[..., -1].astype(np.float32) / 65535)
        expected = as_tensor(colour, 65535) * alpha + (1 - alpha)
        torch.testing.assert_close(read_image(tmp_path / "deep.png"), expected)


@pytest.mark.parametrize(("colour_type", "channels"), [(0, 1), (2, 3)])
def test_sixteen_bit_transparent_key(tmp_path: Path, colour_type: int, channels: int) -> None:
    stored = DEEP[..., :channels]
    (tmp_path / "key.png").write_bytes(png(stored, colour_type, key=stored[2, 3].astype(">u2").tobytes()))
    image = read_image(tmp_path / "key.png")
    assert torch.equal(image[0, :, 2, 3], torch.ones(3))
    assert torch.equal(
        image[0, :, 0, 0], as_tensor(stored[:1, :1] + np.zeros(3, np.uint16), 65535)[0, :, 0, 0]
    )


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bit_tiff_keeps_all_bits(
    tmp_path: Path, channels: int, compression: str | None, byteorder: str
) -> None:
    tifffile = pytest.importorskip("tifffile")
    stored = DEEP[..., :channels]
    tifffile.imwrite(
        tmp_path / "deep.tif",
        stored[..., 0] if channels == 1 else stored,
        compression=compression,
        byteorder=byteorder,
        photometric="minisblack" if channels == 1 else "rgb",
        extrasamples=["unassalpha"] if channels == 4 else None,
    )
    colour = stored[..., :3] if channels > 1 else stored[..., [0, 0, 0]]
    assert torch.equal(read_image(tmp_path / "deep.tif", alpha="drop"), as_tensor(colour, 65535))


def test_white_is_zero_tiff_is_not_a_negative(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "white.tif", np.zeros((8, 8), np.uint16), photometric="miniswhite")
    assert torch.equal(read_image(tmp_path / "white.tif"), torch.ones(1, 3, 8, 8))


def test_float_tiff(tmp_path: Path) -> None:
    values = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    Image.fromarray(values).save(tmp_path / "float.tif")
    expected = torch.from_numpy(2 * values - 1).expand(1, 3, 3, 4)
    assert torch.equal(read_image(tmp_path / "float.tif"), expected)
    Image.fromarray(values * 255).save(tmp_path / "wide.tif")
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        read_image(tmp_path / "wide.tif")


def test_integers_of_no_known_range_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.arange(12, dtype=np.int32).reshape(3, 4)).save(tmp_path / "wide.tif")
    with pytest.raises(ValueError, match="no agreed full intensity"):
        read_image(tmp_path / "wide.tif")


def test_palette(tmp_path: Path) -> None:
    picture = Image.fromarray(COLOUR).quantize(16)
    picture.save(tmp_path / "palette.png")
    assert torch.equal(read_image(tmp_path / "palette.png"), as_tensor(np.asarray(picture.convert("RGB"))))


def test_transparent_palette_entry(tmp_path: Path) -> None:
    picture = Image.fromarray(COLOUR).quantize(16)
    picture.save(tmp_path / "palette.png", transparency=picture.getpixel((0, 0)))
    assert torch.equal(read_image(tmp_path / "palette.png")[0, :, 0, 0], torch.ones(3))
    assert torch.equal(read_image(tmp_path / "palette.png", alpha="black")[0, :, 0, 0], -torch.ones(3))


def test_alpha(tmp_path: Path) -> None:
    alpha = np.full((11, 13, 1), 255, np.uint8)
    alpha[0, 0], alpha[0, 1] = 0, 51
    path = tmp_path / "alpha.png"
    Image.fromarray(np.concatenate([COLOUR, alpha], axis=2)).save(path)
    plain = as_tensor(COLOUR)
    assert torch.equal(read_image(path, alpha="drop"), plain)
    for name, background in (("white", 1.0), ("black", -1.0), ("grey", 0.0)):
        image = read_image(path, alpha=name)  # type: ignore[arg-type]
        assert torch.equal(image[..., 1:, :], plain[..., 1:, :]), "opaque parts must not change"
        assert torch.equal(image[0, :, 0, 0], torch.full((3,), background))
        torch.testing.assert_close(image[0, :, 0, 1], plain[0, :, 0, 1] * 0.2 + 0.8 * background)
    with pytest.raises(ValueError, match="transparent"):
        read_image(path, alpha="refuse")
    with pytest.raises(ValueError, match="Argument `alpha`"):
        read_image(path, alpha="green")  # type: ignore[arg-type]


def test_opaque_alpha_is_not_refused(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).convert("RGBA").save(tmp_path / "opaque.png")
    assert torch.equal(read_image(tmp_path / "opaque.png", alpha="refuse"), as_tensor(COLOUR))


def test_cmyk_jpeg(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).convert("CMYK").save(tmp_path / "cmyk.jpg")
    expected = np.asarray(Image.open(tmp_path / "cmyk.jpg").convert("RGB"))
    assert torch.equal(read_image(tmp_path / "cmyk.jpg"), as_tensor(expected))


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(tmp_path: Path, orientation: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{suffix}"
    Image.fromarray(COLOUR).save(path, exif=exif, **({"lossless": True} if suffix == "webp" else {}))
    stored = Image.open(path)
    if suffix == "tif":
        stored.load()  # turns it already
    expected = stored if suffix == "tif" else ImageOps.exif_transpose(stored)
    assert expected.size == ((11, 13) if orientation > 4 else (13, 11))
    assert torch.equal(read_image(path), as_tensor(np.asarray(expected)))


def one_sentence(error: BaseException) -> bool:
    return "\n" not in str(error) and error.__cause__ is None and len(str(error)) < 400


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "bmp", "gif", "ppm"])
@pytest.mark.parametrize("kept", [0.5, 0.9])
@pytest.mark.parametrize("lenient", [False, True])
def test_half_a_picture_is_never_read(tmp_path: Path, suffix: str, kept: float, lenient: bool) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / f"cut.{suffix}"
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    ImageFile.LOAD_TRUNCATED_IMAGES = lenient
    try:
        with pytest.raises(ValueError, match=r"cannot read .*cut") as caught:
            read_image(path)
        assert lenient == ImageFile.LOAD_TRUNCATED_IMAGES
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    assert one_sentence(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"hello, I am no picture at all", "not a picture"),
        (b"\x89PNG\r\n\x1a\n", "not a picture"),
    ],
)
def test_not_a_picture(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=said) as caught:
        read_image(path)
    assert one_sentence(caught.value)
    assert str(path) in str(caught.value)


def test_damaged_checksum(tmp_path: Path) -> None:
    data = bytearray(png(DEEP[..., :3], 2))
    data[60] ^= 0xFF
    (tmp_path / "damaged.png").write_bytes(data)
    with pytest.raises(ValueError, match="damaged"):
        read_image(tmp_path / "damaged.png")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"cannot read .*nowhere\.png: there is no such file"
    ) as caught:
        read_image(tmp_path / "nowhere.png")
    assert one_sentence(caught.value)
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        read_image(tmp_path)
    with pytest.raises(ValueError, match="null"):
        read_image("a\0b.png")


def test_postscript_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "picture.eps").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    )
    with pytest.raises(ValueError, match="not a picture"):
        read_image(tmp_path / "picture.eps")


def test_decompression_bomb(tmp_path: Path) -> None:
    Image.new("1", (20_000, 10_000)).save(tmp_path / "bomb.png")
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ValueError, match=r"20000 x 10000 .*max_pixels") as caught:
        read_image(tmp_path / "bomb.png")
    assert one_sentence(caught.value)
    Image.fromarray(COLOUR).save(tmp_path / "small.png")
    with pytest.raises(ValueError, match="over the limit of 100 pixels"):
        read_image(tmp_path / "small.png", max_pixels=100)
    assert read_image(tmp_path / "small.png", max_pixels=None).shape == (1, 3, 11, 13)
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_gif_whose_first_frame_is_a_bomb(tmp_path: Path) -> None:
    # Pillow fills the ground of a first frame that is to be removed while it reads the header: 3.6 GB here.
    place, size = bytes(4), (60_000).to_bytes(2, "little") * 2
    frame = b"!\xf9\x04\x08\0\0\0\0" + b"," + place + size + b"\0"
    (tmp_path / "bomb.gif").write_bytes(b"GIF89a\x01\0\x01\0\0\0\0" + frame + b"\x02\0;")
    with pytest.raises(ValueError, match="its frame is over the limit") as caught:
        read_image(tmp_path / "bomb.gif")
    assert one_sentence(caught.value)


def test_written_and_read_again(tmp_path: Path) -> None:
    levels = as_tensor(COLOUR)
    write_image(levels, tmp_path / "again.png")
    assert torch.equal(read_image(tmp_path / "again.png"), levels)
    write_image(levels[0] * 1000, tmp_path / "again.png")  # clamped, not wrapped
    assert torch.equal(read_image(tmp_path / "again.png"), levels.sign())
    assert [path.name for path in tmp_path.iterdir()] == ["again.png"]
    with pytest.raises(ValueError, match="Argument `image`"):
        write_image(levels[0, 0], tmp_path / "again.png")
    with pytest.raises(ValueError, match="Argument `path`"):
        write_image(levels, tmp_path / "again.xyz")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_rather_than_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ValueError, match="it is a pipe, a picture file was expected"):
        read_image(tmp_path / "pipe.png")
