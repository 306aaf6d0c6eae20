"""The pictures of a folder in natural order (frame2 before frame10), and what in it was not looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from invariant_lpips.pictures.decoding import SUFFIXES

#: Other picture formats, by their suffix: to pass over one is to miss a picture. Those that are read may be among them.
OTHER_FORMATS = (
    "apng arw avif avifs cr2 cr3 dds dib dng exr hdr heic heics heif hif ico j2c j2k jfif jif jp2 jpc jpe jpf jph jpx "
    "jxl jxr nef nrw orf pam pcx pfm pic psd qoi raf ras rgb rw2 sgi sr2 tga wdp xbm xpm"
)
PICTURE_SUFFIXES = frozenset(SUFFIXES) | {f".{name}" for name in OTHER_FORMATS.split()}

DEAD_LINK = "dead link"
UNREAD_FORMAT = "picture format that is not read"
NO_PICTURE = "no picture by its suffix"
SUBFOLDER = "folder; --recursive looks into it"
LINKED_FOLDER = "link to a folder, which is not followed"
NO_PATTERN = "fits no pattern"


class Skipped(NamedTuple):
    """Something in a folder that was not looked at."""

    path: Path
    why: str

    @property
    def missed(self) -> bool:
        """Whether it is or should be a picture, so that the work is incomplete without it."""
        return self.why in (DEAD_LINK, UNREAD_FORMAT) and self.path.suffix.lower() in PICTURE_SUFFIXES


@dataclass(frozen=True)
class Listing:
    """A folder's pictures, and everything else in it but hidden files, both in natural order."""

    pictures: tuple[Path, ...]
    skipped: tuple[Skipped, ...]


def list_folder(folder: Path, *, recursive: bool = False) -> Listing:
    """The picture files of a folder (by suffix, hidden ones left out) and what was passed over.

    Raises:
        ValueError: it is no folder, or holds no pictures.
    """
    if not folder.is_dir():
        kind = "a file" if folder.exists() else "missing"
        raise ValueError(f"a folder was expected, but {folder} is {kind}")
    listing = sort_out(folder, recursive=recursive)
    if not listing.pictures:
        more = f"; {not_looked_at(listing.skipped)}" if listing.skipped else ""
        raise ValueError(f"{folder} holds no pictures ({', '.join(SUFFIXES)}){more}")
    return listing


def sort_out(folder: Path, *, recursive: bool) -> Listing:
    """The same of a folder that is there, and may be without pictures."""
    pictures: list[Path] = []
    skipped: list[Skipped] = []
    for path in folder.rglob("*") if recursive else folder.iterdir():
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        why = _reason_to_skip(path, recursive=recursive)
        if why is None:
            pictures.append(path)
        elif why:
            skipped.append(Skipped(path, why))
    skipped.sort(key=lambda item: natural(item.path))
    return Listing(tuple(sorted(pictures, key=natural)), tuple(skipped))


def pictures_in(folder: Path, *, recursive: bool = False) -> list[Path]:
    """The pictures of :func:`list_folder` alone."""
    return list(list_folder(folder, recursive=recursive).pictures)


def natural(path: Path) -> tuple[object, ...]:
    """A key to sort paths by as people count: runs of digits are numbers.

    Example:
        >>> sorted(map(Path, ["f10.png", "f2.png", "a/f1.png", "f02.png"]), key=natural) == [
        ...     Path("a/f1.png"), Path("f02.png"), Path("f2.png"), Path("f10.png")
        ... ]
        True
    """
    # Text and numbers alternate, so that like is compared with like; the path itself tells 2 from 02.
    pieces = [re.split("([0-9]+)", part) for part in path.parts]
    return tuple(tuple(int(p) if k % 2 else p for k, p in enumerate(piece)) for piece in pieces), path


def counted(files: Sequence[Path]) -> list[int] | None:
    """The number that counts the files of a sequence: the only one in their names that is not the same in all.

    None where there is none, or more than one, as of several sequences in one folder.

    Example:
        >>> counted([Path("cam2_f007_x4.png"), Path("cam2_f010_x4.png")]), counted([Path("a.png"), Path("b.png")])
        ([7, 10], None)
    """
    numbers = [[int(digits) for digits in re.findall("[0-9]+", file.stem)] for file in files]
    if len({len(of_file) for of_file in numbers}) != 1:
        return None
    differing = [column for column in zip(*numbers, strict=True) if len(set(column)) > 1]
    return list(differing[0]) if len(differing) == 1 else None


def first_gap(files: Sequence[Path]) -> tuple[Path, Path] | None:
    """The first two neighbours between whose numbers, as :func:`counted`, there is another; None where all follow.

    Example:
        >>> [path.name for path in first_gap([Path("a1.png"), Path("a2.png"), Path("a4.png")])]
        ['a2.png', 'a4.png']
    """
    numbers = counted(files) or []
    for place, (one, after) in enumerate(pairwise(numbers)):
        if after != one + 1:
            return files[place], files[place + 1]
    return None


def first_apart(left: Sequence[Path], right: Sequence[Path]) -> tuple[Path, Path] | None:
    """The first two files of one place whose numbers differ by another amount than those of the first place.

    Example:
        >>> left, right = ([Path(f"{name}{k}.png") for k in (1, 2, last)] for name, last in (("a", 3), ("b", 4)))
        >>> [path.name for path in first_apart(left, right)]
        ['a3.png', 'b4.png']
    """
    mine, theirs = counted(left), counted(right)
    if mine is None or theirs is None:
        return None
    amounts = [other - one for one, other in zip(mine, theirs, strict=False)]
    place = next((k for k, amount in enumerate(amounts) if amount != amounts[0]), None)
    return None if place is None else (left[place], right[place])


def not_looked_at(skipped: Iterable[Skipped]) -> str:
    """One line that counts and names what was skipped.

    Example:
        >>> print(not_looked_at([Skipped(Path(f"{k}.xyz"), NO_PICTURE) for k in range(5)]))
        5 not looked at: 0.xyz, 1.xyz, 2.xyz and 2 more (no picture by its suffix)
    """
    by_reason: dict[str, list[str]] = {}
    for path, why in sorted(skipped, key=lambda item: not item.missed):
        by_reason.setdefault(why, []).append(str(path))
    groups = [f"{a_few(names)} ({why})" for why, names in by_reason.items()]
    return f"{sum(map(len, by_reason.values()))} not looked at: {'; '.join(groups)}"


def a_few(names: Iterable[str]) -> str:
    """The first three names, and how many more there are."""
    names = list(names)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _reason_to_skip(path: Path, *, recursive: bool) -> str | None:
    """Why a path is not looked at; "" for a folder that is looked into, None for a picture."""
    suffix = path.suffix.lower()
    if suffix in SUFFIXES and path.is_file():
        return None
    if path.is_dir():
        if recursive:
            return LINKED_FOLDER if path.is_symlink() else ""
        return SUBFOLDER
    if path.is_symlink() and not path.exists():
        return DEAD_LINK
    return UNREAD_FORMAT if suffix in PICTURE_SUFFIXES and path.is_file() else NO_PICTURE
