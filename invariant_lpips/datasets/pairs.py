"""What a rated pair is: a reference picture, a distorted one, and the score people gave it.

Every reader of this package returns the same two types, so that training and evaluation know nothing of how a
database lays out its files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["RatedPair", "RatedPairs"]


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
        import numpy as np

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
