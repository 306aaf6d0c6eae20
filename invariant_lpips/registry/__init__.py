"""Weights: which there are, where a file comes from, how a model is saved, published and described."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invariant_lpips.files.on_demand import on_demand
from invariant_lpips.files.reading import sha256_of
from invariant_lpips.registry.entries import ENTRIES, Entry, linear_name
from invariant_lpips.registry.finding import FOLDER_VARIABLE, kind_of_copy, local_path, weights_path

if TYPE_CHECKING:
    from invariant_lpips.files.safetensors import parse, parse_metadata
    from invariant_lpips.registry.weights import (
        WeightsFile,
        load_metadata,
        load_weights,
        read_weights,
        tensors_hash,
        weights_hash,
    )
else:  # needs torch, which a list of files doesn't
    __getattr__ = on_demand(
        __name__,
        {
            **dict.fromkeys(("parse", "parse_metadata"), "invariant_lpips.files.safetensors"),
            **dict.fromkeys(
                (
                    "WeightsFile",
                    "load_metadata",
                    "load_weights",
                    "read_weights",
                    "tensors_hash",
                    "weights_hash",
                ),
                "invariant_lpips.registry.weights",
            ),
        },
    )

__all__ = [
    "ENTRIES",
    "FOLDER_VARIABLE",
    "Entry",
    "WeightsFile",
    "kind_of_copy",
    "linear_name",
    "load_metadata",
    "load_weights",
    "local_path",
    "parse",
    "parse_metadata",
    "read_weights",
    "sha256_of",
    "tensors_hash",
    "weights_hash",
    "weights_path",
]
