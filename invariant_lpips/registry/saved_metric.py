"""`InvariantLPIPS` in a folder or on the Hub: what its `config.json` says, and how it is checked and rebuilt.

`model.safetensors` holds the linear weights (tensor `weight`) and, where it is not the bundled one, the trunk
under torchvision's names; a bundled trunk is named, with its hash. Everything is stored and loaded in float32.
"""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from invariant_lpips import registry
from invariant_lpips.files.safetensors import safetensors_bytes
from invariant_lpips.heads import HEADS
from invariant_lpips.registry import saved as hub_folders
from invariant_lpips.registry.calibration import calibration_metadata, read_calibration, read_pooling
from invariant_lpips.registry.download import Access
from invariant_lpips.registry.saved import shown
from invariant_lpips.trunks import ARCHITECTURES
from invariant_lpips.trunks.pooling import PADDINGS, POOLINGS

if TYPE_CHECKING:
    from invariant_lpips.metric import InvariantLPIPS

FORMAT = "invariant-lpips metric 1"

# field -> the type it must have; a config holds exactly these.
_FIELDS: dict[str, type] = {
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

# field -> the names it may have: tables of this package, so that a config can name no file and no code.
_CHOICES: dict[str, tuple[str, ...]] = {
    "format": (FORMAT,),
    "net": tuple(ARCHITECTURES),
    "head": tuple(HEADS),
    "pooling": tuple(POOLINGS),
    "padding": tuple(PADDINGS),
    "weights": ("own", "unit", *registry.ENTRIES),
}


def save(metric: InvariantLPIPS, folder: Path) -> Path:
    """Write config, tensors and card into `folder`, which is made if need be; returns it."""
    from invariant_lpips.registry.card import metric_card

    config = describe(metric)
    return hub_folders.write(folder, config, tensors(metric), metric_card(metric, config))


def describe(metric: InvariantLPIPS) -> dict[str, Any]:
    """The config of a metric, ready for JSON; :func:`invariant_lpips.registry.saved.write` adds the sha256."""
    from invariant_lpips._version import __version__

    name, digest = trunk_identity(metric)
    return {
        "format": FORMAT,
        "version": __version__,
        "net": metric.net_name,
        "head": metric.head.name,
        "pooling": metric.net.pooling,
        "padding": metric.net.padding,
        "spatial": metric.spatial,
        "normalize": metric.normalize,
        "repeat_grey": metric.images.repeat_grey,
        "weights": metric.weights if metric.weights in _CHOICES["weights"] else "own",
        "trunk": {"name": name, "hash": digest},
    }


def trunk_identity(metric: InvariantLPIPS) -> tuple[str, str]:
    """(registered name, its hash) of a bundled trunk in whatever precision it is held, else ("tuned", hash)."""
    name = ARCHITECTURES[metric.net_name].name
    bundled = registry.load_weights(name)
    held = metric.net.features_state()
    if all(torch.equal(bundled[key].to(value.dtype), value.cpu()) for key, value in held.items()):
        return name, registry.weights_hash(name)
    return "tuned", registry.tensors_hash(_float32(held))


def tensors(metric: InvariantLPIPS) -> bytes:
    """The safetensors file; without a tuned trunk it is also a file for `InvariantLPIPS(weights=...)`."""
    state: dict[str, Tensor] = {"weight": metric.head.weight}
    if trunk_identity(metric)[0] == "tuned":
        state.update(metric.net.features_state())
    return safetensors_bytes(_float32(state), calibration_metadata(metric.jnd_fit, metric.fitted_pooling))


def load(
    cls: type[InvariantLPIPS], name_or_path: str | os.PathLike[str], access: Access, **changes: Any
) -> InvariantLPIPS:
    """See :meth:`invariant_lpips.InvariantLPIPS.from_pretrained`."""
    name = os.fspath(name_or_path)
    net = name.partition("-")[0]
    for head, pooling in product(HEADS, POOLINGS):
        if name in registry.ENTRIES and name == registry.linear_name(net, head, pooling):
            registry.weights_path(name, access=access)
            return cls(net, head, pooling, **changes)
    folder = hub_folders.locate(name_or_path, access)
    config, data = hub_folders.read(folder)
    file = folder / hub_folders.CONFIG_FILE
    _check(config, file)
    options = {key: config[key] for key in ("spatial", "normalize", "repeat_grey")} | changes
    metric = cls(config["net"], config["head"], config["pooling"], config["padding"], "unit", **options)
    path = folder / hub_folders.TENSORS_FILE
    state = _float32(registry.parse(data, path))
    trunk = {key: value for key, value in state.items() if key.startswith("features.")}
    if trunk:
        metric.net.load_features(trunk)
    found = trunk_identity(metric)[1]
    if found != config["trunk"].get("hash"):
        raise ValueError(
            f"{file} belongs to trunk {shown(config['trunk'])}, but the "
            f"trunk found here is [{found}]; distances would be others."
        )
    metric.use_linear_weights({key: value for key, value in state.items() if key not in trunk}, str(path))
    metadata = registry.parse_metadata(data)
    metric.jnd_fit = read_calibration(metadata, path)
    metric.fitted_pooling = read_pooling(metadata, path)
    metric.weights = config["weights"] if config["weights"] != "own" else str(path)
    return metric


def _check(config: dict[str, Any], file: Path) -> None:
    if config.get("format") != FORMAT:
        raise ValueError(f'{file} must have "format": {FORMAT!r}, but has {shown(config.get("format"))}.')
    if wrong := sorted(_FIELDS.keys() ^ config.keys()):
        raise ValueError(
            f"{file} must hold exactly {', '.join(_FIELDS)}; these are missing or foreign: {shown(wrong)}."
        )
    for field, kind in _FIELDS.items():
        if type(config[field]) is not kind:
            raise ValueError(f"{file}: {field!r} must be {kind.__name__}, but is {shown(config[field])}.")
    for field, choices in _CHOICES.items():
        if config[field] not in choices:
            raise ValueError(
                f"{file}: {field!r} must be one of {', '.join(choices)}, but is {shown(config[field])}."
            )


def _float32(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.detach().cpu().float() for key, value in state.items()}
