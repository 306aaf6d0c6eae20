"""The ladder: moved, turned, zoomed and noisy copies of photographs, ordered by how visible they should be.

Rated databases hold no displacements, so nothing in them says whether a metric's exchange rate between motion and
noise is people's. Detection thresholds do (arXiv:2407.17927): a shift of 0.23 degrees of visual angle, a turn of
3.6 degrees and a zoom by 1.026 are just noticed, and all equal D = 0.445 on D = (10 - MOS) / 10 of TID2013, which
TID's own scores put at noise of 6.5 grey levels. The ladder takes sizes below and above these thresholds and
orders them by their multiples. That visibility grows in proportion to the multiples is an assumption, and so are
the pixels per degree; nothing is fitted to a ladder here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from invariant_lpips.evaluation.ladder.threshold_stimuli import THRESHOLDS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = [
    "HEIGHT",
    "LADDER",
    "MARGIN",
    "NOISE_THRESHOLD",
    "WIDTH",
    "inner",
    "ladder",
    "summary",
    "visibility",
]

#: Grey levels of Gaussian noise at which TID2013's scores reach D = 0.445.
NOISE_THRESHOLD = 6.5

#: (kind, amount): pixels, degrees, factors, grey levels of 0..255.
LADDER: tuple[tuple[str, float], ...] = (
    *(("shift", pixels) for pixels in (1, 3, 7, 10, 16, 23, 32)),
    *(("turn", degrees) for degrees in (0.9, 1.8, 3.6, 7.2, 14)),
    *(("zoom", factor) for factor in (1.0065, 1.013, 1.026, 1.052, 1.09)),
    *(("noise", sigma) for sigma in (2.9, 5.7, 8.1, 11.4, 16, 23)),
)

HEIGHT, WIDTH, MARGIN = 256, 352, 32


def inner(picture: Tensor, dy: int = 0, dx: int = 0) -> Tensor:
    """A window of 256 x 352 pixels near the middle, so that a moved one needs no made-up border.

    Raises:
        ValueError: the picture is smaller than the window and its moves.
    """
    height, width = picture.shape[-2:]
    if height < HEIGHT + 2 * MARGIN or width < WIDTH + 2 * MARGIN:
        raise ValueError(
            f"The ladder needs pictures of at least {HEIGHT + 2 * MARGIN} x {WIDTH + 2 * MARGIN} pixels (height x "
            f"width), but got {height} x {width}; use larger photographs."
        )
    top, left = (height - HEIGHT) // 2 + dy, (width - WIDTH) // 2 + dx
    return picture[..., top : top + HEIGHT, left : left + WIDTH]


def ladder(picture: Tensor, seed: int) -> Iterator[Tensor]:
    """The rungs of :data:`LADDER` for one photograph, in that order.

    Args:
        picture: (1, 3, H, W) float32 in [-1, 1], at least 320 x 416 pixels.
        seed: of the directions of shifts and turns, and of the noise.

    Returns:
        (1, 3, 256, 352) float32 in [-1, 1], one after another; the reference is :func:`inner` of the picture.

    Example:
        >>> rungs = list(ladder(torch.zeros(1, 3, 320, 416), seed=0))
        >>> len(rungs), rungs[0].shape
        (23, torch.Size([1, 3, 256, 352]))
    """
    import numpy as np
    import torchvision.transforms.v2.functional as transforms

    generator, directions = torch.Generator().manual_seed(seed), np.random.RandomState(seed)
    for kind, amount in LADDER:
        if kind == "shift":
            angle = directions.rand() * 2 * math.pi
            yield inner(picture, round(amount * math.sin(angle)), round(amount * math.cos(angle)))
        elif kind == "turn":
            degrees = float(directions.choice([-1, 1]) * amount)
            yield inner(transforms.rotate(picture, degrees, transforms.InterpolationMode.BILINEAR))
        elif kind == "zoom":
            matrix = torch.tensor([[[1 / amount, 0.0, 0.0], [0.0, 1 / amount, 0.0]]])
            grid = torch.nn.functional.affine_grid(matrix, list(picture.shape), align_corners=False)
            zoomed = torch.nn.functional.grid_sample(
                picture, grid, mode="bicubic", padding_mode="reflection", align_corners=False
            )
            yield inner(zoomed.clamp(-1, 1))
        else:
            noisy = (picture + torch.randn(picture.shape, generator=generator) * amount / 127.5).clamp(-1, 1)
            yield inner(((noisy + 1) * 127.5).round() / 127.5 - 1)


def visibility(pixels_per_degree: float) -> Array:
    """Each rung in multiples of its detection threshold, shape (rungs,).

    Example:
        >>> visibility(29.0).round(2).tolist()[:3]
        [0.15, 0.45, 1.05]
    """
    import numpy as np

    def multiples(kind: str, amount: float) -> float:
        if kind == "shift":
            return amount / (THRESHOLDS["translation"] * pixels_per_degree)
        if kind == "turn":
            return amount / THRESHOLDS["rotation"]
        if kind == "zoom":
            return math.log(amount) / math.log(THRESHOLDS["zoom"])
        return amount / NOISE_THRESHOLD

    return np.array([multiples(kind, amount) for kind, amount in LADDER])


def summary(distances: Array, densities: Sequence[float] = (29, 71)) -> dict[str, float]:
    """What a metric makes of the ladders of R photographs.

    Args:
        distances: (R, rungs), larger for less alike.
        densities: pixels per degree to assume.

    Returns:
        `ladder_D`: Spearman correlation of all distances with the rungs' visibility at D pixels per degree;
        `ladder_means_D`: the same of the mean distance of each rung; `NAME_share_of_noise`: median distance of
        a shift by 1 and 7 pixels and of a turn by 3.6 degrees over that of noise of 5.7 grey levels.
    """
    import numpy as np
    from scipy.stats import spearmanr

    row: dict[str, float] = {}
    for density in densities:
        seen = visibility(density)
        row[f"ladder_{density:g}"] = float(spearmanr(distances.ravel(), np.tile(seen, len(distances)))[0])
        row[f"ladder_means_{density:g}"] = float(spearmanr(distances.mean(0), seen)[0])
    noise = distances[:, LADDER.index(("noise", 5.7))]
    rungs = {"shift_1px": ("shift", 1), "shift_7px": ("shift", 7), "turn_3.6": ("turn", 3.6)}
    for name, rung in rungs.items():
        row[f"{name}_share_of_noise"] = float(np.median(distances[:, LADDER.index(rung)] / noise))
    return row
