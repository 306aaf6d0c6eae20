"""The form of a saved reference: one safetensors file, which holds what a metric kept of pictures and who read them.

Tensors are `tap.K.J`, the J-th of what was kept at the K-th tap, and `images` where the metric measures motion. The
header says the format, the size of the pictures, the reader's identity, and the sha256 of the tensors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from invariant_lpips.files.reading import LARGEST_FILE, read_whole, sha256_of, shown
from invariant_lpips.files.safetensors import parse, parse_metadata, safetensors_bytes
from invariant_lpips.files.writing import replacing
from invariant_lpips.registry.identity import Identity

FORMAT = "invariant-lpips reference 1"

_TENSOR = re.compile(r"tap\.(\d{1,3})\.(\d)")


class SavedReference(NamedTuple):
    """What was read, on the CPU."""

    summaries: tuple[tuple[Tensor, ...], ...]
    size: tuple[int, int]
    reader: Identity
    images: Tensor | None


def write(
    path: Path,
    summaries: Sequence[Sequence[Tensor]],
    size: tuple[int, int],
    reader: Identity,
    images: Tensor | None,
) -> None:
    """Write the file, whole or not at all.

    Raises:
        ValueError: something kept is no finite number, or more than a file may hold.
        OSError: it can't be written.
    """
    tensors = {f"tap.{k}.{j}": tensor for k, tap in enumerate(summaries) for j, tensor in enumerate(tap)}
    if images is not None:
        tensors["images"] = images
    if unsound := [name for name, tensor in tensors.items() if not bool(tensor.isfinite().all())]:
        raise ValueError(
            f"A Reference must hold finite numbers to be saved, but {unsound[0]} does not; look for NaN in its images."
        )
    metadata = {
        "format": FORMAT,
        "size": json.dumps(size),
        "reader": json.dumps(reader.to_dict(), sort_keys=True),
        "sha256": sha256_of(safetensors_bytes(tensors)),
    }
    data = safetensors_bytes(tensors, metadata)
    if len(data) > LARGEST_FILE:
        raise ValueError(
            f"A saved Reference must have at most {LARGEST_FILE} bytes, but this one has {len(data)}; read fewer "
            "images at a time."
        )
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def read(path: Path) -> SavedReference:
    """Read what :func:`write` wrote.

    Raises:
        OSError: it can't be read.
        ValueError: it is no saved reference, or not as it was written.
    """
    data = read_whole(path)
    tensors = parse(data, path)
    said = parse_metadata(data)
    if said.get("format") != FORMAT:
        raise ValueError(
            f"{path} must be a saved Reference ({FORMAT!r}), but says {shown(said.get('format'))}."
        )
    if said.get("sha256") != sha256_of(safetensors_bytes(tensors)):
        raise ValueError(
            f"{path} is not as it was written: its numbers have another sha256; save the Reference anew."
        )
    try:
        height, width = json.loads(said["size"])
        reader = json.loads(said["reader"])
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} must say its `size` and its `reader`, but does not: {error}.") from None
    images = tensors.pop("images", None)
    summaries = _taps(tensors, path)
    batch = summaries[0][0].shape[:1]
    if not all(type(side) is int and side > 0 for side in (height, width)) or any(
        tensor.shape[:1] != batch for tap in summaries for tensor in tap
    ):
        raise ValueError(f"{path} must hold a batch of pictures of one size, but does not.")
    if images is not None and images.shape != (*batch, 3, height, width):
        raise ValueError(
            f"{path} must hold the {batch[0]} pictures it was read from, but holds {tuple(images.shape)}."
        )
    return SavedReference(summaries, (height, width), Identity.from_dict(reader, path), images)


def _taps(tensors: Mapping[str, Tensor], path: Path) -> tuple[tuple[Tensor, ...], ...]:
    places = {
        (int(m[1]), int(m[2])): tensor for name, tensor in tensors.items() if (m := _TENSOR.fullmatch(name))
    }
    taps = [list(of_tap) for _, of_tap in groupby(sorted(places), key=lambda place: place[0])]
    wanted = [[(k, j) for j in range(len(tap))] for k, tap in enumerate(taps)]
    if not taps or taps != wanted or len(places) != len(tensors):
        raise ValueError(
            f"{path} must hold tensors tap.0.0, tap.1.0 ..., but holds {shown(sorted(tensors))}."
        )
    return tuple(tuple(places[place] for place in tap) for tap in taps)
