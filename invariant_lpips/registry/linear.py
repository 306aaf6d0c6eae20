"""A head's linear weights: what their file is called, what it says of them, and whether they fit a metric."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from invariant_lpips.files.reading import shown
from invariant_lpips.registry.entries import ENTRIES, linear_name
from invariant_lpips.registry.identity import OWN, cite
from invariant_lpips.registry.saved import SavedModel
from invariant_lpips.registry.trunk_weights import TrunkWeights
from invariant_lpips.registry.weights import read_weights, tensors_hash
from invariant_lpips.trunks import ARCHITECTURES
from invariant_lpips.trunks.pooling import POOLINGS

#: Larger linear weights are refused: their squares, times activations and summed, would overflow float32.
LARGEST_WEIGHT = 1e15

#: D = a d^b, the just noticeable distance d0, its published interval, and its bootstrap over references.
FIELDS = ("a", "b", "d0", "low", "high", "bootstrap_low", "bootstrap_high")


@dataclass(frozen=True)
class LinearWeights:
    """One non-negative number for each of a head's components, and what their file says of them.

    Attributes:
        name: registered name or path; `unit` for weights of 1.
        hash: first 12 hex digits of a sha256: of a registered file, or of the numbers themselves where weights are
            one's own, so that they are the same wherever they lie; empty for `unit`.
        weight: (K,), as stored.
        calibration: D = a d^b and the just noticeable distance; None where the file carries none.
        fitted_pooling: the pooling that weights and calibration were fitted with.
    """

    name: str
    hash: str
    weight: Tensor
    calibration: dict[str, float] | None = None
    fitted_pooling: str = "max"

    @cached_property
    def content(self) -> str:
        """The hash of the numbers alone, by which they are recognised while they are in use."""
        return weight_hash(self.weight)

    def cite(self, held: Tensor) -> tuple[str, str]:
        """(name, hash) of these weights where `held` are still these; else (:data:`OWN`, the hash of those held)."""
        content = weight_hash(held)
        return (self.name, self.hash) if content == self.content else (OWN, content)


def weight_hash(weight: Tensor) -> str:
    """The hash of linear weights by their numbers, at the precision of their file."""
    return tensors_hash({"weight": weight.detach().cpu().float()})


def unit_weights(count: int) -> LinearWeights:
    """All components weighed alike."""
    return LinearWeights("unit", "", torch.ones(count))


def _elsewhere(head: str) -> str:
    nets = [
        net for net, architecture in ARCHITECTURES.items() if linear_name(architecture.name, head) in ENTRIES
    ]
    return f" (they do with net={' and '.join(map(repr, nets))})" if nets else ""


def learned_weights(
    weights: str | Path | None, trunk: TrunkWeights, head: str, pooling: str, count: int
) -> LinearWeights:
    """The linear weights that `InvariantLPIPS(weights=...)` names.

    Args:
        weights: None for those that come with the package, fitted with this pooling if there are any, else with max,
            or for `unit` on a tuned trunk; `unit`; a registered name or a path.
        trunk: what they will weigh; weights that were learned on another are refused.
        head, pooling: of the metric.
        count: how many weights the head has.

    Raises:
        ValueError: no weights come with this trunk and head, or those named don't fit.
    """
    if weights == "unit" or (weights is None and not trunk.bundled):
        return unit_weights(count)
    net, architecture = trunk.net, ARCHITECTURES[trunk.net].name
    if weights is None:
        own = linear_name(architecture, head, pooling)
        weights = own if own in ENTRIES else linear_name(architecture, head)
        if weights not in ENTRIES:
            raise ValueError(
                f"No learned weights come with net={net!r} and head={head!r}{_elsewhere(head)}; pass weights='unit' to "
                "weigh all channels alike, or a path to weights of your own."
            )
    file = read_weights(str(weights))
    weight = checked_weight(file.tensors, file.name, net=net, head=head, count=count)
    if (learned_on := file.metadata.get("trunk", trunk.hash)) != trunk.hash:
        raise ValueError(
            f"Weights {file.name} must have been learned on the trunk of this metric [{trunk.hash}], but were learned "
            f"on {shown(learned_on)}; pass weights='unit', or fit weights for this trunk with `invariant-lpips train "
            "linear --net`."
        )
    calibration = read_calibration(file.metadata, file.name)
    digest = file.hash if file.name in ENTRIES else weight_hash(weight)
    return LinearWeights(file.name, digest, weight, calibration, read_pooling(file.metadata, file.name))


def saved_weights(saved: SavedModel, *, net: str, head: str, count: int) -> LinearWeights:
    """The linear weights of a saved metric, by the name they are registered under where they are still those.

    Raises:
        ValueError: they don't fit this head, or don't say what they are calibrated to.
    """
    state = {key: value.float() for key, value in saved.tensors.items() if not key.startswith("features.")}
    weight = checked_weight(state, saved.path, net=net, head=head, count=count)
    name = saved.config["weights"]
    calibration = read_calibration(saved.metadata, saved.path)
    pooling = read_pooling(saved.metadata, saved.path)
    if name == "own":
        cited = str(saved.path), weight_hash(weight)
    elif name == "unit":
        cited = unit_weights(count).cite(weight)
    else:
        cited = cite(name, state)
    return LinearWeights(*cited, weight, calibration, pooling)


def checked_weight(state: Mapping[str, Tensor], name: object, *, net: str, head: str, count: int) -> Tensor:
    """The one tensor `weight` of `state`; `name` is for the messages.

    Raises:
        ValueError: another tensor, another shape, or a weight below 0 or beyond all use.
    """
    found = {key: tuple(value.shape) for key, value in state.items()}
    if found != {"weight": (count,)}:
        raise ValueError(
            f"Weights {name} for net={net!r} and head={head!r} must hold one tensor `weight` of shape {(count,)}, but "
            f"hold {shown(found)}."
        )
    weight = state["weight"]
    if bool((weight < 0).any()):
        raise ValueError(
            f"Weights {name} must be non-negative, but some are below 0: distances would be too."
        )
    if not bool((weight <= LARGEST_WEIGHT).all()):
        raise ValueError(
            f"Weights {name} must be at most {LARGEST_WEIGHT:g}, but some are larger: distances would be no numbers."
        )
    return weight


def read_calibration(metadata: Mapping[str, str], source: object) -> dict[str, float] | None:
    """The calibration in a weights file's metadata, or None if it carries none.

    Raises:
        ValueError: it is not seven positive numbers.

    Example:
        >>> read_calibration({}, "x.safetensors") is None
        True
        >>> read_calibration({"jnd": "[]"}, "x.safetensors")
        Traceback (most recent call last):
        ValueError: x.safetensors must calibrate `jnd` with positive numbers a, b, d0, low, high, bootstrap_low,
        bootstrap_high, but says '[]'.
    """
    said = metadata.get("jnd")
    if said is None:
        return None
    try:
        numbers = json.loads(said)
        if set(numbers) != set(FIELDS):
            raise ValueError
        calibration = {field: float(numbers[field]) for field in FIELDS}
        if not all(math.isfinite(number) and number > 0 for number in calibration.values()):
            raise ValueError
    except (ValueError, TypeError, RecursionError, OverflowError):
        raise ValueError(
            f"{source} must calibrate `jnd` with positive numbers {', '.join(FIELDS)}, but says {said[:80]!r}."
        ) from None
    return calibration


def read_pooling(metadata: Mapping[str, str], source: object) -> str:
    """The pooling that a weights file's calibration holds for.

    Raises:
        ValueError: there is none of that name.

    Example:
        >>> read_pooling({}, "x.safetensors")
        'max'
    """
    said = metadata.get("pooling", "max")
    if said not in POOLINGS:
        raise ValueError(f"{source} must name a pooling among {', '.join(POOLINGS)}, but says {said[:80]!r}.")
    return said


def calibration_metadata(calibration: Mapping[str, float] | None, pooling: str) -> dict[str, str]:
    """What a weights file's header says: the calibration, and the pooling it holds for unless that is `max`."""
    metadata = {} if calibration is None else {"jnd": json.dumps({key: calibration[key] for key in FIELDS})}
    return metadata if pooling == "max" else {**metadata, "pooling": pooling}
