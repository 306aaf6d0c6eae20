"""Weights that stay what they were when a metric was made.

A metric inside a model is reached by every loop over the model: initialisers, `reset_parameters`, optimisers, averages
of weights. Each of them would change distances without a word. A frozen module is out of their reach, and where it
can't be, it refuses to compute:

* no gradient arrives at its parameters, whatever their `requires_grad` says, so that no optimiser moves them;
* `reset_parameters` leaves them, `apply` puts them back, and `to_empty` takes them along;
* of what was written into them in another way the next forward pass says so. It compares where parameters lie and how
  often they were written, and where that has changed, a few of their numbers.

Parameters and the keys of state dicts are torch's own.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from invariant_lpips.functional import captured, transformed
from invariant_lpips.trunks import winograd

M = TypeVar("M", bound=nn.Module)
F = TypeVar("F", bound="Frozen")

#: How many numbers of each parameter are compared.
SAMPLES = 8
#: The share by which they may have moved: rounding, such as an average of equal weights leaves.
TOLERANCE = 1e-4
#: After so many calls that found the right numbers at a new place, somebody (FSDP) moves them at every call.
MOVES = 8

_DRAWN = ContextVar("_DRAWN", default=True)

CHANGED = (
    "The frozen weights of this metric were changed after it was made (by an initialiser, an optimiser or an average "
    "that goes over all parameters of the model around it), so its distances would be others; make the metric after "
    "that or leave it out, load its weights again with load_state_dict, or, to change them on purpose, call "
    "metric.requires_grad_(True) before."
)
TRAINED = (
    "Parameters of a frozen metric require gradients (a model around it was told to), but no gradient arrives there; "
    "to train them call requires_grad_(True) on the metric itself, or build LPIPS with pnet_tune=True or "
    "eval_mode=False."
)


@dataclass
class Seal:
    """What a module's parameters were when it was frozen."""

    samples: dict[str, list[float]]
    #: Where they lie and how often they were written, one after the other; None where that can't be known.
    state: list[int] | None
    #: Numbers of the first of them, as `state` found them.
    seen: list[float]
    moves: int = 0


class Frozen(nn.Module):
    """A module that can be frozen: see :mod:`invariant_lpips.trunks.frozen_weights`. It is made unfrozen."""

    frozen: bool = False
    _seal: Seal

    def freeze(self) -> None:
        """Hold the parameters as they are now."""
        self.frozen = True
        present = {name: p for name, p in self._parameters.items() if p is not None}
        samples = {name: [] if p.is_meta else _samples(p) for name, p in present.items()}
        self._seal = Seal(samples, self._state(), self._seen())

    def thaw(self) -> None:
        """Let whoever holds the module change it."""
        self.frozen = False

    def held(self, *names: str) -> tuple[Any, ...]:
        """Parameters as the forward pass may use them: while frozen verified, and out of reach for gradients."""
        parameters = tuple(getattr(self, name) for name in names)
        if not self.frozen or captured():
            return parameters
        self._check(look=False)
        # A tensor in a parameter's place was put there to be used: torch.func.functional_call, sharded parameters.
        return tuple(p.detach() if _is_plain(p) else p for p in parameters)

    def verify(self) -> None:
        """Compare a few numbers, since writes through `.data` leave no other trace; where numbers can be read.

        Raises:
            RuntimeError: the frozen parameters were changed.
        """
        if self.frozen and not captured():
            self._check(look=not transformed())

    def _check(self, *, look: bool) -> None:
        seal = self._seal
        state = self._state()
        if (
            state is None
            or seal.moves > MOVES
            or (state == seal.state and not (look and self._seen() not in (seal.seen, [])))
        ):
            return
        if not self._intact():
            raise RuntimeError(CHANGED)
        if seal.state is None or state[::2] != seal.state[::2]:
            seal.moves += 1
        seal.state, seal.seen = state, self._seen()

    def _state(self) -> list[int] | None:
        state: list[int] = []
        try:
            for parameter in self._parameters.values():
                if parameter is not None:
                    state += (parameter.data_ptr(), parameter._version)
                    if parameter.requires_grad and _is_plain(parameter):
                        warnings.warn(TRAINED, stacklevel=2)
        except RuntimeError:
            return None  # torch.func's parameters lie nowhere, and those made for inference count no writes
        return state

    def _seen(self) -> list[float]:
        first = next(iter(self._parameters.values()), None)
        if not _is_plain(first) or first is None or first.is_meta or first.device.type != "cpu":
            return []  # elsewhere a look would wait for the device
        size = first.numel()
        try:
            spread = first.detach().as_strided((min(size, SAMPLES),), (max(1, size // SAMPLES),))
            found: list[float] = spread.tolist()
        except RuntimeError:  # fake tensors
            return []
        return found

    def _intact(self) -> bool:
        samples = self._seal.samples
        present = {name for name, parameter in self._parameters.items() if parameter is not None}
        if self._modules or present - samples.keys():  # as a weight norm adds them
            return False
        held = {name: getattr(self, name) for name in samples}
        return all(
            not _is_plain(parameter) or parameter.is_meta or _alike(parameter, samples[name])
            for name, parameter in held.items()
        )

    def requires_grad_(self: F, requires_grad: bool = True) -> F:
        """As of every module; True thaws a frozen one."""
        if requires_grad:
            self.thaw()
        return super().requires_grad_(requires_grad)

    def reset_parameters(self) -> None:
        """Draw the parameters anew, unless they are frozen or :func:`undrawn`."""
        draw = getattr(super(), "reset_parameters", None)
        if draw is not None and not self.frozen and _DRAWN.get():
            draw()

    def apply(self: F, fn: Callable[[nn.Module], None]) -> F:
        """As of every module; what `fn` writes into frozen parameters is taken back."""
        if not self.frozen:
            return super().apply(fn)
        before = [(p, p.detach().clone()) for _, p in self._tensors() if not p.is_meta]
        super().apply(fn)
        for parameter, values in before:
            if parameter.shape == values.shape and not torch.equal(parameter.detach(), values.to(parameter)):
                with torch.no_grad():
                    parameter.copy_(values)
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Frozen:
        # `.to()`, `.half()`, `.to_empty()` and their like reach a module here.
        if not self.frozen:
            return super()._apply(fn, recurse)  # type: ignore[no-any-return, no-untyped-call]
        intact = self._intact()
        before = {name: tensor.detach() for name, tensor in self._tensors() if not tensor.is_meta}
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, tensor in self._tensors():
            old = before.get(name)
            if old is not None and not tensor.is_meta and old.data_ptr() != tensor.data_ptr():
                with torch.no_grad():
                    tensor.copy_(old)  # `to_empty` gave memory and no numbers
        if intact and self._intact() and not any(tensor.is_meta for _, tensor in self._tensors()):
            self.freeze()  # a cast rounds
        return self

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        for name, tensor in chain(self._parameters.items(), self._buffers.items()):
            if tensor is not None and type(tensor) in (nn.Parameter, Tensor):
                yield name, tensor

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        if self.frozen and any(prefix + name in state_dict for name in self._parameters):
            self.freeze()  # loaded on purpose


class Conv2d(Frozen, nn.Conv2d):
    """torch's convolution, which can be frozen."""

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.held("weight", "bias")
        plain = self.stride == self.padding == self.dilation == (1, 1) and self.padding_mode == "zeros"
        if plain and winograd.serves(x, weight, bias):
            return winograd.convolved(x, weight, bias)
        result: Tensor = self._conv_forward(x, weight, bias)
        return result


@contextmanager
def undrawn() -> Iterator[None]:
    """Modules made meanwhile hold whatever was in memory, for whoever loads all of their parameters next: drawing
    VGG-16's at random takes as long as reading them.
    """
    before = _DRAWN.set(False)
    try:
        yield
    finally:
        _DRAWN.reset(before)


def freeze(module: M) -> M:
    """Freeze every part of a module that can be; those that are frozen stay as they were."""
    for part in module.modules():
        if isinstance(part, Frozen) and not part.frozen:
            part.freeze()
    return module


def thaw(module: M) -> M:
    """Let every part of a module be changed."""
    for part in module.modules():
        if isinstance(part, Frozen):
            part.thaw()
    return module


def trained(module: nn.Module) -> bool:
    """Gradients are asked for by parameters at which they arrive."""
    return any(
        parameter is not None and parameter.requires_grad and not (frozen and _is_plain(parameter))
        for part in module.modules()
        for frozen in (isinstance(part, Frozen) and part.frozen,)
        for parameter in part._parameters.values()
    )


@contextmanager
def ordinary_tensors() -> Iterator[None]:
    """Tensors are made as anybody can use them: with numbers under `torch.device("meta")`, which would leave a metric
    without its weights, and with gradients under `torch.inference_mode`.

    Example:
        >>> with torch.device("meta"), ordinary_tensors():
        ...     torch.ones(1)
        tensor([1.])
    """
    with torch.inference_mode(False), torch.device("cpu") if torch.empty(0).is_meta else nullcontext():
        yield


def _is_plain(parameter: object) -> bool:
    return type(parameter) is nn.Parameter


def _samples(tensor: Tensor) -> list[float]:
    flat = tensor.detach().reshape(-1)
    numbers: list[float] = flat[:: max(1, flat.numel() // SAMPLES)][:SAMPLES].float().tolist()
    return numbers


def _alike(tensor: Tensor, samples: list[float]) -> bool:
    """These are the tensor's numbers, up to the rounding of its precision."""
    tolerance = TOLERANCE + 2 * torch.finfo(tensor.dtype).eps
    floor = 1e-2 * max(map(abs, samples), default=0.0)
    found = _samples(tensor)
    return len(found) == len(samples) and all(
        math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance * floor)
        for a, b in zip(found, samples, strict=True)
    )
