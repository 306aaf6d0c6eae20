"""Radiance HDR and OpenEXR: linear light without a white, made the picture that an sRGB screen shows.

The tone curve is the plainest one, so that anybody can repeat it: 1.0 is white, what is brighter is white too (and is
said), and what is left goes through the transfer function of sRGB (IEC 61966-2-1). Exposure and another tone curve
are up to whoever makes the picture; apply them first and save a 16-bit PNG.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from invariant_lpips.pictures.channels import Stored
from invariant_lpips.pictures.pillow_files import check_frame, check_pixels
from invariant_lpips.pictures.refusals import EXTRA, PictureWarning, Unsupported

_HDR, _EXR = (b"#?RADIANCE", b"#?RGBE"), b"\x76\x2f\x31\x01"
_CHROMATICITIES = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329)


def read_linear_light(handle: Any, frame: int, max_pixels: int | None) -> Stored | None:
    """The picture of an HDR or EXR file; None where it is neither.

    Raises:
        Unsupported: a package is missing, it is too large, or it holds no grey or RGB picture.

    Warns:
        PictureWarning: parts are brighter than white.
    """
    start = handle.peek(16)[:16]
    if start.startswith(_HDR):
        check_frame(frame, 1)
        return _hdr(handle.read(), max_pixels)
    if start.startswith(_EXR):
        return _exr(handle, frame, max_pixels)
    return None


def srgb_curve(light: NDArray[Any]) -> NDArray[np.float32]:
    """Linear light, 1 for white, to sRGB values in [0, 1]; brighter is white.

    Example:
        >>> srgb_curve(np.array([0.0, 0.002, 0.2140411, 1.0, 7.0])).round(4).tolist()
        [0.0, 0.025800000876188278, 0.5, 1.0, 1.0]
    """
    held = light.astype(np.float64).clip(0, 1)
    curved = np.where(held <= 0.0031308, held * 12.92, 1.055 * held ** (1 / 2.4) - 0.055)
    return curved.astype(np.float32)


def _shown(light: NDArray[Any], alpha: NDArray[Any] | None = None) -> Stored:
    if not np.isfinite(light).all():
        raise Unsupported("some of its pixels are NaN or infinite; fill them before comparing")
    brighter = float((light > 1).any(axis=2).mean())
    if brighter > 0:
        warnings.warn(
            f"{brighter:.1%} of the pixels of a picture in linear light are brighter than white (1.0) and shown as "
            "white; expose and tone-map it first if they matter",
            PictureWarning,
            stacklevel=2,
        )
    samples = srgb_curve(light)
    if alpha is not None:
        samples = np.concatenate([samples, alpha.astype(np.float32).clip(0, 1)], axis=2)
    return Stored(samples, 1, light.shape[2], alpha is not None)


def _hdr(data: bytes, max_pixels: int | None) -> Stored:
    size = re.search(rb"\n\n([-+])([XY]) (\d+) ([-+])([XY]) (\d+)\n", data[:4096])
    if size is None or size[2] + size[5] not in (b"YX", b"XY"):
        raise ValueError("its header says no size")
    if (size[1], size[2], size[4]) != (b"-", b"Y", b"+"):
        raise Unsupported(
            "an HDR whose rows do not run from the top to the bottom is not handled; save it anew"
        )
    if b"32-bit_rle_xyze" in data[: size.start()]:
        raise Unsupported("an HDR in XYZ is not handled; convert it to RGB")
    check_pixels(int(size[6]), int(size[3]), max_pixels)
    try:
        import imagecodecs
    except ImportError:
        raise Unsupported(f"Radiance HDR needs imagecodecs; {EXTRA}") from None
    return _shown(imagecodecs.rgbe_decode(data, header=True))


def _exr(handle: Any, frame: int, max_pixels: int | None) -> Stored:
    try:
        import OpenEXR
    except ImportError:
        raise Unsupported(f"OpenEXR needs the package OpenEXR; {EXTRA}") from None
    name = handle.name
    parts = OpenEXR.File(name, header_only=True).parts
    check_frame(frame, len(parts))
    header = parts[frame].header
    low, high = header["dataWindow"]
    check_pixels(int(high[0] - low[0] + 1), int(high[1] - low[1] + 1), max_pixels)
    if not all(
        np.array_equal(a, b) for a, b in zip(header["dataWindow"], header["displayWindow"], strict=True)
    ):
        raise Unsupported(
            "an EXR whose data window is not its display window is not handled; crop or fill it first"
        )
    chromaticities = header.get("chromaticities")
    if chromaticities is not None and not np.allclose(chromaticities, _CHROMATICITIES, atol=1e-3):
        raise Unsupported(
            "an EXR of other primaries than sRGB's is not handled; convert it to linear sRGB first"
        )
    read = OpenEXR.File(name, separate_channels=True).parts
    if len(read) != len(parts):  # of a damaged part it says so on stderr only
        raise ValueError("a part of it cannot be decoded")
    channels = {key: channel.pixels for key, channel in read[frame].channels.items()}
    if {"R", "G", "B"} <= channels.keys():
        colours = "RGB"
    elif "Y" in channels and not {"RY", "BY"} & channels.keys():
        colours = "Y"
    else:
        raise Unsupported(
            f"an EXR of the channels {', '.join(channels)} is not handled; R, G and B, or Y, are read"
        )
    planes = [np.asarray(channels[key]) for key in colours]
    if any(plane.dtype.kind != "f" or plane.shape != planes[0].shape for plane in planes):
        raise Unsupported(
            "an EXR of integers or of subsampled channels is not handled; save it as half or float"
        )
    light = np.stack(planes, axis=2).astype(np.float32)
    if "A" not in channels:
        return replace(_shown(light), frames=len(parts))
    alpha = np.asarray(channels["A"], dtype=np.float32)[..., None]  # colours were multiplied by it
    straight = np.divide(light, alpha, out=np.zeros_like(light), where=alpha > 0)
    return replace(_shown(straight, alpha), frames=len(parts))
