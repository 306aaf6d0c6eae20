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

    While a graph is captured the layer runs as it is, and under torch.func's transforms convolutions and pools do.
    """
    if not x.requires_grad or not torch.is_grad_enabled() or x.is_meta or captured():
        return _plain(layer, x)
    if isinstance(layer, nn.ReLU):
        rectified: Tensor = _FrozenReLU.apply(x, layer.inplace)
        return rectified
    pack = _packing(layer, x)
    if pack is None:
        return _plain(layer, x)
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(RuntimeError):  # torch.func's transforms allow no hooks
            stack.enter_context(saved_tensors_hooks(pack, _unpack))
        return _plain(layer, x)


def _plain(layer: nn.Module, x: Tensor) -> Tensor:
    result: Tensor = layer(x)
    return result


class _FrozenReLU(torch.autograd.Function):
    """ReLU that keeps a byte for each place; the gradient of torch's own wants a map of floats."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, inplace: bool) -> Tensor:
        return torch.relu_(x) if inplace else torch.relu(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, bool], output: Tensor) -> None:
        if inputs[1]:
            ctx.mark_dirty(inputs[0])
        silent = output <= 0  # torch lets the gradient through where it is NaN
        ctx.save_for_backward(silent)
        ctx.save_for_forward(silent)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (silent,) = ctx.saved_tensors
        return gradient.masked_fill(silent, 0), None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> Tensor:
        (silent,) = ctx.saved_tensors
        return tangent.masked_fill(silent, 0)


def captured() -> bool:
    """A graph is being captured, in which the batch's size may be left open."""
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return torch.compiler.is_compiling() or tracing


def _packing(layer: nn.Module, x: Tensor) -> Callable[[Tensor], Any] | None:
    if isinstance(layer, nn.Conv2d):
        # Autocast may have copied both: the shape tells the input from the weight, and in doubt both are kept.
        drops, weight = x.shape, layer.weight.shape
        return lambda kept: _geometry(kept) if kept.shape == drops != weight else kept
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
