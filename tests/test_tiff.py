"""Every kind of TIFF, against the arrays that wrote it: right, or refused in a sentence that says what to do.

A stratified part of the grid runs here; INVARIANT_LPIPS_TIFF_GRID=1 runs all 2,896 files, of which 856 are right with
tifffile and imagecodecs, and the rest are refused since they say neither which bands are colours nor what is white.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from invariant_lpips import InvariantLPIPS, embed_file
from invariant_lpips.pictures.decoding import decode_file
from invariant_lpips.pictures.images import read_image

tifffile = pytest.importorskip("tifffile")

HEIGHT, WIDTH = 37, 45
WHOLE = bool(os.environ.get("INVARIANT_LPIPS_TIFF_GRID"))
STEP = 1 if WHOLE else 11  # coprime to every axis of the grid
REFUSALS = ("which of them are its picture", "no agreed full intensity")


class Kind(NamedTuple):
    dtype: str
    bands: int
    planarconfig: str
    compression: str | None
    predictor: bool
    byteorder: str
    tile: tuple[int, int] | None
    photometric: str

    @property
    def colours(self) -> int:
        return 3 if self.photometric == "rgb" else 1

    @property
    def scale(self) -> int:
        return 1 if self.dtype[0] in "bf" else int(np.iinfo(self.dtype).max)

    def samples(self) -> NDArray[Any]:
        random = np.random.default_rng(self.bands)
        shape = (HEIGHT, WIDTH, self.bands)
        if self.dtype[0] in "bf":
            return (random.integers(0, 2 if self.dtype == "bool" else 257, shape) / 256).astype(self.dtype)
        limits = np.iinfo(self.dtype)
        return random.integers(limits.min, limits.max, shape, dtype=self.dtype, endpoint=True)

    def write(self, path: Path) -> NDArray[Any]:
        samples = self.samples()
        others = self.bands - self.colours
        stored = samples.transpose(2, 0, 1) if self.planarconfig == "separate" else samples
        tifffile.imwrite(
            path,
            np.ascontiguousarray(stored) if self.bands > 1 else samples[..., 0],
            photometric=self.photometric,
            planarconfig=self.planarconfig if self.bands > 1 else None,
            compression=self.compression,
            predictor=self.predictor or None,
            byteorder=self.byteorder,
            tile=self.tile,
            rowsperstrip=None if self.tile else 16,
            extrasamples=("unassalpha",) if others == 1 else ("unspecified",) * others or None,
            metadata=None,
        )
        return samples


def grid() -> Iterator[Kind]:
    axes: tuple[tuple[Any, ...], ...] = (
        ("bool", "u1", "u2", "u4", "i1", "i2", "f2", "f4", "f8"),
        (1, 2, 3, 4, 5, 6),
        ("contig", "separate"),
        (None, "lzw", "zlib", "packbits"),
        (False, True),
        ("<", ">"),
        (None, (16, 32)),
        ("minisblack", "rgb"),
    )
    for kind in itertools.starmap(Kind, itertools.product(*axes)):
        nothing_to_lay = kind.bands == 1 and kind.planarconfig == "separate"
        no_such_colour = kind.bands < kind.colours or (
            kind.photometric == "minisblack" and kind.bands in (3, 5)
        )
        no_predictor = kind.predictor and (kind.compression not in ("lzw", "zlib") or kind.dtype == "bool")
        packed = kind.dtype == "bool" and kind.bands > 1
        if not (nothing_to_lay or no_such_colour or no_predictor or packed):
            yield kind


def outcome(path: Path, kind: Kind, samples: NDArray[Any]) -> str:
    """`right`, or the sentence that refuses the file; fails where a number is wrong."""
    try:
        read, scale = decode_file(path)
    except ValueError as error:
        return str(error)
    picture, expected = read.astype(float) / scale, samples.astype(float) / kind.scale
    colours = np.broadcast_to(expected[..., : kind.colours], (HEIGHT, WIDTH, 3))
    assert np.abs(picture[..., :3] - colours).max() < 1e-7, kind
    assert kind.bands - kind.colours == picture.shape[2] - 3, kind
    assert np.abs(picture[..., 3:] - expected[..., kind.colours :]).max(initial=0) < 1e-7, kind
    return "right"


def test_every_kind_is_right_or_refused(tmp_path: Path) -> None:
    has_codecs = importlib.util.find_spec("imagecodecs") is not None
    counts = {"right": 0, "refused": 0}
    for kind in itertools.islice(grid(), 0, None, STEP):
        if not has_codecs and (kind.compression in ("lzw", "packbits") or kind.predictor):
            continue  # nothing here writes them
        samples = kind.write(tmp_path / "x.tif")
        found = outcome(tmp_path / "x.tif", kind, samples)
        readable = kind.dtype in ("bool", "u1", "u2", "f2", "f4", "f8") and kind.bands - kind.colours <= 1
        assert found == "right" if readable else any(words in found for words in REFUSALS), (kind, found)
        counts["right" if readable else "refused"] += 1
    assert min(counts.values()) > (500 if WHOLE else 20)


def test_without_tifffile_no_number_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = [kind for kind in grid() if kind.compression in (None, "zlib") and not kind.predictor]
    written = []
    for number, kind in enumerate(kinds[:: 1 if WHOLE else 17]):
        path = tmp_path / f"{number}.tif"
        written.append((path, kind, kind.write(path)))
    monkeypatch.setitem(sys.modules, "tifffile", None)
    for path, kind, samples in written:
        found = outcome(path, kind, samples)
        assert found == "right" or "pip install 'invariant-lpips[formats]'" in found, (kind, found)


def write(path: Path, samples: NDArray[Any], **how: Any) -> None:
    tifffile.imwrite(path, samples, metadata=None, **how)


def values(path: Path, scale: float = 65535, **how: Any) -> NDArray[Any]:
    """What `read_image` gives, back in the numbers of the file, (H, W, 3)."""
    return (read_image(path, **how)[0].permute(1, 2, 0).double().numpy() + 1) / 2 * scale


DEEP = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH, 3), dtype=np.uint16)


@pytest.mark.parametrize("how", [{}, {"compression": "zlib"}, {"photometric": "rgb"}, {"bigtiff": True}])
def test_planes_of_sixteen_bits(tmp_path: Path, how: dict[str, Any]) -> None:
    # With nothing said, tifffile takes an array (3, H, W) for planes of colour.
    how = {"photometric": "rgb", "planarconfig": "separate", **how}
    write(tmp_path / "band.tif", np.ascontiguousarray(DEEP.transpose(2, 0, 1)), **how)
    np.testing.assert_allclose(values(tmp_path / "band.tif"), DEEP, atol=0.02)


def test_a_file_read_in_tiles_goes_through_the_same_door(tmp_path: Path) -> None:
    metric = InvariantLPIPS("alex", head="gap", weights="unit")
    large = np.random.default_rng(0).integers(0, 4096, (80, 96, 4), dtype=np.uint16)
    planes = {"photometric": "minisblack", "extrasamples": ("unspecified",) * 3}
    for name, stored, layout in (("contig", large, "contig"), ("band", large.transpose(2, 0, 1), "separate")):
        path = tmp_path / f"{name}.tif"
        write(path, np.ascontiguousarray(stored), planarconfig=layout, tile=(32, 32), **planes)
        with pytest.raises(ValueError, match="4 bands"):
            embed_file(metric, path, tile=64)
        with pytest.raises(ValueError, match="above the full scale of 1000"):
            embed_file(metric, path, tile=64, bands=(3, 2, 1), full_scale=1000)
        whole = metric.embed(read_image(path, bands=(3, 2, 1), full_scale=4095))
        tiled = embed_file(metric, path, tile=64, bands=(3, 2, 1), full_scale=4095)
        assert (tiled - whole).norm() < 2e-6 * whole.norm()


def test_bands_are_chosen(tmp_path: Path) -> None:
    six = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 6), dtype=np.uint8)
    write(tmp_path / "six.tif", six, photometric="minisblack", planarconfig="contig")
    with pytest.raises(ValueError, match=r"it holds 6 bands .* bands=\(3, 2, 1\)"):
        read_image(tmp_path / "six.tif")
    np.testing.assert_allclose(
        values(tmp_path / "six.tif", 255, bands=(6, 2, 1)), six[..., [5, 1, 0]], atol=1e-4
    )
    np.testing.assert_allclose(values(tmp_path / "six.tif", 255, bands=[4]), six[..., [3, 3, 3]], atol=1e-4)
    with pytest.raises(ValueError, match="band 7 was asked for"):
        read_image(tmp_path / "six.tif", bands=(7, 1, 2))
    for bands in ((), (1, 2), (0, 1, 2), (1.0, 2, 3)):
        with pytest.raises(ValueError, match="Argument `bands` must be one or three whole numbers"):
            read_image(tmp_path / "six.tif", bands=bands)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["u2", "i2", "u4", "i4"])
def test_full_scale(tmp_path: Path, dtype: str) -> None:
    twelve = (DEEP // 16).astype(dtype)
    write(tmp_path / "a.tif", twelve, photometric="rgb")
    np.testing.assert_allclose(values(tmp_path / "a.tif", 4095, full_scale=4095), twelve, atol=1e-3)
    with pytest.raises(ValueError, match=r"its samples go up to 409., above the full scale of 1023"):
        read_image(tmp_path / "a.tif", full_scale=1023)
    for wrong in (0, -1, 4095.0, 2**32):
        with pytest.raises(ValueError, match="Argument `full_scale`"):
            read_image(tmp_path / "a.tif", full_scale=wrong)  # type: ignore[arg-type]


def test_full_scale_leaves_eight_bits_and_floats_alone(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", (DEEP // 256).astype("u1"), photometric="rgb")
    write(tmp_path / "b.tif", (DEEP / 65535).astype("f4"), photometric="rgb")
    for name in ("a.tif", "b.tif"):
        assert torch.equal(read_image(tmp_path / name, full_scale=4095), read_image(tmp_path / name))


def test_a_hint_where_sixteen_bits_are_nearly_black(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", DEEP // 16, photometric="rgb")
    write(tmp_path / "b.tif", DEEP, photometric="rgb")
    with pytest.warns(UserWarning, match=r"no sample above 4095 of 65535.*full_scale=4095"):
        read_image(tmp_path / "a.tif")
    read_image(tmp_path / "a.tif", full_scale=65535)  # which says that it is meant
    read_image(tmp_path / "b.tif")


def test_negative_numbers_are_no_intensities(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", np.full((8, 8), -5, np.int16), photometric="minisblack")
    with pytest.raises(ValueError, match="below 0 are no intensities"):
        read_image(tmp_path / "a.tif", full_scale=100)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_missing_and_wide_floats_are_refused(tmp_path: Path, dtype: str) -> None:
    grey = np.linspace(0, 1, 64, dtype=dtype).reshape(8, 8)
    for value, said in ((np.nan, "NaN or infinite, as for missing data"), (1.01, r"must lie in \[0, 1\]")):
        grey[3, 4] = value
        write(tmp_path / "a.tif", grey, photometric="minisblack")
        with pytest.raises(ValueError, match=said):
            read_image(tmp_path / "a.tif")


def test_premultiplied_alpha(tmp_path: Path) -> None:
    alpha = np.full((8, 8, 1), 40_000, np.uint16)
    colour = np.full((8, 8, 3), 30_000, np.uint16)
    stored = np.concatenate([colour, alpha], axis=2)
    write(tmp_path / "a.tif", stored, photometric="rgb", extrasamples=["assocalpha"])
    shown = colour.astype(float) + 65535 - alpha  # over white
    np.testing.assert_allclose(values(tmp_path / "a.tif"), shown, atol=1)


def test_white_is_zero_in_planes_and_floats(tmp_path: Path) -> None:
    grey = np.linspace(0, 1, 64).reshape(8, 8)
    write(tmp_path / "a.tif", grey, photometric="miniswhite")
    np.testing.assert_allclose(values(tmp_path / "a.tif", 1)[..., 0], 1 - grey, atol=1e-6)


def test_what_is_no_colour_is_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", DEEP, photometric="cielab")
    with pytest.raises(ValueError, match="photometric interpretation 8"):
        read_image(tmp_path / "a.tif")
    write(tmp_path / "b.tif", DEEP[..., 0] * (1 + 1j), photometric="minisblack")
    with pytest.raises(ValueError, match="is not handled"):
        read_image(tmp_path / "b.tif")


def packed(bits: int, order: str, photometric: int) -> tuple[bytes, NDArray[Any]]:
    """A TIFF of grey samples that fill no whole bytes, and their values in [0, 1]."""
    stored = np.random.default_rng(bits).integers(0, 2**bits, (9, 14))
    rows = b""
    for row in stored:
        text = "".join(format(value, f"0{bits}b") for value in row)
        text = text.ljust(-(-len(text) // 8) * 8, "0")
        rows += int(text, 2).to_bytes(len(text) // 8, "big")
    rows += bytes(len(rows) % 2)
    tags = {256: 14, 257: 9, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: 9, 279: len(rows)}
    data = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HI", 42, 8 + len(rows)) + rows
    data += struct.pack(f"{order}H", len(tags))
    for tag, value in tags.items():
        data += struct.pack(f"{order}HHII", tag, 4, 1, value)
    shown = stored if photometric else 2**bits - 1 - stored
    return data + bytes(4), shown / (2**bits - 1)


@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [1, 2, 4, 6, 10, 12, 14])
def test_samples_that_fill_no_bytes(tmp_path: Path, bits: int, order: str, photometric: int) -> None:
    data, shown = packed(bits, order, photometric)
    (tmp_path / "a.tif").write_bytes(data)
    if bits > 4 and importlib.util.find_spec("imagecodecs") is None:
        pytest.skip("needs imagecodecs")
    np.testing.assert_allclose(values(tmp_path / "a.tif", 1)[..., 0], shown, atol=1e-6)


@pytest.mark.parametrize("how", [{}, {"compression": "zlib"}, {"tile": (16, 16), "compression": "zlib"}])
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_half_a_picture_is_never_read(tmp_path: Path, how: dict[str, Any], kept: float) -> None:
    path = tmp_path / "cut.tif"
    write(path, DEEP.transpose(2, 0, 1).copy(), photometric="rgb", planarconfig="separate", **how)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(ValueError, match=r"cannot read .*(damaged|cut)"):
        read_image(path)


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_big_endian_bigtiff(tmp_path: Path, dtype: str) -> None:
    # Pillow looks for the version of a BigTIFF in the wrong byte.
    stored = DEEP.astype(np.float64) / 65535
    scale = {"u1": 255, "u2": 65535, "f4": 1}[dtype]
    stored = (stored * scale).astype(dtype)
    write(
        tmp_path / "a.tif", np.stack([stored, stored[::-1]]), photometric="rgb", bigtiff=True, byteorder=">"
    )
    for frame, expected in enumerate((stored, stored[::-1])):
        np.testing.assert_allclose(
            values(tmp_path / "a.tif", scale, frame=frame), expected, atol=scale * 1e-6
        )


@pytest.mark.parametrize("compression", ["jpeg2000", "jpegxl", "webp", "png", "lerc"])
def test_compressions_that_pillow_does_not_know(tmp_path: Path, compression: str) -> None:
    pytest.importorskip("imagecodecs")
    stored = (DEEP // 256).astype(np.uint8)
    write(tmp_path / "a.tif", stored, photometric="rgb", compression=compression)
    np.testing.assert_allclose(values(tmp_path / "a.tif", 255), stored, atol=1e-3)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_floats_where_white_is_0(tmp_path: Path, dtype: str) -> None:
    stored = (DEEP[..., 0] / 65535).astype(dtype)
    write(tmp_path / "a.tif", stored, photometric="miniswhite")
    np.testing.assert_allclose(values(tmp_path / "a.tif", 1)[..., 0], 1 - stored, atol=1e-3)


def test_volumes_are_refused(tmp_path: Path) -> None:
    slices = (DEEP[..., 0] // 256).astype(np.uint8)[None].repeat(5, 0)
    write(tmp_path / "a.tif", slices, photometric="minisblack", volumetric=True, tile=(16, 16, 16))
    with pytest.raises(ValueError, match="a TIFF of volumes is not handled"):
        read_image(tmp_path / "a.tif")


def test_a_palette_written_in_bytes_is_refused(tmp_path: Path) -> None:
    indices = (DEEP[..., 0] // 256).astype(np.uint8)
    ramp = np.stack([np.arange(256)] * 3).astype(np.uint16)
    write(tmp_path / "right.tif", indices, photometric="palette", colormap=ramp * 257)
    np.testing.assert_allclose(values(tmp_path / "right.tif", 255)[..., 0], indices, atol=1e-3)
    write(tmp_path / "bytes.tif", indices, photometric="palette", colormap=ramp)
    with pytest.raises(ValueError, match="its palette holds nothing above 255 of 65535"):
        read_image(tmp_path / "bytes.tif")


def test_the_small_copy_in_a_raw_photograph_is_not_its_picture(tmp_path: Path) -> None:
    small = (DEEP // 256).astype(np.uint8)
    sensor = {"photometric": "minisblack", "subfiletype": 0}
    for name, how, sentence in (
        ("a.nef", {}, "holds reduced copies or masks alone"),
        ("a.dng", {"extratags": [(50706, 1, 4, (1, 4, 0, 0), True)]}, "a raw photograph is not handled"),
    ):
        with tifffile.TiffWriter(tmp_path / name) as file:
            file.write(small, photometric="rgb", subfiletype=1, subifds=1, **how)
            file.write(DEEP[..., 0], **sensor)
        with pytest.raises(ValueError, match=sentence):
            read_image(tmp_path / name)
    write(tmp_path / "a.tif", small, photometric="rgb")
    data = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.cr2").write_bytes(data[:8] + b"CR" + data[10:])
    with pytest.raises(ValueError, match="a raw photograph is not handled"):
        read_image(tmp_path / "a.cr2")
