"""The tensors of weights files: a registered name's (see
:mod:`invariant_lpips.registry.finding`), or of a file of one's own.

Every file is safetensors: no weights file can run code. A path to a ``.safetensors`` file of your own is read as it is,
and its hash reported.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from invariant_lpips.files.reading import read_whole, sha256_of
from invariant_lpips.files.safetensors import parse, parse_metadata, safetensors_bytes
from invariant_lpips.registry import download as hub
from invariant_lpips.registry.entries import ENTRIES
from invariant_lpips.registry.finding import entry_of, find


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
    name = str(name_or_path)
    sha256 = None
    if _is_path(name_or_path):
        path = _own_file(name_or_path)
        data = read_whole(path)
    else:
        path, data = find(name, access or hub.Access())
        sha256 = entry_of(name).sha256  # that of these bytes, where it is known
    # The header is trusted only once the whole file is found sound.
    tensors = parse(data, path, verified=sha256 is not None)
    return WeightsFile(name, path, tensors, parse_metadata(data), (sha256 or sha256_of(data))[:12])


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
    return (entry_of(name).sha256 or sha256_of(find(name, access or hub.Access())[1]))[:12]


def tensors_hash(tensors: Mapping[str, Tensor]) -> str:
    """The hash that ``tensors`` would have as a canonical file: for weights that exist only in memory.

    >>> tensors_hash(load_weights("vgg16", dtype=None)) == weights_hash("vgg16")
    True
    """
    return sha256_of(safetensors_bytes(tensors))[:12]


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
