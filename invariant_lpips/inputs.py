"""Images as a caller has them, to the batches a trunk reads: scaling, ranges, and the sentence for what can't be read.

Shape, rank, dtype, layout and device are always checked. Checks that read values (NaN, infinity, range) run
on CPU tensors; on other devices they would force a synchronisation, so they run there only with
``checks="always"``, and an unchecked NaN gives NaN, never a number. While compiling, exporting, tracing or
capturing, and for tensors that have no values to read (meta, fake and vmapped ones), checks of values are
skipped. ``checks="never"`` switches all of it off.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from invariant_lpips.functional import captured
from invariant_lpips.trunks.frozen_weights import Frozen

CHECKS = ("auto", "always", "never")

DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)

#: Values this far outside the range (as a share of its width) are rounding and pass silently.
RANGE_ROUNDING = 1e-3
#: Values this far outside the range (as a share of its width) warn once; beyond it they are refused.
RANGE_TOLERANCE = 0.25

_already_warned: set[str] = set()


class ScalingLayer(Frozen):
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
        self.freeze()

    def forward(self, inp: Tensor) -> Tensor:
        return (inp - self.shift) / self.scale


class ImageInput(nn.Module):
    """Checks images and brings them to [-1, 1], three channels and the metric's dtype.

    Args:
        minimum_side: smallest height and width the trunk and head can take, in pixels.
        checks: `auto`, `always` or `never`; see the module's docstring.
        repeat_grey: accept (N, 1, H, W) and repeat it over three channels.
        as_lpips: accept what lpips broadcasts to (N, 3, H, W): (3, H, W), (N, 1, H, W), (1, H, W), (H, W), and an empty
            batch.
    """

    def __init__(
        self, minimum_side: int, *, checks: str = "auto", repeat_grey: bool = False, as_lpips: bool = False
    ) -> None:
        super().__init__()
        if checks not in CHECKS:
            raise ValueError(f"Argument `checks` must be one of {', '.join(CHECKS)}, but got {checks!r}.")
        self.minimum_side = minimum_side
        self.checks = checks
        self.repeat_grey = repeat_grey
        self.as_lpips = as_lpips

    def forward(self, x: Tensor, like: Tensor, *, normalize: bool, name: str = "x") -> Tensor:
        """One batch, checked: (N, 3, H, W) in [-1, 1] in the dtype of `like`, a parameter of the metric.

        Raises:
            TypeError, ValueError: see the module's docstring.
        """
        if self.as_lpips:
            x = _with_batch(x)
        if self.checks != "never":
            check_image(x, name, grey=self.repeat_grey or self.as_lpips, empty=self.as_lpips)
            check_side(x, name, self.minimum_side)
            check_device(x, name, like.device)
            wanted = self.checks == "always" or x.device.type == "cpu"
            if wanted and reading_values_allowed(x):
                check_values(x, name, normalize=normalize, as_lpips=self.as_lpips)
        x = x.to(like.dtype)
        if x.shape[1] == 1:
            x = x.expand(-1, 3, -1, -1)
        return 2 * x - 1 if normalize else x

    def pair(self, x: Tensor, y: Tensor, like: Tensor, *, normalize: bool) -> tuple[Tensor, Tensor]:
        """Two batches of one size, named as lpips names them; one of them may hold a single image."""
        x_in = self(x, like, normalize=normalize, name="in0")
        y_in = self(y, like, normalize=normalize, name="in1")
        if self.checks != "never":
            check_same_size((x.shape[-2], x.shape[-1]), (y.shape[-2], y.shape[-1]))
            check_batches(x_in.shape[0], y_in.shape[0])
        return x_in, y_in

    def mask(self, mask: object, x: Tensor) -> Tensor:
        """A mask for a checked batch, checked as far as its images are."""
        wanted = self.checks == "always" or (self.checks == "auto" and x.device.type == "cpu")
        return check_mask(mask, x, values=wanted and reading_values_allowed(x))

    def extra_repr(self) -> str:
        return f"minimum_side={self.minimum_side}, checks={self.checks!r}"


def check_mask(mask: object, like: Tensor, *, values: bool) -> Tensor:
    """A mask (N or 1, 1, H, W), bool or floating point in [0, 1], for images `like`; in their dtype.

    Raises:
        TypeError: not a tensor.
        ValueError: another shape, values outside [0, 1], or nothing left of a picture.
    """
    if not isinstance(mask, Tensor):
        raise TypeError(f"Argument `mask` must be a torch.Tensor, but got {type(mask).__name__}.")
    expected = (1, *like.shape[-2:])
    if mask.dim() != 4 or mask.shape[1:] != expected or mask.shape[0] not in (1, like.shape[0]):
        raise ValueError(
            f"Argument `mask` must have shape (N or 1, 1, H, W) for images of shape {tuple(like.shape)}, but got "
            f"{tuple(mask.shape)}."
        )
    if mask.dtype != torch.bool and not mask.is_floating_point():
        raise TypeError(
            f"Argument `mask` must be bool, or floating point in [0, 1], but got {mask.dtype}; of bytes in "
            "[0, 255] pass mask.float() / 255."
        )
    mask = mask.to(like.device, like.dtype)
    if values:
        if not bool(((mask >= 0) & (mask <= 1)).all()):
            raise ValueError("Argument `mask` must lie in [0, 1], but holds other values.")
        if not bool((mask > 0).flatten(1).any(1).all()):
            raise ValueError(
                "Argument `mask` must leave something of every picture, but is 0 everywhere in one."
            )
    return mask


def warn_once(key: str, message: str) -> None:
    """Warn the first time `key` comes up in this process, at the line outside this package that called it."""
    if key not in _already_warned:
        _already_warned.add(key)
        warnings.warn(message, UserWarning, stacklevel=_depth_of_caller())


def _depth_of_caller() -> int:
    own = (str(Path(__file__).parent), str(Path(torch.__file__).parent))
    depth = 2
    frame = sys._getframe(depth)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(own):
        frame = frame.f_back
        depth += 1
    return depth


def reading_values_allowed(x: Tensor) -> bool:
    """False while a graph is being captured, where a look at values would break or freeze it."""
    if captured():
        return False
    return not (x.is_cuda and torch.cuda.is_current_stream_capturing())


def _with_batch(x: Tensor) -> Tensor:
    """(1, C, H, W) of (3, H, W), (1, H, W) and (H, W); anything else as it is, for the check to name."""
    if (
        not isinstance(x, Tensor)
        or x.is_nested
        or not (x.dim() == 2 or (x.dim() == 3 and x.shape[0] in (1, 3)))
    ):
        return x
    return x[None] if x.dim() == 3 else x[None, None]


def check_image(x: object, name: str, *, grey: bool = False, empty: bool = False) -> Tensor:
    """Check one batch's type, layout, rank, channels and dtype, and return it.

    Raises:
        TypeError: not a tensor, not a dense or not a floating-point one.
        ValueError: not (N, 3, H, W), or empty where that is not allowed.
    """
    if not isinstance(x, Tensor):
        raise TypeError(
            f"Argument `{name}` must be a float tensor of shape (N, 3, H, W), but got {type(x).__name__}; "
            "read files with invariant_lpips.read_image and arrays with invariant_lpips.im2tensor."
        )
    if x.is_nested or x.layout != torch.strided:
        kind = "a nested tensor" if x.is_nested else x.layout
        raise TypeError(f"Argument `{name}` must be a dense tensor, but got {kind}; call .to_dense() on it.")
    shape = tuple(x.shape)
    if x.dim() != 4:
        hint = "; add the batch dimension with x.unsqueeze(0)" if x.dim() == 3 else ""
        raise ValueError(f"Argument `{name}` must have shape (N, 3, H, W), but got {shape}{hint}.")
    if x.dtype not in DTYPES:
        hint = "for uint8 pictures use x.float() / 127.5 - 1, or with normalize=True x.float() / 255"
        if x.is_complex():
            hint = "take x.real or x.abs() of a complex tensor"
        elif x.is_floating_point():
            hint = "use x.float()"
        raise TypeError(
            f"Argument `{name}` must be float32, float16, bfloat16 or float64, but got {x.dtype}; {hint}."
        )
    if shape[1] != 3 and not (grey and shape[1] == 1):
        hint = ""
        if shape[1] == 1:
            hint = "; construct the metric with repeat_grey=True to repeat grey pictures over three channels"
        elif shape[3] == 3:
            hint = "; if the channels come last, use x.permute(0, 3, 1, 2)"
        raise ValueError(f"Argument `{name}` must have 3 channels, but got shape {shape}{hint}.")
    if shape[0] == 0 and not empty:
        raise ValueError(f"Argument `{name}` must hold at least one image, but got shape {shape}.")
    return x


def check_side(x: Tensor, name: str, minimum: int) -> None:
    """Raise ValueError when height or width is under `minimum` pixels."""
    if min(x.shape[-2:]) < minimum:
        raise ValueError(
            f"Argument `{name}` must be at least {minimum} pixels high and wide for this metric, "
            f"but got {x.shape[-2]}x{x.shape[-1]}; enlarge the image."
        )


def check_same_size(x: tuple[int, int], y: tuple[int, int]) -> None:
    """Raise ValueError when two images differ in height or width."""
    if x != y:
        raise ValueError(
            f"Both images must have the same height and width, but got {x[0]}x{x[1]} and {y[0]}x{y[1]}; "
            "resize or crop one of them (embeddings of head='gap' can be compared across sizes)."
        )


def check_batches(x: int, y: int) -> None:
    """Raise ValueError unless the batch sizes are equal or one of them is 1."""
    if x != y and x != 1 and y != 1:
        raise ValueError(
            "Both batches must hold the same number of images, or one of them a single image, "
            f"but got {x} and {y}."
        )


def check_device(x: Tensor, name: str, device: torch.device) -> None:
    """Raise ValueError when an image isn't where the metric is."""
    if x.device != device:
        raise ValueError(
            f"Argument `{name}` is on {x.device}, but the metric is on {device}; "
            f"move one of them, for example metric.to({str(x.device)!r})."
        )


def check_values(x: Tensor, name: str, *, normalize: bool, as_lpips: bool = False) -> None:
    """Check that values are finite and in range: [-1, 1], or [0, 1] with normalize=True.

    Raises:
        ValueError: NaN or infinity, or values further outside than RANGE_TOLERANCE of the range's width.
    """
    extremes = _extremes(x)
    if extremes is None:
        return
    low, high = extremes
    expected = "[0, 1] (normalize=True)" if normalize else "[-1, 1] (normalize=False)"
    if not (abs(low) < float("inf") and abs(high) < float("inf")):
        raise ValueError(
            f"Argument `{name}` must hold finite values in {expected}, but got NaN or infinity; look for where they "
            "arise, or replace them with torch.nan_to_num."
        )
    bottom = 0.0 if normalize else -1.0
    outside = max(bottom - low, high - 1.0) / (1.0 - bottom)
    if outside > RANGE_TOLERANCE:
        raise ValueError(
            f"Argument `{name}` must hold values in {expected}, but got {low:.4g} to {high:.4g}; "
            f"{_range_remedy(low, high, normalize)}."
        )
    if outside > RANGE_ROUNDING:
        warn_once(
            f"outside {normalize}",
            f"`{name}` has values from {low:.4g} to {high:.4g}, outside {expected}: clamp it, or the "
            "distance is measured on colours no screen shows (this is said once).",
        )
    if not normalize and low >= 0.0 and high > 0.0:
        held = f"`{name}` holds values from {low:.4g} to {high:.4g} and none below 0"
        if as_lpips:
            warn_once(
                "range as lpips",
                f"{held}: if your images are in [0, 1], they are seen brighter and with half their contrast, and the "
                "distance is another than with normalize=True; leave it so to compare with numbers that were published "
                "so (as those of view synthesis often are), and otherwise pass normalize=True (this is said once).",
            )
        else:
            warn_once(
                "range",
                f"{held}: if your images are in [0, 1], pass normalize=True, since [-1, 1] is expected (this is said "
                "once).",
            )


def _extremes(x: Tensor) -> tuple[float, float] | None:
    """Least and greatest value, NaN if there is one; None where the tensor has no values to read."""
    if x.numel() == 0:
        return None
    try:
        low, high = torch.aminmax(x.detach())
        return low.item(), high.item()
    except RuntimeError:  # meta, fake and vmapped tensors
        return None


def _range_remedy(low: float, high: float, normalize: bool) -> str:
    if high > 3.0:
        return "divide 8-bit values by 255" if normalize else "divide 8-bit values by 127.5 and subtract 1"
    if normalize and low < 0:
        return "for images in [-1, 1] leave normalize=False"
    return "clamp the images to the range"
