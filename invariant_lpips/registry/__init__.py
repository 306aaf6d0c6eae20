"""Weights: which there are, where a file comes from, how a model is saved, published and described."""

from invariant_lpips.files.safetensors import parse, parse_metadata, sha256_of
from invariant_lpips.registry.entries import ENTRIES, Entry, linear_name
from invariant_lpips.registry.weights import (
    FOLDER_VARIABLE,
    WeightsFile,
    kind_of_copy,
    load_metadata,
    load_weights,
    local_path,
    read_weights,
    tensors_hash,
    weights_hash,
    weights_path,
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
