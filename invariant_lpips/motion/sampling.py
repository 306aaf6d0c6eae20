"""Reading pictures at moved places: the grids of a motion, whatever the size a picture was reduced to."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from invariant_lpips.motion.motion import unit

#: Coefficients that are kept beyond each border, in pixels.
EDGE = 2

#: Pixels of a part of a batch on a CPU.
PIXELS_AT_ONCE = 2 * 256 * 256

__all__ = [
    "field_at",
    "inside",
    "moved_grid",
    "pairs_at_once",
    "places",
    "sampled",
    "spline_coefficients",
    "spline_read",
    "strips",
]


def pairs_at_once(pictures: Tensor) -> int:
    """Into how large parts a batch is cut: on a CPU, what is worked on stays near its caches, and memory small."""
    return max(1, _pixels_at_once(pictures) // (pictures.shape[-2] * pictures.shape[-1]))


def strips(pictures: Tensor, length: int) -> list[slice]:
    """`length` rows (or columns) of pictures, a few at a time for the same reason."""
    pixels = len(pictures) * pictures.shape[-2] * pictures.shape[-1]
    step = max(16, _pixels_at_once(pictures) * length // pixels)
    return [slice(start, min(start + step, length)) for start in range(0, length, step)]


def _pixels_at_once(pictures: Tensor) -> int:
    return PIXELS_AT_ONCE if pictures.device.type == "cpu" else 128 * PIXELS_AT_ONCE


def places(level: tuple[int, int], size: tuple[int, int], like: Tensor) -> tuple[Tensor, Tensor]:
    """Centred coordinates, in units, of the pixels of a picture of `size` reduced to `level`: (1, w) and (h, 1)."""

    def axis(count: int, pixels: int) -> Tensor:
        line = torch.arange(count, dtype=torch.float64)
        return (((line + 0.5) / count - 0.5) * (pixels / unit(size))).to(like)

    return axis(level[1], size[1]).view(1, -1), axis(level[0], size[0]).view(-1, 1)


def moved_grid(
    maps: Tensor,
    level: tuple[int, int],
    size: tuple[int, int],
    like: Tensor,
    rows: slice = slice(None),
    bent: Tensor | None = None,
) -> Tensor:
    """The (N, h, w, 2) grid of `grid_sample` that reads each pixel, of all rows or some, where (N, 2, 3) maps carry it.

    The maps are of centred coordinates; the grid has the dtype and device of `like`. With `bent`, (N, 2, h, w) of these
    rows in pixels, each pixel is displaced by so much before.
    """
    x, y = places(level, size, like)
    y = y[rows]
    if bent is not None:
        x, y = (place + bent[:, i] / unit(size) for i, place in enumerate((x, y)))
    half = torch.tensor([size[1] / 2, size[0] / 2], dtype=torch.float64, device=maps.device) / unit(size)
    m = (maps / half.view(1, 2, 1)).to(like)[:, :, :, None, None]
    return torch.stack([m[:, i, 0] * x + (m[:, i, 1] * y + m[:, i, 2]) for i in range(2)], dim=-1)


def field_at(field: Tensor, size: tuple[int, int], margin: float, rows: slice, like: Tensor) -> Tensor:
    """(N, 2, h, W): a field of displacements (N, 2, rows, columns) at the pixels of some rows of a picture, linear.

    Its first and last places lie `margin` pixels inside the border; beyond them it goes on as it came.
    """
    for axis in (-2, -1):
        ends = [2 * field.select(axis, k) - field.select(axis, k + step) for k, step in ((0, 1), (-1, -1))]
        field = torch.cat([ends[0].unsqueeze(axis), field, ends[1].unsqueeze(axis)], axis)
    lines = []
    for side, count in zip(size, field.shape[-2:], strict=True):
        place = 1 + (torch.arange(side, dtype=torch.float64) - margin) * (count - 3) / (side - 1 - 2 * margin)
        lines.append((2 * place / (count - 1) - 1).to(like))
    y, x = torch.meshgrid(lines[0][rows], lines[1], indexing="ij")
    grid = torch.stack([x, y], dim=-1).expand(len(field), -1, -1, -1)
    return F.grid_sample(field.to(like), grid, mode="bilinear", padding_mode="border", align_corners=True)


def sampled(pictures: Tensor, grid: Tensor) -> Tensor:
    """(N, C, h, w) at a grid, bilinear, the border repeated outside."""
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)


def spline_read(coefficients: Tensor, grid: Tensor) -> Tensor:
    """(N, C, h, w): cubic B-splines of these :func:`spline_coefficients` at a grid; the border is repeated outside.

    The spline's four taps an axis are two reads between pixels (Sigg & Hadwiger, Fast third-order texture filtering,
    2005). Torch's bicubic kernel (a = -.75) does not even keep a ramp: it displaces a scene by up to .07 pixels.
    """
    wide = grid.new_tensor([coefficients.shape[-1], coefficients.shape[-2]])
    size = wide - 2 * EDGE
    place = torch.minimum((((grid + 1) * size - 1) / 2).clamp_min(0), size - 1)
    whole = place.floor()
    rest = place - whole
    near = 2 / 3 - rest.square() * (1 - rest / 2)
    weight = (1 - rest).pow(3) / 6 + near  # of the first two taps; the others have what is left of 1
    low = whole - 1 + near / weight
    high = whole + 1 + rest.pow(3) / 6 / (1 - weight)
    reads = [(((spot + EDGE) * 2 + 1) / wide - 1).unbind(-1) for spot in (low, high)]
    shares = [part.unsqueeze(1).unbind(-1) for part in (weight, 1 - weight)]
    (left, above), (right, below) = reads
    (share_left, share_above), (share_right, share_below) = shares

    def row(down: Tensor) -> Tensor:
        first = sampled(coefficients, torch.stack([left, down], dim=-1))
        return share_left * first + share_right * sampled(coefficients, torch.stack([right, down], dim=-1))

    return share_above * row(above) + share_below * row(below)


def spline_coefficients(pictures: Tensor) -> Tensor:
    """(N, C, H + 2 EDGE, W + 2 EDGE): coefficients of the B-spline through the pixels, mirrored at the border."""
    for axis, other in ((-1, -2), (-2, -1)):
        parts = [
            _inverted(pictures.narrow(other, part.start, part.stop - part.start), axis)
            for part in strips(pictures, pictures.shape[other])
        ]
        pictures = torch.cat(parts, other)
    return pictures


def _inverted(pictures: Tensor, axis: int) -> Tensor:
    """Coefficients along one axis, EDGE more at each end.

    They invert the filter (1, 4, 1) / 6 (Unser, Splines: a perfect fit for signal and image processing, 1999), whose
    pole is sqrt(3) - 2. Each direction of 1 / (1 - pole s) is the product of the (1 + pole^k s^k), k = 1, 2, 4, 8,
    in which s moves by a pixel: what is cut off is the pole's 16th power, 1e-9.
    """
    pole = math.sqrt(3) - 2
    reach = 15 + EDGE
    length = pictures.shape[axis]
    period = max(1, 2 * length - 2)
    place = torch.arange(-reach, length + reach, device=pictures.device) % period
    lines = pictures.index_select(axis, torch.minimum(place, period - place))
    for step in (1, 2, 4, 8):
        rest = lines.shape[axis] - step
        lines = torch.add(lines.narrow(axis, step, rest), lines.narrow(axis, 0, rest), alpha=pole**step)
    for step in (1, 2, 4, 8):
        rest = lines.shape[axis] - step
        lines = torch.add(lines.narrow(axis, 0, rest), lines.narrow(axis, step, rest), alpha=pole**step)
    return lines * (6 * -pole)


def inside(grid: Tensor, level: tuple[int, int], margin: float = 0.5) -> Tensor:
    """(N, 1, h, w) bool: where a grid reads at least `margin` pixels inside the border of a picture."""
    limit = grid.new_tensor([1 - 2 * margin / level[1], 1 - 2 * margin / level[0]]) + 1e-6
    return (grid.abs() <= limit).all(-1).unsqueeze(1)
