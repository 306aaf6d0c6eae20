"""Fetching a registered file: from a Hugging Face repository, or from torchvision's published weights.

No repository is built in. ``HUB_REPO`` stays None until an owner publishes the files; until then, and for
mirrors, the environment variable ``INVARIANT_LPIPS_HUB_REPO`` ("owner/name" or "owner/name@revision") names
one. Nothing here is trusted: :mod:`invariant_lpips.registry` compares the sha256 of whatever comes back.

huggingface_hub is imported when it is first needed, so the package imports without it.
"""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from invariant_lpips._version import __version__
from invariant_lpips.files.reading import read_whole
from invariant_lpips.files.writing import replacing

if TYPE_CHECKING:
    from torch import Tensor

HUB_REPO: str | None = None
HUB_REVISION: str | None = None
REPO_VARIABLE = "INVARIANT_LPIPS_HUB_REPO"
CACHE_VARIABLE = "INVARIANT_LPIPS_CACHE"

#: torchvision's published files (IMAGENET1K_V1) and their sha256, which torchvision's own names begin.
TORCHVISION_FOLDER = "https://download.pytorch.org/models"
TORCHVISION = {
    "vgg16-397923af.pth": "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    "alexnet-owt-7be5be79.pth": "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    "squeezenet1_1-b8a52dc0.pth": "b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b",
}


@dataclass(frozen=True)
class Access:
    """How the network may be used; the fields mean what they mean in huggingface_hub."""

    revision: str | None = None
    cache_dir: str | os.PathLike[str] | None = None
    token: str | bool | None = None
    local_files_only: bool = False
    force_download: bool = False

    @property
    def offline(self) -> bool:
        """True when nothing may be downloaded: ``local_files_only`` or ``HF_HUB_OFFLINE``."""
        said = os.environ.get("HF_HUB_OFFLINE", "").upper()
        return self.local_files_only or said in {"1", "ON", "YES", "TRUE"}

    @property
    def endpoint(self) -> str | None:
        """The server that ``HF_ENDPOINT`` names, also when it was set after huggingface_hub was imported."""
        return os.environ.get("HF_ENDPOINT", "").rstrip("/") or None


def repository() -> tuple[str, str | None] | None:
    """(repository id, pinned revision or None), or None while nothing is published."""
    named = os.environ.get(REPO_VARIABLE)
    if not named:
        return (HUB_REPO, HUB_REVISION) if HUB_REPO else None
    repo, _, revision = named.partition("@")
    return repo, revision or None


def cache_folder(access: Access | None = None) -> Path:
    """Where files made from a download are kept; huggingface_hub keeps its own downloads in its own cache."""
    if access is not None and access.cache_dir is not None:
        return Path(access.cache_dir)
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "invariant-lpips"


def from_hub(file: str, access: Access) -> Path:
    """``file`` of the repository that holds the registered files; raises as :func:`download` does."""
    source = repository()
    if source is None:
        raise OSError("no Hub repository is published")
    repo, pinned = source
    return download(repo, file, access.revision or pinned, access)


def download(repo: str, file: str, revision: str | None, access: Access) -> Path:
    """One file of a Hub repository, from huggingface_hub's cache where it is there already.

    A broken connection is resumed by the client, an answer of another length than announced is refused by it.

    Raises OSError, most often PermissionError, FileNotFoundError or ConnectionError, whose text is a clause
    that says what happened and what to do.
    """
    from huggingface_hub import constants, hf_hub_download

    from invariant_lpips.registry.hub_errors import explained

    try:
        return Path(
            hf_hub_download(
                repo,
                file,
                revision=revision,
                cache_dir=None if access.cache_dir is None else Path(access.cache_dir),
                token=access.token,
                endpoint=access.endpoint,
                local_files_only=access.offline,
                force_download=access.force_download and not access.offline,
                library_name="invariant-lpips",
                library_version=__version__,
            )
        )
    except Exception as error:  # the client raises its own, its HTTP library's and the system's errors
        cache = access.cache_dir or constants.HF_HUB_CACHE
        raise explained(error, repo, file, revision, offline=access.offline, cache=cache) from error


def from_torchvision(file: str, access: Access) -> dict[str, Tensor]:
    """The ``features.*`` tensors of one of torchvision's published files, a key of :data:`TORCHVISION`.

    The file lies where torchvision itself keeps it, in torch's hub cache. Its sha256 is compared at every use
    (torch does so only when downloading) and it is read by :mod:`invariant_lpips.files.pickles`, without pickle.
    Raises OSError with the reason when it cannot be had.
    """
    import torch

    from invariant_lpips.files.pickles import read_tensors

    sha256 = TORCHVISION[file]
    path = Path(torch.hub.get_dir()) / "checkpoints" / file
    try:
        data = read_whole(path) if path.is_file() and not access.force_download else b""
        if hashlib.sha256(data).hexdigest() != sha256:
            if access.offline:
                raise OSError(f"offline, and {path} is not there or not torchvision's")
            path.parent.mkdir(parents=True, exist_ok=True)
            url = f"{TORCHVISION_FOLDER}/{file}"
            torch.hub.download_url_to_file(url, str(path), hash_prefix=sha256, progress=sys.stderr.isatty())
            data = read_whole(path)
            if hashlib.sha256(data).hexdigest() != sha256:
                raise OSError(f"{path} was changed while it was read")
        return read_tensors(data, "features.")
    except Exception as error:  # urllib and torch each raise their own
        raise OSError(f"torchvision's {file}: {_first_line(error)}") from error


def keep(data: bytes, file: str, access: Access) -> Path:
    """Store ``data`` as ``file`` in the cache, whole or not at all, and return its path."""
    path = cache_folder(access) / file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise OSError(
            f"{path} could not be written ({error}); name another folder in {CACHE_VARIABLE}"
        ) from error
    return path


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(". ") if lines else type(error).__name__
