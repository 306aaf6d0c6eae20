"""Colour profiles: a picture is what a viewer shows, whatever space its numbers are in."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageCms

from invariant_lpips import InvariantLPIPS, embed_file, load_image
from invariant_lpips.pictures.images import read_image
from invariant_lpips.pictures.refusals import PictureWarning

# Colorants of Display P3, brought to D50 as profiles have them; the white point is that of D50.
P3 = ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.7141))
WHITE = (0.9642, 1.0, 0.8249)
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def profile(space: bytes, curve: tuple[float, ...], colorants: tuple[tuple[float, ...], ...] = ()) -> bytes:
    """A version 4 profile of one curve, with colorants where it is RGB."""

    def fixed(*values: float) -> bytes:
        return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))

    kind = {1: 0, 5: 3}[len(curve)]
    tags = {b"wtpt": b"XYZ \0\0\0\0" + fixed(*WHITE)}
    names = (b"r", b"g", b"b") if colorants else (b"k",)
    for name in names:
        tags[name + b"TRC"] = struct.pack(">4s4xHxx", b"para", kind) + fixed(*curve)
    for name, colorant in zip(names, colorants, strict=False):
        tags[name + b"XYZ"] = b"XYZ \0\0\0\0" + fixed(*colorant)
    for name in (b"desc", b"cprt"):
        tags[name] = struct.pack(">4s4xII2sHII", b"mluc", 1, 12, b"en", 0x5553, 2, 28) + b"\0x\0\0"
    directory, data = b"", b""
    for name, value in tags.items():
        directory += name + struct.pack(">II", 132 + 12 * len(tags) + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    body = struct.pack(">I", len(tags)) + directory + data
    header = struct.pack(">I4xI4s4s4s12x4s", 128 + len(body), 0x04200000, b"mntr", space, b"XYZ ", b"acsp")
    return (header + bytes(28) + fixed(*WHITE)).ljust(128, b"\0") + body


DISPLAY_P3 = profile(b"RGB ", SRGB_CURVE, P3)
LINEAR_GREY = profile(b"GRAY", (1.0,))


def light(values: NDArray[Any]) -> NDArray[Any]:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def curve(values: NDArray[Any]) -> NDArray[Any]:
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * values.clip(0) ** (1 / 2.4) - 0.055)


def in_display_p3(values: NDArray[Any]) -> NDArray[Any]:
    """sRGB values (H, W, 3) in [0, 1] as Display P3 has them (the matrix is CSS Color 4's)."""
    matrix = [[0.8224621, 0.177538, 0], [0.0331941, 0.9668058, 0], [0.0170827, 0.0723974, 0.9105199]]
    return curve(light(values) @ np.array(matrix).T)


PICTURE = np.random.default_rng(0).uniform(0.2, 1, (40, 44, 3)).round(4)


def values(path: Path, **how: Any) -> NDArray[Any]:
    return (read_image(path, **how)[0].permute(1, 2, 0).double().numpy() + 1) / 2


@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "jpg"])
def test_a_picture_in_display_p3_is_the_picture_in_srgb(tmp_path: Path, suffix: str) -> None:
    stored = Image.fromarray((in_display_p3(PICTURE) * 255).round().astype(np.uint8))
    path = tmp_path / f"p3.{suffix}"
    how: dict[str, Any] = {"webp": {"lossless": True}, "jpg": {"quality": 100, "subsampling": 0}}.get(
        suffix, {}
    )
    stored.save(path, icc_profile=DISPLAY_P3, **how)
    assert np.abs(values(path) - PICTURE).max() < (12 if suffix == "jpg" else 2.5) / 255
    ignored = values(path, icc="ignore")
    assert np.abs(ignored - PICTURE).max() > 20 / 255
    assert np.array_equal(load_image(path), (ignored * 255).round().astype(np.uint8))  # as lpips does
    with pytest.raises(ValueError, match="Argument `icc` must be one of convert, ignore"):
        read_image(path, icc="yes")  # type: ignore[arg-type]


def test_alpha_is_no_colour(tmp_path: Path) -> None:
    alpha = np.random.default_rng(1).integers(0, 256, (40, 44, 1))
    stored = np.concatenate([in_display_p3(PICTURE) * 255, alpha], axis=2).round().astype(np.uint8)
    Image.fromarray(stored).save(tmp_path / "a.png", icc_profile=DISPLAY_P3)
    expected = PICTURE * (alpha / 255) + 1 - alpha / 255
    assert np.abs(values(tmp_path / "a.png") - expected).max() < 2.5 / 255


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_files_in_srgb_stay_bit_for_bit(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray((PICTURE * 255).astype(np.uint8)).convert(mode)
    image.save(tmp_path / "plain.png")
    for number, icc in enumerate(
        [
            ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
            profile(
                b"RGB ",
                SRGB_CURVE,
                ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.7141)),
            ),
        ]
    ):
        image.save(tmp_path / f"{number}.png", icc_profile=icc)
        assert torch.equal(read_image(tmp_path / f"{number}.png"), read_image(tmp_path / "plain.png"))


def test_grey_profiles(tmp_path: Path) -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(grey).save(tmp_path / "a.png", icc_profile=LINEAR_GREY)
    shown = values(tmp_path / "a.png")
    assert np.abs(shown - curve(grey / 255)[..., None]).max() < 1.5 / 255


@pytest.mark.parametrize("icc", [DISPLAY_P3[:200], b"no profile at all", LINEAR_GREY])
def test_a_profile_that_does_not_fit_is_said_and_ignored(tmp_path: Path, icc: bytes) -> None:
    Image.fromarray((PICTURE * 255).astype(np.uint8)).save(tmp_path / "a.png", icc_profile=icc)
    with pytest.warns(UserWarning, match="profile is damaged or does not fit its pixels, and is ignored"):
        found = read_image(tmp_path / "a.png")
    assert torch.equal(found, read_image(tmp_path / "a.png", icc="ignore"))


def test_sixteen_bits_and_tiles(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("imagecodecs")
    large = np.random.default_rng(0).uniform(0.2, 1, (96, 80, 3))
    for dtype, scale in (("uint16", 65535), ("float32", 1), ("uint8", 255)):
        stored = in_display_p3(large) * scale
        path = tmp_path / f"{dtype}.tif"
        stored = stored.astype(dtype) if dtype == "float32" else stored.round().astype(dtype)
        tifffile.imwrite(path, stored, photometric="rgb", iccprofile=DISPLAY_P3, tile=(32, 32))
        off = np.abs(values(path) - large).max()
        assert off < (2.5 / 255 if dtype == "uint8" else 0.002), (dtype, off)
        metric = InvariantLPIPS("alex", head="gap", weights="unit")
        whole = metric.embed(read_image(path))
        assert (embed_file(metric, path, tile=64) - whole).norm() < 2e-6 * whole.norm()


def test_twelve_of_sixteen_bits(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("imagecodecs")
    stored = (in_display_p3(PICTURE) * 4095).round().astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", iccprofile=DISPLAY_P3)
    assert np.abs(values(tmp_path / "a.tif", full_scale=4095) - PICTURE).max() < 0.004


def test_deep_colours_without_imagecodecs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tifffile = pytest.importorskip("tifffile")
    monkeypatch.setitem(__import__("sys").modules, "imagecodecs", None)
    stored = (PICTURE * 65535).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", iccprofile=DISPLAY_P3)
    with pytest.raises(
        ValueError, match=r"needs imagecodecs; pip install 'invariant-lpips\[formats\]', or take"
    ):
        read_image(tmp_path / "a.tif")
    with warnings.catch_warnings():
        warnings.simplefilter("error", PictureWarning)
        read_image(tmp_path / "a.tif", icc="ignore")
