"""ICC profiles: colours of a file brought to sRGB, which is what metrics, and the pictures they were fitted on, mean.

A picture is what a viewer shows. The numbers of a photograph in Display P3 or Adobe RGB are duller than its colours,
so that a copy of it in sRGB would be another picture; with the profile applied the two agree. Conversion is relative
colorimetric with black point compensation, as in most viewers. A profile that moves no value by more than one of 255
levels is sRGB by another name, and then values stay as they are.
"""

from __future__ import annotations

import functools
import io
import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from invariant_lpips.pictures.refusals import EXTRA, PictureWarning, Unsupported

Icc = Literal["convert", "ignore"]
ICC_CHOICES: tuple[Icc, ...] = ("convert", "ignore")

_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
_SPACES = {"L": "GRAY", "RGB": "RGB ", "CMYK": "CMYK"}
_ROWS = 1024  # converted at a time
_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
# Optimised, lcms takes grey through a table so coarse that dark levels are six levels off.
# (Numbers, since Pillow 10.0 has no names: black point compensation, with tables of high resolution or with none.)
_FLAGS: Any = 0x2000 | 0x0400
_GREY_FLAGS: Any = 0x2000 | 0x0100


def in_srgb(samples: NDArray[Any], scale: int, profile: bytes | None) -> tuple[NDArray[Any], int]:
    """Colours (H, W, 1, 3, or 4 of CMYK) of full intensity `scale`, as a profile says, to sRGB.

    Returns:
        The colours, (H, W, 1) only where nothing was to be converted, and their full intensity.

    Raises:
        Unsupported: more than 8 bits are to be converted and imagecodecs isn't there.
    """
    mode = _MODES[samples.shape[2]]
    if profile is not None and mode == "L" and _space(profile) == "RGB ":
        if _is_srgb(profile, "RGB"):
            return samples, scale
        samples, mode = np.broadcast_to(samples, (*samples.shape[:2], 3)), "RGB"
    if profile is not None and not (_space(profile) == _SPACES[mode] and _can_be_applied(profile, mode)):
        warnings.warn(
            "a picture's colour profile is damaged or does not fit its pixels, and is ignored",
            PictureWarning,
            stacklevel=2,
        )
        profile = None
    if profile is None or _is_srgb(profile, mode):
        return (samples, scale) if mode != "CMYK" else (_converted(samples, mode, None), 255)
    if samples.dtype == np.uint8 and scale == 255:
        return _converted(samples, mode, profile), 255
    return _deep(samples, scale, mode, profile)


def _converted(samples: NDArray[Any], mode: str, profile: bytes | None) -> NDArray[np.uint8]:
    """8-bit colours to RGB; without a profile as Pillow converts them plainly."""
    width = samples.shape[1]
    rgb = np.empty((*samples.shape[:2], 3), dtype=np.uint8)
    for top in range(0, len(samples), _ROWS):
        part = samples[top : top + _ROWS]
        band = Image.frombytes(mode, (width, len(part)), part.tobytes())
        if profile is None:
            band = band.convert("RGB")
        else:
            shown = ImageCms.applyTransform(band, _transform(profile, mode))
            assert shown is not None
            band = shown
        rgb[top : top + _ROWS] = np.asarray(band)
    return rgb


def _deep(samples: NDArray[Any], scale: int, mode: str, profile: bytes) -> tuple[NDArray[Any], int]:
    try:
        import imagecodecs
    except ImportError:
        raise Unsupported(
            f"converting its colour profile at more than 8 bits needs imagecodecs; {EXTRA}, or take its values as "
            "sRGB with icc='ignore' (--icc ignore)"
        ) from None
    if samples.dtype.kind == "f":
        wide, full = samples.astype(np.float32), 1
    else:
        wide, full = np.rint(samples * (65535 / scale)).astype(np.uint16), 65535
    spaces = {"L": "gray", "RGB": "rgb", "CMYK": "cmyk"}
    converted: NDArray[Any] = imagecodecs.cms_transform(
        np.ascontiguousarray(wide[..., 0] if mode == "L" else wide),
        profile,
        _srgb().tobytes(),
        colorspace=spaces[mode],
        outcolorspace="rgb",
        outdtype=wide.dtype,
        intent=int(_INTENT),
        flags=int(_GREY_FLAGS),  # exact; more bits are worth the time,
    )
    return converted.clip(0, full), full


@functools.lru_cache(maxsize=64)
def _space(profile: bytes) -> str:
    """`RGB `, `GRAY`, `CMYK`, ...; empty where the profile is damaged."""
    try:
        return str(ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space)
    except Exception:  # OSError of lcms, and what Pillow raises around it
        return ""


@functools.lru_cache(maxsize=64)
def _can_be_applied(profile: bytes, mode: str) -> bool:
    try:
        _transform(profile, mode)
    except ImageCms.PyCMSError:
        return False
    return True


@functools.lru_cache(maxsize=64)
def _is_srgb(profile: bytes, mode: str) -> bool:
    if mode == "CMYK":
        return False
    levels = np.linspace(0, 255, 16 if mode == "RGB" else 256).round().astype(np.uint8)
    probe = np.stack(np.meshgrid(*[levels] * len(mode), indexing="ij"), axis=-1).reshape(-1, 1, len(mode))
    return bool(np.abs(_converted(probe, mode, profile).astype(int) - probe).max() <= 1)


@functools.lru_cache(maxsize=64)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    flags = _GREY_FLAGS if mode == "L" else _FLAGS
    return ImageCms.buildTransform(source, _srgb(), mode, "RGB", renderingIntent=_INTENT, flags=flags)


@functools.lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
