"""Pictures in tiles: the numbers of the whole picture, from tensors and from files that are read in part."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from invariant_lpips import InvariantLPIPS, Trunk, read_image
from invariant_lpips.tiling import embed_file
from invariant_lpips.tiling.grid import spans
from invariant_lpips.tiling.reach import tap_reaches
from invariant_lpips.tiling.regions import SegmentRegions, open_regions

Named = Callable[[str], Any]


def texture(height: int, width: int, seed: int = 0) -> Tensor:
    coarse = torch.rand(1, 3, height // 4, width // 4, generator=torch.Generator().manual_seed(seed))
    fine = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic")
    return fine.clamp(0, 1) * 2 - 1


def levels(height: int, width: int, channels: int = 3, dtype: str = "uint8") -> np.ndarray[Any, Any]:
    top = np.iinfo(dtype).max
    return np.random.default_rng(0).integers(0, top, (height, width, channels), dtype=dtype, endpoint=True)


# Pictures whose sides are no multiples of 32, one thinner than a tile, and tiles down to the stride.
@pytest.mark.parametrize(("height", "width", "tile"), [(150, 261, 64), (225, 97, 100), (33, 340, 32)])
@pytest.mark.parametrize("name", ["gap", "gap-blur", "regional"])
def test_tiles_give_the_whole_pictures_embedding(
    named: Named, name: str, height: int, width: int, tile: int
) -> None:
    metric, x = named(name), texture(height, width)
    whole, tiled = metric.embed(x), metric.embed(x, tile=tile)
    assert tiled.shape == whole.shape
    assert (tiled - whole).norm() < 2e-6 * whole.norm()


def test_a_tile_that_covers_the_picture_changes_nothing(named: Named) -> None:
    x = texture(70, 90)
    assert torch.equal(named("gap").embed(x, tile=128), named("gap").embed(x))


def test_tiles_of_other_trunks() -> None:
    metric = InvariantLPIPS("alex", head="gap", weights="unit")
    x = texture(181, 133)
    whole = metric.embed(x)
    assert (metric.embed(x, tile=48) - whole).norm() < 2e-6 * whole.norm()


@pytest.mark.parametrize("net", ["vgg", "alex", "squeeze"])
@pytest.mark.parametrize("pixels", [64, 65, 127, 181, 200, 333])
def test_positions_are_counted_as_the_trunk_counts_them(net: str, pixels: int) -> None:
    trunk = Trunk(net)
    taps = list(trunk.architecture.taps)
    with torch.no_grad():
        widths = trunk.reduce(torch.zeros(1, 3, 64, pixels), taps, lambda tap, f: f.shape[-1])
    reaches = tap_reaches(trunk, taps)
    assert [reaches[tap].positions(pixels) for tap in taps] == widths
    owned: dict[str, list[int]] = {tap: [] for tap in taps}
    for span in spans(pixels, 50, reaches, trunk.minimum_side(taps)):
        for tap in taps:
            owned[tap] += range(*span.owned[tap])
    assert all(owned[tap] == list(range(width)) for tap, width in zip(taps, widths, strict=True))


@pytest.mark.parametrize("net", ["vgg", "squeeze"])
def test_a_position_depends_on_the_pixels_its_reach_names_and_on_no_other(net: str) -> None:
    trunk = Trunk(net).double()
    tap = list(trunk.architecture.taps)[-1]
    reach = tap_reaches(trunk, [tap])[tap]
    x = torch.rand(1, 3, 64, 480, dtype=torch.float64, requires_grad=True)
    middle = reach.positions(480) // 2
    trunk.reduce(x, [tap], lambda tap, f: f)[0][..., middle].sum().backward()
    assert x.grad is not None
    touched = x.grad.abs().sum((0, 1, 2)).nonzero().flatten()
    first, last = reach.pixels(middle, middle + 1)
    assert first <= int(touched[0]) < first + 8
    assert last - 8 < int(touched[-1]) + 1 <= last


def test_lists_and_batches_and_normalize(named: Named) -> None:
    metric = named("gap")
    a, b = texture(80, 100, 1), texture(64, 96, 2)
    tiled = metric.embed([(a + 1) / 2, (b[0] + 1) / 2], normalize=True, tile=64)
    assert torch.allclose(tiled, metric.embed([a, b]), rtol=1e-4, atol=1e-6)
    assert metric.embed(torch.cat([a, a]), tile=64).shape == (2, 1472)


def test_half_precision_sums_in_full(named: Named) -> None:
    x = texture(130, 200)
    half = InvariantLPIPS(head="gap", weights="unit").bfloat16()
    whole = named("gap").embed(x)
    tiled = half.embed(x, tile=64)
    assert tiled.dtype == torch.float32
    assert (tiled - whole).norm() < 0.02 * whole.norm()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"head": "gap", "pooling": "polyphase"}, "polyphase"),
        ({"head": "gap", "padding": "circular"}, "circular"),
        ({"head": "gap-spatial"}, "gap-spatial"),
        ({"head": "spatial"}, "no Euclidean form"),
    ],
)
def test_what_cannot_be_cut_is_refused_in_one_sentence(arguments: dict[str, str], words: str) -> None:
    metric = InvariantLPIPS("vgg", weights="unit", **arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=words):
        metric.embed(texture(64, 64), tile=32)


def test_wrong_arguments_are_refused(named: Named) -> None:
    metric = named("gap")
    for tile in (0, -1, 2.5, True):
        with pytest.raises(ValueError, match="whole number of pixels"):
            metric.embed(texture(64, 64), tile=tile)
    with pytest.raises(ValueError, match="keeps no graph"):
        metric.embed(texture(64, 64).requires_grad_(), tile=32)
    with pytest.raises(ValueError, match="at least 32 pixels"):
        metric.embed(texture(31, 64), tile=32)
    with pytest.raises(ValueError, match="finite"):
        metric.embed(torch.full((1, 3, 64, 64), float("nan")), tile=32)


# files ------------------------------------------------------------------------------------------------------

ALEX = {"net": "alex", "head": "gap", "weights": "unit"}


@pytest.fixture(scope="module")
def alex() -> InvariantLPIPS:
    return InvariantLPIPS(**ALEX)  # type: ignore[arg-type]


def agrees(metric: InvariantLPIPS, path: Path) -> bool:
    whole = metric.embed(read_image(path))
    return bool((embed_file(metric, path, tile=64) - whole).norm() < 2e-6 * whole.norm())


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "webp"])
def test_pictures_of_any_format(alex: InvariantLPIPS, tmp_path: Path, suffix: str) -> None:
    Image.fromarray(levels(130, 190)).save(tmp_path / f"a.{suffix}")
    assert agrees(alex, tmp_path / f"a.{suffix}")


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("layout", [{"tile": (32, 48)}, {"rowsperstrip": 20}, {"rowsperstrip": 500}])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_tiff_is_read_in_part_as_pillow_reads_the_whole(
    tmp_path: Path, dtype: str, layout: dict[str, Any], compression: str | None, channels: int
) -> None:
    tifffile = pytest.importorskip("tifffile")
    samples = levels(130, 190, channels, dtype)
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        samples[..., 0] if channels == 1 else samples,
        photometric="minisblack" if channels == 1 else "rgb",
        extrasamples=("unassalpha",) if channels == 4 else None,
        compression=compression,
        **layout,
    )
    picture = open_regions(path)
    assert isinstance(picture, SegmentRegions)
    whole = read_image(path)
    for rows, columns in (
        (slice(0, 130), slice(0, 190)),
        (slice(31, 99), slice(47, 170)),
        (slice(129, 130), slice(5, 6)),
    ):
        assert torch.equal(picture.read(rows, columns), whole[..., rows, columns])


def test_tiff_decodes_only_what_a_region_needs(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", levels(320, 320), tile=(32, 32), compression="zlib")
    picture = open_regions(tmp_path / "a.tif")
    assert isinstance(picture, SegmentRegions)
    picture.read(slice(0, 64), slice(0, 64))
    assert len(picture._decoded) == 4
    picture.read(slice(64, 96), slice(0, 32))  # the two rows above are behind us
    assert len(picture._decoded) == 1


def test_tiff_that_means_something_else_goes_through_pillow(alex: InvariantLPIPS, tmp_path: Path) -> None:
    picture = Image.fromarray(levels(130, 190))
    picture.convert("CMYK").save(tmp_path / "cmyk.tif")
    picture.convert("P").save(tmp_path / "palette.tif")
    picture.save(tmp_path / "turned.tif", tiffinfo={274: 6})
    for name in ("cmyk", "palette", "turned"):
        assert not isinstance(open_regions(tmp_path / f"{name}.tif"), SegmentRegions)
        assert agrees(alex, tmp_path / f"{name}.tif")


def test_arrays_are_memory_mapped(alex: InvariantLPIPS, tmp_path: Path) -> None:
    samples = levels(130, 190)
    np.save(tmp_path / "a.npy", samples)
    np.save(tmp_path / "b.npy", (samples / 255).astype("float32"))
    Image.fromarray(samples).save(tmp_path / "a.png")
    whole = alex.embed(read_image(tmp_path / "a.png"))
    for name in ("a.npy", "b.npy"):
        assert (embed_file(alex, tmp_path / name, tile=64) - whole).norm() < 2e-6 * whole.norm()
    np.save(tmp_path / "c.npy", samples[..., 0])
    with pytest.raises(ValueError, match=r"\(height, width, 3 or 4\)"):
        embed_file(alex, tmp_path / "c.npy")


def test_large_pictures_need_a_word(alex: InvariantLPIPS, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", levels(130, 190), tile=(32, 32))
    np.save(tmp_path / "a.npy", levels(130, 190))
    Image.fromarray(levels(130, 190)).save(tmp_path / "a.png")
    for name in ("a.tif", "a.npy", "a.png"):
        with pytest.raises(ValueError, match="raise max_pixels"):
            embed_file(alex, tmp_path / name, max_pixels=20_000)
    assert embed_file(alex, tmp_path / "a.tif", max_pixels=None).shape == alex.embed(texture(64, 64)).shape


def test_damaged_and_missing_files(alex: InvariantLPIPS, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, levels(130, 190), tile=(32, 32), compression="zlib")
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(ValueError, match="damaged or cut short"):
        embed_file(alex, path)
    for name in ("none.tif", "none.npy", "none.png"):
        with pytest.raises(FileNotFoundError):
            embed_file(alex, tmp_path / name)
    (tmp_path / "text.npy").write_text("not an array")
    with pytest.raises(ValueError, match=r"text\.npy"):
        embed_file(alex, tmp_path / "text.npy")
