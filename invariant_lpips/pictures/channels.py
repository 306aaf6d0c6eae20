"""From what a file holds to a picture: which of its bands are the colours, and which number is full intensity."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from invariant_lpips.pictures.profiles import Icc, in_srgb
from invariant_lpips.pictures.refusals import PictureWarning, Unsupported

#: Full scales of 8, 10 and 12 bits: a 16-bit picture that stays below one of them probably holds no more.
_NARROWER_SCALES = (255, 1023, 4095)


#: How far floats may leave [0, 1], as tensors may; they are brought back to it.
_ROUNDING = 1e-3


class Decoded(NamedTuple):
    """Pixels as stored: `samples` (H, W, 3), or (H, W, 4) with alpha last, and their full intensity."""

    samples: NDArray[Any]
    full_scale: int

    @property
    def has_alpha(self) -> bool:
        return bool(self.samples.shape[2] == 4)


@dataclass(frozen=True)
class Stored:
    """A frame of a file, every band of it.

    Attributes:
        samples: (H, W, bands), as stored: not turned upright.
        full_scale: the number that is full intensity; None where the format agrees on none (signed, 32-bit).
        colours: what the bands before alpha are: 1 (grey), 3 (red, green, blue) or 4 (cyan, magenta, yellow,
            black); None where the file doesn't say.
        has_alpha: whether the last band is opacity.
        orientation: EXIF's number for how to turn it upright.
        frames: how many the file has.
        profile: the ICC profile of its colours.
        other_colours: how the file names colours that are not sRGB, and of which it has no profile.
    """

    samples: NDArray[Any]
    full_scale: int | None
    colours: int | None
    has_alpha: bool = False
    orientation: int = 1
    frames: int = 1
    profile: bytes | None = None
    other_colours: str = ""


def picture_of(
    stored: Stored, *, bands: Sequence[int] | None, full_scale: int | None, icc: Icc = "convert"
) -> Decoded:
    """The picture in a frame, not yet upright.

    Args:
        stored: the frame.
        bands: one band (grey) or three (red, green, blue), counted from 1; None: as the file says.
        full_scale: what is full intensity, where samples are integers of more than 8 bits or signed.
        icc: whether colours are converted to sRGB; bands that were chosen are not.

    Raises:
        Unsupported: the file doesn't say which bands are the colours or what is full intensity, a band isn't there,
            a sample is outside [0, full intensity], or not finite.
    """
    samples, has_alpha = _chosen_bands(stored, bands)
    wide = samples.dtype.kind == "i" or samples.dtype.itemsize > 1
    scale = full_scale if full_scale is not None and wide and samples.dtype.kind != "f" else stored.full_scale
    if scale is None:
        raise Unsupported(
            f"{_integers(samples)} have no agreed full intensity; say which value is white, as with "
            f"full_scale={np.iinfo(samples.dtype).max} (--full-scale), or save it as 16-bit unsigned"
        )
    _check_range(samples, scale)
    if samples.dtype.kind == "f" and (samples.min() < 0 or samples.max() > 1):
        samples = samples.clip(0, 1)
    if samples.dtype.kind in "ib":
        samples = samples.astype(f"u{samples.dtype.itemsize}")
    if bands is None:
        samples, scale = _shown(stored, samples, scale, icc)
    if samples.shape[2] in (1, 2):
        height, width = samples.shape[:2]
        grey = np.broadcast_to(samples[..., :1], (height, width, 3))
        samples = np.concatenate([grey, samples[..., 1:]], axis=2) if has_alpha else grey
    return Decoded(samples, scale)


def _shown(stored: Stored, samples: NDArray[Any], scale: int, icc: Icc) -> tuple[NDArray[Any], int]:
    """Grey or RGB, with alpha, in sRGB where that is asked for."""
    if stored.other_colours and icc == "convert":
        raise Unsupported(
            f"its colours are {stored.other_colours}, without a profile that says how to show them; convert it to "
            "sRGB, or take its values as sRGB with icc='ignore' (--icc ignore)"
        )
    profile = stored.profile if icc == "convert" else None
    if profile is None and stored.colours != 4:
        return samples, scale
    assert stored.colours is not None
    colours, shown_scale = in_srgb(samples[..., : stored.colours], scale, profile)
    if stored.has_alpha:
        alpha = samples[..., -1:]
        if shown_scale != scale:
            alpha = np.rint(alpha * (shown_scale / scale)).astype(colours.dtype)
        colours = np.concatenate([colours, alpha], axis=2)
    return colours, shown_scale


def _chosen_bands(stored: Stored, bands: Sequence[int] | None) -> tuple[NDArray[Any], bool]:
    count = stored.samples.shape[2]
    if bands is not None:
        if max(bands) > count:
            raise Unsupported(
                f"it holds {_bands(count)}, counted from 1, but band {max(bands)} was asked for"
            )
        return stored.samples[..., [band - 1 for band in bands]], False
    if stored.colours is None or stored.colours + stored.has_alpha != count:
        raise Unsupported(
            f"it holds {_bands(count)} and does not say which of them are its picture; choose one or three of them, "
            "as with bands=(3, 2, 1) (--bands 3,2,1) for red, green and blue, counted from 1"
        )
    return stored.samples, stored.has_alpha


def _check_range(samples: NDArray[Any], scale: int) -> None:
    if samples.dtype.kind == "f":
        if not np.isfinite(samples).all():
            raise Unsupported(
                "some of its floating-point pixels are NaN or infinite, as for missing data; fill them before comparing"
            )
        if samples.min() < -_ROUNDING or samples.max() > 1 + _ROUNDING:
            raise Unsupported("floating-point pixels must lie in [0, 1]; rescale them or save as 16-bit")
        return
    if samples.dtype.kind == "i" and samples.min() < 0:
        raise Unsupported(
            f"{_integers(samples)} below 0 are no intensities (it goes down to {samples.min()}); shift them first"
        )
    natural = 1 if samples.dtype.kind == "b" else np.iinfo(samples.dtype).max
    if natural > scale and samples.max() > scale:
        raise Unsupported(
            f"its samples go up to {samples.max()}, above the full scale of {scale}; say a larger one"
        )


def hint_at_narrower_scale(picture: Decoded) -> None:
    """Warn of a 16-bit picture so dark that its samples probably have fewer bits."""
    if picture.full_scale != 65535 or not picture.samples.size:
        return
    highest = int(picture.samples[..., :3].max())
    scale = next((scale for scale in _NARROWER_SCALES if 0 < highest <= scale), None)
    if scale is not None:  # no file is named, so that a folder of such pictures is told once
        warnings.warn(
            f"a 16-bit picture has no sample above {scale} of 65535: it is nearly black; if {scale} is its white, say "
            f"so with full_scale={scale} (--full-scale {scale})",
            PictureWarning,
            stacklevel=2,
        )


def _integers(samples: NDArray[Any]) -> str:
    sign = "signed" if samples.dtype.kind == "i" else "unsigned"
    return f"{sign} {8 * samples.dtype.itemsize}-bit integers"


def _bands(count: int) -> str:
    return "1 band" if count == 1 else f"{count} bands"
