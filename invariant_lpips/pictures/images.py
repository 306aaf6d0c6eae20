"""Pictures on disk to the tensors the metrics take, and back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from invariant_lpips.files.writing import replacing
from invariant_lpips.pictures.channels import Decoded, Stored, picture_of
from invariant_lpips.pictures.decoding import DEFAULT_MAX_PIXELS, decode_file
from invariant_lpips.pictures.profiles import Icc
from invariant_lpips.pictures.refusals import Transparent, Unsupported
from invariant_lpips.pictures.transparency import (
    ALPHA_CHOICES,
    GROUNDS,
    Alpha,
    against_ground,
    mention_hidden_shape,
    outline,
)

_ROWS = 256  # of a transparent picture looked at together, so that it is not held twice
_WRITABLE = {".png": "PNG", ".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP", ".jpg": "JPEG"}


def read_image(
    path: str | os.PathLike[str],
    *,
    alpha: Alpha = "white",
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    frame: int | None = None,
    bands: Sequence[int] | None = None,
    full_scale: int | None = None,
    icc: Icc = "convert",
) -> Tensor:
    """Read a picture file as a float32 tensor of shape (1, 3, H, W) in [-1, 1], as the metrics take it.

    An 8-bit value v becomes v / 127.5 - 1, exactly as `lpips.im2tensor` has it; nothing is resized.

    ======================= ==============================================================================
    in the file             what is done with it
    ======================= ==============================================================================
    8-bit grey, 1-bit       repeated to three channels
    16-bit, grey or colour  all 16 bits kept: v / 32767.5 - 1; 12-bit TIFF by 4095; by `full_scale` where given
    signed, 32-bit (TIFF)   by `full_scale`, without which they are refused
    16- to 64-bit float     must lie in [0, 1] (TIFF, PFM); mapped by 2 v - 1
    2, 4 or more bands      refused without `bands`, unless the file says that the last is alpha
    palette                 looked up
    alpha, transparent key  composited over `alpha="white"`, "black" or (mid) "grey" in the file's own (gamma)
                            values, with a warning where that ground hides the picture's shape; "drop" ignores
                            the alpha channel, "refuse" raises if anything is transparent
    ICC profile             colours are converted to sRGB, as a viewer does; files in sRGB stay bit for bit
    CMYK without profile    Pillow's plain conversion to RGB
    PNG's gamma chunk       not applied: values are taken as sRGB, with a warning where it says otherwise
    EXIF orientation        applied: the picture is as a viewer shows it
    several frames, pages   `frame`, or the first with a warning
    linear light (HDR, EXR) 1 is white, brighter is white too with a warning; then the transfer function of sRGB
    ======================= ==============================================================================

    PNG, JPEG, WebP, TIFF, BMP, GIF, PPM, PFM, TGA, AVIF and JPEG 2000 are read, and through the extra `formats` HEIC,
    JPEG XL, HDR, EXR, and what Pillow alone would read wrongly or cut to 8 bits; docs/inputs.md has the whole table.

    Args:
        path: the file.
        alpha: what transparent parts are shown against; see the table.
        max_pixels: pictures of more pixels are refused before they are decoded, a guard against decompression
            bombs; None lifts the limit.
        frame: of several frames or pages, counted from 0; None: the first, with a warning if there are others.
        bands: one band of the file (grey) or three (red, green, blue), counted from 1; None: as the file says.
        full_scale: the value of white, where samples are integers of more than 8 bits or signed: 4095 for 12-bit data
            in a 16-bit file. No sample may be above it.
        icc: "convert" colours with an ICC profile to sRGB, or "ignore" it, as lpips and OpenCV do.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: the file cannot be opened.
        ValueError: it is empty, no picture, damaged, cut short (never half a picture), too large, or holds
            pixels that cannot be read without a loss or a guess (many bands, 32-bit integers without `full_scale`),
            or it needs a package that isn't installed.

    Warns:
        PictureWarning: there are more frames, the ground hides a transparent picture's shape, a 16-bit picture is
            nearly black, a profile is damaged, a PNG states a gamma that is not applied, or linear light is brighter
            than white.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_image(torch.tensor([-1.0, 0.0, 1.0]).view(1, 3, 1, 1), Path(folder) / "pixel.png")
        ...     read_image(Path(folder) / "pixel.png").flatten().tolist()
        [-1.0, 0.003921568859368563, 1.0]
    """
    decoded = decode_file(
        path, max_pixels=max_pixels, frame=frame, bands=bands, full_scale=full_scale, icc=icc
    )
    mention_what_is_hidden(decoded, alpha, str(path))
    return tensor_from_samples(decoded, alpha=alpha, name=str(path))


@dataclass(frozen=True)
class Reading:
    """How a file becomes the tensor that a metric takes; called with a path.

    Attributes:
        alpha: what transparent parts are shown against; see :func:`read_image`.
        max_pixels: larger pictures are refused; None lifts the limit.
        resize: (width, height) every picture is brought to, see :func:`resize_image`; None leaves them as they are.
        frame, bands, full_scale, icc: what of a file is the picture, which value is white, and whether colours are
            brought to sRGB; see :func:`read_image`.

    Shape:
        path of a file -> (1, 3, H, W) float32 in [-1, 1], on the CPU.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError, ValueError: as :func:`read_image`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_image(torch.zeros(1, 3, 8, 4), Path(folder) / "grey.png")
        ...     Reading(resize=(16, 32))(Path(folder) / "grey.png").shape
        torch.Size([1, 3, 32, 16])
    """

    alpha: Alpha = "white"
    max_pixels: int | None = DEFAULT_MAX_PIXELS
    resize: tuple[int, int] | None = None
    frame: int | None = None
    bands: tuple[int, ...] | None = None
    full_scale: int | None = None
    icc: Icc = "convert"

    def __call__(self, path: Path) -> Tensor:
        image = read_image(path, **self.of_files)
        return image if self.resize is None else resize_image(image, self.resize)

    def tensor(self, stored: Stored, *, name: str) -> Tensor:
        """Samples of a file, or of a region of it, to (1, 3, H, W); `name` is the file, for messages."""
        try:
            picture = picture_of(stored, bands=self.bands, full_scale=self.full_scale, icc=self.icc)
        except Unsupported as reason:
            raise ValueError(f"cannot read {name}: {reason}") from None
        return tensor_from_samples(picture, alpha=self.alpha, name=name)

    @property
    def of_files(self) -> dict[str, Any]:
        """The arguments of :func:`read_image`: all but `resize`."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "resize"}


def tensor_from_samples(decoded: Decoded, *, alpha: Alpha, name: str) -> Tensor:
    """Samples as a file holds them, or a region of them, to what :func:`read_image` returns.

    Args:
        decoded: samples (H, W, 3 or 4) and their full intensity.
        alpha: what transparent parts are shown against.
        name: the file, for messages.

    Raises:
        ValueError: unknown `alpha`, or transparent parts where it is "refuse".
    """
    if alpha not in ALPHA_CHOICES:
        raise ValueError(f"Argument `alpha` must be one of {', '.join(ALPHA_CHOICES)}, but got {alpha!r}.")
    colour = _to_signed_unit(decoded.samples[..., :3], decoded.full_scale)
    if decoded.has_alpha and alpha != "drop":
        if alpha == "refuse" and (decoded.samples[..., 3] < decoded.full_scale).any():
            raise Transparent(
                f"cannot read {name}: parts are transparent; choose alpha='white', 'black', 'grey' or 'drop'"
            )
        if alpha != "refuse":
            colour = against_ground(colour, _opacity(decoded), alpha)
    return torch.from_numpy(np.ascontiguousarray(colour.transpose(2, 0, 1)))[None]


def mention_what_is_hidden(decoded: Decoded, alpha: Alpha, name: str) -> None:
    """Warn where the ground hides the shape of a transparent picture, which then may equal others."""
    if not decoded.has_alpha or alpha not in GROUNDS:
        return
    found = np.zeros(2)
    for top in range(0, decoded.samples.shape[0], _ROWS):
        part = Decoded(decoded.samples[top : top + _ROWS], decoded.full_scale)
        colour = _to_signed_unit(part.samples[..., :3], part.full_scale)
        found += outline(colour, _opacity(part), alpha)
    mention_hidden_shape(found, alpha, name)


def _opacity(decoded: Decoded) -> NDArray[np.float32]:
    """Alpha (H, W, 1) in [0, 1]."""
    opacity: NDArray[np.float32] = decoded.samples[..., 3:].astype(np.float32) / np.float32(
        decoded.full_scale
    )
    return opacity


def resize_image(image: Tensor, size: tuple[int, int]) -> Tensor:
    """(1, 3, H, W) in [-1, 1] to `size` = (width, height): bicubic, antialiased, clamped to [-1, 1]."""
    width, height = size
    if image.shape[-2:] == (height, width):
        return image
    return interpolate(image, size=(height, width), mode="bicubic", antialias=True).clamp(-1, 1)


def write_image(image: Tensor, path: str | os.PathLike[str]) -> None:
    """Write a tensor (1, 3, H, W) or (3, H, W) in [-1, 1] as an 8-bit picture; its suffix names the format.

    Values are rounded to the nearest of 256 levels and clamped (lpips' `tensor2im` truncates and wraps). The
    file appears complete or not at all. Raises ValueError for another shape or an unknown suffix.
    """
    path = Path(path)
    if image.ndim == 4 and image.shape[0] == 1:
        image = image[0]
    if image.ndim != 3 or image.shape[0] != 3:
        raise ValueError(
            f"Argument `image` must have shape (1, 3, H, W) or (3, H, W), but got {tuple(image.shape)}."
        )
    file_format = _WRITABLE.get(path.suffix.lower())
    if file_format is None:
        raise ValueError(f"Argument `path` must end in one of {', '.join(_WRITABLE)}, but got {str(path)!r}.")
    with replacing(path) as temporary:
        Image.fromarray(eight_bits(image)).save(temporary, format=file_format)


def eight_bits(image: Tensor) -> NDArray[np.uint8]:
    """(3, H, W) in [-1, 1] to (H, W, 3) uint8: clamped, and rounded to the nearest of 256 levels.

    Example:
        >>> eight_bits(torch.tensor([-1.0, 0.003, 1.5]).view(3, 1, 1)).tolist()
        [[[0, 128, 255]]]
    """
    levels = ((image.detach().double().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    array: NDArray[np.uint8] = levels.permute(1, 2, 0).cpu().numpy()
    return array


def _to_signed_unit(samples: NDArray[Any], full_scale: int) -> NDArray[Any]:
    """[0, full_scale] to [-1, 1] in float32; integers by a table, so they are rounded once, from float64."""
    if samples.dtype.kind == "f":
        wide = samples.astype(np.float32) if samples.dtype.itemsize < 4 else samples
        return (2 * wide - 1).astype(np.float32)
    if full_scale > 65535:
        return (samples / (full_scale / 2) - 1).astype(np.float32)
    table = (np.arange(full_scale + 1, dtype=np.float64) / (full_scale / 2) - 1).astype(np.float32)
    scaled: NDArray[np.float32] = table[samples]
    return scaled
