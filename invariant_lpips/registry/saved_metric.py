"""The form of a saved metric: what its `config.json` may say.

`model.safetensors` holds the linear weights (tensor `weight`) and, where it is not the bundled one, the trunk
under torchvision's names; a bundled trunk is named, with its hash. Everything is stored and loaded in float32.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from itertools import product

from invariant_lpips.files.reading import shown
from invariant_lpips.heads import HEADS
from invariant_lpips.registry import saved
from invariant_lpips.registry.download import Access
from invariant_lpips.registry.entries import ENTRIES, linear_name
from invariant_lpips.registry.finding import weights_path
from invariant_lpips.registry.saved import SavedModel
from invariant_lpips.trunks import ARCHITECTURES
from invariant_lpips.trunks.pooling import PADDINGS, POOLINGS

FORMAT = "invariant-lpips metric 1"

# field -> the type it must have; a config holds exactly these.
_TYPES: dict[str, type] = {
    "format": str,
    "version": str,
    "net": str,
    "head": str,
    "pooling": str,
    "padding": str,
    "spatial": bool,
    "normalize": bool,
    "repeat_grey": bool,
    "weights": str,
    "trunk": dict,
    "sha256": str,
}

# What a metric that measures motion adds.
_OF_MOTION: dict[str, type] = {"motion": str, "pixels_per_degree": float}

# field -> the names it may have: this package's tables as they stand when a config is read, with what was added to
# them at run time. So a config can name no file and no code.
_CHOICES: dict[str, Collection[str]] = {
    "net": ARCHITECTURES,
    "head": HEADS,
    "pooling": POOLINGS,
    "padding": PADDINGS,
    "weights": ENTRIES,
}

#: What a saved metric's linear weights are called where no entry of the registry holds them.
_UNREGISTERED = ("own", "unit")


def read(name_or_path: str | os.PathLike[str], access: Access) -> SavedModel:
    """A saved metric of a folder or of the Hub, with its config checked.

    Raises:
        OSError: no such folder or repository, no permission, no connection.
        ValueError: files that are not a saved metric, or not the ones that were saved.
    """
    found = saved.read(saved.locate(name_or_path, access))
    types = _TYPES | _OF_MOTION if "motion" in found.config else _TYPES
    saved.check_fields(found.config, FORMAT, types, found.source)
    for field, table in _CHOICES.items():
        choices = (*_UNREGISTERED, *table) if field == "weights" else tuple(table)
        if found.config[field] not in choices:
            raise ValueError(
                f"{found.source}: {field!r} must be one of {', '.join(choices)}, but is {shown(found.config[field])}."
            )
    return found


def bundled(name_or_path: str | os.PathLike[str], access: Access) -> tuple[str, str, str] | None:
    """(net, head, pooling) of the metric whose linear weights are registered under a name; None for any other.

    Example:
        >>> bundled("vgg16-regional-blur", Access())
        ('vgg16', 'regional', 'blur')
    """
    name = os.fspath(name_or_path)
    net = name.partition("-")[0]
    for head, pooling in product(HEADS, POOLINGS):
        if name in ENTRIES and name == linear_name(net, head, pooling):
            weights_path(name, access=access)
            return net, head, pooling
    return None
