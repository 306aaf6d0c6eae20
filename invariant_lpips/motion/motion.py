"""A motion of the picture plane, kept as its logarithm so that inverting and halving it are exact.

Coordinates are pixels, x to the right and y down, (0, 0) the centre of the top left pixel; a motion carries a
scene point of the first picture to where the second shows it. Its logarithm, the generator, is written in
coordinates centred on the picture and divided by half of its longer side: `matrix = exp(generator)` there, its
inverse is exp(-generator) and half of it exp(generator / 2) (Arsigny, Commowick, Ayache & Pennec, A fast and
log-Euclidean polyaffine framework, 2009).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

__all__ = ["Motion"]


#: Side of the windows of a field, in pixels.
WINDOW = 64


@dataclass(frozen=True)
class Motion:
    """How each pair of a batch moved, and how sure that is.

    Attributes:
        generator: (N, 2, 3) float64, the logarithm of the motion (see the module's docstring); 0 where no motion
            is claimed.
        found: (N,) bool; True where a motion is claimed.
        confidence: (N,) float64 in [0, 1]; for pairs without a claim how sure it is that nothing moved: 0 for
            two pictures in which nothing could be matched.
        overlap: (N,) float64 in (0, 1]: the share of the first picture that both show.
        size: (H, W) of the pictures.
        field: None, or (N, 2, rows, columns) float64: how far parts of the scene are displaced beside that, in pixels
            to the right and down, at the centres of windows evenly spread over the picture, half of the way. 0 where
            nothing is claimed.

    Example:
        >>> unmoved = Motion.none(1, (48, 64))
        >>> unmoved.matrix[0].tolist(), unmoved.found.item()
        ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], False)
    """

    generator: Tensor
    found: Tensor
    confidence: Tensor
    overlap: Tensor
    size: tuple[int, int]
    field: Tensor | None = None

    @classmethod
    def none(cls, pairs: int, size: tuple[int, int], device: torch.device | str = "cpu") -> Motion:
        """No motion, for a number of pairs."""
        one = torch.ones(pairs, dtype=torch.float64, device=device)
        still = torch.zeros(pairs, 2, 3, dtype=torch.float64, device=device)
        return cls(still, torch.zeros_like(one, dtype=torch.bool), one, one.clone(), size)

    @property
    def matrix(self) -> Tensor:
        """(N, 2, 3) float64: pixel coordinates of the first picture -> those of the same scene point in the second."""
        return in_pixels(exponential(self.generator), self.size).to(self.generator.device)

    @property
    def shift(self) -> Tensor:
        """(N, 2) float64: by how many pixels the centre of the picture moves to the right and down."""
        return (exponential(self.generator)[:, :, 2] * unit(self.size)).to(self.generator.device)

    @property
    def rotation(self) -> Tensor:
        """(N,) float64, degrees; positive where the content turns clockwise as displayed."""
        a = exponential(self.generator)
        turned = torch.rad2deg(torch.atan2(a[:, 1, 0] - a[:, 0, 1], a[:, 0, 0] + a[:, 1, 1]))
        return turned.to(self.generator.device)

    @property
    def zoom(self) -> Tensor:
        """(N,) float64: the root of the magnification of areas; above 1 where the content grows."""
        return (0.5 * (self.generator[:, 0, 0] + self.generator[:, 1, 1])).exp()

    @property
    def bend(self) -> Tensor:
        """(N,) float64: the root mean square of the field, in pixels; 0 without one."""
        if self.field is None:
            return torch.zeros_like(self.confidence)
        return self.field.square().sum(1).mean((1, 2)).sqrt()

    def inverse(self) -> Motion:
        """The motion from the second picture to the first; exactly what estimating in that order gives."""
        return replace(self, generator=-self.generator, field=None if self.field is None else -self.field)

    def to(self, device: torch.device | str) -> Motion:
        """The same on another device."""
        return self._each(lambda part: part.to(device))

    def __len__(self) -> int:
        return self.found.shape[0]

    def __getitem__(self, pairs: slice | Tensor) -> Motion:
        """The motions of a part of the batch."""
        return self._each(lambda part: part[pairs])

    def _each(self, function: Callable[[Tensor], Tensor]) -> Motion:
        return Motion(
            function(self.generator),
            function(self.found),
            function(self.confidence),
            function(self.overlap),
            self.size,
            None if self.field is None else function(self.field),
        )


def unit(size: tuple[int, int]) -> float:
    """Pixels to a unit of the generator's coordinates."""
    return max(size) / 2


def exponential(generator: Tensor) -> Tensor:
    """exp of (..., 2, 3) logarithms of affine maps, of the same shape, float64 on the CPU.

    Example:
        >>> turn = torch.tensor([[0.0, -torch.pi / 2, 0.0], [torch.pi / 2, 0.0, 0.0]], dtype=torch.float64)
        >>> exponential(turn).round(decimals=6).abs().tolist()
        [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    square = torch.zeros(*generator.shape[:-2], 3, 3, dtype=torch.float64)
    square[..., :2, :] = generator.detach().to("cpu", torch.float64)
    # Exactly the identity for 0, where the series of matrix_exp is free to round.
    still = (square == 0).flatten(-2).all(-1)[..., None, None]
    moved = torch.where(still, torch.eye(3, dtype=torch.float64), torch.linalg.matrix_exp(square))
    return moved[..., :2, :]


def in_pixels(centred: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, 2, 3) maps of centred coordinates as maps of pixel coordinates."""
    centre = torch.tensor([(size[1] - 1) / 2, (size[0] - 1) / 2], dtype=centred.dtype, device=centred.device)
    linear = centred[..., :2]
    moved = centred[..., 2] * unit(size) + centre - (linear @ centre)
    return torch.cat([linear, moved.unsqueeze(-1)], dim=-1)


def similarity_generator(zoom: Tensor, turn: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The logarithm of z -> a z + b on the complex plane: log a, and b log a / (a - 1).

    Args:
        zoom: any shape, the logarithm of the magnification.
        turn: radians, clockwise as displayed.
        x, y: where the centre goes, in units.

    Returns:
        (..., 2, 3) float64.
    """
    logarithm = torch.complex(zoom.double(), turn.double())
    shift = torch.complex(x.double(), y.double())
    small = logarithm.abs() < 1e-6
    safe = torch.where(small, torch.ones_like(logarithm), logarithm)
    shift = torch.where(small, shift * (1 - logarithm / 2), shift * safe / (safe.exp() - 1))
    rows = [logarithm.real, -logarithm.imag, shift.real, logarithm.imag, logarithm.real, shift.imag]
    return torch.stack(rows, dim=-1).view(*zoom.shape, 2, 3)
