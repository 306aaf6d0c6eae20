"""The motion between two batches of pictures: the same in both orders, a few pairs at a time."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

from invariant_lpips.functional import full_precision, without_autocast
from invariant_lpips.motion.bands import luma
from invariant_lpips.motion.field import grid_size, with_field
from invariant_lpips.motion.motion import Motion
from invariant_lpips.motion.refining import BASES
from invariant_lpips.motion.sampling import pairs_at_once
from invariant_lpips.motion.whole import SMALLEST, claims

__all__ = ["MODELS", "estimate_motion"]

LOCAL = "local"
#: What may be measured of a motion: `shift`, `similarity`, `affine`, `local`.
MODELS = (*BASES, LOCAL)


P = ParamSpec("P")
R = TypeVar("R")


def outside_compiler(function: Callable[P, R]) -> Callable[P, R]:
    """`torch.compiler.disable`, which loads the compiler, as long as torch itself takes, once something is compiled."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        disable: Any = torch.compiler.disable
        chosen: Callable[P, R] = disable(function) if torch.compiler.is_compiling() else function
        return chosen(*args, **kwargs)

    return call


@outside_compiler
@torch.no_grad()
def estimate_motion(x: Tensor, y: Tensor, model: str = "similarity") -> Motion:
    """The motion that carries each picture of x to its partner in y.

    Args:
        x, y: (N, 3, H, W), floating point, in [-1, 1]; float16 and bfloat16 are raised to float32.
        model: `shift`, `similarity` (shift, turn and zoom), `affine` (shear as well) or `local` (a similarity, and
            what is left of it window by window: see :mod:`invariant_lpips.motion.field`). Shifts to about 15 % of each
            side, turns to 24 degrees and zooms from .82 to 1.22 are found; displacements to 10 pixels beside them.

    Returns:
        The motions, on the device of x (on the CPU where that has no float64), without gradients. None is claimed
        for equal, flat, unrelated or periodic pictures. `estimate_motion(y, x)` is exactly the inverse.

    Raises:
        ValueError: `model` is unknown, or x and y are not batches of colour pictures of one shape.

    Example:
        >>> scene = torch.nn.functional.interpolate(torch.rand(1, 3, 12, 12), (120, 120), mode="bicubic") * 2 - 1
        >>> motion = estimate_motion(scene[..., 10:106, 10:106], scene[..., 7:103, 14:110])
        >>> motion.shift.round().tolist(), motion.found.item()
        ([[-4.0, 3.0]], True)
    """
    if model not in MODELS:
        raise ValueError(f"Argument `model` must be one of {', '.join(MODELS)}, but got {model!r}.")
    if x.shape != y.shape or x.dim() != 4 or x.shape[1] != 3:
        raise ValueError(
            "Arguments `x` and `y` must both have shape (N, 3, H, W), but got "
            f"{tuple(x.shape)} and {tuple(y.shape)}."
        )
    size = (x.shape[-2], x.shape[-1])
    motion = Motion.none(len(x), size)
    grid = grid_size(size) if model == LOCAL else None
    if grid is not None:
        motion = replace(motion, field=torch.zeros(len(x), 2, *grid, dtype=torch.float64))
    with without_autocast(x.device.type):
        x, y = full_precision(x), full_precision(y)
        differ, swapped = order(x, y)
        pairs = differ.nonzero().flatten()
        if len(pairs) and min(size) < SMALLEST:
            motion.confidence[pairs.cpu()] = 0.0
        elif len(pairs):
            for some in torch.split(pairs, pairs_at_once(x)):
                grey = luma(x[some]).float(), luma(y[some]).float()
                turned = swapped[some].view(-1, 1, 1, 1)
                first, second = torch.where(turned, grey[1], grey[0]), torch.where(turned, grey[0], grey[1])
                there = some.cpu()
                sign = torch.where(swapped[some].cpu(), -1.0, 1.0).double().view(-1, 1, 1)
                claimed = claims(first, second, size, "similarity" if model == LOCAL else model)
                if motion.field is not None:
                    claimed, field = with_field(first, second, claimed, size)
                    motion.field[there] = field * sign.unsqueeze(-1)
                motion.generator[there] = claimed.generator * sign
                motion.found[there] = claimed.found
                motion.confidence[there] = claimed.confidence
                motion.overlap[there] = claimed.overlap
    return motion if x.device.type == "mps" else motion.to(x.device)


def order(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """(N,) bool each: which pairs differ at all, and which have the greater value first where they first differ."""
    x, y = x.flatten(1), y.flatten(1)
    other = x != y
    place = other.byte().argmax(1, keepdim=True)
    return other.any(1), (x.gather(1, place) > y.gather(1, place)).squeeze(1)
