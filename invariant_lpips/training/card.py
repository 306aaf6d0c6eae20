"""Writing learned weights: the safetensors file, what a program must know of it, and the card people read."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from invariant_lpips.files.safetensors import safetensors_bytes
from invariant_lpips.files.writing import replacing
from invariant_lpips.statistics.thresholds import SUBJECTIVE_DISTANCE, SUBJECTIVE_INTERVAL
from invariant_lpips.training.threshold import Threshold

#: Learned weights are scaled so that the just noticeable distance has this value.
JUST_NOTICEABLE = 0.1

#: What the scores' authors ask, by database.
TERMS = {
    "tid2013": "TID2013 (Ponomarenko et al. 2015): scores published for research use",
    "tid2008": "TID2008 (Ponomarenko et al. 2009): scores published for research use",
    "kadid10k": "KADID-10k (Lin, Hosu, Saupe 2019): scores and images for research use, under the Pixabay licence",
}


def write_weights(
    path: Path,
    weight: NDArray[np.float64],
    *,
    head: str,
    trunk: str,
    threshold: Threshold | None,
    pooling: str = "max",
) -> str:
    """Write linear weights (K,) as float32 safetensors with metadata; returns the file's sha256.

    The metadata holds strings only: the head, the trunk's hash, the calibration of `jnd` as JSON, and the pooling
    that both were fitted with unless it is `max`.
    """
    metadata = {"head": head, "trunk": trunk}
    if pooling != "max":
        metadata["pooling"] = pooling
    if threshold is not None:
        metadata["jnd"] = json.dumps(
            {key: round(value, 6) for key, value in dataclasses.asdict(threshold).items()}
        )
    data = safetensors_bytes({"weight": torch.from_numpy(weight).float()}, metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def write_card(
    path: Path, facts: Mapping[str, Any], figures: Mapping[str, str], threshold: Threshold | None
) -> None:
    """Write the model card beside the weights.

    Args:
        path: of the weights; the card has the suffix .md.
        facts: head, call (how to use it), net, trunk, weights, database, pairs, references, distortions, command,
            sha256, versions.
        figures: name of a figure -> its value as text.
        threshold: the calibration of `jnd`, if there is one.
    """
    terms = TERMS.get(str(facts["database"]).split(" ")[0], "see the scores' own terms")
    lines = [
        f"# Linear weights of head `{facts['head']}` on {facts['net']}",
        "",
        f"Learned from people's scores for `{facts['call']}`; all",
        "are non-negative. The trunk is frozen and not in this file.",
        "",
        "| | |",
        "|---|---|",
        f"| file | `{path.name}` |",
        f"| sha256 | {facts['sha256']} |",
        f"| tensors | `weight` ({facts['weights']},) float32, in the order of the head's taps |",
        f"| trunk | {facts['net']} [{facts['trunk']}] |",
        f"| scores | {facts['database']}: {facts['pairs']} pairs, {facts['references']} references, "
        f"distortions {facts['distortions']} |",
        f"| terms of the scores | {terms}. The code's Apache-2.0 licence covers the code and these numbers, not the "
        "scores |",
        f"| made by | `{facts['command']}` |",
        f"| with | {facts['versions']} |",
        "",
        "| figure | value |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in figures.items()),
        "",
    ]
    if threshold is not None:
        low, high = SUBJECTIVE_INTERVAL
        lines += [
            f"**Scale.** Weights are scaled so that the just noticeable distance d0 is {JUST_NOTICEABLE}: where "
            f"D = {threshold.a:.4f} d^{threshold.b:.4f}, fitted to D = (10 - MOS)/10, reaches "
            f"{SUBJECTIVE_DISTANCE:.3f} (arXiv:2407.17927).",
            f"Its published interval {low:.3f} to {high:.3f} is d = {threshold.low:.4f} to "
            f"{threshold.high:.4f}; drawing references anew moves d0 between {threshold.bootstrap_low:.4f} and "
            f"{threshold.bootstrap_high:.4f} (95 %). That a threshold of displacements holds for "
            "TID's distortions is an assumption.",
            "",
        ]
    with replacing(path.with_suffix(".md")) as temporary:
        temporary.write_text("\n".join(lines))
