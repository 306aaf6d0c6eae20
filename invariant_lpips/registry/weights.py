"""One registry of weights: a name, the sha256 its file must have, and where the file may come from.

A name is looked for, in this order, in

1. the folder that the environment variable ``INVARIANT_LPIPS_WEIGHTS`` names;
2. the package: ``invariant_lpips/_data/weights`` of a wheel, ``weights/`` of a checkout;
3. the cache: ``INVARIANT_LPIPS_CACHE``, else ``invariant-lpips`` in the user's cache folder;
4. the Hub, then torchvision's published files (:mod:`invariant_lpips.registry.download`).

Wherever it lies, a file is used only if its sha256 is the registered one, and the bytes that were hashed are
the bytes that are read. Every file is safetensors: no weights file can run code.
A path to a ``.safetensors`` file of your own is read as it is, and its hash reported.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from invariant_lpips.files.reading import read_whole
from invariant_lpips.files.safetensors import parse, parse_metadata, safetensors_bytes, sha256_of
from invariant_lpips.registry import download as hub
from invariant_lpips.registry.entries import ENTRIES, Entry

logger = logging.getLogger(__name__)

FOLDER_VARIABLE = "INVARIANT_LPIPS_WEIGHTS"


def weights_path(name: str, *, access: hub.Access | None = None) -> Path:
    """The verified file of a registered name, fetched if it has to be.

    ``access`` (:class:`invariant_lpips.registry.download.Access`) carries revision, cache folder,
    token and offline mode.

    Raises ValueError for an unknown name or a file that is not the registered one, FileNotFoundError when the
    file is nowhere and cannot be fetched.

    >>> weights_path("lpips-vgg-v0.1").name
    'lpips-vgg-v0.1.safetensors'
    """
    path, _ = _find(name, access or hub.Access())
    return path


class WeightsFile(NamedTuple):
    """What one reading of a weights file gives."""

    #: The registered name, or the path, by which it was asked for.
    name: str
    path: Path
    #: On the CPU, as they are stored.
    tensors: dict[str, Tensor]
    #: What the file says of itself (the safetensors header's `__metadata__`).
    metadata: dict[str, str]
    #: The first 12 hex digits of its sha256.
    hash: str


def read_weights(name_or_path: str | os.PathLike[str], *, access: hub.Access | None = None) -> WeightsFile:
    """A registered name's verified file, or a ``.safetensors`` file of your own, read once.

    Raises ValueError for an unknown name, a file that is not the registered one, or a file that is not
    safetensors with finite floating-point tensors; FileNotFoundError when the file is nowhere and cannot be
    fetched.

    >>> file = read_weights("lpips-vgg-v0.1")
    >>> file.name, file.hash, len(file.tensors), file.metadata
    ('lpips-vgg-v0.1', '61f275f16934', 5, {})
    """
    if _is_path(name_or_path):
        path = _own_file(name_or_path)
        data = read_whole(path)
    else:
        path, data = _find(str(name_or_path), access or hub.Access())
    # The header is trusted only once the whole file is found sound.
    tensors = parse(data, path)
    return WeightsFile(str(name_or_path), path, tensors, parse_metadata(data), sha256_of(data)[:12])


def load_weights(
    name_or_path: str | os.PathLike[str],
    *,
    dtype: torch.dtype | None = torch.float32,
    access: hub.Access | None = None,
) -> dict[str, Tensor]:
    """The tensors of a registered name or a ``.safetensors`` path, on the CPU, in ``dtype`` (None: as is).

    Raises as :func:`read_weights`.

    >>> weights = load_weights("vgg16")
    >>> [round(value, 3) for value in weights["features.0.weight"][0, 0, 0].tolist()]
    [-0.554, 0.143, 0.529]
    """
    tensors = read_weights(name_or_path, access=access).tensors
    return tensors if dtype is None else {name: tensor.to(dtype) for name, tensor in tensors.items()}


def load_metadata(
    name_or_path: str | os.PathLike[str], *, access: hub.Access | None = None
) -> dict[str, str]:
    """What a weights file says of itself (the safetensors header's ``__metadata__``: strings only).

    >>> load_metadata("lpips-vgg-v0.1")
    {}
    """
    return read_weights(name_or_path, access=access).metadata


def weights_hash(name_or_path: str | os.PathLike[str], *, access: hub.Access | None = None) -> str:
    """The first 12 hex digits of the sha256 of a registered name's file, or of a file: what a paper can cite.

    >>> weights_hash("vgg16")
    '5105565f61f2'
    """
    if _is_path(name_or_path):
        return sha256_of(read_whole(_own_file(name_or_path)))[:12]
    name = str(name_or_path)
    return (_entry(name).sha256 or sha256_of(_find(name, access or hub.Access())[1]))[:12]


def tensors_hash(tensors: Mapping[str, Tensor]) -> str:
    """The hash that ``tensors`` would have as a canonical file: for weights that exist only in memory.

    >>> tensors_hash(load_weights("vgg16", dtype=None)) == weights_hash("vgg16")
    True
    """
    return sha256_of(safetensors_bytes(tensors))[:12]


def local_path(name: str, *, access: hub.Access | None = None) -> Path | None:
    """Where a registered name lies on this machine, not verified; None if it would have to be fetched."""
    entry = _entry(name)
    folders = [*_environment_folder(), *_bundled_folders()]
    # What nothing can verify is made again from its source, not trusted in a cache.
    if entry.sha256 is not None:
        folders.append(hub.cache_folder(access))
    return next((folder / entry.file for folder in folders if (folder / entry.file).is_file()), None)


def kind_of_copy(path: Path) -> str:
    """`bundled`, or `local` for a file of a folder that the environment or the caller named."""
    return "bundled" if path.parent in _bundled_folders() else "local"


def _find(name: str, access: hub.Access) -> tuple[Path, bytes]:
    """A registered file and its verified bytes."""
    entry = _entry(name)
    path = local_path(name, access=access)
    replaceable = path is None or path.parent == hub.cache_folder(access)
    if path is None or (access.force_download and replaceable):
        path = _fetch(name, entry, access)
    elif (access.revision or access.force_download) and not hub.repository():
        # Asked for from the Hub, and the bytes are the registered ones wherever they come from.
        logger.warning("%s is not published on the Hub; %s copy used.", name, kind_of_copy(path))
    data = read_whole(path)
    if entry.sha256 is not None and sha256_of(data) != entry.sha256:
        raise ValueError(
            f"{path} is not the registered file of {name!r} (changed, truncated or swapped): expected sha256 "
            f"{entry.sha256}, but found {sha256_of(data)}; {_remedy(name, path)}."
        )
    return path, data


def _remedy(name: str, path: Path) -> str:
    if path.parent in _environment_folder():
        return f"replace it, or take it out of the folder that {FOLDER_VARIABLE} names"
    if path.parent in _bundled_folders():
        return "reinstall invariant-lpips"
    return f"fetch it anew with `invariant-lpips weights download {name} --force`"


def _fetch(name: str, entry: Entry, access: hub.Access) -> Path:
    reasons = []
    if entry.sha256 is not None:
        try:
            return hub.from_hub(entry.file, access)
        except OSError as error:
            reasons.append(str(error))
    if entry.torchvision is not None:
        try:
            tensors = hub.from_torchvision(entry.torchvision, access)
            return hub.keep(safetensors_bytes(tensors), entry.file, access)
        except OSError as error:
            reasons.append(str(error))
    raise FileNotFoundError(
        f"Weights {name!r} ({entry.note}) do not come with the package and could not be fetched "
        f"({'; '.join(reasons)}): mend that or connect to the network, pass a path to {entry.file}, or put "
        f"that file into a folder and name the folder in {FOLDER_VARIABLE}."
    )


def _entry(name: str) -> Entry:
    if name not in ENTRIES:
        raise ValueError(
            f"Weights must be one of {', '.join(ENTRIES)}, or a path to a .safetensors file, "
            f"but got {name!r}."
        )
    return ENTRIES[name]


def _environment_folder() -> list[Path]:
    named = os.environ.get(FOLDER_VARIABLE)
    if not named:
        return []
    if not Path(named).is_dir():
        raise FileNotFoundError(
            f"{FOLDER_VARIABLE} must name a folder of .safetensors files, but {named} is not one."
        )
    return [Path(named)]


def _bundled_folders() -> list[Path]:
    package = Path(__file__).resolve().parent.parent
    folders = [package / "_data" / "weights"]
    # Beside an installed package, a folder called "weights" would be somebody else's.
    if (package.parent / "pyproject.toml").is_file():
        folders.append(package.parent / "weights")
    return folders


def _is_path(name_or_path: str | os.PathLike[str]) -> bool:
    if not isinstance(name_or_path, str):
        return True
    if name_or_path in ENTRIES:
        return False
    path = Path(name_or_path)
    return len(path.parts) > 1 or path.suffix == ".safetensors" or path.is_file()


def _own_file(path: str | os.PathLike[str]) -> Path:
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(
            f"Weights must be a .safetensors file (others can run code when read), but got {path}."
        )
    if not path.is_file():
        raise FileNotFoundError(f"Weights {path} must be an existing .safetensors file, but there is none.")
    return path
