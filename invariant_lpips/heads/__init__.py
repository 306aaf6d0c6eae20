"""Heads: what turns a trunk's activations into a distance. One file a head; :mod:`~invariant_lpips.heads.base` says
what they share and what a head of your own must answer.
"""

from __future__ import annotations

from collections.abc import Callable

from invariant_lpips.heads.base import POOL_TAPS, Contrast, Head, default_taps
from invariant_lpips.heads.gap import GAP
from invariant_lpips.heads.gap_spatial import GAPSpatial
from invariant_lpips.heads.regional import Regional, Regional32
from invariant_lpips.heads.spatial import Spatial

__all__ = [
    "DEFAULT_HEAD",
    "GAP",
    "HEADS",
    "POOL_TAPS",
    "Contrast",
    "GAPSpatial",
    "Head",
    "Regional",
    "Regional32",
    "Spatial",
    "default_taps",
    "make_head",
]

HEADS: dict[str, Callable[[str], Head]] = {
    head.name: head for head in (GAP, Spatial, GAPSpatial, Regional, Regional32)
}

#: The head of InvariantLPIPS(head="default") on each trunk.
DEFAULT_HEAD = {"vgg": "regional", "alex": "regional", "squeeze": "gap", "pixels": "regional"}


def make_head(head: str, net: str) -> Head:
    """A head with unit weights by name.

    Raises:
        ValueError: the head is unknown.
    """
    name = DEFAULT_HEAD[net] if head == "default" else head
    if not isinstance(name, str) or name not in HEADS:
        known = ", ".join(repr(known) for known in ("default", *HEADS))
        raise ValueError(f"Argument `head` must be one of {known}, but got {head!r}.")
    return HEADS[name](net)
