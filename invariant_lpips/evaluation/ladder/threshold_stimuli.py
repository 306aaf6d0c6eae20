"""Photographs changed by just as much as people just notice, for calibrating a metric to displacement.

arXiv:2407.17927 (Alabau-Bosque et al., 2024) measured at what size people detect an affine change of a
photograph: a translation of 0.23 degrees of visual angle, a rotation of 3.6 degrees, a zoom by 1.026. Each
equals the same subjective distance, D = 0.445 (0.390 to 0.499), on the scale D = (10 - MOS) / 10 of TID2013
after a fit D = a d^b of the metric's distance d. So a metric whose distances to these three stimuli differ is
wrong about motion, and one whose distances to them exceed what TID pictures of D = 0.445 get sees motion more
sharply than people.

How many pixels a degree of visual angle has depends on display and distance and must be given: that study
takes about 29, RAID's display had about 71.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["THRESHOLDS", "THRESHOLD_DISTANCE", "ThresholdStimuli", "threshold_stimuli"]

THRESHOLDS: dict[str, float] = {"translation": 0.23, "rotation": 3.6, "zoom": 1.026}
"""Detection thresholds: degrees of visual angle, degrees, factor."""

THRESHOLD_DISTANCE = (0.445, 0.390, 0.499)
"""The subjective distance D of all three on D = (10 - MOS) / 10, with its interval."""


@dataclass(frozen=True)
class ThresholdStimuli:
    """A reference and three changes of it that people just notice, all (N, C, H, W) of one size.

    Attributes:
        reference: the undistorted crop.
        translation: the same scene moved.
        rotation: the same scene turned about its centre.
        zoom: the same scene magnified about its centre.
        sizes: the change that was really made, in the units of :data:`THRESHOLDS`.
        mirrored: True if the picture was continued by mirroring, so that part of the stimuli is made up.
    """

    reference: Tensor
    translation: Tensor
    rotation: Tensor
    zoom: Tensor
    sizes: dict[str, float]
    mirrored: bool


def threshold_stimuli(
    picture: Tensor,
    pixels_per_degree: float,
    *,
    border: str = "crop",
    direction: float = 0.0,
    strength: float = 1.0,
    whole_pixels: bool = True,
) -> ThresholdStimuli:
    """The three stimuli at detection threshold, made from one photograph.

    Args:
        picture: (N, C, H, W), any range.
        pixels_per_degree: pixels per degree of visual angle of the viewing conditions assumed.
        border: "crop" returns the largest central crop whose every change is seen in the picture, so nothing
            is made up at the border; "mirror" keeps the whole size and continues the picture by mirroring,
            which shows people and metrics something the scene never had.
        direction: of the translation, in degrees counter-clockwise from the right.
        strength: multiplies the three changes (2 for twice the threshold).
        whole_pixels: round the translation to whole pixels, so that it needs no interpolation, whose blur a
            metric may see better than the motion; `sizes` holds what was made.

    Returns:
        :class:`ThresholdStimuli`; interpolation is bicubic.

    Raises:
        ValueError: the picture is not four-dimensional, is too small to be cropped, or an argument is out of
            range.

    Example:
        >>> ramp = torch.linspace(0, 1, 200).expand(1, 3, 150, 200)
        >>> stimuli = threshold_stimuli(ramp, 29.0)
        >>> stimuli.reference.shape == stimuli.rotation.shape, round(stimuli.sizes["translation"] * 29)
        (True, 7)
    """
    if picture.dim() != 4 or not picture.is_floating_point():
        raise ValueError(f"A float picture of shape (N, C, H, W) is needed, but got {tuple(picture.shape)}.")
    if border not in ("crop", "mirror"):
        raise ValueError(f"Argument `border` must be 'crop' or 'mirror', but got {border!r}.")
    if pixels_per_degree <= 0 or strength < 0:
        raise ValueError(
            "Argument `pixels_per_degree` must be positive and `strength` not negative, "
            f"but got {pixels_per_degree} and {strength}."
        )
    shift = THRESHOLDS["translation"] * strength * pixels_per_degree
    dx, dy = shift * math.cos(math.radians(direction)), -shift * math.sin(math.radians(direction))
    if whole_pixels:
        dx, dy = float(round(dx)), float(round(dy))
    angle = math.radians(THRESHOLDS["rotation"] * strength)
    zoom = THRESHOLDS["zoom"] ** strength
    height, width = picture.shape[-2:]
    if border == "crop":
        height, width = inner_size(height, width, dx, dy, angle)
    identity = torch.eye(2, dtype=torch.float64)
    turn = torch.tensor(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]], dtype=torch.float64
    )
    size = (height, width)
    return ThresholdStimuli(
        reference=sample(picture, size, identity, (0.0, 0.0)),
        translation=sample(picture, size, identity, (-dx, -dy)),
        rotation=sample(picture, size, turn, (0.0, 0.0)),
        zoom=sample(picture, size, identity / zoom, (0.0, 0.0)),
        sizes={
            "translation": math.hypot(dx, dy) / pixels_per_degree,
            "rotation": math.degrees(angle),
            "zoom": zoom,
        },
        mirrored=border == "mirror",
    )


def inner_size(height: int, width: int, dx: float, dy: float, angle: float) -> tuple[int, int]:
    """The largest central crop of the picture's proportions that stays inside it when moved or turned.

    Both sides keep the parity of the picture's, so that the crop's pixels are pixels of the picture.
    """
    cosine, sine = math.cos(angle), math.sin(angle)
    for k in range(max(height, width)):
        part = 1 - k / max(height, width)
        h = int(height * part) - (height - int(height * part)) % 2
        w = int(width * part) - (width - int(width * part)) % 2
        if h < 16 or w < 16:
            break
        # Half a pixel and the reach of the bicubic kernel (2 pixels) are kept as a margin.
        turned = (w * cosine + h * sine + 5 <= width) and (w * sine + h * cosine + 5 <= height)
        moved = w + 2 * abs(dx) + 5 <= width and h + 2 * abs(dy) + 5 <= height
        if turned and moved:
            return h, w
    raise ValueError(
        f"A picture of {width}x{height} is too small to be cropped so that a translation of "
        f"{math.hypot(dx, dy):.1f} px and a rotation of {math.degrees(angle):.1f} degrees stay inside it; "
        "give a larger picture, or use border='mirror'."
    )


def sample(picture: Tensor, size: tuple[int, int], matrix: Tensor, offset: tuple[float, float]) -> Tensor:
    """The central window of `size`, each position p taken from matrix p + offset (pixels about the centre).

    A map onto whole pixels is cut out; anything else is interpolated (bicubic, mirrored beyond the border).
    """
    height, width = picture.shape[-2:]
    h, w = size
    exact = torch.equal(matrix, torch.eye(2, dtype=torch.float64)) and all(v == round(v) for v in offset)
    left, top = (width - w) // 2 + round(offset[0]), (height - h) // 2 + round(offset[1])
    if exact and left >= 0 and top >= 0 and left + w <= width and top + h <= height:
        return picture[..., top : top + h, left : left + w].clone()
    ys = torch.arange(h, dtype=torch.float64) - (h - 1) / 2
    xs = torch.arange(w, dtype=torch.float64) - (w - 1) / 2
    grid_y, grid_x = torch.meshgrid(ys, xs, indexing="ij")
    x = matrix[0, 0] * grid_x + matrix[0, 1] * grid_y + offset[0]
    y = matrix[1, 0] * grid_x + matrix[1, 1] * grid_y + offset[1]
    grid = torch.stack([2 * x / width, 2 * y / height], dim=-1).to(picture)
    return torch.nn.functional.grid_sample(
        picture,
        grid.expand(picture.shape[0], -1, -1, -1),
        mode="bicubic",
        padding_mode="reflection",
        align_corners=False,
    )
