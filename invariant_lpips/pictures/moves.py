"""Moving a picture: every shift, turn and zoom of this package, as pure functions.

What enters at a border is one of three things. Inside a larger picture it is the scene itself: :func:`window` cuts
out what :func:`turn` and :func:`zoom` moved. The paper's protocol (arXiv:2604.27870) tiles the picture with its
mirror images, so that what enters is a plausible continuation (`mirror_...`; the tiles are never made, pixels are
read where the mirror puts them). Circular shifts let what leaves come back on the other side.
All functions take (N, C, H, W) float tensors of any range and, but for :func:`window`, return the same shape and
dtype.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import rotate

__all__ = [
    "circular_shift",
    "fourier_shift",
    "mirror_rotate",
    "mirror_shift",
    "mirror_zoom",
    "turn",
    "window",
    "zoom",
]


def window(x: Tensor, size: tuple[int, int], dx: int = 0, dy: int = 0) -> Tensor:
    """The window of `size` (height, width) in the middle of a larger picture, moved right by dx and down by dy.

    Returns:
        (N, C, *size), a view of x.

    Raises:
        ValueError: the window leaves the picture.

    Example:
        >>> window(torch.arange(5.0).view(1, 1, 1, 5), (1, 3), dx=1).flatten().tolist()
        [2.0, 3.0, 4.0]
    """
    height, width = x.shape[-2:]
    top, left = (height - size[0]) // 2 + dy, (width - size[1]) // 2 + dx
    if not (0 <= top <= height - size[0] and 0 <= left <= width - size[1]):
        raise ValueError(
            f"A window of {size[0]}x{size[1]} moved by (dx, dy) = ({dx}, {dy}) must lie inside the "
            f"picture, but that is {height}x{width}."
        )
    return x[..., top : top + size[0], left : left + size[1]]


def turn(x: Tensor, degrees: float) -> Tensor:
    """The content turned counter-clockwise about the centre; bilinear, 0 where nothing is known.

    Only a :func:`window` whose corners stay inside the turned picture shows nothing made up.
    """
    turned: Tensor = rotate(x, degrees, InterpolationMode.BILINEAR)
    return turned


def zoom(x: Tensor, factor: float) -> Tensor:
    """The content magnified `factor` times about the centre; bicubic, which may leave the range of x.

    Raises:
        ValueError: `factor` is not positive.
    """
    if not factor > 0:
        raise ValueError(f"Argument `factor` must be above 0, but got {factor!r}.")
    matrix = torch.tensor([[[1 / factor, 0.0, 0.0], [0.0, 1 / factor, 0.0]]], dtype=x.dtype, device=x.device)
    grid = F.affine_grid(matrix.expand(x.shape[0], 2, 3), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bicubic", padding_mode="reflection", align_corners=False)


def mirror_indices(start: int, count: int, length: int, device: torch.device | None = None) -> Tensor:
    """Where the pixels start .. start + count - 1 of a mirrored line of `length` pixels are read: (count,).

    The edge pixel is repeated, as in a row of mirrored tiles.

    Example:
        >>> mirror_indices(-2, 7, 3).tolist()
        [1, 0, 0, 1, 2, 2, 1]
    """
    position = torch.arange(start, start + count, device=device) % (2 * length)
    return torch.where(position < length, position, 2 * length - 1 - position)


def mirror_shift(x: Tensor, dx: int, dy: int) -> Tensor:
    """The window moved by (dx, dy) pixels over the mirrored plane: content moves left and up for dx, dy > 0.

    Example:
        >>> mirror_shift(torch.tensor([[[[1.0, 2.0, 3.0]]]]), 1, 0).flatten().tolist()
        [2.0, 3.0, 3.0]
    """
    height, width = x.shape[-2:]
    rows = mirror_indices(dy, height, height, x.device)
    columns = mirror_indices(dx, width, width, x.device)
    return x.index_select(-2, rows).index_select(-1, columns)


def mirror_rotate(x: Tensor, degrees: float) -> Tensor:
    """The window turned about its centre over the mirrored plane; bicubic, clamped to x's own range.

    Positive angles turn the content clockwise as displayed.
    """
    if degrees == 0:
        return x
    height, width = x.shape[-2:]
    angle = math.radians(degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    # affine_grid works in units of half the sides, so a rotation of a rectangle carries their ratio.
    theta = torch.tensor(
        [[cosine, sine * height / width, 0.0], [-sine * width / height, cosine, 0.0]],
        dtype=x.dtype,
        device=x.device,
    )
    grid = F.affine_grid(theta.expand(x.shape[0], 2, 3), list(x.shape), align_corners=False)
    turned = F.grid_sample(x, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
    return torch.minimum(
        torch.maximum(turned, x.amin((1, 2, 3), keepdim=True)), x.amax((1, 2, 3), keepdim=True)
    )


def mirror_zoom(x: Tensor, factor: float) -> Tensor:
    """The content magnified `factor` times about the centre; below 1 the mirrored plane fills the border.

    The window read is a whole number of pixels per side (the exact factor is side / round(side / factor));
    it is brought back to the size of x with antialiased bilinear interpolation.

    Raises:
        ValueError: `factor` is not positive.
    """
    if not factor > 0:
        raise ValueError(f"Argument `factor` must be above 0, but got {factor!r}.")
    for axis in (-2, -1):
        side = x.shape[axis]
        window = max(1, round(side / factor))
        x = x.index_select(axis, mirror_indices((side - window) // 2, window, side, x.device))
        size = (side, x.shape[-1]) if axis == -2 else (x.shape[-2], side)
        if window != side:
            x = F.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)
    return x


def circular_shift(x: Tensor, dx: int, dy: int) -> Tensor:
    """The content moved right by dx and down by dy pixels, what leaves coming back on the other side."""
    return torch.roll(x, (dy, dx), (-2, -1))


def fourier_shift(x: Tensor, dx: float, dy: float) -> Tensor:
    """The circular shift by fractions of a pixel that keeps every frequency: band-limited interpolation.

    Multiplies the spectrum by exp(-2 pi i (u dx / W + v dy / H)). For even sides the Nyquist frequency has no
    defined phase: it is scaled by cos(pi d), which keeps the result real. Computed in float64. Whole shifts
    agree with :func:`circular_shift` to rounding. The result may leave the range of x (Gibbs).

    Example:
        >>> line = torch.tensor([[[[0.0, 1.0, 0.0, -1.0]]]])
        >>> fourier_shift(line, 0.5, 0).flatten()
        tensor([-0.7071,  0.7071,  0.7071, -0.7071])
    """
    spectrum = torch.fft.fft2(x.double())
    for axis, distance in ((-2, dy), (-1, dx)):
        length = x.shape[axis]
        frequency = torch.fft.fftfreq(length, device=x.device, dtype=torch.float64)
        angle = -2 * math.pi * frequency * distance
        phase = torch.complex(angle.cos(), angle.sin())
        if length % 2 == 0:
            phase[length // 2] = math.cos(math.pi * distance)
        spectrum = spectrum * (phase.view(-1, 1) if axis == -2 else phase)
    shifted: Tensor = torch.fft.ifft2(spectrum).real.to(x.dtype)
    return shifted
