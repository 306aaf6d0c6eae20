"""Distance maps as pictures: which parts of two images differ, seen over the image itself."""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from invariant_lpips.motion import Motion, displacement
from invariant_lpips.pictures.images import eight_bits

# Red, green, blue in [0, 1] at rising strength. Warm where the pictures differ; blue where a negative value
# of an exact decomposition says that this part draws them together. Lightness rises along both, so that they
# survive a grey printer and colour-blind eyes.
_WARM = ((0.45, 0.05, 0.25), (0.85, 0.15, 0.15), (0.98, 0.55, 0.10), (1.00, 0.95, 0.45))
_COLD = ((0.05, 0.15, 0.40), (0.10, 0.35, 0.75), (0.25, 0.65, 0.95), (0.75, 0.95, 1.00))

# Share of the strongest colour at which a map covers the picture below it completely.
_OPAQUE_AT = 0.5


def colour(strength: Tensor) -> Tensor:
    """Colours of a map: (H, W) in [-1, 1] to (3, H, W) in [0, 1]; warm above 0, blue below."""
    warm, cold = (torch.tensor(stops, dtype=torch.float32) for stops in (_WARM, _COLD))
    place = strength.abs().clamp(0, 1) * (len(warm) - 1)
    low = place.floor().clamp(max=len(warm) - 2).long()
    share = (place - low).unsqueeze(-1)
    warm_colour = warm[low] * (1 - share) + warm[low + 1] * share
    cold_colour = cold[low] * (1 - share) + cold[low + 1] * share
    return torch.where(strength.unsqueeze(-1) < 0, cold_colour, warm_colour).movedim(-1, 0)


def overlay(
    heat: Tensor, picture: Tensor, full_colour_at: float | None = None, *, root: bool = False
) -> Tensor:
    """A map laid in colour over a dark grey copy of its picture.

    Args:
        heat: (1, 1, H, W), what a metric returns with spatial=True.
        picture: (1, 3, H, W) in [-1, 1].
        full_colour_at: the value shown in the strongest colour; None: the largest one of this map.
        root: colours follow the root of the value, which for most heads is a distance as the metric's are.

    Returns:
        (1, 3, H, W) in [-1, 1].

    Example:
        >>> overlay(torch.zeros(1, 1, 2, 2), torch.zeros(1, 3, 2, 2)).amax() < 0  # nothing to see: dark grey
        tensor(True)
    """
    values = heat[0, 0].float()
    scale = full_colour_at if full_colour_at is not None else float(values.abs().amax())
    strength = values / scale if scale > 0 else torch.zeros_like(values)
    if root:
        strength = strength.sign() * strength.abs().sqrt()
    luma = (picture[0].float() * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(0)
    grey = ((luma + 1) / 2 * 0.45).expand(3, -1, -1)
    opacity = (strength.abs() / _OPAQUE_AT).clamp(0, 1)
    return ((grey * (1 - opacity) + colour(strength) * opacity) * 2 - 1).unsqueeze(0)


def strip(
    reference: Tensor,
    distorted: Tensor,
    heat: Tensor,
    full_colour_at: float | None = None,
    *,
    over: Tensor | None = None,
    root: bool = False,
) -> Tensor:
    """Reference, distorted and map side by side: (1, 3, H, 3 W and two gaps) in [-1, 1].

    The map is laid over `over`, the reference where that is None; `root` as for :func:`overlay`.
    """
    gap = torch.ones(1, 3, reference.shape[-2], max(2, reference.shape[-1] // 64))
    drawn = overlay(heat, reference if over is None else over, full_colour_at, root=root)
    return torch.cat([reference, gap, distorted, gap, drawn], dim=-1)


def with_arrows(picture: Tensor, motion: Motion, across: int = 8) -> Tensor:
    """A picture (1, 3, H, W) in [-1, 1] with arrows from where points lie to where the motion carries them."""
    height, width = picture.shape[-2:]
    spacing = max(height, width) / across
    sheet = Image.fromarray(eight_bits(picture[0]))
    draw = ImageDraw.Draw(sheet)
    stroke = max(1, round(max(height, width) / 250))
    bent = displacement(motion, picture)[0]
    for row in range(max(1, round(height / spacing))):
        for column in range(max(1, round(width / spacing))):
            x, y = (column + 0.5) * spacing, (row + 0.5) * spacing
            a = motion.matrix[0].tolist()
            beside = bent[:, int(y), int(x)].tolist()
            to = [a[k][0] * x + a[k][1] * y + a[k][2] + beside[k] for k in range(2)]
            _arrow(draw, (x, y), (to[0], to[1]), stroke)
    levels = torch.from_numpy(np.array(sheet)).permute(2, 0, 1)
    return (levels.float() / 127.5 - 1).unsqueeze(0)


def _arrow(
    draw: ImageDraw.ImageDraw, start: tuple[float, float], end: tuple[float, float], stroke: int
) -> None:
    length = math.dist(start, end)
    if length < 0.5:
        return
    along = ((end[0] - start[0]) / length, (end[1] - start[1]) / length)
    head = min(4.0 * stroke, length / 2)
    back = (end[0] - head * along[0], end[1] - head * along[1])
    side = (-along[1] * head / 2, along[0] * head / 2)
    tip = [end, (back[0] + side[0], back[1] + side[1]), (back[0] - side[0], back[1] - side[1])]
    for shade, wider in (("black", 2), ("yellow", 0)):  # legible on any ground
        draw.line([start, back], fill=shade, width=stroke + wider)
        draw.polygon(tip, fill=shade, outline=shade)
