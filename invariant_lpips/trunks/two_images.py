"""Two batches of images through one trunk, to contrasts of what is kept of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TypeVar

import torch
from torch import Tensor

from invariant_lpips.functional import captured, without_autocast
from invariant_lpips.trunks import Summary, Trunk

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
    graph = torch.is_grad_enabled()
    # Where one side alone needs a gradient, the other is read first, without a graph, and held.
    held_first = "x" if y.requires_grad and not x.requires_grad else "y"
    one_sided = graph and x.requires_grad != y.requires_grad and not trunk.tuned
    whole = apart or captured()  # a captured graph has no parts, and may leave the batch's size open
    at_once = 1 if whole else trunk.images_at_once(x)
    # CPU kernels for float64 round by where a picture lies in memory, so that two equal pictures in one
    # batch may differ in the last bit; in two batches they lie alike.
    exact = x.device.type == "cpu" and x.dtype == torch.float64
    one_pass = not (apart or one_sided or exact) and (whole or at_once > 1)
    step = max(1, at_once // 2) if one_pass else at_once

    def parts(batch: Tensor) -> Sequence[Tensor]:
        return [batch] if whole else torch.split(batch, step)

    def contrasted(tap: str, sx: Summary, sy: Summary, equal: Tensor) -> Tensor:
        # The image that is held may need a gradient where the batch it meets runs without.
        with without_autocast(x.device.type), nullcontext() if whole else torch.set_grad_enabled(graph):
            result = contrast(tap, sx, sy)
            remainder = result.detach().masked_fill(~equal.view(-1, *[1] * (result.dim() - 1)), 0)
            return result - remainder

    def together(x: Tensor, y: Tensor, equal: Tensor) -> list[Tensor]:
        n = x.shape[0]

        def halves(tap: str, features: Tensor) -> Tensor:
            kept = keep(tap, features)
            return contrasted(tap, tuple(part[:n] for part in kept), tuple(part[n:] for part in kept), equal)

        return trunk.reduce(torch.cat([x, y]), taps, halves, checkpointing=checkpointing)

    def alone(side: Tensor, reducer: Callable[[str, Tensor], T]) -> list[T]:
        with torch.set_grad_enabled(graph and (side.requires_grad or not one_sided)):
            return trunk.reduce(
                side, taps, reducer, keep_order=apart, checkpointing=checkpointing and one_sided
            )

    def in_turn(x: Tensor, y: Tensor, equal: Tensor, first: str = held_first) -> list[Tensor]:
        held = dict(zip(taps, alone(x if first == "x" else y, keep), strict=True))
        found = []
        for part, same in zip(parts(y if first == "x" else x), parts(equal), strict=True):

            def against_held(tap: str, features: Tensor, same: Tensor = same) -> Tensor:
                kept = keep(tap, features)
                sx, sy = (held[tap], kept) if first == "x" else (kept, held[tap])
                return contrasted(tap, sx, sy, same)

            found.append(alone(part, against_held))
        return _joined(found)

    # The cheapest of many ways to ask: comparing first and counting after takes four times as long.
    equal = (x.detach() - y.detach()).abs().flatten(1).amax(1) == 0
    pair = together if one_pass else in_turn
    if whole or max(x.shape[0], y.shape[0]) <= step:
        return pair(x, y, equal)
    if x.shape[0] != y.shape[0]:  # one image meets a batch: it is held
        return in_turn(x, y, equal, first="x" if x.shape[0] == 1 else "y")
    return _joined([pair(*part) for part in zip(parts(x), parts(y), parts(equal), strict=True)])


def _outside_autocast(summary: Summarise, device: str) -> Summarise:
    def keep(tap: str, features: Tensor) -> Summary:
        with without_autocast(device):
            return summary(tap, features)

    return keep


def _joined(parts: Sequence[list[Tensor]]) -> list[Tensor]:
    """The taps' results of several parts of a batch, as of one."""
    return parts[0] if len(parts) == 1 else [torch.cat(of_tap) for of_tap in zip(*parts, strict=True)]
