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

On a CPU, sums of shifted planes take a third of the time of the convolutions that they equal to rounding: the filters
share most of what they add up, and a convolution of one channel is mostly rearranging.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from invariant_lpips.functional import eager_on_cpu, overwritable
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

#: Pixels of a strip: a megabyte of three planes and as much again would fill a core's cache.
STRIP = 2**16

#: Three opponents, five differences of lightness, and the gradients of lightness and of both colours.
CHANNELS = 11


class PixelLayer(Frozen):
    """What every layer here says of itself; none has anything to learn.

    Args:
        numbers: its parameters, which are rounded to float32.
    """

    def __init__(self, **numbers: Tensor) -> None:
        super().__init__()
        for name, values in numbers.items():
            setattr(self, name, nn.Parameter(values.to(torch.float32), requires_grad=False))
        self._numbers = {name: getattr(self, name).tolist() for name in numbers}

    def window(self) -> Window:
        """What its outputs read along an axis."""
        raise NotImplementedError

    def by_sums(self, x: Tensor, *parameters: Tensor) -> bool:
        """Whether sums of shifted planes may stand for a convolution of x with these parameters, which are all it has.

        They must be the numbers that it was made with, since sums take these from this file.
        """
        unchanged = list(self._numbers.values())
        return eager_on_cpu(x, *parameters) and [each.tolist() for each in parameters] == unchanged


class _Summed(torch.autograd.Function):
    """What a layer makes by sums, with the derivatives of its convolutions, which run in the backward pass."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, sums: Callable[[Tensor], Tensor], convolutions: Callable[[Tensor], Tensor]
    ) -> Tensor:
        ctx.save_for_backward(x)
        ctx.convolutions = convolutions
        return sums(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        again = torch.is_grad_enabled()
        with torch.enable_grad():
            result = ctx.convolutions(x)
        (of_x,) = torch.autograd.grad(result, x, gradient, create_graph=again)
        return of_x, None, None


class Opponents(PixelLayer):
    """Opponent colours of a scaled picture, not negative: (N, 3, H, W) to (N, 3, H, W)."""

    def __init__(self) -> None:
        opponents, scale, shift, offsets, units = (
            torch.tensor(numbers, dtype=torch.float64)
            for numbers in (OPPONENTS, SCALE, SHIFT, OFFSETS, UNITS)
        )
        # RGB in [0, 1] is (scale x + shift + 1) / 2.
        super().__init__(
            weight=opponents * scale / 2 / units.unsqueeze(1),
            bias=(opponents @ ((shift + 1) / 2) + offsets) / units,
        )

    def window(self) -> Window:
        return Window(1, 1, 0, "floor")

    def forward(self, x: Tensor) -> Tensor:
        # A product of matrices, plane by plane: a twelfth of the time of a 1x1 convolution in channels-last.
        weight, bias = self.held("weight", "bias")
        mixed: Tensor = weight @ x.contiguous().flatten(2) + bias.unsqueeze(1)
        mixed = mixed.view(x.shape)  # pictures beyond their range may go below 0
        return mixed.clamp_min_(0) if overwritable(mixed) else mixed.clamp_min(0)


class Contours(PixelLayer):
    """Opponents and their contours: (N, 3, h, w) to (N, 11, h, w); borders are repeated, or wrapped on a circle."""

    def __init__(self, padding: str) -> None:
        filters = torch.tensor(FILTERS, dtype=torch.float64).unsqueeze(1) / 16
        lightness = torch.tensor([FIRST] * 4 + [SECOND], dtype=torch.float64) / UNITS[0]
        colour = torch.tensor(COLOUR / UNITS[1], dtype=torch.float64)
        super().__init__(lightness=filters / lightness.view(-1, 1, 1, 1), colour=filters[:2] / colour)
        self.padding = padding

    def window(self) -> Window:
        return Window(3, 1, 1, "floor")

    def forward(self, x: Tensor) -> Tensor:
        filters = self.held("lightness", "colour")
        if not self.by_sums(x, *filters):
            return self._by_convolutions(x, *filters)
        result: Tensor = _Summed.apply(x, self._by_sums, lambda x: self._by_convolutions(x, *filters))
        return result

    def _by_convolutions(self, x: Tensor, of_lightness: Tensor, of_colour: Tensor) -> Tensor:
        images, _, height, width = x.shape
        padded = _around(x, self.padding)
        lightness = F.conv2d(padded[:, :1], of_lightness)
        colours = F.conv2d(padded[:, 1:].flatten(0, 1).unsqueeze(1), of_colour)
        gradients = torch.cat([lightness[:, :2], colours.view(images, 4, height, width)], dim=1)
        energy = gradients.square().view(images, 3, 2, height, width).sum(2)
        return torch.cat([x, lightness.abs(), (energy + FLOOR).sqrt()], dim=1)

    def _by_sums(self, x: Tensor) -> Tensor:
        images, _, height, width = x.shape
        result = x.new_empty((images, CHANNELS, height, width))
        result[:, :3] = x
        # From here on planes are in units of the typical first difference, so that (3 10 3)/16 is (.3 1 .3).
        typical = x.new_tensor((FIRST / UNITS[0], COLOUR / UNITS[1], COLOUR / UNITS[1]))
        padded = _around(x, self.padding).mul_(10 / 16 / typical.view(-1, 1, 1))
        # In strips, what is added up on the way stays in the cache.
        rows = max(1, STRIP // max(1, images * width))
        for top in range(0, height, rows):
            _sum_contours(padded[:, :, top : top + rows + 2], result[:, 3:, top : top + rows])
        return result


def _sum_contours(padded: Tensor, result: Tensor) -> None:
    """Write the contours (N, 8, h, w) of opponents (N, 3, h + 2, w + 2)."""
    above, here, below = (padded[:, :, row : row + result.shape[2]] for row in range(3))
    # A difference along a diagonal is one across plus or minus one down, both with (.5 .3 .5) in place of (.3 1 .3).
    outer = above + below
    across = _difference(torch.add(here, outer, alpha=0.3))
    outer, here = outer[:, 0], here[:, 0]
    level = _difference(torch.mul(here, 0.3).add_(outer, alpha=0.5))
    # The second difference is what (1 2 1)/4 down and across takes away.
    smooth = outer.add_(here, alpha=2)
    second = (
        (smooth[..., :-2] + smooth[..., 2:]).add_(smooth[..., 1:-1], alpha=2).sub_(here[..., 1:-1], alpha=16)
    )
    torch.mul(second, FIRST / SECOND / 10, out=result[:, 4])
    del outer, smooth, second
    change = below - above
    middle, sides = change[..., 1:-1], change[..., :-2] + change[..., 2:]
    steep = torch.mul(middle[:, 0], 0.3).add_(sides[:, 0], alpha=0.5)
    torch.sub(level, steep, out=result[:, 2])
    torch.add(level, steep, out=result[:, 3])
    down = sides.mul_(0.3).add_(middle)
    result[:, 0], result[:, 1] = down[:, 0], across[:, 0]
    result[:, :5].abs_()
    torch.sqrt(down.square_().addcmul_(across, across).add_(FLOOR), out=result[:, 5:])


def _difference(x: Tensor) -> Tensor:
    """Each column's right neighbour less its left one: (..., w + 2) to (..., w)."""
    return x[..., 2:] - x[..., :-2]


class Halve(PixelLayer):
    """The opponents of the next octave: (N, 11, h, w) to (N, 3, h // 2, w // 2)."""

    def __init__(self, padding: str) -> None:
        low_pass = torch.tensor(LOW_PASS, dtype=torch.float64) / sum(LOW_PASS)
        super().__init__(weight=(low_pass.unsqueeze(1) * low_pass).view(1, 1, 4, 4))
        self.padding = padding

    def window(self) -> Window:
        return Window(4, 2, 1, "floor")

    def forward(self, x: Tensor) -> Tensor:
        opponents = x[:, :3]
        (weight,) = self.held("weight")
        if not self.by_sums(opponents, weight):
            return self._by_convolution(opponents, weight)
        result: Tensor = _Summed.apply(opponents, self._by_sums, lambda x: self._by_convolution(x, weight))
        return result

    def _by_convolution(self, x: Tensor, weight: Tensor) -> Tensor:
        planes = _around(x, self.padding).flatten(0, 1).unsqueeze(1)
        half: Tensor = F.conv2d(planes, weight, stride=2)
        return half.view(x.shape[0], 3, half.shape[-2], half.shape[-1])

    def _by_sums(self, x: Tensor) -> Tensor:
        return _halved(_halved(_around(x, self.padding), 2), 3).div_(sum(LOW_PASS) ** 2)


def _halved(x: Tensor, dim: int) -> Tensor:
    """(1 3 3 1) along a dimension at every second place: n to n // 2 - 1 of them."""
    places = x.shape[dim] // 2 - 1
    first, second, third, fourth = (
        x[(slice(None),) * dim + (slice(start, start + 2 * places - 1, 2),)] for start in range(4)
    )
    return torch.add(first + fourth, second + third, alpha=3)


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


def _around(x: Tensor, padding: str) -> Tensor:
    """x (N, C, H, W) with one more row and column on each side."""
    return wrapped(x, 1, 1) if padding == "circular" else F.pad(x, (1, 1, 1, 1), mode="replicate")
