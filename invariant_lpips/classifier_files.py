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
from invariant_lpips.atomic_writing import replacing
from invariant_lpips.canonical import safetensors_bytes
from invariant_lpips.hub import Access
from invariant_lpips.trunks import ARCHITECTURES

if TYPE_CHECKING:
    from invariant_lpips.classifier import GAPClassifier

FORMAT = "invariant-lpips classifier 1"
CONFIG_FILE = "config.json"
TENSORS_FILE = "model.safetensors"

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
    """Write the two files into `folder`, which is made if need be; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    # The tensors first: a config without tensors is noticed, tensors under an older config might not be.
    with replacing(folder / TENSORS_FILE) as temporary:
        temporary.write_bytes(as_file(model))
    with replacing(folder / CONFIG_FILE) as temporary:
        temporary.write_text(json.dumps(describe(model), indent=1) + "\n", encoding="utf-8")
    return folder


def as_file(model: GAPClassifier) -> bytes:
    """One safetensors file with the config in its header: the form of the registered classifiers."""
    return safetensors_bytes(tensors(model), {"config": json.dumps(describe(model), sort_keys=True)})


def is_classifier(name_or_path: str | os.PathLike[str]) -> bool:
    """Whether a name or path means a classifier (as opposed to a network's or metric's name)."""
    name = os.fspath(name_or_path)
    if name in registry.ENTRIES:
        return _config_inside(registry.weights_path(name)) is not None
    path = Path(name)
    if path.is_dir():
        return (path / CONFIG_FILE).is_file()
    if path.suffix == ".safetensors" and path.is_file():
        return _config_inside(path) is not None
    return False


def load(name_or_path: str | os.PathLike[str], access: Access) -> GAPClassifier:
    """See :meth:`invariant_lpips.classifier.GAPClassifier.from_pretrained`."""
    name, path = os.fspath(name_or_path), Path(name_or_path)
    if name in registry.ENTRIES:
        file = registry.weights_path(name, access=access)
        return _build(_checked(_config_inside(file), file), registry.load_weights(name, access=access), file)
    if path.is_dir():
        return _from_folder(path)
    if path.suffix == ".safetensors" and path.is_file():
        return _build(_checked(_config_inside(path), path), registry.load_weights(path), path)
    if path.suffix != ".safetensors" and name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return _from_folder(_from_hub(name, access))
    raise FileNotFoundError(
        f"A classifier must be a registered name, a folder with {CONFIG_FILE} and {TENSORS_FILE}, a "
        f".safetensors file or a Hub repository 'owner/name', but {name!r} is none of these."
    )


def _from_folder(folder: Path) -> GAPClassifier:
    for file in (folder / CONFIG_FILE, folder / TENSORS_FILE):
        if not file.is_file():
            raise FileNotFoundError(f"A classifier's folder must hold {file.name}, but {folder} does not.")
    file = folder / CONFIG_FILE
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} must be a JSON file, but cannot be read: {error}.") from None
    return _build(_checked(config, file), registry.load_weights(folder / TENSORS_FILE), folder / TENSORS_FILE)


def _from_hub(repository: str, access: Access) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        paths = [
            hf_hub_download(
                repository,
                file,
                revision=access.revision,
                cache_dir=None if access.cache_dir is None else Path(access.cache_dir),
                token=access.token,
                local_files_only=access.offline,
                force_download=access.force_download and not access.offline,
            )
            for file in (CONFIG_FILE, TENSORS_FILE)
        ]
    except Exception as error:  # the client raises its own, its HTTP library's and the system's errors
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise FileNotFoundError(
            f"There is no folder {repository!r}, and no Hub repository of that name could be read: {reason}."
        ) from error
    return Path(paths[0]).parent


def _config_inside(file: Path) -> object:
    """The config in a safetensors header, or None if it carries none."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 0 < length < 100_000_000:
            return None
        try:
            header = json.loads(stream.read(length))
            return json.loads(header["__metadata__"]["config"])
        except (ValueError, KeyError, TypeError):
            return None


def _checked(config: object, source: Path) -> dict[str, Any]:
    if not isinstance(config, dict):
        raise ValueError(f"{source} must carry a classifier's config (a JSON object), but does not.")
    if config.get("format") != FORMAT:
        raise ValueError(f'{source} must have "format": {FORMAT!r}, but has {config.get("format")!r}.')
    if wrong := sorted(_FIELDS.keys() ^ config.keys()):
        raise ValueError(
            f"{source} must hold exactly {', '.join(_FIELDS)}; these are missing or foreign: {wrong}."
        )
    for field, kind in _FIELDS.items():
        if not isinstance(config[field], kind) or isinstance(config[field], bool):
            raise ValueError(f"{source}: {field!r} must be {kind.__name__}, but is {config[field]!r}.")
    if not 1 <= config["num_classes"] <= 1_000_000 or len(config["image_size"]) != 2:
        raise ValueError(f"{source}: num_classes must be 1 to 1,000,000 and image_size two sides in pixels.")
    if not all(isinstance(side, int) and 1 <= side <= 16384 for side in config["image_size"]):
        raise ValueError(
            f"{source}: image_size must be two sides of 1 to 16384 px, but is {config['image_size']}."
        )
    if config["classes"] and len(config["classes"]) != config["num_classes"]:
        raise ValueError(f"{source}: classes must be empty or name all {config['num_classes']} classes.")
    return config


def _build(config: dict[str, Any], state: dict[str, Tensor], source: Path) -> GAPClassifier:
    from invariant_lpips.classifier import GAPClassifier

    height, width = config["image_size"]
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
        raise ValueError(f"{source} must hold a linear layer of shapes {expected}, but holds {found}.")
    if trunk:
        model.trunk.load_features(trunk)
    digest, _ = trunk_identity(model.net_name, model.trunk.features_state())
    if digest != config["trunk"].get("hash"):
        raise ValueError(
            f"{source} belongs to trunk {config['trunk'].get('name')!r} [{config['trunk'].get('hash')}], but "
            f"the trunk found here is [{digest}]; its predictions would be wrong."
        )
    model.linear.load_state_dict({key.removeprefix("linear."): value for key, value in linear.items()})
    return model.eval()
