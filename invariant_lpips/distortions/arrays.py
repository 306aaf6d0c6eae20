"""The door of every distortion: what an image and a strength must be, and what comes back out.

A distortion takes a numpy array (H, W, 3) of floats in [0, 1], RGB, and returns an array of the same shape
and dtype in [0, 1]. Arrays rather than tensors, because the encoders and filters it is built on (Pillow,
scipy.fft, scipy.ndimage) work on arrays; nothing here is differentiated.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Image", "accept", "hand_back", "to_uint8"]

Image: TypeAlias = NDArray[np.floating[Any]]
"""An RGB image as a distortion takes and returns it: (H, W, 3), float32 or float64, in [0, 1]."""

Array: TypeAlias = NDArray[np.float64]
"""Any float64 array inside a distortion."""

_SMALLEST_SIDE = 16


def accept(
    image: Image, strength: float, low: float = 0.0, high: float = math.inf, *, whole: bool = False
) -> tuple[Array, float]:
    """Check the two arguments every distortion has; return the image in float64 and the strength as a float.

    Raises:
        TypeError: `image` is not a floating numpy array, or `strength` is not a number.
        ValueError: wrong shape, values outside [0, 1], or a strength outside [low, high].
    """
    if not isinstance(image, np.ndarray) or not np.issubdtype(image.dtype, np.floating):
        got = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise TypeError(
            f"Argument `image` must be a floating numpy array in [0, 1], but got {got}; divide uint8 by 255."
        )
    if image.ndim != 3 or image.shape[2] != 3 or min(image.shape[:2]) < _SMALLEST_SIDE:
        raise ValueError(
            f"Argument `image` must have shape (H, W, 3) with sides of at least {_SMALLEST_SIDE}, "
            f"but got {image.shape}."
        )
    least, most = float(image.min()), float(image.max())
    if not (least >= 0.0 and most <= 1.0):  # also false for NaN
        raise ValueError(f"Argument `image` must lie in [0, 1], but its values span [{least:g}, {most:g}].")
    try:
        number = float(strength)
    except (TypeError, ValueError):
        raise TypeError(f"Argument `strength` must be a number, but got {type(strength).__name__}.") from None
    if not low <= number <= high or math.isinf(number):
        raise ValueError(f"Argument `strength` must lie in [{low:g}, {high:g}], but got {number:g}.")
    if whole and number != round(number):
        raise ValueError(f"Argument `strength` must be a whole number, but got {number:g}.")
    return image.astype(np.float64), number


def hand_back(result: Array, image: Image) -> Image:
    """Clip a distorted image to [0, 1] and give it the dtype of the image that came in."""
    clipped: Image = np.clip(result, 0.0, 1.0).astype(image.dtype)
    return clipped


def to_uint8(image: Image) -> NDArray[np.uint8]:
    """Round an image in [0, 1] to the 256 levels a file holds.

    >>> to_uint8(np.array([[[0.0, 0.5, 1.0]]]))
    array([[[  0, 128, 255]]], dtype=uint8)
    """
    rounded: NDArray[np.uint8] = np.rint(np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)
    return rounded
