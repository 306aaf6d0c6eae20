"""Layers with frozen parameters, run so that their gradient keeps no more than it reads.

Autograd keeps a layer's whole input, since a trained parameter would need it. The gradient of a frozen layer with
respect to its input reads less: of a convolution the input's shape, of a ReLU the places where it is above 0 (a byte
each), of a max pool the places of the maxima (four bytes in place of eight). That is a quarter of the memory of a
trunk, with the same gradients.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from invariant_lpips.functional import captured, transformed

#: Bytes of a mask that are floats at a time: they stay in the processor's cache.
ROWS_OF_FLOATS = 2**21


class _Geometry(NamedTuple):
    """A tensor of which only the geometry is read."""

    size: torch.Size
    stride: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device


class _Places(NamedTuple):
    """Places within a map, which fit 32 bits."""

    places: Tensor


def run_frozen(layer: nn.Module, x: Tensor) -> Tensor:
    """`layer(x)` for a layer without trainable parameters; derivatives of any order are those of `layer(x)`.

    While a graph is captured, with forward-mode derivatives and under torch.func's transforms (which allow no hooks),
    the layer runs as it is.
    """
    if not x.requires_grad or not torch.is_grad_enabled() or x.is_meta or captured() or transformed(x):
        return _plain(layer, x)
    pack = _packing(layer, x)
    if pack is None:
        return _plain(layer, x)
    with saved_tensors_hooks(pack, _unpack):
        if isinstance(layer, nn.ReLU):
            rectified: Tensor = _FrozenReLU.apply(x, layer.inplace)
            return rectified
        return _plain(layer, x)


def _plain(layer: nn.Module, x: Tensor) -> Tensor:
    result: Tensor = layer(x)
    return result


class _FrozenReLU(torch.autograd.Function):
    """ReLU that keeps a byte for each place; the gradient of torch's own wants a map of floats."""

    @staticmethod
    def forward(x: Tensor, inplace: bool) -> Tensor:
        return torch.relu_(x) if inplace else torch.relu(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, bool], output: Tensor) -> None:
        if inputs[1]:
            ctx.mark_dirty(inputs[0])
        ctx.save_for_backward(output > 0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (positive,) = ctx.saved_tensors
        return _where_positive(gradient, positive), None


def _where_positive(gradient: Tensor, positive: Tensor) -> Tensor:
    """The gradient where the mask is set, 0 elsewhere."""
    if gradient.device.type == "cpu" and not torch.is_grad_enabled():
        # `masked_fill` goes one element at a time there. The kernel that doesn't wants floats: a few rows of them.
        with contextlib.suppress(RuntimeError):  # batches of gradients (torch.vmap) have no such kernel
            result = torch.empty_like(gradient)
            rows = max(1, ROWS_OF_FLOATS * gradient.shape[0] * gradient.shape[2] // max(1, gradient.nbytes))
            for image in range(gradient.shape[0]):
                for row in range(0, gradient.shape[2], rows):
                    piece = slice(image, image + 1), slice(None), slice(row, row + rows)
                    torch.ops.aten.threshold_backward.grad_input(
                        gradient[piece], positive[piece].to(gradient.dtype), 0, grad_input=result[piece]
                    )
            return result
    return gradient.masked_fill(~positive, 0)


def _packing(layer: nn.Module, x: Tensor) -> Callable[[Tensor], Any] | None:
    if isinstance(layer, nn.Conv2d):
        # Autocast may have copied both: the shape tells the input from the weight, and in doubt both are kept.
        drops, weight = x.shape, layer.weight.shape
        return lambda kept: _geometry(kept) if kept.shape == drops != weight else kept
    if isinstance(layer, nn.ReLU):  # it keeps what it needs by itself
        return lambda kept: kept
    if isinstance(layer, nn.MaxPool2d):
        return lambda kept: _geometry(kept) if kept.is_floating_point() else _Places(kept.to(torch.int32))
    return None


def _geometry(kept: Tensor) -> _Geometry:
    return _Geometry(kept.size(), kept.stride(), kept.dtype, kept.device)


def _unpack(kept: Any) -> Tensor:
    if isinstance(kept, _Geometry):  # never written, and so on a CPU never more than addresses
        return torch.empty_strided(kept.size, kept.stride, dtype=kept.dtype, device=kept.device)
    if isinstance(kept, _Places):
        return kept.places.long()
    weight: Tensor = kept
    return weight
