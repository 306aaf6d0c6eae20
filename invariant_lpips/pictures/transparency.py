"""Transparent pictures: what they are shown against, and whether that ground hides their shape.

White drawings on a transparent ground are common (logos, icons), and against white nothing of them is left: two
different ones are then equal pictures.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from invariant_lpips.pictures.refusals import PictureWarning

Alpha = Literal["white", "black", "grey", "drop", "refuse"]
ALPHA_CHOICES: tuple[Alpha, ...] = ("white", "black", "grey", "drop", "refuse")

GROUNDS: dict[str, float] = {"white": 1.0, "black": -1.0, "grey": 0.0}  # in [-1, 1]
_HIDDEN = 0.25  # the part of the outline without a colour of its own from which on it is said
_VISIBLE = 0.02  # least step of colour (of [-1, 1]) for a whole step of opacity: two and a half of 255 levels


def against_ground(colour: NDArray[Any], opacity: NDArray[Any], alpha: Alpha) -> NDArray[Any]:
    """Colours (H, W, 3) in [-1, 1] of opacity (H, W, 1) in [0, 1], shown against a ground: (H, W, 3).

    Example:
        >>> import numpy as np
        >>> against_ground(np.full((1, 1, 3), -1.0), np.full((1, 1, 1), 0.25), "white").ravel().tolist()
        [0.5, 0.5, 0.5]
    """
    ground = np.float32(GROUNDS[alpha])
    shown: NDArray[Any] = colour * opacity + ground * (1 - opacity)
    return shown


def outline(colour: NDArray[Any], opacity: NDArray[Any], alpha: Alpha) -> NDArray[np.float64]:
    """How long a picture's outline is, and how much of it cannot be seen against a ground.

    The outline is every step of opacity between neighbours, weighted by its height; a step is hidden where the
    picture against the ground steps by less than a hundredth of that, of the range of colours.

    Args:
        colour: (H, W, 3) in [-1, 1].
        opacity: (H, W, 1) in [0, 1].
        alpha: "white", "black" or "grey".

    Returns:
        The two numbers, in steps of a whole opacity over one side of a pixel.

    Example:
        A white square of 3 x 3 pixels.

        >>> import numpy as np
        >>> opacity = np.zeros((8, 8, 1))
        >>> opacity[2:5, 2:5] = 1
        >>> outline(np.ones((8, 8, 3)), opacity, "white"), outline(np.ones((8, 8, 3)), opacity, "grey")
        (array([12., 12.]), array([12.,  0.]))
    """
    shown = against_ground(colour, opacity, alpha)
    total = hidden = 0.0
    for axis in (0, 1):
        steps = np.abs(np.diff(opacity[..., 0], axis=axis))
        seen = np.abs(np.diff(shown, axis=axis)).max(axis=2)
        total += float(steps.sum())
        hidden += float(steps[seen <= _VISIBLE * steps].sum())
    return np.array([total, hidden])


def mention_hidden_shape(found: NDArray[np.float64], alpha: Alpha, name: str) -> None:
    """Warn where much of a picture's outline, summed from :func:`outline`, is hidden by its ground."""
    total, hidden = found
    if total >= 1 and hidden > _HIDDEN * total:
        other = "grey" if alpha != "grey" else "white"
        warnings.warn(
            f"{name} is transparent, and against {alpha} its shape cannot be seen, since much of it is {alpha} too: it "
            f"may equal other pictures; show it against another ground, as with alpha={other!r} (--alpha {other})",
            PictureWarning,
            stacklevel=3,
        )
