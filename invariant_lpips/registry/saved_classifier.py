"""The form of a saved classifier: `config.json` and `model.safetensors` in a folder, or one file that carries both.

The config holds numbers and strings only, every field is checked, and nothing in it is imported, evaluated
or opened: a downloaded classifier can't run code. A trunk that training did not change is left out of the
file and named with its hash; loading with another trunk of that name is refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from invariant_lpips.files.reading import shown
from invariant_lpips.registry import saved
from invariant_lpips.registry.download import Access
from invariant_lpips.registry.entries import ENTRIES
from invariant_lpips.registry.finding import weights_path
from invariant_lpips.registry.saved import CONFIG_FILE, TENSORS_FILE, SavedModel
from invariant_lpips.registry.weights import read_weights

FORMAT = "invariant-lpips classifier 1"

#: Bytes of a header that may hold a config: thousands of class names fit.
LARGEST_HEADER = 2**20

# field -> the type it must have; a config holds exactly these.
_TYPES: dict[str, type] = {
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


def is_classifier(name_or_path: str | os.PathLike[str]) -> bool:
    """Whether a name or path means a classifier (as opposed to a network's or metric's name)."""
    name = os.fspath(name_or_path)
    if name in ENTRIES:
        return _config_inside(weights_path(name)) is not None
    path = _of_run(Path(name))
    if path.is_dir():
        return (path / CONFIG_FILE).is_file() and (path / TENSORS_FILE).is_file()
    if path.suffix == ".safetensors" and path.is_file():
        return _config_inside(path) is not None
    return False


def read(name_or_path: str | os.PathLike[str], access: Access) -> SavedModel:
    """A saved classifier, with its config checked.

    Args:
        name_or_path: see :meth:`invariant_lpips.classifier.GAPClassifier.from_pretrained`.

    Raises:
        FileNotFoundError: there is no such file, folder or repository.
        ValueError: config or tensors are not those of a classifier.
    """
    name = os.fspath(name_or_path)
    path = _of_run(Path(name))
    if name in ENTRIES or (path.suffix == ".safetensors" and path.is_file()):
        file = read_weights(name if name in ENTRIES else path, access=access)
        return SavedModel(
            _checked(_config_in(file.metadata), file.path),
            file.tensors,
            file.metadata,
            file.path,
            file.path,
        )
    if not (path.is_dir() or "/" in name):
        raise FileNotFoundError(
            f"A classifier must be a registered name, a folder with {CONFIG_FILE} and {TENSORS_FILE}, a "
            f".safetensors file or a Hub repository 'owner/name', but {name!r} is none of these."
        )
    refuse_unfinished(path)
    if not path.is_dir():
        _, revision = saved.split(name)
        if path.parent.is_dir() and not (revision or access.revision):
            raise FileNotFoundError(
                f"There is no classifier {path.name!r} in the folder {str(path.parent)!r} (for a Hub repository of "
                f"that name, write {f'{name}@main'!r})."
            )
    found = saved.read(saved.locate(path if path.is_dir() else name, access))
    # Compared by now; only a file with its config inside can't hold its own.
    if found.config.pop("sha256", None) is None:
        raise ValueError(f"{found.source} must name the sha256 of {TENSORS_FILE}, but doesn't; save it anew.")
    return found._replace(config=_checked(found.config, found.source))


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
            return _config_in(json.loads(stream.read(length))["__metadata__"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return None


def _config_in(metadata: Mapping[str, str]) -> object:
    try:
        return json.loads(metadata["config"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _checked(config: object, source: Path) -> dict[str, Any]:
    if not isinstance(config, dict):
        raise ValueError(f"{source} must carry a classifier's config (a JSON object), but does not.")
    saved.check_fields(config, FORMAT, _TYPES, source)
    for field, kind in _TYPES.items():
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
