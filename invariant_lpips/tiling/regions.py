"""Pictures that hand out rectangles of themselves: tensors, memory-mapped arrays, TIFF files, other files.

What is decoded, and when:

=================================================  ==========================================================
file                                               in memory at a time
=================================================  ==========================================================
.npy (H, W, 3), uint8, uint16 or float in [0, 1]   the region (memory-mapped)
TIFF in tiles or strips, 8 or 16 bits, grey, RGB,  the tiles or strips of one band of the picture, as stored
RGBA or bands; plain,  deflate, LZW, PackBits, ...
(what tifffile and imagecodecs decode)
any other picture                                  the whole picture, as stored (3 bytes a pixel for 8 bits)
=================================================  ==========================================================

PNG, JPEG and WebP have no index into their bytes: their decoders start at the top. JPEG's quick reduced
decoding (Pillow's `draft`) gives another picture and isn't used.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from invariant_lpips.pictures.channels import Stored
from invariant_lpips.pictures.decoding import check_choices, decode_file, mention_frames
from invariant_lpips.pictures.images import Reading, mention_what_is_hidden
from invariant_lpips.pictures.pillow_files import check_frame, check_pixels
from invariant_lpips.pictures.refusals import Unsupported
from invariant_lpips.pictures.tiff import Page, find_page, unlogged

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

    def __init__(self, stored: Stored, reading: Reading, name: str) -> None:
        self._stored, self._reading, self._name = stored, reading, name
        self.size: tuple[int, int] = (stored.samples.shape[0], stored.samples.shape[1])

    def read(self, rows: slice, columns: slice) -> Tensor:
        part = replace(self._stored, samples=self._stored.samples[rows, columns])
        return self._reading.tensor(part, name=self._name)


class SegmentRegions:
    """Regions of a TIFF file, of which only the tiles or strips that a region needs are decoded.

    They are kept until the regions asked for have left them behind, since neighbouring regions overlap.
    """

    def __init__(self, path: Path, page: Any, meaning: Page, reading: Reading) -> None:
        self._path, self._page, self._meaning, self._reading = path, page, meaning, reading
        self.size: tuple[int, int] = (page.imagelength, page.imagewidth)
        self._segment = (
            (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
        )
        self._across = -(-page.imagewidth // self._segment[1])
        self._decoded: dict[int, NDArray[Any]] = {}

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
        meaning = self._meaning
        part = Stored(
            samples, 2**meaning.bits - 1, meaning.colours, meaning.has_alpha, profile=meaning.profile
        )
        return self._reading.tensor(part, name=str(self._path))

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


def open_regions(path: str | os.PathLike[str], reading: Reading | None = None) -> Regions:
    """Open a picture file for reading in regions; the module's docstring says what stays in memory.

    Args:
        path: a picture that :func:`invariant_lpips.read_image` reads, or a .npy file.
        reading: how it is read; `resize` does not go with regions and is left out.

    Raises:
        FileNotFoundError, PermissionError, ValueError: as `read_image`.
    """
    path, reading = Path(path), reading or Reading()
    check_choices(frame=reading.frame, bands=reading.bands, full_scale=reading.full_scale, icc=reading.icc)
    if path.suffix.lower() == ".npy":
        return _array_regions(path, reading)
    if path.suffix.lower() in (".tif", ".tiff") and (found := _segments(path, reading)) is not None:
        return found
    whole = decode_file(
        path,
        max_pixels=reading.max_pixels,
        frame=reading.frame,
        bands=reading.bands,
        full_scale=reading.full_scale,
        icc=reading.icc,
    )
    mention_what_is_hidden(whole, reading.alpha, str(path))
    stored = Stored(whole.samples, whole.full_scale, 3, whole.has_alpha)
    return SampleRegions(stored, replace(reading, bands=None, full_scale=None), str(path))


def _array_regions(path: Path, reading: Reading) -> SampleRegions:
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
    stored = Stored(samples, scales[kind], 3, samples.shape[2] == 4)
    try:
        check_pixels(samples.shape[1], samples.shape[0], reading.max_pixels)
        check_frame(reading.frame or 0, 1)
    except Unsupported as reason:
        raise ValueError(f"cannot read {path}: {reason}") from None
    return SampleRegions(stored, reading, str(path))


def _segments(path: Path, reading: Reading) -> SegmentRegions | None:
    """Regions of a TIFF file where tifffile and Pillow agree on what its samples mean, else None."""
    try:
        import tifffile
    except ImportError:
        return None
    try:
        with path.open("rb") as handle:
            meaning, frames = find_page(handle, reading.frame or 0, reading.max_pixels)
            if not meaning.plain or (meaning.colours is None and reading.bands is None):
                return None
            handle.seek(0)
            with unlogged(), tifffile.TiffFile(handle) as file:
                page: Any = file.pages[meaning.number].aspage()
                if page.imagedepth != 1:
                    return None
                page.decode(None, 0)  # raises where no codec is installed
    except Exception:  # a damaged file can make the reading of tags raise almost anything
        return None  # the way of other pictures says what is wrong with it
    if reading.frame is None:
        mention_frames(path, frames)
    return SegmentRegions(path, page, meaning, reading)
