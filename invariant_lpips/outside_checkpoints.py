"""A metric inside a model, and not inside the model's checkpoints: its frozen weights come with the package."""

from __future__ import annotations

from collections.abc import MutableMapping
from itertools import chain
from typing import Any, TypeVar

from torch import nn

M = TypeVar("M", bound=nn.Module)


def keep_out_of_checkpoints(metric: M) -> M:
    """Leave the metric's weights out of `state_dict()`, its own and that of every module that holds it; returns it.

    Loading needs no `strict=False`: the metric keeps the weights it has, also where an older checkpoint holds
    some. Everything else is as before: `.to()`, `.half()`, copies, pickling and `save_pretrained`. While a
    metric is thawed it is in the checkpoint again, and must be thawed to be loaded from there.

    Args:
        metric: `InvariantLPIPS` or `LPIPS`, with frozen weights.

    Raises:
        ValueError: the metric has parameters that are trained, which would be lost.

    Example:
        >>> from invariant_lpips import LPIPS
        >>> model = nn.ModuleDict({"layer": nn.Linear(2, 1), "loss": keep_out_of_checkpoints(LPIPS())})
        >>> list(model.state_dict())
        ['layer.weight', 'layer.bias']
        >>> model.load_state_dict(model.state_dict())
        <All keys matched successfully>
    """
    if _thawed(metric):
        raise ValueError(
            "A metric that is kept out of checkpoints must be frozen, but it has parameters that require "
            "gradients, which no checkpoint would hold; leave it in, or call metric.requires_grad_(False)."
        )
    metric._register_state_dict_hook(_left_out)  # type: ignore[no-untyped-call]
    metric._register_load_state_dict_pre_hook(_kept, with_module=True)  # type: ignore[no-untyped-call]
    return metric


def _left_out(module: nn.Module, state: MutableMapping[str, Any], prefix: str, _: Any) -> None:
    if _thawed(module):
        return  # an optimiser may have changed it
    for key in [key for key in state if key.startswith(prefix)]:
        del state[key]


def _thawed(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())


def _kept(module: nn.Module, state: MutableMapping[str, Any], prefix: str, *_: Any) -> None:
    if _thawed(module):
        return
    for key in [key for key in state if key.startswith(prefix)]:
        del state[key]
    own = chain(module.named_parameters(remove_duplicate=False), module.named_buffers(remove_duplicate=False))
    state.update({prefix + name: value.detach() for name, value in own})
