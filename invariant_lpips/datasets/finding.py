"""Finding rated databases below a folder, in whatever arrangement people keep them.

Letter case, folders in between, a folder within a folder of its own name, and archives (zip and tar, read where they
lie) do not matter, nor whether the parts of a database lie together: what its reader needs is looked for in the whole
tree. A database whose parts lie in one folder is read there; others are put together in a folder of the cache, from
links and from what is unpacked of archives. Nothing is written below the folder that is searched.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase, translate
from pathlib import Path

from invariant_lpips.datasets import DATASETS, bapps, find_database
from invariant_lpips.datasets.unpacking import (
    JUNK,
    SEALED,
    SUFFIXES,
    members,
    read_member,
    stem_of,
    unpack,
)
from invariant_lpips.files.reading import read_whole

__all__ = ["NAMES", "Finding", "Found", "Piece", "find_databases", "how_to_obtain", "open_database"]

NAMES: tuple[str, ...] = (*(name for name in DATASETS if name != "csv"), bapps.NAME)
"""The databases that are looked for."""

DEPTH = 6  # folders below the one that is searched
#: What is looked for in the names of archives, before one is read or named as unreadable.
WORDS = (
    "kadid",
    "tid20",
    "csiq",
    "live",
    "databaserelease",
    "pipal",
    "bapps",
    "2afc",
    "twoafc",
    "jnd",
    "raid",
)
STANDS_FOR = {"twoafc_val": "2afc"}  # an archive whose name isn't that of the folder it belongs into
NOT_NEEDED = ("twoafc_train",)  # archives of a database's that nothing here reads
#: Parts called as anybody's folder, which may hold databases.
COMMON = ("images", "ref", "dist", "distort", "label", "jpeg")
#: Of databases whose parts are called as anybody's folders: what one of them holds if it is theirs.
SIGNS = {"pipal": r"a\d{4}\.txt", bapps.NAME: "train|val"}
NEAR = 2  # how many folders up from a table its pictures may branch off


@dataclass(frozen=True)
class Piece:
    """A file or folder that a database needs, on disk or in an archive.

    Attributes:
        name: what it is called, in lower case.
        above: the folders above it, those within its archive and the archive's own name among them.
        path: where it lies, or the archive that holds it.
        inside: its name within the archive; None if it lies on disk.
    """

    name: str
    above: tuple[str, ...]
    path: Path
    inside: str | None = None

    def text(self) -> str:
        """The text of a table, as far as it reads as one."""
        content = read_whole(self.path) if self.inside is None else read_member(self.path, self.inside)
        return content.decode("utf-8-sig", errors="replace")

    def holds(self, pattern: str) -> bool:
        """Whether a folder holds something whose name, in lower case, is as a pattern says; yes of one in a tar.

        A tar, which is read whole for its names, was called as a database's when it was looked into.
        """
        named = re.compile(pattern).fullmatch
        if self.inside is None:
            return any(named(name.lower()) for name in _names(self.path))
        if not self.path.name.lower().endswith(".zip"):
            return True
        start = f"{self.inside}/" if self.inside else ""
        return any(
            named(name[len(start) :].partition("/")[0].lower())
            for name in members(self.path)
            if name.startswith(start)
        )

    def __str__(self) -> str:
        return str(self.path) if self.inside is None else f"{self.path} ({self.inside or 'all of it'})"


@dataclass(frozen=True)
class Found:
    """Where a database lies.

    Attributes:
        name: of the database.
        root: the folder to hand to its reader; None where it is to be put together (:func:`open_database`).
        pieces: name as the reader looks for it -> what was found.
        missing: parts that were not found.
    """

    name: str
    root: Path | None
    pieces: Mapping[str, Piece]
    missing: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """Where it lies, in words."""
        places = [
            piece.path if piece.inside is not None else piece.path.parent for piece in self.pieces.values()
        ]
        return (
            str(self.root)
            if self.root is not None
            else ", ".join(dict.fromkeys(str(place) for place in places))
        )


@dataclass
class Finding:
    """What a search found.

    Attributes:
        databases: name -> where it lies.
        remarks: what somebody should know of: archives that must be unpacked by hand, second copies.
    """

    databases: dict[str, Found] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def find_databases(root: Path, names: Sequence[str] = NAMES) -> Finding:
    """The databases called `names` below a folder, in the order of :data:`NAMES`.

    Raises:
        FileNotFoundError: there is no such folder.
        OSError: it cannot be read.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     tree = Path(folder) / "IQA" / "Kadid-10K" / "kadid10k"
        ...     (tree / "Images").mkdir(parents=True)
        ...     _ = (tree / "dmos.csv").write_text("dist_img,ref_img,dmos,var")
        ...     found = find_databases(Path(folder)).databases
        ...     list(found), found["kadid10k"].root == tree
        (['kadid10k'], True)
    """
    if not root.is_dir():
        raise FileNotFoundError(
            f"The folder to look for databases in must be there, but {root} is no folder."
        )
    finding = Finding()
    pieces: dict[str, list[Piece]] = {}
    for piece in _pieces(root, finding.remarks):
        pieces.setdefault(piece.name, []).append(piece)
    for name in (known for known in NAMES if known in names):
        copies = list(_copies(name, pieces, finding.remarks))
        if copies:
            best = min(copies, key=lambda copy: (len(copy.missing), copy.root is None))
            finding.databases[name] = best
            finding.remarks += [
                f"{name} is also in {copy.where}: {best.where} was taken."
                for copy in copies
                if copy is not best and not copy.missing
            ]
    return finding


def how_to_obtain(name: str) -> str:
    """Where to get a database, in one sentence."""
    return bapps.OBTAIN if name == bapps.NAME else find_database(name).obtain


def open_database(found: Found, cache: Path) -> Path:
    """The folder to hand to a database's reader: its own, or one in the cache that is put together first.

    Args:
        found: what :func:`find_databases` found.
        cache: a folder for what is unpacked, which is kept for the next run.

    Raises:
        ValueError: an archive is damaged, encrypted, or holds names that point outside.
        OSError: a file cannot be read or written, or there is no room.
    """
    if found.root is not None:
        return found.root
    state = []
    for name, piece in sorted(found.pieces.items()):
        # An archive may be replaced by another of its name; what is linked shows its changes by itself.
        changed = piece.path.stat().st_mtime_ns if piece.inside is not None else ""
        state.append(f"{name} {piece.path.resolve()} {piece.inside} {changed}")
    digest = hashlib.sha256(os.fsencode("\n".join(state))).hexdigest()[:12]
    together = cache / f"{found.name}-{digest}"
    together.mkdir(parents=True, exist_ok=True)
    for name, piece in found.pieces.items():
        target = together / name
        if piece.inside is not None:
            unpack(piece.path, piece.inside, target)
        elif not target.exists():
            _link(piece.path.resolve(), target)
    return together


def _link(source: Path, target: Path) -> None:
    """A link, or a copy where the system allows none."""
    try:
        target.symlink_to(source, target_is_directory=source.is_dir())
    except OSError:
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)


def _parts(name: str) -> tuple[tuple[str, ...], ...]:
    return bapps.PARTS if name == bapps.NAME else find_database(name).parts


def _patterns() -> set[str]:
    return {pattern for name in NAMES for part in _parts(name) for pattern in part}


def _pieces(root: Path, remarks: list[str]) -> Iterator[Piece]:
    """Everything below a folder that is called as a part of some database, the shallowest first."""
    patterns = _patterns()
    stars = re.compile("|".join(translate(pattern) for pattern in patterns if "*" in pattern)).match

    def wanted(name: str) -> bool:
        return name in patterns or stars(name) is not None

    seen = set()
    level: list[tuple[tuple[str, ...], Path]] = [((), root)]
    while level:
        below: list[tuple[tuple[str, ...], Path]] = []
        for above, folder in level:
            real = folder.resolve()
            if real in seen:  # a link that leads in a circle, or to what was searched
                continue
            seen.add(real)
            try:
                with os.scandir(folder) as entries:
                    listing = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                if folder == root:
                    raise
                remarks.append(f"{folder} was not searched: {error.strerror}.")
                continue
            for entry in listing:
                name = entry.name.lower()
                called_so = wanted(name)
                if called_so:
                    yield Piece(name, above, _innermost(Path(entry.path)))
                if _is_folder(entry):
                    hidden = name[0] == "." or name in JUNK
                    if len(above) < DEPTH and not hidden and (name in COMMON or not called_so):
                        below.append(((*above, name), Path(entry.path)))
                elif name.endswith(SUFFIXES):
                    yield from _pieces_of_archive(Path(entry.path), above, wanted, remarks)
                elif name.endswith(SEALED) and any(word in name for word in WORDS):
                    remarks.append(
                        f"{entry.path} is an archive that is not read here: unpack it, then run again."
                    )
        level = below


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one; a link in a circle and one to where nobody may look are none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _names(folder: Path) -> list[str]:
    """What lies in a folder; nothing of what is none, or can't be read."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except OSError:
        return []


def _innermost(path: Path) -> Path:
    """The folder itself, or the one of its name in it, in any letter case: what unpacking into such a folder makes."""
    inner = (path / name for name in _names(path) if name.lower() == path.name.lower())
    return next((folder for folder in inner if folder.is_dir()), path)


def _pieces_of_archive(
    archive: Path, above: tuple[str, ...], wanted: Callable[[str], bool], remarks: list[str]
) -> Iterator[Piece]:
    """The parts within an archive; all of it, where it is itself called as one and holds none of that name."""
    stem = stem_of(archive)
    if stem in NOT_NEEDED:
        return
    own = STANDS_FOR.get(stem, stem)
    hinted = wanted(own) or any(word in stem for word in WORDS)
    if not hinted and not archive.name.lower().endswith(".zip"):
        return  # listing a tar reads all of it
    try:
        names = members(archive)
    except (OSError, ValueError) as error:
        remarks += [str(error)] if hinted else []
        return
    found: dict[str, Piece] = {}
    for member in names:
        parts = member.split("/")
        for depth, part in enumerate(parts):
            if wanted(part.lower()):
                while depth + 2 < len(parts) and parts[depth + 1].lower() == part.lower():
                    depth += 1
                inside = "/".join(parts[: depth + 1])
                folders = (*above, own, *(each.lower() for each in parts[:depth]))
                found.setdefault(inside, Piece(part.lower(), folders, archive, inside))
                if part.lower() not in COMMON:
                    break
    if wanted(own) and not any(piece.name == own for piece in found.values()):
        yield Piece(own, above, archive, "")
    else:
        yield from found.values()


def _copies(name: str, pieces: Mapping[str, list[Piece]], remarks: list[str]) -> Iterator[Found]:
    """Each copy of a database: a table, and the nearest of everything else that goes with it.

    Args:
        pieces: name of a part -> what is called so, the shallowest first.
    """
    parts = _parts(name)
    if name == bapps.NAME:
        # It has no table to be near to: of either part what is unpacked comes first, then what lies shallowest.
        both = {part[0]: [p for p in pieces.get(part[0], ()) if p.holds(SIGNS[name])] for part in parts}
        both = {part: sorted(found, key=_packed)[:1] for part, found in both.items()}
        chosen = {each: found[0] for each, found in both.items() if found}
        if chosen:
            yield _found(name, chosen, tuple(part for part in both if part not in chosen))
        return
    recognise = find_database(name).recognise
    tables = _called(parts[0], pieces)
    marks = {mark for known in NAMES if known != bapps.NAME for mark in _parts(known)[0]}
    others = {piece.above for piece in _called(tuple(marks), pieces)}  # folders that are some database's
    for table in tables:
        if name in SIGNS and not table.holds(SIGNS[name]):
            continue
        try:
            if recognise is not None and not recognise(table.text()):
                continue
        except (OSError, ValueError) as error:
            remarks.append(f"{table} could not be read: {error}")
            continue
        chosen, missing = {table.name: table}, []
        for part in parts[1:]:
            free = (p for p in _called(part, pieces) if p.above == table.above or p.above not in others)
            nearest = _nearest(part, table.above, free)
            chosen |= {piece.name: piece for piece in nearest}
            missing += [] if nearest else [" or ".join(part)]
        if len(chosen) > 1 or not table.path.is_dir():  # a folder called `label` alone is nobody's
            yield _found(name, chosen, tuple(missing))


def _called(part: tuple[str, ...], pieces: Mapping[str, list[Piece]]) -> list[Piece]:
    """The pieces that are called as a part."""
    names = [name for name in pieces if any(fnmatchcase(name, pattern) for pattern in part)]
    return [piece for name in names for piece in pieces[name]]


def _packed(piece: Piece) -> bool:
    """Whether it lies in an archive."""
    return piece.inside is not None


def _nearest(part: tuple[str, ...], to: tuple[str, ...], pieces: Iterable[Piece]) -> list[Piece]:
    """Of the pieces called as a part those nearest to a folder: one, or one of each name for a pattern.

    Of an archive and what was unpacked beside it, that is what was unpacked.
    """
    best: dict[str, tuple[tuple[int, bool], Piece]] = {}
    for piece in pieces:
        shared = _shared(to, piece.above)
        up, steps = len(to) - shared, len(to) + len(piece.above) - 2 * shared
        rank = steps, _packed(piece)
        if up <= NEAR and (piece.name not in best or rank < best[piece.name][0]):
            best[piece.name] = (rank, piece)
    ranked = sorted(best.values(), key=lambda found: found[0])
    starred = [piece for _, piece in ranked if any("*" in p and fnmatchcase(piece.name, p) for p in part)]
    return starred or [piece for _, piece in ranked[:1]]


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """How many folders two places have in common, from the top."""
    pairs = zip(one, other, strict=False)
    return next((depth for depth, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _found(name: str, chosen: dict[str, Piece], missing: tuple[str, ...]) -> Found:
    """A copy: read in place where all of it lies in one folder under the names that its reader looks for."""
    parents = {piece.path.parent for piece in chosen.values()}
    together = len(parents) == 1 and all(
        piece.inside is None and piece.path.name.lower() == name for name, piece in chosen.items()
    )
    return Found(name, parents.pop() if together else None, chosen, missing)
