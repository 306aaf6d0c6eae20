"""Photographs and their altered copies. What moves is cut out of the larger picture: no border is invented."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIDE = 256
NOISE_LEVELS = 20.0  # standard deviation, of 255
JPEG_QUALITY = 10
BLUR_PIXELS = 2.0  # standard deviation of the Gaussian
SHIFT_PIXELS = 4
ROTATION_DEGREES = 2.0
ZOOM = 1.02

#: Where the picture shown is cut out: scikit-image's name of a photograph -> its centre (row, column).
PHOTOGRAPHS = {"astronaut": (160, 220), "coffee": (200, 310), "chelsea": (150, 225)}

#: Names of the copies: what is plain to see, then what is hard to see.
DAMAGE = (
    f"noise\nsigma {NOISE_LEVELS:.0f} of 255",
    f"JPEG\nquality {JPEG_QUALITY}",
    f"blur\nsigma {BLUR_PIXELS:.0f} px",
)
DISPLACEMENT = (
    f"shift\n{SHIFT_PIXELS} px",
    f"rotation\n{ROTATION_DEGREES:.0f} degrees",
    f"zoom\n{100 * (ZOOM - 1):.0f} %",
)


def photograph(name: str) -> NDArray[np.uint8]:
    """A photograph that is part of scikit-image's wheel, uint8 (H, W, 3)."""
    try:
        from skimage import data
    except ImportError:
        raise ImportError("the demo needs scikit-image: pip install 'invariant-lpips[demo]'") from None
    picture: NDArray[np.uint8] = getattr(data, name)()
    return picture


def reference(picture: NDArray[np.uint8], centre: tuple[int, int]) -> NDArray[np.uint8]:
    """The SIDE x SIDE pixels around `centre`."""
    top, left = centre[0] - SIDE // 2, centre[1] - SIDE // 2
    return picture[top : top + SIDE, left : left + SIDE].copy()


def altered(picture: NDArray[np.uint8], centre: tuple[int, int]) -> dict[str, NDArray[np.uint8]]:
    """Six copies of `reference(picture, centre)`, uint8 (SIDE, SIDE, 3), by name: DAMAGE, then DISPLACEMENT."""
    makers: tuple[Callable[[NDArray[np.uint8], tuple[int, int]], NDArray[Any]], ...] = (
        _noisy,
        _compressed,
        _blurred,
        lambda picture, centre: reference(picture, (centre[0], centre[1] - SHIFT_PIXELS)),
        lambda picture, centre: _turned_and_scaled(picture, centre, degrees=ROTATION_DEGREES),
        lambda picture, centre: _turned_and_scaled(picture, centre, scale=ZOOM),
    )
    return {
        name: _eight_bits(make(picture, centre))
        for name, make in zip(DAMAGE + DISPLACEMENT, makers, strict=True)
    }


def _noisy(picture: NDArray[np.uint8], centre: tuple[int, int]) -> NDArray[Any]:
    import numpy as np

    window = reference(picture, centre)
    return window + np.random.default_rng(0).normal(0.0, NOISE_LEVELS, window.shape)


def _compressed(picture: NDArray[np.uint8], centre: tuple[int, int]) -> NDArray[Any]:
    import numpy as np
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(reference(picture, centre)).save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return np.asarray(Image.open(buffer))


def _blurred(picture: NDArray[np.uint8], centre: tuple[int, int]) -> NDArray[Any]:
    import numpy as np
    from scipy.ndimage import gaussian_filter

    return reference(gaussian_filter(picture.astype(np.float64), sigma=(BLUR_PIXELS, BLUR_PIXELS, 0)), centre)


def _turned_and_scaled(
    picture: NDArray[np.uint8], centre: tuple[int, int], *, degrees: float = 0.0, scale: float = 1.0
) -> NDArray[Any]:
    """The window when the whole picture is turned and enlarged about the window's centre (cubic spline)."""
    import numpy as np
    from scipy.ndimage import affine_transform

    angle = math.radians(degrees)
    matrix = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) / scale
    middle = (SIDE - 1) / 2
    origin = np.array([centre[0] - SIDE // 2 + middle, centre[1] - SIDE // 2 + middle])
    offset = origin - matrix @ np.array([middle, middle])
    channels = [
        affine_transform(
            picture[..., c].astype(np.float64), matrix, offset, output_shape=(SIDE, SIDE), order=3
        )
        for c in range(3)
    ]
    return np.stack(channels, axis=2)


def _eight_bits(picture: NDArray[Any]) -> NDArray[np.uint8]:
    import numpy as np

    levels: NDArray[np.uint8] = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    return levels
