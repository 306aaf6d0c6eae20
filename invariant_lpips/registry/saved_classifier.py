"""Classifiers on disk: `config.json` and `model.safetensors` in a folder, or one file that carries both.

The config holds numbers and strings only, every field is checked, and nothing in it is imported, evaluated
or opened: a downloaded classifier can't run code. A trunk that training did not change is left out of the
file and named with its hash; loading with another trunk of that name is refused.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from invariant_lpips import registry
from invariant_lpips.files.safetensors import safetensors_bytes
from invariant_lpips.registry import saved as hub_folders
from invariant_lpips.registry.download import Access
from invariant_lpips.registry.saved import CONFIG_FILE, TENSORS_FILE, shown
from invariant_lpips.trunks import ARCHITECTURES

if TYPE_CHECKING:
    from invariant_lpips.classifier import GAPClassifier

FORMAT = "invariant-lpips classifier 1"

#: Bytes of a header that may hold a config: thousands of class names fit.
LARGEST_HEADER = 2**20

# field -> the type it must have; a config holds exactly these.
_FIELDS: dict[str, type] = {
    "format": str,
    "head": str,
    "num_classes": int,
    "image_size": list,
    "net": str,
    "pooling": str,
    "padding": str,
    "classes": list,
    "trunk": dict,
}


def describe(model: GAPClassifier) -> dict[str, Any]:
    """The config of a classifier, ready for JSON."""
    digest, bundled = trunk_identity(model.net_name, model.trunk.features_state())
    return {
        "format": FORMAT,
        "head": model.head_name,
        "num_classes": model.num_classes,
        "image_size": list(model.image_size),
        "net": model.net_name,
        "pooling": model.trunk.pooling,
        "padding": model.trunk.padding,
        "classes": list(model.classes or ()),
        "trunk": {"name": ARCHITECTURES[model.net_name].name if bundled else "tuned", "hash": digest},
    }


def trunk_identity(net: str, state: dict[str, Tensor]) -> tuple[str, bool]:
    """(hash, whether these are the bundled parameters of `net`), for parameters under torchvision's names."""
    name = ARCHITECTURES[net].name
    bundled = registry.load_weights(name)
    if all(torch.equal(bundled[key], value.detach().cpu()) for key, value in state.items()):
        return registry.weights_hash(name), True
    return registry.tensors_hash(state), False


def tensors(model: GAPClassifier) -> dict[str, Tensor]:
    """What is saved: the linear layer, and the trunk where it is not the bundled one."""
    state = model.trunk.features_state()
    kept = {} if trunk_identity(model.net_name, state)[1] else state
    return {**kept, "linear.weight": model.linear.weight.detach(), "linear.bias": model.linear.bias.detach()}


def save(model: GAPClassifier, folder: Path) -> Path:
    """Write config, tensors and card into `folder`, which is made if need be; returns it."""
    from invariant_lpips.registry.card import classifier_card

    config = describe(model)
    file = as_file(model)
    return hub_folders.write(folder, config, file, classifier_card(model, config, file))


def as_file(model: GAPClassifier) -> bytes:
    """One safetensors file with the config in its header: the form of the registered classifiers."""
    return safetensors_bytes(tensors(model), {"config": json.dumps(describe(model), sort_keys=True)})


def is_classifier(name_or_path: str | os.PathLike[str]) -> bool:
    """Whether a name or path means a classifier (as opposed to a network's or metric's name)."""
    name = os.fspath(name_or_path)
    if name in registry.ENTRIES:
        return _config_inside(registry.weights_path(name)) is not None
    path = _of_run(Path(name))
    if path.is_dir():
        return (path / CONFIG_FILE).is_file() and (path / TENSORS_FILE).is_file()
    if path.suffix == ".safetensors" and path.is_file():
        return _config_inside(path) is not None
    return False


def load(name_or_path: str | os.PathLike[str], access: Access) -> GAPClassifier:
    """See :meth:`invariant_lpips.classifier.GAPClassifier.from_pretrained`."""
    name = os.fspath(name_or_path)
    path = _of_run(Path(name))
    if name in registry.ENTRIES:
        file = registry.weights_path(name, access=access)
        return _build(_checked(_config_inside(file), file), registry.load_weights(name, access=access), file)
    if path.suffix == ".safetensors" and path.is_file():
        return _build(_checked(_config_inside(path), path), registry.load_weights(path), path)
    if not (path.is_dir() or "/" in name):
        raise FileNotFoundError(
            f"A classifier must be a registered name, a folder with {CONFIG_FILE} and {TENSORS_FILE}, a "
            f".safetensors file or a Hub repository 'owner/name', but {name!r} is none of these."
        )
    refuse_unfinished(path)
    if not path.is_dir():
        _, revision = hub_folders.split(name)
        if path.parent.is_dir() and not (revision or access.revision):
            raise FileNotFoundError(
                f"There is no classifier {path.name!r} in the folder {str(path.parent)!r} (for a Hub repository of "
                f"that name, write {f'{name}@main'!r})."
            )
    folder = hub_folders.locate(path if path.is_dir() else name, access)
    config, data = hub_folders.read(folder)
    # Compared by now; only a file with its config inside can't hold its own.
    if config.pop("sha256", None) is None:
        raise ValueError(
            f"{folder / CONFIG_FILE} must name the sha256 of {TENSORS_FILE}, but doesn't; save it anew."
        )
    state = {key: value.float() for key, value in registry.parse(data, folder / TENSORS_FILE).items()}
    return _build(_checked(config, folder / CONFIG_FILE), state, folder / TENSORS_FILE)


def refuse_unfinished(path: Path) -> None:
    """Raise FileNotFoundError for the folder of a training run that has not come to its end."""
    if (path / CONFIG_FILE).is_file() and not (path / TENSORS_FILE).is_file():
        raise FileNotFoundError(
            f"{path} holds no finished model ({TENSORS_FILE}); if it is a training run, run its command again, "
            "which goes on to the end."
        )


def _of_run(path: Path) -> Path:
    """The classifier of a training run's folder; any other path as it is."""
    return path / "model" if (path / "model" / CONFIG_FILE).is_file() else path


def _config_inside(file: Path) -> object:
    """The config in a safetensors header, or None if it carries none."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 0 < length <= LARGEST_HEADER:
            return None
        try:
            header = json.loads(stream.read(length))
            return json.loads(header["__metadata__"]["config"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return None


def _checked(config: object, source: Path) -> dict[str, Any]:
    if not isinstance(config, dict):
        raise ValueError(f"{source} must carry a classifier's config (a JSON object), but does not.")
    if config.get("format") != FORMAT:
        raise ValueError(f'{source} must have "format": {FORMAT!r}, but has {shown(config.get("format"))}.')
    if wrong := sorted(_FIELDS.keys() ^ config.keys()):
        raise ValueError(
            f"{source} must hold exactly {', '.join(_FIELDS)}; these are missing or foreign: {shown(wrong)}."
        )
    for field, kind in _FIELDS.items():
        value = config[field]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ValueError(f"{source}: {field!r} must be {kind.__name__}, but is {shown(value)}.")
    for field, kind in _FIELDS.items():
        if kind is str and len(config[field]) > 80:
            raise ValueError(f"{source}: {field!r} must be a name, but is {shown(config[field])}.")
    if not 1 <= config["num_classes"] <= 1_000_000 or len(config["image_size"]) != 2:
        raise ValueError(f"{source}: num_classes must be 1 to 1,000,000 and image_size two sides in pixels.")
    if not all(isinstance(side, int) and 1 <= side <= 16384 for side in config["image_size"]):
        raise ValueError(
            f"{source}: image_size must be two sides of 1 to 16384 px, but is {shown(config['image_size'])}."
        )
    if config["classes"] and len(config["classes"]) != config["num_classes"]:
        raise ValueError(f"{source}: classes must be empty or name all {config['num_classes']} classes.")
    return config


def _build(config: dict[str, Any], state: dict[str, Tensor], source: Path) -> GAPClassifier:
    from invariant_lpips.classifier import GAPClassifier

    height, width = config["image_size"]
    weight = state.get("linear.weight", torch.empty(0, 0))
    # Before anything of that size is made: a last map has at least 256 channels and a cell for each 32 x 32 pixels.
    needed = 256 * (height // 32) * (width // 32) if "flatten" in config["head"] else 0
    if weight.dim() != 2 or weight.shape[0] != config["num_classes"] or weight.shape[1] < needed:
        raise ValueError(
            f"{source} must hold a linear layer of {config['num_classes']} classes for {height}x{width} images, but "
            f"holds one of shape {tuple(weight.shape)}."
        )
    model = GAPClassifier(
        config["head"],
        config["num_classes"],
        (height, width),
        config["pooling"],
        config["padding"],
        net=config["net"],
        classes=config["classes"] or None,
    )
    trunk = {key: value for key, value in state.items() if key.startswith("features.")}
    linear = {key: value for key, value in state.items() if key not in trunk}
    expected = {f"linear.{key}": tuple(value.shape) for key, value in model.linear.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in linear.items()}
    if found != expected:
        raise ValueError(f"{source} must hold a linear layer of shapes {expected}, but holds {shown(found)}.")
    if trunk:
        model.trunk.load_features(trunk)
    digest, _ = trunk_identity(model.net_name, model.trunk.features_state())
    if digest != config["trunk"].get("hash"):
        raise ValueError(
            f"{source} belongs to trunk {shown(config['trunk'])}, but "
            f"the trunk found here is [{digest}]; its predictions would be wrong."
        )
    model.linear.load_state_dict({key.removeprefix("linear."): value for key, value in linear.items()})
    return model.eval()
