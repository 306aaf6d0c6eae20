"""Planes of a video's frame to RGB, in float: neither 10 bits nor the half steps of an 8-bit matrix are cut off.

Arithmetic of ITU-T H.273, section 8.3: with Y in [0, 1] and Cb, Cr in [-0.5, 0.5],
R = Y + 2 (1 - Kr) Cr, B = Y + 2 (1 - Kb) Cb, and G from Y = Kr R + Kg G + Kb B. RGB is clamped to [0, 1], as a screen
does. What it is the RGB of (primaries, transfer) is left as the video has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

#: (Kr, Kb) of the matrices that are read, by their names.
MATRICES = {
    "BT.601": (0.299, 0.114),
    "BT.709": (0.2126, 0.0722),
    "SMPTE 240M": (0.212, 0.087),
    "BT.2020": (0.2627, 0.0593),
}


@dataclass(frozen=True)
class Coding:
    """How the samples of a luma and two chroma planes mean colours.

    Attributes:
        bits: of a sample, 8 to 16.
        matrix: a key of :data:`MATRICES`.
        full_range: luma from 0 to 2^bits - 1; else ("limited") from 16 to 235 times 2^(bits - 8), chroma to 240.
        centred: chroma lies in the middle of its luma samples, as in JPEG; else at the left ones' place, as in MPEG.
            Up and down it lies in the middle.
        steps: luma samples to one chroma sample, across and down: (2, 2) is 4:2:0.
    """

    bits: int
    matrix: str
    full_range: bool
    centred: bool = False
    steps: tuple[int, int] = (1, 1)


def rgb_from_planes(planes: Sequence[NDArray[Any]], coding: Coding) -> NDArray[Any]:
    """Luma and chroma planes to RGB; chroma of fewer samples is interpolated linearly.

    Args:
        planes: Y (H, W), and Cb and Cr (h, w) of the same or fewer samples, or Y alone; unsigned integers.
        coding: what they mean.

    Returns:
        (H, W, 3) float32 in [0, 1].

    Example:
        >>> planes = [np.full((1, 2), 63, np.uint8), np.full((1, 1), 102, np.uint8), np.full((1, 1), 240, np.uint8)]
        >>> red = rgb_from_planes(planes, Coding(8, "BT.709", full_range=False, steps=(2, 1)))
        >>> (red[0] * 255).round().tolist()
        [[255.0, 1.0, 0.0], [255.0, 1.0, 0.0]]
    """
    step = 2 ** (coding.bits - 8)
    top = 2**coding.bits - 1
    low, luma_span, chroma_span = (0, top, top) if coding.full_range else (16 * step, 219 * step, 224 * step)
    y = (_floats(planes[0]) - low) / luma_span
    if len(planes) == 1:
        return _array(y.clamp(0, 1)[..., None].expand(-1, -1, 3))
    across, down = coding.steps
    cb, cr = ((_floats(plane) - 128 * step) / chroma_span for plane in planes[1:3])
    cb, cr = (_stretched(plane, 0, y.shape[0], down, centred=True) for plane in (cb, cr))
    cb, cr = (_stretched(plane, 1, y.shape[1], across, centred=coding.centred) for plane in (cb, cr))
    kr, kb = MATRICES[coding.matrix]
    red, blue = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return _array(torch.stack([red, green, blue], dim=-1).clamp_(0, 1))


def _array(colours: Tensor) -> NDArray[Any]:
    array: NDArray[np.float32] = colours.numpy()
    return array


def _floats(plane: NDArray[Any]) -> Tensor:
    return torch.from_numpy(plane.astype("float32"))


def _stretched(plane: Tensor, axis: int, length: int, step: int, *, centred: bool) -> Tensor:
    """`plane` with `length` samples along `axis`, `step` of them to one of its own."""
    if step == 1:
        return plane
    place = torch.arange(length, dtype=torch.float32) / step
    if centred:
        place += 0.5 / step - 0.5
    last = plane.shape[axis] - 1
    place.clamp_(0, last)
    left = place.floor().long()
    weight = (place - left).view(-1, *[1] * (1 - axis))
    return torch.lerp(
        plane.index_select(axis, left), plane.index_select(axis, (left + 1).clamp(max=last)), weight
    )
