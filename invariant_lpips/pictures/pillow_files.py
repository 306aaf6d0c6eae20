"""What Pillow decodes, with what it leaves open decided: alpha kept apart, 16 bits kept."""

from __future__ import annotations

import contextlib
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from invariant_lpips.pictures.channels import Stored
from invariant_lpips.pictures.jpeg_markers import check_end
from invariant_lpips.pictures.png_chunks import look_at_chunks
from invariant_lpips.pictures.refusals import Unsupported
from invariant_lpips.pictures.targa import opacity_decided
from invariant_lpips.pictures.unread_formats import refusal

_ORIENTATION_TAG, _PHOTOMETRIC_TAG, _BITS_TAG = 0x0112, 262, 258
_SIXTEEN_BITS = re.compile(";16[A-Z]")  # a sample; BGR;16 is a pixel of 16 bits
_BAND = 1024  # rows converted at a time
_pillow_settings_lock = threading.RLock()  # opening a file is within decoding it

#: Pillow's modes that are kept as they are; the others are made RGB or, where they have transparent parts, RGBA.
_PLAIN = {"1": "L", "L": "L", "LA": "LA", "La": "LA", "CMYK": "CMYK"}


def read_with_pillow(handle: Any, formats: Sequence[str], frame: int, max_pixels: int | None) -> Stored:
    """A frame of an open file in one of Pillow's formats.

    Raises:
        Unsupported: Pillow recognises no picture, there is no such frame, it is too large, or Pillow could only
            read its pixels with a loss.
        Exception: almost any, where the file is damaged.
    """
    with _complete_pictures_only():
        image = _open(handle, formats, max_pixels)
        colours = look_at_chunks(handle) if image.format == "PNG" else ""
        if image.format in ("JPEG", "MPO"):
            check_end(handle)
        # The other pictures of an MPO are previews and depth maps, of which a photograph's owner knows nothing.
        frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
        if frame:
            if image.format != "TIFF":  # whose pages were counted before
                check_frame(frame, frames)
            image.seek(frame)
            check_pixels(image.width, image.height, max_pixels)
        stored = _stored(image, handle)
        if image.format == "TGA":
            stored = opacity_decided(stored, handle)
        profile = image.info.get("icc_profile") or None
        return replace(
            stored,
            orientation=_orientation(image),
            frames=frames,
            profile=profile,
            other_colours=colours if profile is None else "",
        )


def check_pixels(width: int, height: int, max_pixels: int | None) -> None:
    """Raise Unsupported where a picture has more pixels than `max_pixels`."""
    if max_pixels is not None and width * height > max_pixels:
        raise Unsupported(f"{width} x {height} = {width * height} pixels {_over(max_pixels)}")


def check_frame(frame: int, frames: int) -> None:
    """Raise Unsupported where there is no such frame."""
    if frame >= frames:
        held = "1 frame" if frames == 1 else f"{frames} frames"
        raise Unsupported(f"it holds {held}, counted from 0, but frame {frame} was asked for")


def _open(handle: Any, formats: Sequence[str], max_pixels: int | None) -> ImageFile.ImageFile:
    Image.init()
    known = [name for name in formats if name in Image.OPEN]
    with _pillow_settings_lock:
        # Our own limit replaces Pillow's, which is a process-wide setting; opening reads the header only. But of a
        # GIF Pillow then makes the ground of the first frame, however large the header says it is.
        limit = max_pixels if handle.peek(3)[:3] == b"GIF" else None
        pillow_limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, limit
        try:
            image = Image.open(handle, formats=known)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise Unsupported(f"its frame {_over(max_pixels)}") from None
        except Exception:  # an unknown format and a damaged header look alike here
            raise Unsupported(refusal(handle)) from None
        finally:
            Image.MAX_IMAGE_PIXELS = pillow_limit
    check_pixels(image.width, image.height, max_pixels)
    return image


def _over(max_pixels: int | None) -> str:
    return (
        f"is over the limit of {max_pixels} pixels, a guard against decompression bombs; raise max_pixels "
        "(--max-pixels) if the file is meant to be this large"
    )


@contextlib.contextmanager
def _complete_pictures_only() -> Iterator[None]:
    """Undo LOAD_TRUNCATED_IMAGES while we decode, if the program set it: half a picture is no picture."""
    if not ImageFile.LOAD_TRUNCATED_IMAGES:
        yield
        return
    with _pillow_settings_lock:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = True


def _stored(image: ImageFile.ImageFile, handle: Any) -> Stored:
    rawmodes = _rawmodes(image)
    if image.mode == "F":
        image.load()
        return Stored(np.asarray(image)[..., None], 1, 1)
    if image.mode.startswith("I"):
        return _grey_integers(image)
    if any(_SIXTEEN_BITS.search(rawmode) for rawmode in rawmodes):
        return _sixteen_bit_colour(image, handle, rawmodes)
    return _eight_bits(image)


def _eight_bits(image: ImageFile.ImageFile) -> Stored:
    image.load()
    transparent = image.mode in ("RGBA", "PA", "RGBa") or "transparency" in image.info
    mode = "RGBA" if transparent else _PLAIN.get(image.mode, "RGB")
    samples = np.empty((image.height, image.width, len(mode)), dtype=np.uint8)
    try:
        # In bands, since conversion makes a copy and the array another: a large picture is not held three times.
        for top in range(0, image.height, _BAND):
            band = image.crop((0, top, image.width, min(top + _BAND, image.height)))
            samples[top : top + _BAND] = np.asarray(band.convert(mode)).reshape(-1, image.width, len(mode))
    except ValueError:
        raise Unsupported(
            f"pictures of Pillow's mode {image.mode} are not handled; convert it to RGB"
        ) from None
    return Stored(samples, 255, {"R": 3, "C": 4}.get(mode[0], 1), mode.endswith("A"))


def _grey_integers(image: ImageFile.ImageFile) -> Stored:
    """16-bit (or 12-bit) grey. Older Pillow opens these as 32-bit mode "I", newer as "I;16"."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(_BITS_TAG, (16,))[0]
    maximum = 2**bits - 1
    key = image.info.get("transparency")
    image.load()
    grey = np.asarray(image).astype(np.uint16)
    if tags.get(_PHOTOMETRIC_TAG) == 0:  # TIFF WhiteIsZero, which Pillow undoes for 8 bits but not for 16
        grey = maximum - grey
    if key is None:
        return Stored(grey[..., None], maximum, 1)
    alpha = np.where(grey == key, 0, maximum).astype(np.uint16)
    return Stored(np.stack([grey, alpha], axis=2), maximum, 1, True)


def _sixteen_bit_colour(image: ImageFile.ImageFile, handle: Any, rawmodes: set[str]) -> Stored:
    """Colour of 16 bits per channel, which Pillow only offers cut to 8: decode the two bytes in two passes.

    Pillow's ";16B" and ";16L" unpackers keep the first and the second byte of each pair respectively, so
    reading the same file with the other byte order named yields the low bytes.
    """
    key, frame = image.info.get("transparency"), image.tell()
    rawmode = rawmodes.pop() if len(rawmodes) == 1 else ""
    if image.format == "PNG" and frame:
        raise Unsupported(
            "of an animated 16-bit PNG only the first frame is read; convert it to one PNG a frame"
        )
    if (
        rawmode == "LA;16B"
    ):  # Pillow has no counterpart for the low bytes, but the four bytes are a pixel of RGBA
        _rename_rawmode(image, "RGBA")
        image.load()
        pairs = np.asarray(image).astype(np.uint16)
        return Stored(pairs[..., ::2] * 256 + pairs[..., 1::2], 65535, 1, True)
    if rawmode not in {f"{mode};16{order}" for mode in ("RGB", "RGBA") for order in "BLN"}:
        raise Unsupported(
            "this kind of 16-bit picture would be cut to 8 bits; convert it to a 16-bit RGB PNG"
        )
    image.load()
    high = np.asarray(image).astype(np.uint16)
    handle.seek(0)
    again = Image.open(handle, formats=[image.format or "PNG"])
    again.seek(frame)
    native = "L" if sys.byteorder == "little" else "B"
    order = rawmode[-1].replace("N", native)
    _rename_rawmode(again, f"{rawmode[:-1]}{'L' if order == 'B' else 'B'}")
    again.load()
    samples: NDArray[np.uint16] = high * 256 + np.asarray(again)
    if key is None or samples.shape[2] == 4:
        return Stored(samples, 65535, 3, samples.shape[2] == 4)
    alpha = np.where((samples == np.asarray(key)).all(axis=2, keepdims=True), 0, 65535)
    return Stored(np.concatenate([samples, alpha.astype(np.uint16)], axis=2), 65535, 3, True)


def _rawmodes(image: ImageFile.ImageFile) -> set[str]:
    """Pillow's names for how the pixels lie in the file, one for each tile of it ("RGB;16B")."""
    arguments = [tile[3] for tile in image.tile]
    return {argument if isinstance(argument, str) else str(argument[0]) for argument in arguments if argument}


def _rename_rawmode(image: ImageFile.ImageFile, rawmode: str) -> None:
    tiles: list[Any] = []
    tile: Any
    for tile in image.tile:
        argument = rawmode if isinstance(tile[3], str) else (rawmode, *tile[3][1:])
        # A plain tuple in Pillow 10, a named one since 11.
        tiles.append(tile._replace(args=argument) if hasattr(tile, "_replace") else (*tile[:3], argument))
    image.tile = tiles


def _orientation(image: ImageFile.ImageFile) -> int:
    """The EXIF orientation still to be applied, 1 (upright) where absent or unreadable."""
    if image.format == "TIFF":  # Pillow has turned it while loading, and not every version drops the tag then
        return 1
    # Pillow would also turn by what XMP says, which viewers don't.
    for name in ("xmp", "XML:com.adobe.xmp"):
        image.info.pop(name, None)
    try:
        if "exif" in image.info:  # what it found itself may be of XMP
            exif = Image.Exif()
            exif.load(image.info["exif"])
        else:
            exif = image.getexif()
        orientation = exif.get(_ORIENTATION_TAG, 1)
    except Exception:  # a damaged EXIF block is no reason to refuse sound pixels
        return 1
    return orientation if orientation in range(1, 9) else 1
