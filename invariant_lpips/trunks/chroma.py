"""Colour as coarsely as people see it: a low-pass of a picture's colour differences, before a network reads it.

Contrast sensitivity to colour falls from a few cycles per degree on, that to lightness far later (Mullen 1985). JPEG
and video lean on it, and S-CIELAB (Zhang and Wandell 1997) blurs colour differences before it compares them. A network
does not know: to AlexNet a fringe of one pixel in one colour plane is a new contour. With Y the lightness of RGB and G
a Gaussian of standard deviation :data:`SIGMA`,

    x -> Y + G * (x - Y) = G * x + (Y - G * Y),

plane by plane, so that lightness stays what it was, and so does what is uniformly coloured.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from invariant_lpips.functional import full_precision, not_below_float32, without_autocast
from invariant_lpips.trunks.circular import wrapped
from invariant_lpips.trunks.pooling import Window

#: Red, green and blue of lightness: Y of NTSC.
LIGHTNESS = (0.299, 0.587, 0.114)
#: Standard deviation in pixels. At 29 pixels per degree .69 of 2 cycles per degree pass, .22 of 4 and nothing of 8.
SIGMA = 2.0


class ChromaLowPass(nn.Module):
    """Low-pass of the colour differences of a scaled picture: (N, 3, H, W) to (N, 3, H, W).

    Args:
        scale: (1, 3, 1, 1), what the channels of the picture were divided by
            (:class:`invariant_lpips.inputs.ScalingLayer`).
        padding: beyond the border `circular` goes on at the other side; else the border is repeated.
        sigma: standard deviation in pixels.

    Example:
        >>> grey = torch.rand(1, 1, 16, 16).expand(1, 3, 16, 16)
        >>> low_pass = ChromaLowPass(torch.ones(1, 3, 1, 1))
        >>> bool(torch.allclose(low_pass(grey), grey, atol=1e-6))
        True
    """

    lightness: Tensor
    units: Tensor
    kernel: Tensor

    def __init__(self, scale: Tensor, padding: str = "zeros", sigma: float = SIGMA) -> None:
        super().__init__()
        self.padding = padding
        #: Where the Gaussian is cut off, in pixels.
        self.radius = math.ceil(3 * sigma)
        lightness = torch.tensor(LIGHTNESS).view(1, 3, 1, 1)
        distance = torch.arange(-self.radius, self.radius + 1, dtype=torch.float64)
        kernel = (-0.5 * (distance / sigma).square()).exp()
        for name, numbers in (
            ("lightness", lightness * scale),
            ("units", 1 / scale),
            ("kernel", (kernel / kernel.sum()).float()),
        ):
            self.register_buffer(name, numbers, persistent=False)

    def window(self) -> Window:
        """What its outputs read along an axis."""
        return Window(2 * self.radius + 1, 1, self.radius, "floor")

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> ChromaLowPass:
        # In half precision the kernel would no longer sum to 1, and colours would fade.
        super()._apply(not_below_float32(fn), recurse)  # type: ignore[no-untyped-call]
        return self

    def forward(self, x: Tensor) -> Tensor:
        # All planes are smoothed, and of what that took lightness is put back.
        sharp = full_precision(x)
        lightness, units, kernel = (
            each.to(sharp.dtype) for each in (self.lightness, self.units, self.kernel)
        )
        across = kernel.view(1, 1, 1, -1).expand(3, -1, -1, -1)
        with without_autocast(x.device.type):
            low = F.conv2d(F.conv2d(self._around(sharp), across, groups=3), across.mT, groups=3)
        lost = ((sharp - low) * lightness).sum(1, keepdim=True)
        return (low + lost * units).to(x.dtype)

    def _around(self, x: Tensor) -> Tensor:
        if self.padding == "circular":
            return wrapped(x, self.radius, self.radius)
        if not torch.compiler.is_dynamo_compiling():
            return F.pad(x, (self.radius,) * 4, mode="replicate")
        # Of channels-last, the gradient of that pad fails on a CPU in what torch 2.14 compiles.
        for side in (2, 3):
            places = torch.arange(-self.radius, x.shape[side] + self.radius, device=x.device)
            x = x.index_select(side, places.clamp(0, x.shape[side] - 1))
        return x
