"""From two image tensors as a caller has them to the two batches a trunk reads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from invariant_lpips import checks as C


class ScalingLayer(nn.Module):
    """lpips' input scaling, (x - shift) / scale: ImageNet's mean and deviation for images in [-1, 1].

    Example:
        >>> ScalingLayer()(torch.zeros(1, 3, 1, 1)).flatten()
        tensor([0.0655, 0.1964, 0.4178])
    """

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1))

    def forward(self, inp: Tensor) -> Tensor:
        return (inp - self.shift) / self.scale


class ImageInput(nn.Module):
    """Checks images and brings them to [-1, 1], three channels and the metric's dtype.

    Args:
        minimum_side: smallest height and width the trunk and head can take, in pixels.
        checks: `auto`, `always` or `never`; see :mod:`invariant_lpips.checks`.
        repeat_grey: accept (N, 1, H, W) and repeat it over three channels.
    """

    def __init__(self, minimum_side: int, *, checks: str = "auto", repeat_grey: bool = False) -> None:
        super().__init__()
        if checks not in C.CHECKS:
            raise ValueError(f"Argument `checks` must be one of {', '.join(C.CHECKS)}, but got {checks!r}.")
        self.minimum_side = minimum_side
        self.checks = checks
        self.repeat_grey = repeat_grey

    def forward(self, x: Tensor, like: Tensor, *, normalize: bool, name: str = "x") -> Tensor:
        """One batch, checked: (N, 3, H, W) in [-1, 1] in the dtype of `like`, a parameter of the metric.

        Raises:
            TypeError, ValueError: see :mod:`invariant_lpips.checks`.
        """
        if self.checks != "never":
            C.check_image(x, name, grey=self.repeat_grey)
            C.check_side(x, name, self.minimum_side)
            C.check_device(x, name, like.device)
            wanted = self.checks == "always" or x.device.type == "cpu"
            if wanted and C.reading_values_allowed(x):
                C.check_values(x, name, normalize=normalize)
        x = x.to(like.dtype)
        if x.shape[1] == 1:
            x = x.expand(-1, 3, -1, -1)
        return 2 * x - 1 if normalize else x

    def pair(self, x: Tensor, y: Tensor, like: Tensor, *, normalize: bool) -> tuple[Tensor, Tensor]:
        """Two batches of one size, named as lpips names them; one of them may hold a single image."""
        x_in = self(x, like, normalize=normalize, name="in0")
        y_in = self(y, like, normalize=normalize, name="in1")
        if self.checks != "never":
            C.check_same_size((x.shape[-2], x.shape[-1]), (y.shape[-2], y.shape[-1]))
            C.check_batches(x.shape[0], y.shape[0])
        return x_in, y_in

    def extra_repr(self) -> str:
        return f"minimum_side={self.minimum_side}, checks={self.checks!r}"
