"""Picture files to arrays: which formats are read, how each kind of pixel is treated, and what is refused.

Pillow does the decoding; this module decides what Pillow leaves open (alpha kept apart, EXIF rotation
applied, 16 bits kept) and turns everything that can be wrong with a file into one sentence. Values stay as
stored: `invariant_lpips.pictures.images.read_image` brings them to the range of the metrics.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from invariant_lpips.files.writing import one_line

# Formats whose every pixel type is accounted for below. Pillow knows more, among them some that start other
# programs (EPS) or lose precision silently (16-bit JPEG 2000).
FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "GIF", "PPM")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".ppm", ".pgm", ".pbm", ".pnm")

# Pillow's own threshold for a decompression bomb: a quarter of a GiB of 8-bit RGB.
DEFAULT_MAX_PIXELS = 89_478_485

_ORIENTATION_TAG, _PHOTOMETRIC_TAG, _BITS_TAG, _SAMPLE_FORMAT_TAG = 0x0112, 262, 258, 339
_BAND = 1024  # rows converted at a time
_pillow_settings_lock = threading.Lock()


class Decoded(NamedTuple):
    """Pixels as stored: `samples` (H, W, 3), or (H, W, 4) with alpha last, and their full intensity."""

    samples: NDArray[Any]
    full_scale: int

    @property
    def has_alpha(self) -> bool:
        return bool(self.samples.shape[2] == 4)


def decode_file(path: str | os.PathLike[str], *, max_pixels: int | None = DEFAULT_MAX_PIXELS) -> Decoded:
    """Decode the first frame of a picture file, upright, as uint8, uint16 or (TIFF only) float32 samples.

    Raises FileNotFoundError, IsADirectoryError or PermissionError where the file cannot be opened, and
    ValueError where it is empty, not a picture in one of `FORMATS`, damaged, cut short, larger than
    `max_pixels` (None: no limit) or of a pixel type that Pillow could only read with a loss.
    """
    path = Path(path)
    with _open_binary(path) as handle:
        image = _identify(path, handle, max_pixels)
        try:
            if image.format == "PNG":
                _check_png_sums(handle)
            with _complete_pictures_only():
                samples, full_scale = _samples(image, handle)
                orientation = _orientation(image)
        except _Unsupported as reason:
            raise ValueError(f"cannot read {path}: {reason}") from None
        except MemoryError:
            raise ValueError(f"cannot read {path}: not enough memory for {_size_text(image)}") from None
        except Exception as error:  # a damaged file can make Pillow's decoders raise almost anything
            raise ValueError(
                f"cannot read {path}: the file is damaged or cut short ({one_line(error)})"
            ) from None
    return Decoded(_upright(samples, orientation), full_scale)


class _Unsupported(Exception):
    """A pixel type that cannot be read without losing something; the message is the end of a sentence."""


def _open_binary(path: Path) -> Any:
    try:
        if stat.S_ISFIFO(path.stat().st_mode):  # opening one waits for somebody who writes
            raise ValueError("it is a pipe, a picture file was expected")
        handle = path.open("rb")
    except FileNotFoundError:
        raise FileNotFoundError(f"cannot read {path}: there is no such file") from None
    except IsADirectoryError:
        raise IsADirectoryError(f"cannot read {path}: it is a folder, a picture file was expected") from None
    except PermissionError:
        if path.is_dir():  # how Windows answers for a folder
            raise IsADirectoryError(
                f"cannot read {path}: it is a folder, a picture file was expected"
            ) from None
        raise PermissionError(f"cannot read {path}: permission denied") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        raise ValueError(f"cannot read {str(path)!r}: {error}") from None
    return handle


def _identify(path: Path, handle: Any, max_pixels: int | None) -> ImageFile.ImageFile:
    if os.fstat(handle.fileno()).st_size == 0:
        raise ValueError(f"cannot read {path}: the file is empty (0 bytes)")
    Image.init()
    formats = [name for name in FORMATS if name in Image.OPEN]
    with _pillow_settings_lock:
        # Our own limit replaces Pillow's, which is a process-wide setting; opening reads the header only. But of a
        # GIF Pillow then makes the ground of the first frame, however large the header says it is.
        limit = max_pixels if handle.peek(3)[:3] == b"GIF" else None
        pillow_limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, limit
        try:
            image = Image.open(handle, formats=formats)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise ValueError(f"cannot read {path}: its frame {_over(max_pixels)}") from None
        except Exception:  # an unknown format and a damaged header look alike here
            raise ValueError(
                f"cannot read {path}: not a picture, or its header is damaged "
                "(PNG, JPEG, WebP, TIFF, BMP, GIF and PPM files are read)"
            ) from None
        finally:
            Image.MAX_IMAGE_PIXELS = pillow_limit
    if max_pixels is not None and image.width * image.height > max_pixels:
        raise ValueError(f"cannot read {path}: {_size_text(image)} {_over(max_pixels)}")
    return image


def _over(max_pixels: int | None) -> str:
    return (
        f"is over the limit of {max_pixels} pixels, a guard against decompression bombs; raise max_pixels if the file "
        "is meant to be this large"
    )


def _size_text(image: ImageFile.ImageFile) -> str:
    return f"{image.width} x {image.height} = {image.width * image.height} pixels"


def _check_png_sums(handle: Any) -> None:
    """Compare the checksums of a PNG's pixel data, which Pillow skips; leaves the file where it stood."""
    place = handle.tell()
    handle.seek(8)
    while len(head := handle.read(8)) == 8 and head[4:] != b"IEND":
        length = int.from_bytes(head[:4], "big")
        if head[4:] != b"IDAT":
            handle.seek(length + 4, os.SEEK_CUR)
            continue
        data = handle.read(length)
        # Where the file ends early Pillow says so.
        if len(data) == length and handle.read(4) not in (
            zlib.crc32(data, zlib.crc32(b"IDAT")).to_bytes(4, "big"),
            b"",
        ):
            raise ValueError("a checksum of its pixels is wrong")
    handle.seek(place)


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


def _samples(image: ImageFile.ImageFile, handle: Any) -> tuple[NDArray[Any], int]:
    """Pixels (H, W, 3 or 4) and their full scale; `image` is loaded afterwards."""
    rawmodes = _rawmodes(image)
    if image.mode == "F":
        return _float_samples(image), 1
    if image.mode.startswith("I"):
        return _grey_integer_samples(image)
    if any(";16" in rawmode for rawmode in rawmodes):
        return _sixteen_bit_colour_samples(image, handle, rawmodes), 65535
    if image.format == "PPM" and _ppm_maximum(image) > 255:
        raise _Unsupported(
            "a colour PPM of more than 8 bits would lose precision; convert it to a 16-bit PNG"
        )
    return _eight_bit_samples(image), 255


def _eight_bit_samples(image: ImageFile.ImageFile) -> NDArray[np.uint8]:
    image.load()
    has_alpha = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    mode = "RGBA" if has_alpha else "RGB"
    samples = np.empty((image.height, image.width, len(mode)), dtype=np.uint8)
    try:
        # In bands, since conversion makes a copy and the array another: a large picture is not held three times.
        for top in range(0, image.height, _BAND):
            band = image.crop((0, top, image.width, min(top + _BAND, image.height)))
            samples[top : top + _BAND] = np.asarray(band.convert(mode))
    except ValueError:
        raise _Unsupported(
            f"pictures of Pillow's mode {image.mode} are not handled; convert it to RGB"
        ) from None
    return samples


def _grey_integer_samples(image: ImageFile.ImageFile) -> tuple[NDArray[np.uint16], int]:
    """16-bit (or 12-bit) grey. Older Pillow opens these as 32-bit mode "I", newer as "I;16"."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(_BITS_TAG, (16,))[0]
    if bits > 16 or tags.get(_SAMPLE_FORMAT_TAG, (1,))[0] != 1:
        raise _Unsupported(
            "signed or 32-bit integer pixels have no agreed full intensity; convert it to 16-bit unsigned"
        )
    photometric = tags.get(_PHOTOMETRIC_TAG)
    key = image.info.get("transparency")
    image.load()
    grey = np.asarray(image).astype(np.uint16)
    full_scale = 2**bits - 1
    alpha = None if key is None else np.where(grey == key, 0, full_scale).astype(np.uint16)
    if photometric == 0:  # TIFF WhiteIsZero, which Pillow undoes for 8 bits but not for 16
        grey = full_scale - grey
    planes = [grey, grey, grey] if alpha is None else [grey, grey, grey, alpha]
    return np.stack(planes, axis=2), full_scale


def _float_samples(image: ImageFile.ImageFile) -> NDArray[np.float32]:
    image.load()
    grey = np.asarray(image)
    if not np.isfinite(grey).all() or grey.min() < 0 or grey.max() > 1:
        raise _Unsupported(
            "floating-point pixels must lie in [0, 1] and be finite; rescale them or save as 16-bit"
        )
    return np.stack([grey, grey, grey], axis=2)


def _sixteen_bit_colour_samples(
    image: ImageFile.ImageFile, handle: Any, rawmodes: set[str]
) -> NDArray[np.uint16]:
    """Colour of 16 bits per channel, which Pillow only offers cut to 8: decode the two bytes in two passes.

    Pillow's ";16B" and ";16L" unpackers keep the first and the second byte of each pair respectively, so
    reading the same file with the other byte order named yields the low bytes.
    """
    key = image.info.get("transparency")
    rawmode = rawmodes.pop() if len(rawmodes) == 1 else ""
    if (
        rawmode == "LA;16B"
    ):  # Pillow has no counterpart for the low bytes, but the four bytes are a pixel of RGBA
        _rename_rawmode(image, "RGBA")
        image.load()
        first, second, third, fourth = (
            plane.astype(np.uint16) for plane in np.moveaxis(np.asarray(image), 2, 0)
        )
        grey, alpha = first * 256 + second, third * 256 + fourth
        return np.stack([grey, grey, grey, alpha], axis=2)
    if rawmode not in {f"{mode};16{order}" for mode in ("RGB", "RGBX", "RGBA") for order in "BLN"}:
        raise _Unsupported(
            "this kind of 16-bit picture would be cut to 8 bits; convert it to a 16-bit RGB PNG"
        )
    image.load()
    high = np.asarray(image).astype(np.uint16)
    handle.seek(0)
    again = Image.open(handle, formats=[image.format or "PNG"])
    native = "L" if sys.byteorder == "little" else "B"
    order = rawmode[-1].replace("N", native)
    _rename_rawmode(again, f"{rawmode[:-1]}{'L' if order == 'B' else 'B'}")
    again.load()
    samples: NDArray[np.uint16] = high * 256 + np.asarray(again)
    if key is None or samples.shape[2] == 4:
        return samples
    alpha = np.where((samples == np.asarray(key)).all(axis=2, keepdims=True), 0, 65535)
    return np.concatenate([samples, alpha.astype(np.uint16)], axis=2)


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


def _ppm_maximum(image: ImageFile.ImageFile) -> int:
    # ("raw", ..., rawmode) of an 8-bit file, ("ppm", ..., (rawmode, maximum)) of any other
    tile: Any = image.tile[0]
    maximum = tile[3][1] if isinstance(tile[3], tuple) else None
    return maximum if isinstance(maximum, int) and maximum > 0 else 255


def _orientation(image: ImageFile.ImageFile) -> int:
    """The EXIF orientation still to be applied, 1 (upright) where absent or unreadable."""
    if image.format == "TIFF":  # Pillow has turned it while loading, and not every version drops the tag then
        return 1
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # a damaged EXIF block is no reason to refuse sound pixels
        return 1
    return orientation if orientation in range(1, 9) else 1


def _upright(samples: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo the camera's rotation: the eight values of EXIF 2.3's Orientation as flips and a transposition."""
    if orientation in (5, 6, 7, 8):
        samples = samples.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return samples
