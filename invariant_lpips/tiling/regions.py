"""Pictures that hand out rectangles of themselves: tensors, memory-mapped arrays, TIFF files, other files.

What is decoded, and when:

=================================================  ==========================================================
file                                               in memory at a time
=================================================  ==========================================================
.npy (H, W, 3), uint8, uint16 or float in [0, 1]   the region (memory-mapped)
TIFF in tiles or strips, 8 or 16 bits, grey, RGB   the tiles or strips of one band of the picture, as stored
or RGBA; uncompressed, deflate, LZW, PackBits, ...
(what tifffile and imagecodecs decode)
any other picture                                  the whole picture, as stored (3 bytes a pixel for 8 bits)
=================================================  ==========================================================

PNG, JPEG and WebP have no index into their bytes: their decoders start at the top. JPEG's quick reduced
decoding (Pillow's `draft`) gives another picture and isn't used.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from invariant_lpips.pictures.decoding import DEFAULT_MAX_PIXELS, Decoded, decode_file
from invariant_lpips.pictures.images import Alpha, tensor_from_samples

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Regions(Protocol):
    """A picture that can be read in part."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""

    def read(self, rows: slice, columns: slice) -> Tensor:
        """The pixels (1, 3, h, w) of a region; calls go from the top of the picture to its bottom."""


class TensorRegions:
    """Regions of one image (1, 3, H, W) that is already in memory."""

    def __init__(self, image: Tensor) -> None:
        self._image = image
        self.size = (image.shape[-2], image.shape[-1])

    def read(self, rows: slice, columns: slice) -> Tensor:
        return self._image[..., rows, columns]


class SampleRegions:
    """Regions of samples (H, W, 3 or 4) as stored: an array in memory, or one that is memory-mapped."""

    def __init__(self, samples: NDArray[Any], full_scale: int, alpha: Alpha, name: str) -> None:
        self._samples, self._full_scale, self._alpha, self._name = samples, full_scale, alpha, name
        self.size: tuple[int, int] = (samples.shape[0], samples.shape[1])

    def read(self, rows: slice, columns: slice) -> Tensor:
        part = Decoded(self._samples[rows, columns], self._full_scale)
        return tensor_from_samples(part, alpha=self._alpha, name=self._name)


class SegmentRegions:
    """Regions of a TIFF file, of which only the tiles or strips that a region needs are decoded.

    They are kept until the regions asked for have left them behind, since neighbouring regions overlap.
    """

    def __init__(self, path: Path, page: Any, alpha: Alpha) -> None:
        self._path, self._page, self._alpha = path, page, alpha
        self.size: tuple[int, int] = (page.imagelength, page.imagewidth)
        self._segment = (
            (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
        )
        self._across = -(-page.imagewidth // self._segment[1])
        self._decoded: dict[int, NDArray[Any]] = {}
        self._full_scale = 2 ** (8 * page.dtype.itemsize) - 1

    def read(self, rows: slice, columns: slice) -> Tensor:
        import numpy as np

        high, wide = self._segment
        shape = (rows.stop - rows.start, columns.stop - columns.start, self._page.samplesperpixel)
        samples = np.empty(shape, dtype=self._page.dtype)
        row_indices = range(rows.start // high, -(-rows.stop // high))
        self._forget(before=row_indices.start * self._across)
        for i in row_indices:
            for j in range(columns.start // wide, -(-columns.stop // wide)):
                segment = self._decode(i * self._across + j)
                top, left = i * high, j * wide
                upper, lower = max(top, rows.start), min(top + segment.shape[0], rows.stop)
                first, last = max(left, columns.start), min(left + segment.shape[1], columns.stop)
                samples[
                    upper - rows.start : lower - rows.start, first - columns.start : last - columns.start
                ] = segment[upper - top : lower - top, first - left : last - left]
        if samples.shape[2] < 3:
            grey = samples[..., :1]
            samples = np.concatenate([grey, grey, grey, samples[..., 1:]], axis=2)
        return tensor_from_samples(
            Decoded(samples, self._full_scale), alpha=self._alpha, name=str(self._path)
        )

    def _forget(self, before: int) -> None:
        for index in [index for index in self._decoded if index < before]:
            del self._decoded[index]

    def _decode(self, index: int) -> NDArray[Any]:
        if index not in self._decoded:
            page = self._page
            with self._path.open("rb") as handle:
                handle.seek(page.dataoffsets[index])
                stored = handle.read(page.databytecounts[index])
            try:
                segment, _, _ = page.decode(stored, index)
            except Exception as error:  # damaged data can make the decoders raise almost anything
                detail = " ".join(str(error).split()) or type(error).__name__
                raise ValueError(
                    f"cannot read {self._path}: the file is damaged or cut short ({detail})"
                ) from None
            if segment is None:
                raise ValueError(f"cannot read {self._path}: a tile of it has no data")
            self._decoded[index] = segment[0]
        return self._decoded[index]


def open_regions(
    path: str | os.PathLike[str], *, alpha: Alpha = "white", max_pixels: int | None = DEFAULT_MAX_PIXELS
) -> Regions:
    """Open a picture file for reading in regions; the module's docstring says what stays in memory.

    Args:
        path: a picture that :func:`invariant_lpips.read_image` reads, or a .npy file.
        alpha: as for `read_image`.
        max_pixels: larger pictures are refused, a guard against decompression bombs; None lifts the limit.

    Raises:
        FileNotFoundError, PermissionError, ValueError: as `read_image`.
        ImportError: a TIFF file above the limit that `read_image` has by default needs tifffile.
    """
    path = Path(path)
    if path.suffix.lower() == ".npy":
        return _array_regions(path, alpha, max_pixels)
    if path.suffix.lower() in (".tif", ".tiff") and (page := _plain_page(path)) is not None:
        _check_pixels(path, page.imagelength, page.imagewidth, max_pixels)
        return SegmentRegions(path, page, alpha)
    decoded = decode_file(path, max_pixels=max_pixels)
    return SampleRegions(decoded.samples, decoded.full_scale, alpha, str(path))


def _array_regions(path: Path, alpha: Alpha, max_pixels: int | None) -> SampleRegions:
    import numpy as np

    try:
        samples: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"cannot read {path}: it is no .npy file of numbers ({error})") from None
    scales = {"u1": 255, "u2": 65535, "f2": 1, "f4": 1, "f8": 1}
    kind = samples.dtype.str[1:]
    if samples.ndim != 3 or samples.shape[2] not in (3, 4) or kind not in scales:
        raise ValueError(
            f"cannot read {path}: an array (height, width, 3 or 4) of uint8, uint16 or floats in [0, 1] was expected, "
            f"but it holds {samples.dtype} of shape {samples.shape}"
        )
    _check_pixels(path, samples.shape[0], samples.shape[1], max_pixels)
    return SampleRegions(samples, scales[kind], alpha, str(path))


def _plain_page(path: Path) -> Any:
    """The first page of a TIFF file where tifffile and Pillow agree on what its samples mean, else None."""
    try:
        import tifffile
    except ImportError:
        return None
    try:
        with tifffile.TiffFile(path) as file:
            page: Any = file.pages[0].aspage()
            tags = page.tags
            plain = (
                page.dtype is not None
                and page.dtype.str[1:] in ("u1", "u2")
                and page.bitspersample in (8, 16)
                and page.photometric in (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB)
                and page.planarconfig == tifffile.PLANARCONFIG.CONTIG
                and page.imagedepth == 1
                and _alpha_is_plain(page, tifffile)
                and tags.valueof("Orientation", 1) == 1
                and page.compression != tifffile.COMPRESSION.JPEG
            )
            if plain:
                page.decode(None, 0)  # raises where no codec is installed
            return page if plain else None
    except (OSError, ValueError, tifffile.TiffFileError):
        return None  # Pillow says what is wrong with it


def _alpha_is_plain(page: Any, tifffile: Any) -> bool:
    colours = 1 if page.photometric == tifffile.PHOTOMETRIC.MINISBLACK else 3
    extra = tuple(page.extrasamples)
    return page.samplesperpixel == colours + len(extra) and extra in (
        (),
        (tifffile.EXTRASAMPLE.UNASSALPHA,),
    )


def _check_pixels(path: Path, height: int, width: int, max_pixels: int | None) -> None:
    if max_pixels is not None and height * width > max_pixels:
        raise ValueError(
            f"cannot read {path}: {width} x {height} = {height * width} pixels is over the limit of "
            f"{max_pixels} pixels, a guard against decompression bombs; raise max_pixels if "
            "the file is meant to be this large"
        )
