"""What super-resolution papers do to both pictures before they compare them: a border cut off, luma alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor


@dataclass(frozen=True)
class Prepared:
    """Reads a file and prepares the picture; called with a path, as a `Reading` is.

    Attributes:
        reading: a file to (1, 3, H, W) in [-1, 1]; if it resizes, that comes first.
        crop_border: pixels cut off each side; papers take the scale factor, since upsampling has no neighbours there.
        luma: keep :func:`luma` alone.

    Shape:
        path of a file -> (1, 3, H - 2 crop_border, W - 2 crop_border) float32 in [-1, 1], on the CPU.

    Raises:
        ValueError: nothing is left of the picture; and what `reading` raises.
    """

    reading: Callable[[Path], Tensor]
    crop_border: int = 0
    luma: bool = False

    def __call__(self, path: Path) -> Tensor:
        return self.prepared(self.reading(path), str(path))

    def prepared(self, image: Tensor, name: str) -> Tensor:
        """The same of a picture that has been read; `name` is for messages."""
        border = self.crop_border
        height, width = image.shape[-2:]
        if 2 * border >= min(height, width):
            raise ValueError(
                f"cannot crop {border} pixels from each side of {name}, which is {width} x {height}: nothing is left"
            )
        image = image[..., border : height - border, border : width - border]
        return luma(image) if self.luma else image.contiguous()


def luma(image: Tensor) -> Tensor:
    """The luma of ITU-R BT.601 as MATLAB's rgb2ycbcr and super-resolution papers have it, in all three channels.

    Y = (16 + 65.481 R + 128.553 G + 24.966 B) / 255 with R, G and B in [0, 1], not rounded: from 16 / 255 for black to
    235 / 255 for white.

    Args:
        image: (N, 3, H, W) in [-1, 1].

    Returns:
        (N, 3, H, W): 2 Y - 1, between -0.875 and 0.843.

    Example:
        >>> luma(torch.ones(1, 3, 1, 1)).flatten().tolist()
        [0.843137264251709, 0.843137264251709, 0.843137264251709]
    """
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=image.dtype, device=image.device) / 255
    y = 16 / 255 + ((image + 1) / 2 * weights.view(3, 1, 1)).sum(dim=-3, keepdim=True)
    return (2 * y - 1).expand_as(image).contiguous()
