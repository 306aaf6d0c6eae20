"""Which names belong together: those of two folders, or those that two patterns pick."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from invariant_lpips.pictures.decoding import SUFFIXES


def match(left: Iterable[Path], right: Iterable[Path]) -> list[tuple[Path, Path]]:
    """Pair the names of two sides, by the first of these under which a name has exactly one partner.

    1. Letter for letter.
    2. With accents composed: macOS writes é as two characters, other systems as one.
    3. Without the suffix: a.png and a.webp.
    4. Without all suffixes of pictures: kodim01.png and kodim01.png.jpg.
    5. With numbers as numbers: frame7.png and frame_0007.png do not fit, frame7.png and frame0007.png do.

    Example:
        >>> left, right = ["a.png", "k.png", "f1.png", "f2.png"], ["a.png", "k.png.jpg", "f01.png", "f02.png"]
        >>> [str(b) for _, b in match(map(Path, left), map(Path, right))]
        ['a.png', 'k.png.jpg', 'f01.png', 'f02.png']
    """
    alone = dict.fromkeys(left), dict.fromkeys(right)  # in order, without partner so far
    pairs: list[tuple[Path, Path]] = []
    for key in (str, _composed, _without_suffix, _without_suffixes, _unpadded):
        mine, theirs = (_single(names, key) for names in alone)
        for common in [common for common in mine if common in theirs]:
            pairs.append((mine[common], theirs[common]))
            del alone[0][mine[common]], alone[1][theirs[common]]
    return pairs


@dataclass(frozen=True)
class Pattern:
    """Names of one shape, such as `{}_real_B`: {} stands for what two names have in common.

    A pattern is held against the whole name of a file, or else against the name without its suffix.

    Raises:
        ValueError: it doesn't hold {} once, or it names a folder.
    """

    text: str

    def __post_init__(self) -> None:
        if self.text.count("{}") != 1 or "/" in self.text:
            raise ValueError(
                f"a pattern must be a file's name with {{}} once, for what the names of a pair have in common, such as "
                f"'{{}}_real_B', but got {self.text!r}"
            )

    @property
    def letters(self) -> int:
        """How many letters it fixes: of two patterns that fit, the one that fixes more is meant."""
        return len(self.text) - 2

    def common(self, name: Path) -> Path | None:
        """What stands for {} in a name, in the name's folder; None where the pattern doesn't fit.

        Example:
            >>> print(Pattern("{}_real_B").common(Path("7_real_B.png")))
            7
        """
        before, after = map(_composed, self.text.split("{}"))
        whole, stem = _composed(name.name), _composed(name.stem)
        for candidate in (whole, stem) if after else (stem,):
            inside = candidate[len(before) : len(candidate) - len(after)]
            if inside and candidate == f"{before}{inside}{after}":
                return name.parent / inside
        return None


def _single(names: Iterable[Path], key: Callable[[Path], str]) -> dict[str, Path]:
    """Key to name, of the names whose key no other name has."""
    found: dict[str, list[Path]] = {}
    for name in names:
        found.setdefault(key(name), []).append(name)
    return {of: owners[0] for of, owners in found.items() if len(owners) == 1}


def _composed(name: Path | str) -> str:
    return unicodedata.normalize("NFC", str(name))


def _without_suffix(name: Path) -> str:
    return _composed(name.with_suffix("") if name.suffix.lower() in SUFFIXES else name)


def _without_suffixes(name: Path) -> str:
    while name.suffix.lower() in SUFFIXES:
        name = name.with_suffix("")
    return _composed(name)


def _unpadded(name: Path) -> str:
    # Zeros within a number stay, and so do those of a fraction: 1.05 is not 1.5.
    return re.sub(r"(?<![0-9])(?<![0-9]\.)0+(?=[0-9])", "", _without_suffixes(name))
