"""safetensors files: one way to write them, so that the same tensors give the same bytes, and one way to read them.

The format (an 8-byte little-endian header length, a JSON header, the raw tensors) leaves the order of the
tensors and the spacing of the header to the writer. Here both are fixed: names sorted, no spaces, header
padded with blanks to a multiple of 8. So the sha256 of a file is a hash of its content, whichever route the
tensors came by and whichever version of the safetensors package is installed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

_CODES = {torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32", torch.float64: "F64"}


def safetensors_bytes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """The canonical safetensors file of ``tensors`` (floating point, any shape, any device).

    Raises TypeError for a tensor that is not floating point.

    >>> import torch
    >>> data = safetensors_bytes({"b": torch.zeros(2), "a": torch.ones(1)})
    >>> len(data), data[8:62]
    (132, b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},')
    """
    header: dict[str, object] = {}
    if metadata:
        header["__metadata__"] = {key: metadata[key] for key in sorted(metadata)}
    parts: list[bytes] = []
    offset = 0
    # 8-byte numbers before 4 before 2, as the format's own writer does: every tensor stays aligned.
    for name in sorted(tensors, key=lambda key: (-tensors[key].element_size(), key)):
        tensor = tensors[name]
        if tensor.dtype not in _CODES:
            raise TypeError(
                f"Tensor {name!r} must be floating point to be stored, but its dtype is {tensor.dtype}."
            )
        data = _little_endian(tensor)
        header[name] = {
            "dtype": _CODES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + len(data)],
        }
        parts.append(data)
        offset += len(data)
    head = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode()
    head += b" " * (-len(head) % 8)
    return b"".join([len(head).to_bytes(8, "little"), head, *parts])


def _little_endian(tensor: Tensor) -> bytes:
    """The raw numbers of ``tensor``, row-major; safetensors exists on little-endian machines only."""
    flat = tensor.detach().cpu().contiguous().view(-1)
    return flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""


def parse(data: bytes, path: Path, *, verified: bool = False) -> dict[str, Tensor]:
    """The tensors of a safetensors file's bytes, as they are stored; `path` is for the messages.

    Raises ValueError unless they are a whole file of finite floating-point tensors. Where the bytes are `verified`,
    those of a file that was found sound before, its numbers are not looked at again.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors: dict[str, Tensor] = load(data)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"{path} must be a whole safetensors file, but it cannot be read: {str(error)[:200]}."
        ) from error
    if verified:
        return tensors
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or not bool(torch.isfinite(tensor.float()).all()):
            raise ValueError(
                f"{path} must hold finite floating-point tensors, but {name[:80]!r} ({tensor.dtype}) does not."
            )
    return tensors


def parse_metadata(data: bytes) -> dict[str, str]:
    """The `__metadata__` in the header of bytes that :func:`parse` has found sound."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    metadata: dict[str, str] = header.get("__metadata__", {})
    return metadata
