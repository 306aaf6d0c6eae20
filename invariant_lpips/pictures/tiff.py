"""TIFF files: which of them Pillow reads as they are, and the others through tifffile.

Pillow opens many TIFFs of which it then gives other numbers than were stored, without a word: planes of 16 bits,
signed bytes, big-endian floats that are compressed, floats where white is 0, more bands than it has modes for. So the
tags are looked at first, and Pillow is given only what it was found to read right (tests/test_tiff.py tries every
kind); tifffile, an extra, reads the rest.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from invariant_lpips.pictures.channels import Stored
from invariant_lpips.pictures.pillow_files import check_frame, check_pixels, read_with_pillow
from invariant_lpips.pictures.refusals import EXTRA, Unsupported

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 254, 256, 257, 258, 259, 262, 266
_DESCRIPTION, _ORIENTATION, _SAMPLES, _PLANES, _EXTRA, _FORMAT, _PROFILE = 270, 274, 277, 284, 338, 339, 34675
_COLOUR_MAP, _DEPTH, _DNG_VERSION = 320, 32997, 50706
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_PILLOWS_OWN = {_PALETTE: 1, _CMYK: 4, _YCBCR: 3}  # that only Pillow converts, and their bands
_PREMULTIPLIED, _STRAIGHT = 1, 2  # kinds of alpha; 0 is a band of which nothing is said
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3
_JPEG = (6, 7)  # of which the two make other numbers
#: None, CCITT, LZW, JPEG, Deflate, PackBits, LZMA, Zstandard; Pillow opens no file of another, or says it is damaged.
_PILLOWS_COMPRESSIONS = (1, 2, 3, 4, 5, *_JPEG, 8, 32773, 32946, 34925, 50000)
_BIG_ENDIAN_BIGTIFF = b"MM\0+"  # whose version Pillow looks for in the wrong byte
_MOST_PAGES = 100_000


class Page:
    """The tags of a page that say how its samples are laid out and what they mean."""

    def __init__(
        self, tags: Mapping[int, Any], number: int, *, big_endian: bool, pillow_finds_it: bool = True
    ) -> None:
        def one(tag: int, default: int) -> int:
            value = tags.get(tag, default)
            return int(value[0] if isinstance(value, tuple) else value)

        def several(tag: int) -> tuple[int, ...]:
            value = tags.get(tag, ())
            return tuple(int(item) for item in (value if isinstance(value, tuple) else (value,)))

        self.number = number  # in the file's chain of directories, from 0
        self.big_endian = big_endian
        self._pillow_finds_it = pillow_finds_it
        self.width, self.height = one(_WIDTH, 0), one(_HEIGHT, 0)
        self.bands = one(_SAMPLES, 1)
        self.photometric = one(_PHOTOMETRIC, _WHITE_IS_ZERO)
        self.compression = one(_COMPRESSION, 1)
        self.separate = one(_PLANES, 1) == 2 and self.bands > 1
        self.fill_order = one(_FILL_ORDER, 1)
        self.orientation = one(_ORIENTATION, 1)
        self.depth = one(_DEPTH, 1)
        colour_map = np.asarray(tags.get(_COLOUR_MAP, ()))
        self.palette_of_bytes = self.photometric == _PALETTE and 0 < colour_map.max(initial=0) < 256
        self.reduced_or_mask = bool(one(_SUBFILE, 0) & 0b101)
        self.extra = several(_EXTRA)
        self.raw = _DNG_VERSION in tags
        profile = tags.get(_PROFILE)
        self.profile = profile if isinstance(profile, bytes) and profile else None
        bits, formats = set(several(_BITS)) or {1}, set(several(_FORMAT)) or {_UNSIGNED}
        self.bits = bits.pop() if len(bits) == 1 else 0  # 0: bands differ
        self.format = formats.pop() if len(formats) == 1 else 0
        described = re.match(r"ImageJ=.*?\bimages=(\d+)", str(tags.get(_DESCRIPTION, ""))[:1000], re.DOTALL)
        self.stack = int(described[1]) if described else 1

    @property
    def colours(self) -> int | None:
        """1 or 3, where all bands beside them are accounted for; else None."""
        colours = 3 if self.photometric == _RGB else 1
        return colours if self.bands == colours + self.has_alpha else None

    @property
    def has_alpha(self) -> bool:
        return len(self.extra) == 1 and self.extra[0] in (_PREMULTIPLIED, _STRAIGHT)

    @property
    def pillow_reads_it(self) -> bool:
        if not self._pillow_finds_it or self.compression not in _PILLOWS_COMPRESSIONS or self.depth != 1:
            return False
        if self.fill_order != 1 and self.bits != 1:
            return False
        kind = (self.format, self.bits)
        if kind == (_FLOAT, 32):
            grey = self.bands == 1 and self.photometric == _BLACK_IS_ZERO
            return grey and not (self.big_endian and self.compression != 1)
        if self.format != _UNSIGNED:
            return False
        if self.photometric in _PILLOWS_OWN:
            return 0 < self.bits <= 8 and self.bands == _PILLOWS_OWN[self.photometric] and not self.separate
        if self.photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB) or self.colours is None:
            return False
        if self.bits == 16:
            straight = self.extra in ((), (_STRAIGHT,))
            return not self.separate and (self.bands == 1 or (self.bands > 2 and straight))
        if self.bits == 8:
            return not self.separate or self.bands > 2
        if self.bits == 12:
            return self.bands == 1 and self.photometric == _BLACK_IS_ZERO and not self.big_endian
        return self.bands == 1 and self.bits in (1, 2, 4)

    @property
    def plain(self) -> bool:
        """Whether tifffile's tiles and strips hold pixels that mean what Pillow says they mean."""
        return (
            self.format == _UNSIGNED
            and self.bits in (8, 16)
            and self.photometric in (_BLACK_IS_ZERO, _RGB)
            and self.extra != (_PREMULTIPLIED,)
            and self.compression not in _JPEG
            and self.fill_order == self.orientation == 1
            and not self.separate
        )

    def __str__(self) -> str:
        kind = {_UNSIGNED: "unsigned", _SIGNED: "signed", _FLOAT: "floating-point"}.get(self.format, "other")
        planes = " in separate planes" if self.separate else ""
        return f"{self.bands} band{'s' * (self.bands > 1)} of {self.bits or 'several'}-bit {kind} samples{planes}"


def find_page(handle: Any, frame: int, max_pixels: int | None) -> tuple[Page, int]:
    """The page that is a frame, and how many frames there are; reduced copies and masks are none.

    Raises:
        Unsupported: there is no such page, or it is too large.
    """
    pages = [] if (raw := _starts_as_cr2(handle)) else list(_pages(handle))
    if raw or (pages and pages[0].raw):
        raise Unsupported("a raw photograph is not handled; develop it and save a 16-bit TIFF or PNG")
    if not pages:
        raise Unsupported("not a picture in a format that is read, or its header is damaged")
    whole = [page for page in pages if not page.reduced_or_mask]
    if not whole:  # NEF and ARW are so, with what the sensor saw elsewhere
        raise Unsupported(
            "it holds reduced copies or masks alone, as a raw photograph does beside its data; save the whole picture"
        )
    pages = whole
    frames = max(len(pages), pages[0].stack)
    check_frame(frame, frames)
    if frame >= len(pages):
        raise Unsupported("of an ImageJ stack without pages only the first frame is read; save it as pages")
    page = pages[frame]
    check_pixels(page.width, page.height, max_pixels)
    if max_pixels is not None and page.width * page.height * page.bands > 4 * max_pixels:
        raise Unsupported(
            f"{page.bands} bands of {page.width} x {page.height} pixels are over the limit of 4 bands of {max_pixels} "
            "pixels, a guard against decompression bombs; raise max_pixels (--max-pixels) if the file is meant to be "
            "this large"
        )
    return page, frames


def _starts_as_cr2(handle: Any) -> bool:
    handle.seek(8)
    return bool(handle.read(2) == b"CR")


def read_tiff(handle: Any, frame: int, max_pixels: int | None) -> Stored:
    """A page of a TIFF file.

    Raises:
        Unsupported: there is no such page, it is too large, or it is of a kind that can't be read.
    """
    page, frames = find_page(handle, frame, max_pixels)
    if page.palette_of_bytes:
        raise Unsupported(
            "its palette holds nothing above 255 of 65535: it is black, or was written as if 255 were white; save it "
            "as RGB"
        )
    handle.seek(0)
    if page.pillow_reads_it:
        stored = read_with_pillow(handle, ("TIFF",), page.number, max_pixels)
    else:
        stored = _read_with_tifffile(handle, page)
    return replace(stored, frames=frames)


def _pages(handle: Any) -> Iterator[Page]:
    handle.seek(0)
    header = handle.read(16)
    if header[:4] == _BIG_ENDIAN_BIGTIFF:
        yield from _pages_by_tifffile(handle)
        return
    directory = ImageFileDirectory_v2(header[: 16 if header[2:4] == b"+\0" else 8])
    seen: set[int] = set()
    while directory.next and directory.next not in seen and len(seen) < _MOST_PAGES:
        seen.add(directory.next)
        handle.seek(directory.next)
        directory.load(handle)
        yield Page(directory, len(seen) - 1, big_endian=header[:1] == b"M")


def _pages_by_tifffile(handle: Any) -> Iterator[Page]:
    try:
        import tifffile
    except ImportError:
        raise Unsupported(f"a big-endian BigTIFF needs the package tifffile; {EXTRA}") from None
    handle.seek(0)
    with unlogged(), tifffile.TiffFile(handle) as file:
        for number in range(min(len(file.pages), _MOST_PAGES)):
            page: Any = file.pages[number].aspage()
            tags = {tag.code: tag.value for tag in page.tags}
            yield Page(tags, number, big_endian=True, pillow_finds_it=False)


def _read_with_tifffile(handle: Any, page: Page) -> Stored:
    if page.photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB):
        raise Unsupported(
            f"a TIFF of photometric interpretation {page.photometric} ({page}) is not handled; convert it to RGB"
        )
    try:
        import tifffile
    except ImportError:
        raise Unsupported(f"a TIFF of {page} needs the package tifffile; {EXTRA}") from None
    with unlogged(), tifffile.TiffFile(handle) as file:
        stored: Any = file.pages[page.number].aspage()
        samples = _samples(stored, page)
    full_scale = {"b": 1, "u": 2**page.bits - 1 if page.bits <= 16 else None, "f": 1}.get(samples.dtype.kind)
    if page.photometric == _WHITE_IS_ZERO:
        if full_scale is None:
            raise Unsupported(f"a TIFF of {page} where white is 0 is not handled; save it with black as 0")
        samples[..., 0] = full_scale - samples[..., 0]
    if page.extra == (_PREMULTIPLIED,):
        samples = _straight(samples, full_scale, page)
    return Stored(samples, full_scale, page.colours, page.has_alpha, page.orientation, profile=page.profile)


@contextlib.contextmanager
def unlogged() -> Iterator[None]:
    """Keep from stderr what tifffile logs of damaged files, of which one sentence is said."""
    logger = logging.getLogger("tifffile")
    disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = disabled


def _samples(stored: Any, page: Page) -> NDArray[Any]:
    """(H, W, bands) of a page, or Unsupported."""
    if stored.dtype is None or stored.dtype.kind not in "biuf" or not page.bits:
        raise Unsupported(f"a TIFF of {page} is not handled; convert it to 16-bit unsigned")
    if stored.imagedepth != 1:
        raise Unsupported("a TIFF of volumes is not handled; save its slices as pages")
    chunks = int(np.prod(stored.chunked))
    if len(stored.dataoffsets) < chunks or not all(stored.databytecounts[:chunks]):
        raise ValueError("parts of it have no data")
    try:
        array = stored.asarray(squeeze=False, maxworkers=1)  # (planes, 1, H, W, bands of a plane)
    except Exception as error:
        if isinstance(error, ImportError) or "imagecodecs" in str(error):
            raise Unsupported(
                f"a TIFF with {stored.compression.name} compression needs imagecodecs; {EXTRA}"
            ) from None
        raise
    samples: NDArray[Any] = np.moveaxis(array[:, 0], 0, 2).reshape(page.height, page.width, page.bands)
    return samples


def _straight(samples: NDArray[Any], full_scale: int | None, page: Page) -> NDArray[Any]:
    """Colours that were multiplied by alpha, divided by it again."""
    if full_scale is None or samples.dtype.kind not in "uf":
        raise Unsupported(
            f"a TIFF of {page} with premultiplied alpha is not handled; save it with straight alpha"
        )
    alpha = samples[..., -1:].astype(np.float64)
    divided = np.divide(
        samples[..., :-1] * np.float64(full_scale),
        alpha,
        out=np.zeros(samples[..., :-1].shape),
        where=alpha > 0,
    )
    if samples.dtype.kind == "u":
        divided = np.rint(divided)
    samples[..., :-1] = np.minimum(divided, full_scale)
    return samples
