"""What is left of a metric's distance when the picture has only moved.

Every residual is given as a share of the metric's own distance to noise of sigma 8/255, so that metrics with
different units can be put side by side: 0 is invariance, 1 means that the move counts as much as that noise.

* circular shifts: what leaves on one side comes back on the other; no content changes, so an invariant metric
  must say 0. Along the shift axis, pooling leaves a comb with the period of the trunk's stride (32 px).
* real shifts: a window moved inside a larger photograph; new content enters, and 0 is not expected.
* sub-pixel shifts: band-limited (Fourier) circular shifts by fractions of a pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from invariant_lpips.evaluation.scorers import Scorer
from invariant_lpips.pictures.moves import circular_shift, fourier_shift, window

__all__ = ["comb_spectrum", "named", "on_one_scale", "real_shift_shares", "shift_shares", "with_noise"]

#: Standard deviation of the reference noise for images in [0, 1].
NOISE_SIGMA = 8 / 255

#: Metrics and heads that are means of squares (SSIM as 1 - SSIM); the others are roots.
SQUARES = ("lpips-vgg", "lpips-alex", "st-lpips-alex", "ssim", "spatial")

Wrap = Callable[[Iterable[Any]], Iterable[Any]]


def on_one_scale(name: str, share: float) -> float:
    """A share as tables and figures show it: of a metric that is a mean of squares the root.

    Example:
        >>> on_one_scale("lpips-vgg", 0.25), on_one_scale("gap", 0.25)
        (0.5, 0.25)
    """
    return math.sqrt(share) if name in SQUARES else share


def named(metric: str) -> str:
    """What it is called where its shares are on that scale."""
    return f"{metric}, root" if metric in SQUARES else metric


def with_noise(x: Tensor, seed: int = 0) -> Tensor:
    """x in [0, 1] with Gaussian noise of sigma 8/255, clamped to [0, 1]; the same noise for equal shapes."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(x.shape[1:], generator=generator).to(x)
    return (x + NOISE_SIGMA * noise).clamp(0, 1)


def against(metric: Scorer, reference: Tensor) -> Callable[[Tensor], Tensor]:
    """The function from N pictures to their (N,) distances to one or N references, which are read once.

    Of a similarity that is 1 for equal pictures (SSIM), the distance is 1 - similarity.
    """
    held = metric.embed(reference) if metric.embeds else None

    def distance(pictures: Tensor) -> Tensor:
        if held is None:
            values = metric(reference, pictures)
        else:
            values = metric.distance_embedded(held, metric.embed(pictures), len(pictures))
        return (1 - values if metric.higher_is_better else values).double().cpu()

    return distance


def shift_shares(
    metric: Scorer,
    x: Tensor,
    shifts: Sequence[tuple[float, float]],
    *,
    wrap: Wrap = lambda steps: steps,
) -> Tensor:
    """Residual of each circular shift (dx, dy) as a share of the distance to noise.

    Whole shifts move pixels; with a fraction in either axis the shift is the band-limited one.

    Args:
        metric: what to judge; see :func:`against` for similarities.
        x: (N, 3, H, W) in [0, 1].
        shifts: S pairs of pixels.

    Returns:
        (S, N), float64.
    """
    distance = against(metric, x)
    scale = distance(with_noise(x))
    rows = []
    for dx, dy in wrap(shifts):
        whole = float(dx).is_integer() and float(dy).is_integer()
        moved = circular_shift(x, int(dx), int(dy)) if whole else fourier_shift(x, dx, dy).clamp(0, 1)
        rows.append(distance(moved) / scale)
    return torch.stack(rows)


def real_shift_shares(
    metric: Scorer,
    photos: Sequence[Tensor],
    size: tuple[int, int],
    shifts: Sequence[tuple[int, int]],
    *,
    wrap: Wrap = lambda steps: steps,
) -> Tensor:
    """Distance between a window of a photograph and the moved window, as a share of that to noise: (S, N).

    Args:
        photos: N of (1, 3, H, W) in [0, 1], large enough for every shift.
        size: (height, width) of the window.
        shifts: S pairs (dx, dy) of whole pixels.
    """
    columns = []
    for photo in wrap(photos):
        still = window(photo, size)
        moved = torch.cat([window(photo, size, dx, dy) for dx, dy in shifts] + [with_noise(still)])
        distance = against(metric, still)
        distances = torch.cat([distance(each[None]) for each in moved])
        columns.append(distances[:-1] / distances[-1])
    return torch.stack(columns, dim=1)


def comb_spectrum(residual: Tensor) -> list[tuple[float, float]]:
    """Amplitude of each period in a residual along the shift axis.

    Args:
        residual: (S,) residuals at shifts 0, 1 ... S - 1, or (S, N) for N pictures, averaged first.

    Returns:
        (period in pixels, amplitude) from the longest period S to 2; the amplitude of a cosine is its own.

    Example:
        >>> line = 1 + 0.5 * torch.cos(2 * torch.pi * torch.arange(64) / 32)
        >>> [(period, round(a, 3)) for period, a in comb_spectrum(line) if a > 1e-6]
        [(32.0, 0.5)]
    """
    line = residual.double().flatten(1).mean(1) if residual.dim() > 1 else residual.double()
    count = len(line)
    spectrum = torch.fft.rfft(line).abs() * 2 / count
    if count % 2 == 0:
        spectrum[-1] /= 2
    return [(count / k, float(spectrum[k])) for k in range(1, len(spectrum))]
