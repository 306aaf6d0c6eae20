"""What of a picture is compared: its luma in a band of frequencies, evened out by the contrast around each place.

That is blind to brightness, contrast and shading, gives texture the weight of edges, and is small where there is
only noise: the contrast is divided by the local plus the mean one.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["band", "luma", "reduced"]


def luma(pictures: Tensor) -> Tensor:
    """(N, 3, H, W) -> (N, 1, H, W) by the weights of BT.601; what is not a number counts as 0."""
    red, green, blue = pictures.unbind(1)
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    return torch.nan_to_num(grey, 0.0, 0.0, 0.0).clamp(-1e4, 1e4).unsqueeze(1)


def reduced(grey: Tensor, short: int) -> Tensor:
    """The picture with a short side of at most `short` pixels, antialiased."""
    height, width = grey.shape[-2:]
    share = short / min(height, width)
    if share >= 1:
        return grey
    size = (max(short, round(height * share)), max(short, round(width * share)))
    return F.interpolate(grey, size, mode="bilinear", antialias=True, align_corners=False)


def blurred(maps: Tensor) -> Tensor:
    """A wide blur, of about five pixels, by way of a quarter of the size."""
    height, width = maps.shape[-2:]
    quarter = (math.ceil(height / 4), math.ceil(width / 4))
    small = F.interpolate(maps, quarter, mode="bilinear", antialias=True, align_corners=False)
    return F.interpolate(smoothed(small), (height, width), mode="bilinear", align_corners=False)


def smoothed(maps: Tensor) -> Tensor:
    """A binomial filter of five taps each way: a Gaussian of sigma 1."""
    taps = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], dtype=maps.dtype, device=maps.device) / 16
    maps = F.conv2d(F.pad(maps, (2, 2, 2, 2), mode="replicate"), taps.view(1, 1, 1, 5))
    return F.conv2d(maps, taps.view(1, 1, 5, 1))


def band(grey: Tensor) -> Tensor:
    """(N, 1, h, w) luma -> its band, evened out, of the same shape; 0 for a flat picture."""
    fine = smoothed(grey)
    fine = fine - blurred(fine)
    energy = fine.square()
    mean = energy.mean((1, 2, 3), keepdim=True)
    # Less than a hundredth of a grey level is rounding.
    floor = (0.02 / 255) ** 2
    contrast = (blurred(energy) + mean).clamp_min(floor).sqrt()
    return torch.where(mean > floor, fine / contrast, torch.zeros_like(fine))
