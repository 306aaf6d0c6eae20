"""What a rated pair is: a reference picture, a distorted one, and the score people gave it; choosing some.

Every reader of this package returns the same two types, so that training and evaluation know nothing of how a
database lays out its files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["RatedPair", "RatedPairs", "read_numbers", "select_pairs"]


@dataclass(frozen=True)
class RatedPair:
    """One distorted picture, the reference it was made from, and its mean score.

    Attributes:
        reference: file of the undistorted picture.
        distorted: file of the distorted picture.
        score: the database's own mean score, in its own units; its direction is
            `RatedPairs.higher_is_better`.
        reference_id: what the reference is called ("I01"); pairs that share it show the same scene.
        distortion: the kind of distortion, as the database codes it ("01" .. "24" for TID2013, "rot" for
            RAID).
        level: its strength; for most databases the number of the step, 1 the weakest.
    """

    reference: Path
    distorted: Path
    score: float
    reference_id: str
    distortion: str
    level: float

    @property
    def key(self) -> str:
        """A name that identifies the pair inside its database on any machine (no folders in it)."""
        return f"{self.reference.name}|{self.distorted.name}"


@dataclass(frozen=True)
class RatedPairs:
    """All pairs of one database, in a fixed order.

    Attributes:
        name: name of the database ("tid2013").
        pairs: the pairs.
        higher_is_better: True if a high score means a good picture (MOS), False if a bad one (DMOS, JND
            scales).

    Example:
        >>> a = RatedPair(Path("I01.bmp"), Path("i01_01_1.bmp"), 5.5, "I01", "01", 1.0)
        >>> b = RatedPair(Path("I01.bmp"), Path("i01_08_5.bmp"), 2.1, "I01", "08", 5.0)
        >>> pairs = RatedPairs("tid2013", (a, b), higher_is_better=True)
        >>> len(pairs), pairs.scores.tolist(), pairs.reference_ids, pairs.references
        (2, [5.5, 2.1], ('I01', 'I01'), ('I01',))
        >>> [pair.level for pair in pairs.select(lambda pair: pair.distortion == "08")]
        [5.0]
    """

    name: str
    pairs: tuple[RatedPair, ...]
    higher_is_better: bool

    def __len__(self) -> int:
        return len(self.pairs)

    def __iter__(self) -> Iterator[RatedPair]:
        return iter(self.pairs)

    def __getitem__(self, index: int) -> RatedPair:
        return self.pairs[index]

    @property
    def scores(self) -> NDArray[np.float64]:
        """The scores, float64 of shape (len(self),), in the database's own units."""
        return np.array([pair.score for pair in self.pairs], dtype=np.float64)

    @property
    def reference_ids(self) -> tuple[str, ...]:
        """The reference of each pair, in the order of the pairs."""
        return tuple(pair.reference_id for pair in self.pairs)

    @property
    def references(self) -> tuple[str, ...]:
        """The different references, sorted."""
        return tuple(sorted(set(self.reference_ids)))

    @property
    def distortions(self) -> tuple[str, ...]:
        """The different kinds of distortion, sorted."""
        return tuple(sorted({pair.distortion for pair in self.pairs}))

    def select(self, predicate: Callable[[RatedPair], bool]) -> RatedPairs:
        """The pairs for which `predicate` holds, in the same order."""
        return replace(self, pairs=tuple(pair for pair in self.pairs if predicate(pair)))


def select_pairs(
    pairs: RatedPairs,
    *,
    types: str | None = None,
    levels: str | None = None,
    references: str | None = None,
) -> RatedPairs:
    """The pairs of some kinds of distortion, levels and references, in the same order.

    Args:
        pairs: the pairs to choose from.
        types: comma-separated codes ("rot,gn"); numbers may be ranges and need no leading zero ("1-11,14").
        levels: comma-separated numbers or ranges.
        references: comma-separated names, in any letter case.

    Raises:
        ValueError: a code, level or reference is not in the database, or nothing is left.
    """
    if types:
        wanted = expand(types, pairs.distortions)
        pairs = pairs.select(lambda pair: pair.distortion in wanted)
    if levels:
        steps = expand(levels, tuple(sorted({f"{pair.level:g}" for pair in pairs})))
        pairs = pairs.select(lambda pair: f"{pair.level:g}" in steps)
    if references:
        chosen = expand(references, pairs.references)
        pairs = pairs.select(lambda pair: pair.reference_id in chosen)
    if not len(pairs):
        raise ValueError("No pair is left: widen --types, --levels or --references.")
    return pairs


def expand(text: str, known: Sequence[str]) -> set[str]:
    """The known names that a comma-separated list stands for; a range of numbers means those that are known.

    Example:
        >>> sorted(expand("1-5, ROT", ("01", "02", "08", "gn", "rot")))
        ['01', '02', 'rot']
    """
    by_name = {name.lower(): name for name in known}
    by_name.update({str(int(name)): name for name in known if name.isdigit()})
    chosen = set()
    for item in (part.strip().lower() for part in text.split(",")):
        if item in by_name:
            chosen.add(by_name[item])
            continue
        try:
            numbers = read_numbers(item) if "-" in item else []
        except ValueError:
            numbers = []
        if not numbers:
            raise ValueError(f"{item!r} is not in the database, which has {', '.join(known)}.")
        chosen |= {by_name[str(k)] for k in numbers if str(k) in by_name}
    return chosen


def read_numbers(text: str) -> list[int]:
    """The whole numbers that a comma-separated list of numbers and ranges stands for.

    Raises:
        ValueError: it is no such list.

    Example:
        >>> read_numbers("1-3,7")
        [1, 2, 3, 7]
    """
    numbers: list[int] = []
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        ends = (low, high) if dash else (low, low)
        if not all(end.isdecimal() for end in ends) or int(ends[0]) > int(ends[1]):
            raise ValueError(f"expected numbers like 1-11,14, but got {text!r}")
        numbers.extend(range(int(ends[0]), int(ends[1]) + 1))
    return numbers
