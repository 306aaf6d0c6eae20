"""The mathematics of the metrics as pure functions on tensors.

Everything here is an island of full precision: float16 and bfloat16 arguments are raised to float32
(512 float16 channels of value 20 already overflow a float16 sum of squares), float32 and float64 stay
as they are. Every root is safe: at 0 its value is 0 and its gradient is 0, never NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.autograd.forward_ad import unpack_dual

#: Below this value the slope of :func:`safe_sqrt` stops growing: it is at most 1 / (2 * ROOT_FLOOR).
ROOT_FLOOR = 1e-8


def full_precision(x: Tensor) -> Tensor:
    """Raise float16 and bfloat16 to float32; leave float32 and float64 alone.

    Example:
        >>> full_precision(torch.zeros(1, dtype=torch.float16)).dtype
        torch.float32
    """
    return x.to(at_least_float32(x.dtype))


def at_least_float32(dtype: torch.dtype) -> torch.dtype:
    """float32 for float16 and bfloat16, float32 and float64 for themselves.

    Example:
        >>> at_least_float32(torch.bfloat16)
        torch.float32
    """
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


def in_float64(x: Tensor) -> Tensor:
    """x in float64, or as it is on a device that has none, such as Apple's GPUs.

    Example:
        >>> in_float64(torch.zeros(1)).dtype
        torch.float64
    """
    if x.device.type == "mps":
        return x
    if captured():
        return x.double()
    try:
        return x.double()
    except (TypeError, RuntimeError):
        return x


def not_below_float32(fn: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """What a module's `_apply` does to its tensors (`.half()`, `.to("cuda")`), but never below float32.

    Example:
        >>> not_below_float32(lambda x: x.half())(torch.zeros(1)).dtype
        torch.float32
    """

    def moved(x: Tensor) -> Tensor:
        result = fn(x)
        wanted = at_least_float32(result.dtype)
        return result if result.dtype == wanted else x.to(result.device, wanted)

    return moved


def without_autocast(device_type: str) -> AbstractContextManager[object]:
    """A region in which autocast leaves precisions alone; nothing on devices that have no autocast."""
    return nullcontext() if device_type == "meta" else torch.autocast(device_type, enabled=False)


def captured() -> bool:
    """A graph is being captured, in which the batch's size may be left open."""
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return torch.compiler.is_compiling() or tracing


def transformed(*tensors: Tensor) -> bool:
    """A tangent is carried forward with one of these, or a transform of torch.func (grad, jvp, vmap ...) is at work.

    Neither shows in `requires_grad`.

    Example:
        >>> from torch.autograd import forward_ad
        >>> with forward_ad.dual_level():
        ...     transformed(forward_ad.make_dual(torch.zeros(1), torch.ones(1))), transformed(torch.zeros(1))
        (True, False)
    """
    if captured():  # what is captured is transformed later, if at all
        return False
    active: bool = torch._C._are_functorch_transforms_active()
    return active or any(unpack_dual(tensor).tangent is not None for tensor in tensors)  # type: ignore[no-untyped-call]


def overwritable(*tensors: Tensor) -> bool:
    """What is made of these may be written where they lie: no derivative and no transform reads them again.

    A captured graph may be differentiated by whoever runs it, so there nothing is written over.

    Example:
        >>> overwritable(torch.zeros(1)), overwritable(torch.zeros(1), torch.zeros(1, requires_grad=True))
        (True, False)
    """
    graph = any(tensor.requires_grad for tensor in tensors)
    return not (graph or captured() or transformed(*tensors))


def eager_on_cpu(x: Tensor, *constants: Tensor) -> bool:
    """An operation on x and constants is run as it is written, in float32 on a CPU: another way to its result serves.

    It does not ask whether a gradient of x is wanted: of two equal pictures one may be read with a graph and one
    without, and both must give the same numbers.

    Example:
        >>> eager_on_cpu(torch.zeros(1, requires_grad=True)), eager_on_cpu(torch.zeros(1, dtype=torch.float64))
        (True, False)
    """
    return (
        not (captured() or transformed(x, *constants))
        and type(x) is Tensor
        and x.device.type == "cpu"
        and all(tensor.dtype == torch.float32 for tensor in (x, *constants))
        and not any(constant.requires_grad for constant in constants)
        and not torch.is_autocast_enabled("cpu")
    )


def safe_sqrt(x: Tensor, floor: float = ROOT_FLOOR) -> Tensor:
    """Square root whose gradient is finite everywhere and 0 at 0.

    The value is exactly ``sqrt(x)``. The gradient is ``1 / (2 * max(sqrt(x), floor))`` for x > 0 and 0 at
    x = 0, so that identical images give a zero gradient where the textbook root gives NaN.

    Args:
        x: any shape, float, >= 0.
        floor: the root below which the slope is held constant.

    Returns:
        A tensor of x's shape and dtype (float16 and bfloat16 come back as float32).

    Example:
        >>> x = torch.tensor([0.0, 4.0], requires_grad=True)
        >>> safe_sqrt(x).sum().backward()
        >>> x.grad
        tensor([0.0000, 0.2500])
    """
    x = full_precision(x)
    # torch.jit.trace checks a trace against one that it makes without gradients: both take the same way.
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    if not (torch.is_grad_enabled() or tracing or transformed(x)):
        return x.sqrt()
    steep = x < floor * floor
    ordinary = torch.where(steep, torch.ones_like(x), x).sqrt()
    # x - x.detach() is exactly 0: it carries the gradient and leaves the value alone.
    held = x.detach().sqrt() + (x - x.detach()) * (x.detach() > 0) / (2 * floor)
    return torch.where(steep, held, ordinary)


def unit_normalize(features: Tensor, eps: float = 1e-10) -> Tensor:
    """Divide every position's channel vector by its length plus eps (Zhang et al. 2018, section 3).

    Args:
        features: (N, C, H, W), float.
        eps: added to the length, so that a dead position stays 0.

    Returns:
        (N, C, H, W), at least float32, each position of length 1 or (where all channels are 0) 0.

    Example:
        >>> unit_normalize(torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)).flatten()
        tensor([0.6000, 0.8000])
    """
    features = full_precision(features)
    return features / channel_length(features, eps)


def channel_length(features: Tensor, eps: float = 1e-10) -> Tensor:
    """Length of every position's channel vector, plus eps: (N, C, H, W) -> (N, 1, H, W).

    Example:
        >>> channel_length(torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)).item()
        5.0
    """
    # The floor is a root that float32 squares can just resolve: below it there is no direction to follow.
    return nan_for_overflow(safe_sqrt(features.square().sum(dim=1, keepdim=True), floor=1e-12)) + eps


def nan_for_overflow(length: Tensor) -> Tensor:
    """A length, NaN where its square overflowed: dividing by infinity would make any two images equal.

    Example:
        >>> nan_for_overflow(torch.tensor([1.0, float("inf")]))
        tensor([1., nan])
    """
    return length.masked_fill(length.isinf(), torch.nan)


def normalize_tensor(in_feat: Tensor, eps: float = 1e-10) -> Tensor:
    """`lpips.normalize_tensor`: :func:`unit_normalize` under the name lpips users know."""
    return unit_normalize(in_feat, eps)


def spatial_average(in_tens: Tensor, keepdim: bool = True) -> Tensor:
    """`lpips.spatial_average`: mean over height and width of (N, C, H, W).

    Example:
        >>> spatial_average(torch.arange(4.0).view(1, 1, 2, 2)).shape
        torch.Size([1, 1, 1, 1])
    """
    return in_tens.mean([2, 3], keepdim=keepdim)


def upsample(in_tens: Tensor, out_HW: tuple[int, int] = (64, 64)) -> Tensor:
    """`lpips.upsample`: bilinear resize of (N, C, H, W) to out_HW, corners not aligned.

    Example:
        >>> upsample(torch.zeros(1, 1, 4, 4), (8, 6)).shape
        torch.Size([1, 1, 8, 6])
    """
    return torch.nn.functional.interpolate(in_tens, size=tuple(out_HW), mode="bilinear", align_corners=False)


def overlap_matrix(cells: int, pixels: int, like: Tensor) -> Tensor:
    """Weights that spread `cells` equal intervals over `pixels` equal intervals of the same line.

    Entry (p, i) is the part of pixel p that cell i covers, so every row sums to 1 and every column to
    pixels / cells: each source cell receives the same total weight and the mean of a map is preserved
    exactly (``interpolate(mode="area")`` shifts it by 1-2 % at ratios that are not whole).

    Returns:
        (pixels, cells), dtype and device of `like`.

    Example:
        >>> overlap_matrix(2, 3, torch.zeros(1))
        tensor([[1.0000, 0.0000],
                [0.5000, 0.5000],
                [0.0000, 1.0000]])
    """
    # In units of 1 / (pixels * cells) all borders are whole numbers.
    pixel = torch.arange(pixels, device=like.device).unsqueeze(1) * cells
    cell = torch.arange(cells, device=like.device).unsqueeze(0) * pixels
    overlap = torch.minimum(pixel + cells, cell + pixels) - torch.maximum(pixel, cell)
    return overlap.clamp_min(0).to(like.dtype) / cells


def resize_area(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (N, C, h, w) to (N, C, H, W) with exact fractional overlaps; the mean of each map is kept.

    Example:
        >>> m = torch.rand(1, 1, 3, 5, dtype=torch.float64)
        >>> bool((resize_area(m, (97, 131)).mean() - m.mean()).abs() < 1e-12)
        True
    """
    maps = full_precision(maps)
    rows = overlap_matrix(maps.shape[-2], size[0], maps)
    columns = overlap_matrix(maps.shape[-1], size[1], maps)
    return rows @ maps @ columns.mT


def squared_distance(a: Tensor, b: Tensor) -> Tensor:
    """Sum of squared differences over all dimensions but the first: (N, ...) x (N, ...) -> (N,)."""
    return (full_precision(a) - full_precision(b)).square().flatten(1).sum(1)


#: Columns whose squares cdist may add up: it does so one after the other, in the precision of its arguments.
COLUMNS_AT_ONCE = 2048


def euclidean_distances(x: Tensor, y: Tensor) -> Tensor:
    """Distances between the rows of (N, C) and (M, C), from differences: (N, M), exactly 0 for equal rows.

    Long rows go in parts: cdist alone is 1.4e-4 off for the 622,592 columns that `regional` has at 512 pixels.

    Example:
        >>> euclidean_distances(torch.zeros(2, 10_000), torch.ones(1, 10_000))
        tensor([[100.],
                [100.]])
    """
    parts = [
        torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
        for a, b in zip(torch.split(x, COLUMNS_AT_ONCE, 1), torch.split(y, COLUMNS_AT_ONCE, 1), strict=True)
    ]
    if len(parts) == 1:
        return parts[0]
    total = parts[0].square()
    for part in parts[1:]:  # a sum over a new dimension would round by place, and d(x, y) differ from d(y, x)
        total = total + part.square()
    return safe_sqrt(total)


def gap_distance(gx: Tensor, gy: Tensor, weight: Tensor) -> Tensor:
    """The GAP distance of arXiv:2604.27870: root mean square of weighted differences of channel means.

    d = sqrt(mean_c (w_c (g_c(x) - g_c(y)))^2)

    Args:
        gx, gy: (N, C) global averages of the trunk's channels.
        weight: (C,) linear weights w.

    Returns:
        (N,) distances, at least float32.

    Example:
        >>> gap_distance(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 0.0]]), torch.ones(2))
        tensor([1.4142])
    """
    difference = (full_precision(gx) - full_precision(gy)) * full_precision(weight)
    return safe_sqrt(difference.square().mean(dim=1))


def lpips_layer(fx: Tensor, fy: Tensor, weight: Tensor, eps: float = 1e-10) -> Tensor:
    """One layer of LPIPS before its spatial mean (Zhang et al. 2018, equation 1).

    Args:
        fx, fy: (N, C, H, W) activations of the two images.
        weight: (C,) linear weights, already applied to the square (w_c of the 1x1 convolution).
        eps: see :func:`unit_normalize`.

    Returns:
        (N, 1, H, W): sum over channels of w_c (fx_c/|fx| - fy_c/|fy|)^2.

    Example:
        >>> a, b = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1), torch.tensor([0.0, 1.0]).view(1, 2, 1, 1)
        >>> lpips_layer(a, b, torch.ones(2)).item()
        2.0
    """
    difference = unit_difference(fx, fy, eps)
    weight = full_precision(weight).view(1, -1, 1, 1)
    if not overwritable(difference, weight):
        return (difference.square() * weight).sum(dim=1, keepdim=True)
    # These maps are the largest tensors of LPIPS: without a graph they are reused.
    return difference.square_().mul_(weight).sum(dim=1, keepdim=True)


def unit_difference(fx: Tensor, fy: Tensor, eps: float = 1e-10) -> Tensor:
    """fx / (|fx| + eps) - fy / (|fy| + eps) over the channels of (N, C, H, W), with one copy fewer.

    Example:
        >>> unit_difference(torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)).item()
        1.0
    """
    fx, fy = full_precision(fx), full_precision(fy)
    lx, ly = channel_length(fx, eps), channel_length(fy, eps)
    return torch.addcdiv(fx / lx, fy, ly, value=-1)
