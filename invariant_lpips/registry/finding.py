"""Where a registered weights file lies, and whether it is the registered one. Nothing here needs torch.

A name is looked for, in this order, in

1. the folder that the environment variable ``INVARIANT_LPIPS_WEIGHTS`` names;
2. the package: ``invariant_lpips/_data/weights`` of a wheel, ``weights/`` of a checkout;
3. the cache: ``INVARIANT_LPIPS_CACHE``, else ``invariant-lpips`` in the user's cache folder;
4. the Hub, then torchvision's published files (:mod:`invariant_lpips.registry.download`).

Wherever it lies, a file is used only if its sha256 is the registered one, and the bytes that were hashed are
the bytes that are read.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from invariant_lpips.files.reading import read_whole, sha256_of
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
    path, _ = find(name, access or hub.Access())
    return path


def local_path(name: str, *, access: hub.Access | None = None) -> Path | None:
    """Where a registered name lies on this machine, not verified; None if it would have to be fetched."""
    entry = entry_of(name)
    folders = [*_environment_folder(), *_bundled_folders()]
    # What nothing can verify is made again from its source, not trusted in a cache.
    if entry.sha256 is not None:
        folders.append(hub.cache_folder(access))
    return next((folder / entry.file for folder in folders if (folder / entry.file).is_file()), None)


def kind_of_copy(path: Path) -> str:
    """`bundled`, or `local` for a file of a folder that the environment or the caller named."""
    return "bundled" if path.parent in _bundled_folders() else "local"


def find(name: str, access: hub.Access) -> tuple[Path, bytes]:
    """A registered file and its verified bytes."""
    entry = entry_of(name)
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
        from invariant_lpips.files.safetensors import safetensors_bytes

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


def entry_of(name: str) -> Entry:
    """What is known of a registered name; ValueError where there is none of it."""
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
