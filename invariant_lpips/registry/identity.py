"""Who a metric is: the one answer, as data, to "did the same thing make these numbers?".

Parameters are named by what they are and not by what was loaded once: a state dict loaded later, or a step of an
optimiser, would make a name noted at construction a lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor

from invariant_lpips.files.reading import sha256_of, shown
from invariant_lpips.files.safetensors import safetensors_bytes
from invariant_lpips.registry.entries import ENTRIES
from invariant_lpips.registry.finding import local_path
from invariant_lpips.registry.weights import load_weights, tensors_hash, weights_hash

#: What parameters are called that are no registered file's.
OWN = "own parameters"


@dataclass(frozen=True)
class Identity:
    """Everything a distance of :class:`invariant_lpips.InvariantLPIPS` depends on, beside the pictures.

    Attributes:
        net: `vgg`, `alex`, `squeeze` or `pixels`.
        head, pooling, padding: as InvariantLPIPS takes them, none of them "default" or None.
        trunk, trunk_hash: the registered name of the trunk's parameters (`vgg16`), or "own parameters"; the first 12
            hex digits of the sha256 of their file.
        weights, weights_hash: the same of the head's linear weights, or the path of a file and the hash of the numbers
            in it; `unit`, with no hash, where all are 1.
        fitted_pooling: the pooling that the linear weights and their calibration were fitted with.
        version: of the package.
        motion: what is measured and undone of a pair's motion, and at how many pixels per degree; `none`.

    Example:
        >>> from invariant_lpips.metric import InvariantLPIPS
        >>> metric = InvariantLPIPS("alex", "gap", weights="unit")
        >>> metric.identity.trunk, metric.identity.trunk_hash, metric.identity.weights
        ('alexnet', 'db775859525e', 'unit')
        >>> Identity.from_dict(metric.identity.to_dict(), "here") == metric.identity
        True
    """

    net: str
    head: str
    pooling: str
    padding: str
    trunk: str
    trunk_hash: str
    weights: str
    weights_hash: str
    fitted_pooling: str
    version: str
    motion: str = "none"

    def __str__(self) -> str:
        """What a paper should cite."""
        weights = f"{self.weights} [{self.weights_hash}]" if self.weights_hash else self.weights
        motion = "" if self.motion == "none" else f"motion={self.motion}, "
        return (
            f"InvariantLPIPS(net={self.trunk} [{self.trunk_hash}], head={self.head}, pooling={self.pooling}, "
            f"padding={self.padding}, weights={weights}, {motion}invariant-lpips {self.version})"
        )

    def reads_like(self, other: Identity) -> bool:
        """Both make the same summaries of a picture; linear weights, which come after, may differ."""
        return self.reading == other.reading

    def measures_like(self, other: Identity) -> bool:
        """Both give the same distances, up to rounding and to what versions of the package changed."""
        return (*self.reading, self.weights_hash, self.motion) == (
            *other.reading,
            other.weights_hash,
            other.motion,
        )

    @property
    def reading(self) -> tuple[str, ...]:
        """What summaries of a picture depend on."""
        return self.net, self.head, self.pooling, self.padding, self.trunk_hash

    def to_dict(self) -> dict[str, str]:
        """The fields, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any, source: object) -> Identity:
        """Read what :meth:`to_dict` gave; `source` names the file for the message.

        Raises:
            ValueError: these are not the fields of an identity.
        """
        names = {field.name for field in fields(cls)}
        if (
            type(values) is not dict
            or values.keys() != names
            or any(type(value) is not str for value in values.values())
        ):
            raise ValueError(
                f"{source} must say who its metric is by the strings {', '.join(sorted(names))}, but says "
                f"{shown(values)}."
            )
        return cls(**values)


def cite(name: str, held: Mapping[str, Tensor]) -> tuple[str, str]:
    """(name, hash of its file) where `held` are the parameters registered as `name`; else (:data:`OWN`, their hash).

    Parameters are compared at the precision in which they are held. Nothing is downloaded.

    Args:
        name: a registered name.
        held: the tensors as a module has them, under the names of the file.

    Example:
        >>> linear = load_weights("lpips-alex-v0.1")
        >>> cite("lpips-alex-v0.1", linear)
        ('lpips-alex-v0.1', 'b2eb412ca050')
        >>> cite("lpips-alex-v0.0", linear)
        ('own parameters', 'b2eb412ca050')
    """
    if _are_registered(name, held):
        return name, weights_hash(name)
    return OWN, tensors_hash(in_float32(held))


def in_float32(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Parameters as files hold them: float32, on the CPU, without a graph."""
    return {key: value.detach().cpu().float() for key, value in state.items()}


def _are_registered(name: str, held: Mapping[str, Tensor]) -> bool:
    digest = ENTRIES[name].float32
    # Parameters of float32 stay what they are in float64; what half precision made of them has no digest.
    if digest is not None and all(value.dtype in (torch.float32, torch.float64) for value in held.values()):
        return sha256_of(safetensors_bytes(in_float32(held))) == digest
    # A description must not fail because a file was moved, and must not fetch one.
    try:
        registered = load_weights(name) if local_path(name) is not None else {}
    except (ValueError, OSError):
        return False
    return registered.keys() == held.keys() and all(
        torch.equal(value.detach().cpu(), registered[key].to(value.dtype)) for key, value in held.items()
    )
