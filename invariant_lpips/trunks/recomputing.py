"""Activation checkpointing: a run of frozen layers that keeps its input, and is run again when a gradient is asked for.

`torch.utils.checkpoint` doesn't serve here. Its non-reentrant form keeps, while it runs again, everything that the
layers would keep, and :mod:`invariant_lpips.trunks.frozen_layers` keeps a quarter of that; its reentrant form refuses
`torch.autograd.grad`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

T = TypeVar("T")

#: From a map to what is kept of it on the way, each a tensor or a tuple of tensors, and to the last map.
Run = Callable[[Tensor], tuple[list[T], Tensor]]


def recomputed(run: Run[T], x: Tensor) -> tuple[list[T], Tensor]:
    """`run(x)`, of which the graph keeps `x` alone; gradients are those of `run(x)`, and flow to `x` only.

    A second derivative raises RuntimeError.

    Example:
        >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> (total,), squares = recomputed(lambda x: ([x.square().sum()], x.square()), x)
        >>> torch.autograd.grad(total + squares.sum(), x)[0]
        tensor([4., 8.])
    """
    lengths: list[int | None] = []

    def flat(x: Tensor) -> tuple[Tensor, ...]:
        results, last = run(x)
        lengths[:] = [len(result) if isinstance(result, tuple) else None for result in results]
        parts: list[tuple[Any, ...]] = [
            result if isinstance(result, tuple) else (result,) for result in results
        ]
        return (*(tensor for part in parts for tensor in part), last)

    *tensors, last = _Recomputed.apply(flat, x)
    return _regrouped(tensors, lengths), last


def _regrouped(tensors: Sequence[Tensor], lengths: Sequence[int | None]) -> list[Any]:
    results: list[Any] = []
    start = 0
    for length in lengths:
        results.append(tensors[start] if length is None else tuple(tensors[start : start + length]))
        start += length or 1
    return results


class _Recomputed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, run: Callable[[Tensor], tuple[Tensor, ...]], x: Tensor) -> tuple[Tensor, ...]:
        device = x.device.type
        ctx.run = run
        ctx.autocast = {
            "device_type": device,
            "dtype": torch.get_autocast_dtype(device),
            "enabled": torch.is_autocast_enabled(device),
        }
        ctx.save_for_backward(x)
        ctx.set_materialize_grads(False)
        return run(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[None, Tensor]:
        (x,) = ctx.saved_tensors
        again = x.detach().requires_grad_()
        with torch.enable_grad(), torch.autocast(**ctx.autocast):
            found = ctx.run(again)
        asked = [
            (tensor, gradient)
            for tensor, gradient in zip(found, gradients, strict=True)
            if gradient is not None and tensor.requires_grad
        ]
        del found
        outputs, grads = zip(*asked, strict=True)
        del asked
        (gradient,) = torch.autograd.grad(outputs, again, grads)
        return None, gradient
