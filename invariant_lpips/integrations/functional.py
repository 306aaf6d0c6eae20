"""The metrics as functions of two batches, with torchmetrics' names, arguments and errors.

    from invariant_lpips.integrations.functional import invariant_lpips

    loss = invariant_lpips(prediction, target, normalize=True)         # images in [0, 1]

A function has to find its network. torchmetrics builds one at each call; here it is built once for each
configuration, device and dtype, and the last four are kept. No torchmetrics is needed.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from invariant_lpips.inputs import check_image
from invariant_lpips.metric import InvariantLPIPS
from invariant_lpips.stock import LPIPS

NET_TYPES = ("vgg", "alex", "squeeze")
INVARIANT_NET_TYPES = (*NET_TYPES, "pixels")
REDUCTIONS = ("mean", "sum", "none", None)


def invariant_lpips(
    img1: Tensor,
    img2: Tensor,
    net_type: Any = "vgg",
    head: str = "default",
    reduction: str | None = "mean",
    normalize: bool = False,
    *,
    pooling: str | None = None,
    padding: str | None = None,
    weights: str | Path | None = None,
    motion: str | None = None,
    pixels_per_degree: float | None = None,
    net: Any = None,
) -> Tensor:
    """:class:`invariant_lpips.InvariantLPIPS` of two batches (N, 3, H, W).

    The network follows device and dtype of `img1` and is kept for the next call (at most four are). Arguments are those
    of :class:`invariant_lpips.integrations.torchmetrics.InvariantLPIPSMetric`.

    Returns:
        () for `mean` and `sum`, (N,) for `none`; at least float32, differentiable.

    Example:
        >>> x = torch.linspace(-1, 1, 2 * 3 * 64 * 64).view(2, 3, 64, 64)
        >>> invariant_lpips(x, x, "alex", "gap", weights="unit", reduction="none")
        tensor([0., 0.])
    """
    net_type = one_net(net_type, net)
    check_arguments(reduction, normalize, net_type, INVARIANT_NET_TYPES)
    where = _place(img1)
    return _reduce(
        scores(
            _invariant(
                *(*where, net_type, head, pooling, padding, weights),
                motion=motion,
                pixels_per_degree=pixels_per_degree,
            ),
            img1,
            img2,
            normalize,
        ),
        reduction,
    )


def learned_perceptual_image_patch_similarity(
    img1: Tensor,
    img2: Tensor,
    net_type: str = "alex",
    reduction: str | None = "mean",
    normalize: bool = False,
) -> Tensor:
    """Stock LPIPS of two batches (N, 3, H, W), the drop-in for torchmetrics' function of this name.

    The network follows device and dtype of `img1` and is kept for the next call (at most four are).

    Returns:
        () for `mean` and `sum`, (N,) for `none`; at least float32, differentiable.

    Example:
        >>> x = torch.linspace(-1, 1, 2 * 3 * 64 * 64).view(2, 3, 64, 64)
        >>> learned_perceptual_image_patch_similarity(x, x)
        tensor(0.)
    """
    check_arguments(reduction, normalize, net_type)
    return _reduce(scores(_stock(*_place(img1), net_type), img1, img2, normalize), reduction)


def clear_cached_networks() -> None:
    """Forget the networks that the functions keep, and with them their memory on the device."""
    _invariant.cache_clear()
    _stock.cache_clear()


@functools.lru_cache(maxsize=4)
def _invariant(device: torch.device, dtype: torch.dtype, *configuration: Any, **motion: Any) -> nn.Module:
    # Parameters made in a caller's inference mode could take part in no later graph.
    with torch.inference_mode(False):
        return InvariantLPIPS(*configuration, **motion).to(device, dtype)


@functools.lru_cache(maxsize=4)
def _stock(device: torch.device, dtype: torch.dtype, net_type: str) -> nn.Module:
    with torch.inference_mode(False):
        return LPIPS(net=net_type, verbose=False).to(device, dtype)


def _place(img: object) -> tuple[torch.device, torch.dtype]:
    # What is no float tensor is refused by the network's own check, wherever that network lies.
    if isinstance(img, Tensor):
        return img.device, img.dtype if img.is_floating_point() else torch.float32
    return torch.device("cpu"), torch.float32


def scores(net: nn.Module, img1: Tensor, img2: Tensor, normalize: bool) -> Tensor:
    """(N,) distances, or the network's complaint in the words that torchmetrics' users know."""
    try:
        check_image(img1, "in0")  # LPIPS takes more shapes, and torchmetrics does not
        check_image(img2, "in1")
        distances: Tensor = net(img1, img2, normalize=normalize)
    except (TypeError, ValueError) as error:
        reason = str(error).replace("`in0`", "`img1`").replace("`in1`", "`img2`")
        raise ValueError(
            "Expected both input arguments to be normalized tensors with shape [N, 3, H, W] and all values "
            f"in the {'[0, 1]' if normalize else '[-1, 1]'} range. {reason}"
        ) from error
    return distances.flatten()


def _reduce(scores: Tensor, reduction: str | None) -> Tensor:
    if reduction == "mean":
        return scores.mean()
    return scores.sum() if reduction == "sum" else scores


def one_net(net_type: Any, net: Any) -> Any:
    """The network under torchmetrics' name for it or under InvariantLPIPS' own; ValueError where two are named.

    Example:
        >>> one_net("vgg", None), one_net("vgg", "pixels")
        ('vgg', 'pixels')
    """
    if net is None:
        return net_type
    if net_type not in ("vgg", net):
        raise ValueError(
            f"`net_type` and `net` are one argument, but got {net_type} and {net}; leave out one."
        )
    return net


def check_arguments(
    reduction: str | None, normalize: bool, net_type: Any = "vgg", choices: tuple[str, ...] = NET_TYPES
) -> None:
    """Raise ValueError, worded as torchmetrics does, for an argument that is not one of its choices."""
    if isinstance(net_type, str) and net_type not in choices:
        raise ValueError(f"Argument `net_type` must be one of {choices}, but got {net_type}.")
    if reduction not in REDUCTIONS:
        raise ValueError(f"Argument `reduction` must be one of {REDUCTIONS}, but got {reduction}.")
    if not isinstance(normalize, bool):
        raise ValueError(f"Argument `normalize` must be a bool, but got {normalize}.")
