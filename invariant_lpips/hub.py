"""Fetching a registered file: from a Hugging Face repository, or from torchvision's published weights.

No repository is built in. ``HUB_REPO`` stays None until an owner publishes the files; until then, and for
mirrors, the environment variable ``INVARIANT_LPIPS_HUB_REPO`` ("owner/name" or "owner/name@revision") names
one. Nothing here is trusted: :mod:`invariant_lpips.registry` compares the sha256 of whatever comes back.

huggingface_hub and torchvision are imported when they are first needed, so the package imports without them.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from invariant_lpips.atomic_writing import replacing

HUB_REPO: str | None = None
HUB_REVISION: str | None = None
REPO_VARIABLE = "INVARIANT_LPIPS_HUB_REPO"
CACHE_VARIABLE = "INVARIANT_LPIPS_CACHE"


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
        return self.local_files_only or os.environ.get("HF_HUB_OFFLINE", "").upper() in {
            "1",
            "ON",
            "YES",
            "TRUE",
        }


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
    """Download ``file`` from the repository, or take it from huggingface_hub's cache.

    Raises OSError with the reason on any failure: no network, no such repository, no permission.
    """
    source = repository()
    if source is None:
        raise OSError("no Hub repository is published")
    repo, pinned = source
    from huggingface_hub import hf_hub_download

    try:
        return Path(
            hf_hub_download(
                repo,
                file,
                revision=access.revision or pinned,
                cache_dir=None if access.cache_dir is None else Path(access.cache_dir),
                token=access.token,
                local_files_only=access.offline,
                force_download=access.force_download and not access.offline,
            )
        )
    except Exception as error:  # the client raises its own, its HTTP library's and the system's errors
        raise OSError(f"the Hub repository {repo}: {_first_line(error)}") from error


def from_torchvision(weights: str, access: Access) -> dict[str, Tensor]:
    """The ``features.*`` tensors of a torchvision weights enum member such as "VGG16_Weights.IMAGENET1K_V1".

    The published file is kept in torch's own hub cache. Its name ends in the start of its sha256, which is
    compared at every use (torch compares it only when downloading); it is read with ``weights_only=True``.
    Raises OSError with the reason when it cannot be had.
    """
    url = _torchvision_url(weights)
    file = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[1]
    match = re.search(r"-([0-9a-f]{8,})\.", file.name)
    if match is None:
        raise OSError(f"torchvision's {file.name} carries no hash in its name")
    prefix = match[1]
    try:
        if access.force_download or not (file.is_file() and _sha256_of_file(file).startswith(prefix)):
            if access.offline:
                raise OSError(f"offline, and torchvision's {file} is not there")
            file.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(file), hash_prefix=prefix, progress=sys.stderr.isatty())
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # urllib, torch and the unpickler each raise their own
        raise OSError(f"torchvision's {file.name}: {_first_line(error)}") from error
    return {name: tensor.detach() for name, tensor in state.items() if name.startswith("features.")}


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


def _torchvision_url(weights: str) -> str:
    from torchvision import models

    enum, member = weights.split(".")
    return str(getattr(models, enum)[member].url)


def _sha256_of_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(". ") if lines else type(error).__name__
