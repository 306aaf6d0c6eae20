"""Picture files to arrays: the one door for every format, and one sentence for everything that can be wrong.

Which bands are the picture, and what is full intensity, is decided in :mod:`invariant_lpips.pictures.channels`; what
each format needs is in a module of its own. Values stay as stored:
`invariant_lpips.pictures.images.read_image` brings them to the range of the metrics.
"""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from invariant_lpips.files.writing import one_line
from invariant_lpips.pictures.boxed_files import read_boxed
from invariant_lpips.pictures.channels import Decoded, Stored, hint_at_narrower_scale, picture_of
from invariant_lpips.pictures.linear_light import read_linear_light
from invariant_lpips.pictures.netpbm import read_netpbm
from invariant_lpips.pictures.pillow_files import read_with_pillow
from invariant_lpips.pictures.profiles import ICC_CHOICES, Icc
from invariant_lpips.pictures.refusals import PictureWarning, Unsupported
from invariant_lpips.pictures.tiff import SIGNATURES as TIFF_SIGNATURES
from invariant_lpips.pictures.tiff import read_tiff

# Formats of Pillow's whose every pixel type is accounted for. It knows more, among them some that start other
# programs (EPS) or lose precision silently; those in boxes or linear light, TIFF and PPM have readers of their own.
FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "BMP", "GIF")
#: What makes a file of a folder a picture: the one list. Formats that need an extra are in it, so that files that
#: can't be read without are named rather than passed over.
SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".tif", ".tiff", ".bmp", ".gif"),
    *(
        ".ppm",
        ".pgm",
        ".pbm",
        ".pnm",
        ".pam",
        ".pfm",
        ".tga",
        ".avif",
        ".heic",
        ".heif",
        ".jxl",
        ".jp2",
        ".j2k",
        ".exr",
        ".hdr",
    ),
)

# Pillow's own threshold for a decompression bomb: a quarter of a GiB of 8-bit RGB.
DEFAULT_MAX_PIXELS = 89_478_485


def decode_file(
    path: str | os.PathLike[str],
    *,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    frame: int | None = None,
    bands: Sequence[int] | None = None,
    full_scale: int | None = None,
    icc: Icc = "convert",
) -> Decoded:
    """Decode one frame of a picture file, upright, as unsigned integer or (TIFF, PFM) floating-point samples.

    Args:
        path: the file.
        max_pixels: larger pictures are refused before they are decoded; None lifts the limit.
        frame: of several frames or pages, counted from 0; None: the first, with a warning if there are others.
        bands: one band (grey) or three (red, green, blue), counted from 1; None: as the file says.
        full_scale: what is full intensity, where samples are integers of more than 8 bits or signed.
        icc: whether colours with a profile are converted to sRGB, or taken as they are.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: the file cannot be opened.
        ValueError: it is empty, not a picture in a format that is read, damaged, cut short, too large, has no such
            frame or band, or pixels that could only be read with a loss or a guess.

    Warns:
        PictureWarning: there are more frames, or a 16-bit picture is nearly black.
    """
    check_choices(frame=frame, bands=bands, full_scale=full_scale, icc=icc)
    path = Path(path)
    with _open_binary(path) as handle:
        try:
            if os.fstat(handle.fileno()).st_size == 0:
                raise Unsupported("the file is empty (0 bytes)")
            stored = _read(path, handle, frame or 0, max_pixels)
            picture = picture_of(stored, bands=bands, full_scale=full_scale, icc=icc)
            if full_scale is None:
                hint_at_narrower_scale(picture)
        except Unsupported as reason:
            raise ValueError(f"cannot read {path}: {reason}") from None
        except MemoryError:
            raise ValueError(f"cannot read {path}: not enough memory") from None
        except Exception as error:  # a damaged file can make the decoders raise almost anything
            raise ValueError(
                f"cannot read {path}: the file is damaged or cut short ({one_line(error)})"
            ) from None
    if frame is None:  # and where the picture can be read
        mention_frames(path, stored.frames)
    return Decoded(upright(picture.samples, stored.orientation), picture.full_scale)


def mention_frames(path: Path, frames: int) -> None:
    """Warn that only the first of several frames is read."""
    if frames > 1:
        warnings.warn(
            f"{path} holds {frames} frames, of which the first is read; choose one with frame=0 to "
            f"frame={frames - 1} (--frame)",
            PictureWarning,
            stacklevel=3,
        )


def check_choices(
    *, frame: int | None, bands: Sequence[int] | None, full_scale: int | None, icc: str
) -> None:
    """Raise ValueError where one of these can be meant for no file."""
    if frame is not None and (type(frame) is not int or frame < 0):
        raise ValueError(f"Argument `frame` must be a whole number from 0, or None, but got {frame!r}.")
    if bands is not None and (
        len(bands) not in (1, 3) or not all(type(band) is int and band > 0 for band in bands)
    ):
        raise ValueError(f"Argument `bands` must be one or three whole numbers from 1, but got {bands!r}.")
    if full_scale is not None and (type(full_scale) is not int or not 0 < full_scale < 2**32):
        raise ValueError(
            f"Argument `full_scale` must be a whole number from 1 to 4294967295, but got {full_scale!r}."
        )
    if icc not in ICC_CHOICES:
        raise ValueError(f"Argument `icc` must be one of {', '.join(ICC_CHOICES)}, but got {icc!r}.")


def _read(path: Path, handle: Any, frame: int, max_pixels: int | None) -> Stored:
    if handle.peek(4)[:4] in TIFF_SIGNATURES:
        return read_tiff(handle, frame, max_pixels)
    for reader in (read_boxed, read_linear_light, read_netpbm):
        if (stored := reader(handle, frame, max_pixels)) is not None:
            return stored
    # A TGA has no signature, so only its suffix tells it from any other file.
    formats = ("TGA",) if path.suffix.lower() == ".tga" else FORMATS
    return read_with_pillow(handle, formats, frame, max_pixels)


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


def upright(samples: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo the camera's rotation: the eight values of EXIF 2.3's Orientation as flips and a transposition."""
    if orientation in (5, 6, 7, 8):
        samples = samples.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return samples
