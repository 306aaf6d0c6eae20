"""Stacks of frames, (N, T, 3, H, W), through a metric of images: one distance for each frame of each video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from invariant_lpips.functional import captured, transformed


class FrameMetric(Protocol):
    """What is asked of a metric; `InvariantLPIPS` and `LPIPS` have it."""

    spatial: bool

    def __call__(self, in0: Tensor, in1: Tensor, *, normalize: Any) -> Any:
        """(n, 3, H, W) twice to n distances; with `mask=` too, where it takes one."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Some may need a gradient."""


def by_frame(
    metric: FrameMetric,
    in0: Tensor,
    in1: Tensor,
    *,
    normalize: bool | None,
    at_once: int,
    mask: Tensor | None = None,
) -> Tensor:
    """What `frames` of both metrics does.

    Frames go through the metric a few at a time. Where a gradient is asked for and there are more, the graph keeps of
    each part its images alone, and the part runs again in the backward pass.

    Args:
        metric: gives one distance an image.
        in0, in1: (N, T, 3, H, W), of which one may hold a single video.
        normalize: as the metric takes it.
        at_once: frames of each video that go through together.
        mask: (N or 1, T, 1, H, W), or (N or 1, 1, H, W) for all frames, of a metric that takes one.

    Returns:
        (N, T).

    Raises:
        TypeError, ValueError: one sentence saying what was expected and what came.
    """
    if metric.spatial:
        raise ValueError(
            "`frames` gives one distance a frame, but this metric was made with spatial=True; use spatial=False, or "
            "`maps` of some frames."
        )
    _check(in0, in1, at_once)
    videos = max(in0.shape[0], in1.shape[0])

    masks = _masks(mask, in0.shape[1], at_once, videos)

    def part(x: Tensor, y: Tensor, shown: Tensor | None) -> Tensor:
        # A single video against many is repeated for these frames only.
        x, y = (side.expand(videos, -1, -1, -1, -1).flatten(0, 1) for side in (x, y))
        if shown is None:
            distances: Tensor = metric(x, y, normalize=normalize)
        else:
            # One mask for all stays one: then pictures go through together.
            if shown.shape[:2] != (1, 1):
                shown = shown.expand(videos, len(x) // videos, -1, -1, -1)
            distances = metric(x, y, normalize=normalize, mask=shown.flatten(0, 1))  # type: ignore[call-arg]
        return distances.view(videos, -1)

    graph = torch.is_grad_enabled() and any(x.requires_grad for x in (in0, in1, *metric.parameters()))
    again = graph and in0.shape[1] > at_once and not (captured() or transformed(in0, in1))
    found = [
        checkpoint(part, x, y, shown, use_reentrant=False) if again else part(x, y, shown)
        for x, y, shown in zip(torch.split(in0, at_once, 1), torch.split(in1, at_once, 1), masks, strict=True)
    ]
    return torch.cat(found, 1)


def _masks(mask: Tensor | None, frames: int, at_once: int, videos: int) -> Sequence[Tensor | None]:
    """The mask of each part, (N or 1, t or 1, 1, H, W); None for none."""
    parts = -(-frames // at_once)
    if mask is None:
        return [None] * parts
    if not isinstance(mask, Tensor):
        raise TypeError(f"Argument `mask` must be a torch.Tensor, but got {type(mask).__name__}.")
    fits = mask.dim() == 4 or (mask.dim() == 5 and mask.shape[1] == frames)
    if not fits or mask.shape[0] not in (1, videos):
        hint = "; of a single video pass mask.unsqueeze(0)" if mask.dim() == 4 else ""
        raise ValueError(
            f"Argument `mask` must have shape (N or 1, T, 1, H, W), or (N or 1, 1, H, W) for all frames, of {videos} "
            f"videos of {frames} frames, but got {tuple(mask.shape)}{hint}."
        )
    return [mask.unsqueeze(1)] * parts if mask.dim() == 4 else torch.split(mask, at_once, 1)


def _check(in0: Tensor, in1: Tensor, at_once: int) -> None:
    for name, x in (("in0", in0), ("in1", in1)):
        if not isinstance(x, Tensor):
            raise TypeError(f"Argument `{name}` must be a torch.Tensor, but got {type(x).__name__}.")
        if x.dim() != 5:
            hint = "; of a single video pass x.unsqueeze(0)" if x.dim() == 4 else ""
            raise ValueError(
                f"Argument `{name}` must have shape (N, T, 3, H, W), but got {tuple(x.shape)}{hint}."
            )
        if 0 in x.shape[:2]:
            raise ValueError(f"Argument `{name}` must hold at least one frame, but got {tuple(x.shape)}.")
    if in0.shape[1] != in1.shape[1]:
        raise ValueError(
            "Both videos must have the same number of frames, but got "
            f"{in0.shape[1]} and {in1.shape[1]}; cut the longer one, as with x[:, :{min(in0.shape[1], in1.shape[1])}]."
        )
    if in0.shape[0] != in1.shape[0] and 1 not in (in0.shape[0], in1.shape[0]):
        raise ValueError(
            "Both batches must hold the same number of videos, or one of them a single one, but got "
            f"{in0.shape[0]} and {in1.shape[0]}."
        )
    if type(at_once) is not int or at_once < 1:
        raise ValueError(f"Argument `at_once` must be a whole number of at least 1, but got {at_once!r}.")
