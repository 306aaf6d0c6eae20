"""A front end without a trained network: opponent colours, contours and orientations at four octaves.

What early vision is commonly taken to hand on, in as few and as plain steps as rank distortions well:

1. *Opponent colours* of the gamma-encoded picture: lightness and two differences, in the axes of YIQ, as FSIM (Zhang
   et al. 2011) and HaarPSI (Reisenhofer et al. 2018) take them. They are shifted to be non-negative, as the
   activations of a network behind its ReLU are.
2. *Contours* of each octave's lightness: the magnitude of its gradient and of its second difference, and the amplitudes
   of four orientations, by 3x3 filters (Scharr's for first differences, as FSIM has them); and the magnitudes of the
   gradients of both colour differences.
3. *Octaves*: a separable (1 3 3 1)/8 low-pass, then every second sample (the binomial pyramid of Burt and Adelson 1983,
   with samples half way between those of the finer octave).

Every channel is given in units of its typical value over photographs, so that the logarithm of the head `regional`
bends where values are. All constants stand here; `weights/pixels.safetensors` holds them as the layers' parameters, so
that their hash says who read a picture, as that of a trained network does.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from invariant_lpips.trunks.circular import wrapped
from invariant_lpips.trunks.frozen_weights import Frozen
from invariant_lpips.trunks.pooling import Window

#: Lightness, orange against blue, and green against purple of RGB in [0, 1]: Y, I and Q of NTSC.
OPPONENTS = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))

#: What an image in [-1, 1] was scaled with before it comes here (:class:`invariant_lpips.inputs.ScalingLayer`).
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)

#: What is added to the opponents so that they are not negative, and what they are then divided by.
OFFSETS, UNITS = (0.0, 0.6, 0.53), (0.4, 0.25, 0.25)

#: First differences down, across and along both diagonals, and the second difference, over 16.
FILTERS = (
    ((-3, -10, -3), (0, 0, 0), (3, 10, 3)),
    ((-3, 0, 3), (-10, 0, 10), (-3, 0, 3)),
    ((0, 3, 10), (-3, 0, 3), (-10, -3, 0)),
    ((-10, -3, 0), (-3, 0, 3), (0, 3, 10)),
    ((-1, -2, -1), (-2, 12, -2), (-1, -2, -1)),
)

#: Typical values over photographs: first and second differences of lightness, first differences of colours.
FIRST, SECOND, COLOUR = 0.045, 0.0125, 0.015

#: Added under the root of a squared gradient, so that its slope is finite where nothing changes.
FLOOR = 1e-4

LOW_PASS = (1, 3, 3, 1)

#: Three opponents, five differences of lightness, and the gradients of lightness and of both colours.
CHANNELS = 11


class PixelLayer(Frozen):
    """What every layer here says of itself; none has anything to learn."""

    def window(self) -> Window:
        """What its outputs read along an axis."""
        raise NotImplementedError


class Opponents(PixelLayer):
    """Opponent colours of a scaled picture, not negative: (N, 3, H, W) to (N, 3, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        opponents, scale, shift, offsets, units = (
            torch.tensor(numbers, dtype=torch.float64)
            for numbers in (OPPONENTS, SCALE, SHIFT, OFFSETS, UNITS)
        )
        # RGB in [0, 1] is (scale x + shift + 1) / 2.
        self.weight = _constant(opponents * scale / 2 / units.unsqueeze(1))
        self.bias = _constant((opponents @ ((shift + 1) / 2) + offsets) / units)

    def window(self) -> Window:
        return Window(1, 1, 0, "floor")

    def forward(self, x: Tensor) -> Tensor:
        # A product of matrices, channel by channel: a twelfth of the time of a 1x1 convolution in channels-last.
        weight, bias = self.held("weight", "bias")
        mixed: Tensor = weight @ x.flatten(2) + bias.unsqueeze(1)
        return mixed.view(x.shape).clamp_min(0)  # pictures beyond their range may go below


class Contours(PixelLayer):
    """Opponents and their contours: (N, 3, h, w) to (N, 11, h, w); borders are repeated, or wrapped on a circle."""

    def __init__(self, padding: str) -> None:
        super().__init__()
        filters = torch.tensor(FILTERS, dtype=torch.float64).unsqueeze(1) / 16
        lightness = torch.tensor([FIRST] * 4 + [SECOND], dtype=torch.float64) / UNITS[0]
        colour = torch.tensor(COLOUR / UNITS[1], dtype=torch.float64)
        self.lightness = _constant(filters / lightness.view(-1, 1, 1, 1))
        self.colour = _constant(filters[:2] / colour)
        self.padding = padding

    def window(self) -> Window:
        return Window(3, 1, 1, "floor")

    def forward(self, x: Tensor) -> Tensor:
        images, _, height, width = x.shape
        padded = _around(x, self.padding)
        of_lightness, of_colour = self.held("lightness", "colour")
        lightness = F.conv2d(padded[:, :1], of_lightness)
        colours = F.conv2d(padded[:, 1:].flatten(0, 1).unsqueeze(1), of_colour)
        gradients = torch.cat([lightness[:, :2], colours.view(images, 4, height, width)], dim=1)
        energy = gradients.square().view(images, 3, 2, height, width).sum(2)
        return torch.cat([x, lightness.abs(), (energy + FLOOR).sqrt()], dim=1)


class Halve(PixelLayer):
    """The opponents of the next octave: (N, 11, h, w) to (N, 3, h // 2, w // 2)."""

    def __init__(self, padding: str) -> None:
        super().__init__()
        low_pass = torch.tensor(LOW_PASS, dtype=torch.float64) / sum(LOW_PASS)
        self.weight = _constant((low_pass.unsqueeze(1) * low_pass).view(1, 1, 4, 4))
        self.padding = padding

    def window(self) -> Window:
        return Window(4, 2, 1, "floor")

    def forward(self, x: Tensor) -> Tensor:
        planes = _around(x[:, :3], self.padding).flatten(0, 1).unsqueeze(1)
        (weight,) = self.held("weight")
        half: Tensor = F.conv2d(planes, weight, stride=2)
        return half.view(x.shape[0], 3, half.shape[-2], half.shape[-1])


def pixel_layers(pooling: str, padding: str) -> list[nn.Module]:
    """Opponents, then contours of four octaves with a halving between them.

    Raises:
        ValueError: another pooling than `max` is asked for: nothing is pooled here.
    """
    if pooling != "max":
        raise ValueError(
            "Net 'pixels' smooths before it subsamples and pools nothing: leave `pooling` at 'max', but got "
            f"{pooling!r}."
        )
    layers: list[nn.Module] = [Opponents(), Contours(padding)]
    for _ in range(3):
        layers += [Halve(padding), Contours(padding)]
    return layers


def _constant(numbers: Tensor) -> nn.Parameter:
    return nn.Parameter(numbers.to(torch.float32), requires_grad=False)


def _around(x: Tensor, padding: str) -> Tensor:
    """x (N, C, H, W) with one more row and column on each side."""
    return wrapped(x, 1, 1) if padding == "circular" else F.pad(x, (1, 1, 1, 1), mode="replicate")
