"""What a paper should cite of a network: the name and hash of the parameters it holds at this moment."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from invariant_lpips.registry import ENTRIES, load_weights, local_path, tensors_hash, weights_hash


def cite_parameters(name: str, held: Mapping[str, Tensor]) -> str:
    """`name [hash]` where `held` are the registered parameters of that name, else `own parameters [hash]`.

    A state dict loaded later, or a step of an optimiser, would make a name noted at construction a lie; so
    the numbers themselves are compared (at the precision in which they are held). Nothing is downloaded.

    Args:
        name: a registered name or a path, as :func:`invariant_lpips.registry.load_weights` takes it.
        held: the tensors as the module has them, under the names of the file.

    Example:
        >>> linear = load_weights("lpips-alex-v0.1")
        >>> cite_parameters("lpips-alex-v0.1", linear)
        'lpips-alex-v0.1 [b2eb412ca050]'
        >>> cite_parameters("lpips-alex-v0.0", linear)
        'own parameters [b2eb412ca050]'
    """
    registered = _registered(name)
    if registered.keys() == held.keys() and all(
        torch.equal(value.detach().cpu(), registered[key].to(value.dtype)) for key, value in held.items()
    ):
        return f"{name} [{weights_hash(name)}]"
    return f"own parameters [{tensors_hash({key: value.detach() for key, value in held.items()})}]"


def _registered(name: str) -> dict[str, Tensor]:
    # A description must not fail because a file was moved, and must not fetch one.
    try:
        return load_weights(name) if name not in ENTRIES or local_path(name) is not None else {}
    except (ValueError, OSError):
        return {}
