"""What a rated database's type of distortion is made of: a function, and how its strength is set."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from invariant_lpips.distortions.arrays import Image

__all__ = ["Distortion", "Family"]


class Distortion(Protocol):
    """What every distortion can be called as."""

    def __call__(self, image: Image, strength: float, *, seed: int = 0) -> Image:
        """Distort an (H, W, 3) image in [0, 1]."""
        ...


@dataclass(frozen=True)
class Family:
    """One of the database's types, and how the strength of each of its images is set.

    Attributes:
        number: the database's number of the type, from 1.
        name: the database's name of the type.
        function: the distortion.
        mild, strong: strengths between which PSNR falls; `strong` is the smaller one for a number of colours.
        whole: the strength is a whole number.
        levels: the five strengths of the database's levels, where they are known (each table says from
            where). Empty where they are not, or each image has a strength of its own.
        options: further arguments of `function`.
        by_level: arguments of `function` that depend on the level, one mapping for each of the five.
        by_reference: arguments that depend on the reference: the first for even numbers, the second for
            odd ones.
        trials: how many seeds a search may try, for families whose PSNR jumps.
        approximation: in which way this may differ from the database's images; empty where nothing is known.
    """

    number: int
    name: str
    function: Distortion
    mild: float = 0.0
    strong: float = 0.0
    whole: bool = False
    levels: tuple[float, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    by_level: tuple[Mapping[str, Any], ...] = ()
    by_reference: tuple[Mapping[str, Any], ...] = ()
    trials: int = 1
    approximation: str = ""

    def at(self, level: int = 1, reference: int = 1) -> functools.partial[Image]:
        """The distortion with the arguments that a level (1 to 5) and a reference (its number) fix.

        >>> from invariant_lpips.distortions.tid2013 import TID2013
        >>> TID2013[6].at(level=1, reference=2).keywords
        {'coloured': True}
        """
        if not 1 <= level <= 5:
            raise ValueError(f"Argument `level` must be between 1 and 5, but got {level}.")
        options = dict(self.options)
        if self.by_level:
            options |= self.by_level[level - 1]
        if self.by_reference:
            options |= self.by_reference[reference % 2]
        return functools.partial(self.function, **options)
