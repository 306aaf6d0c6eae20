"""Two batches of images through one trunk, to contrasts of what is kept of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TypeVar

import torch
from torch import Tensor

from invariant_lpips.functional import without_autocast
from invariant_lpips.trunks import Summary, Trunk
from invariant_lpips.trunks.frozen_layers import captured

T = TypeVar("T")

Summarise = Callable[[str, Tensor], Summary]
Contrast = Callable[[str, Summary, Summary], Tensor]


def summarise(
    trunk: Trunk, x: Tensor, taps: Sequence[str], summary: Summarise, *, checkpointing: bool = False
) -> list[Summary]:
    """What `summary(tap, activation)` keeps of each tap, in full precision; large batches go in parts.

    Args:
        trunk: see :meth:`Trunk.reduce`.
        x: (N, 3, H, W), scaled.
        taps: names in the order of the network.
        summary: called outside autocast; returns tensors whose first dimension is the batch.
        checkpointing: see :meth:`Trunk.reduce`.

    Returns:
        One summary for each tap.
    """
    keep = _outside_autocast(summary, x.device.type)
    batches = [x] if captured() else torch.split(x, trunk.images_at_once(x))
    parts = [trunk.reduce(part, taps, keep, checkpointing=checkpointing) for part in batches]
    joined = [_joined([list(summary) for summary in of_tap]) for of_tap in zip(*parts, strict=True)]
    return [tuple(summary) for summary in joined]


def reduce_pair(
    trunk: Trunk,
    x: Tensor,
    y: Tensor,
    taps: Sequence[str],
    summary: Summarise,
    contrast: Contrast,
    *,
    apart: bool = False,
    checkpointing: bool = False,
) -> list[Tensor]:
    """Run the trunk on two batches and apply `contrast` to their summaries at each tap.

    Both go through in one pass, unless `apart` is set or exactly one of them needs a gradient: then the other runs
    first, without a graph. A large batch goes in parts, and of a pair too large for one pass each image goes alone
    (:meth:`Trunk.images_at_once`). Summaries and contrasts are computed outside autocast, in full precision.
    Where the two images are equal the contrast is exactly 0: what rounding may leave between two runs of one
    picture is taken off its value and not off its derivatives.

    Args:
        trunk: see :meth:`Trunk.reduce`.
        x, y: (N, 3, H, W) and (M, 3, H, W), scaled; N = M, or one of them 1.
        taps: names in the order of the network.
        summary: what to keep of (tap, activation): tensors whose first dimension is the batch.
        contrast: what to return for (tap, summary of x, summary of y), batch first.
        apart: run the batches one after the other, whole, and leave their order in memory, so that every kernel is
            called as by a caller who runs the trunk on each, and rounds alike.
        checkpointing: see :meth:`Trunk.reduce`. Without effect where both images need a gradient and run one after
            the other: a contrast that is made again would lose the gradient of the side it doesn't run.

    Returns:
        One contrast for each tap.
    """
    keep = _outside_autocast(summary, x.device.type)
    grad = torch.is_grad_enabled()
    one_sided = grad and x.requires_grad != y.requires_grad and not trunk.tuned
    x_frozen = y.requires_grad and not x.requires_grad
    whole = apart or captured()
    at_once = 0 if whole else trunk.images_at_once(x)

    def compare(tap: str, sx: Summary, sy: Summary, equal: Tensor) -> Tensor:
        # The image that is held may need a gradient where the batch it meets runs without. Graphs have no parts.
        with without_autocast(x.device.type), nullcontext() if whole else torch.set_grad_enabled(grad):
            result = contrast(tap, sx, sy)
            remainder = result.detach().masked_fill(~equal.view(-1, *[1] * (result.dim() - 1)), 0)
            return result - remainder

    def together(x: Tensor, y: Tensor, equal: Tensor) -> list[Tensor]:
        n = x.shape[0]

        def split(tap: str, features: Tensor) -> Tensor:
            kept = keep(tap, features)
            return compare(tap, tuple(part[:n] for part in kept), tuple(part[n:] for part in kept), equal)

        return trunk.reduce(torch.cat([x, y]), taps, split, checkpointing=checkpointing)

    def run(side: Tensor, reducer: Callable[[str, Tensor], T]) -> list[T]:
        with torch.set_grad_enabled(grad and (side.requires_grad or not one_sided)):
            return trunk.reduce(
                side, taps, reducer, keep_order=apart, checkpointing=checkpointing and one_sided
            )

    def in_turn(x: Tensor, y: Tensor, equal: Tensor, x_held: bool = x_frozen) -> list[Tensor]:
        first, second = (x, y) if x_held else (y, x)
        held = dict(zip(taps, run(first, keep), strict=True))
        parts = []
        for part, same in (
            [(second, equal)]
            if whole
            else zip(torch.split(second, step), torch.split(equal, step), strict=True)
        ):

            def against_held(tap: str, features: Tensor, same: Tensor = same) -> Tensor:
                kept = keep(tap, features)
                return compare(tap, held[tap], kept, same) if x_held else compare(tap, kept, held[tap], same)

            parts.append(run(part, against_held))
        return _joined(parts)

    # The cheapest of many ways to ask: comparing first and counting after takes four times as long.
    equal = (x.detach() - y.detach()).abs().flatten(1).amax(1) == 0
    # CPU kernels for float64 round by where a picture lies in memory, so that two equal pictures in one
    # batch may differ in the last bit; in two batches they lie alike.
    if apart or one_sided or at_once == 1 or (x.device.type == "cpu" and x.dtype == torch.float64):
        step, one_pass = at_once, False
    else:
        step, one_pass = max(1, at_once // 2), True
    pair: Callable[[Tensor, Tensor, Tensor], list[Tensor]] = together if one_pass else in_turn
    if whole or max(x.shape[0], y.shape[0]) <= step:
        return pair(x, y, equal)
    if x.shape[0] != y.shape[0]:  # one image meets a batch: it is held
        return in_turn(x, y, equal, x_held=x.shape[0] == 1)
    return _joined(
        [pair(*part) for part in zip(*(torch.split(side, step) for side in (x, y, equal)), strict=True)]
    )


def _outside_autocast(summary: Summarise, device: str) -> Summarise:
    def keep(tap: str, features: Tensor) -> Summary:
        with without_autocast(device):
            return summary(tap, features)

    return keep


def _joined(parts: Sequence[list[Tensor]]) -> list[Tensor]:
    """The taps' results of several parts of a batch, as of one."""
    return parts[0] if len(parts) == 1 else [torch.cat(of_tap) for of_tap in zip(*parts, strict=True)]
