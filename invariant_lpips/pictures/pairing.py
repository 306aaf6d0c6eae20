"""Which pictures are compared with which: files, folders and csv tables to an ordered list of pairs.

Paths are data: nothing is expanded, and a name that starts with a dash or holds a star is just a name.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from pathlib import Path

from invariant_lpips.files.tables import read_csv
from invariant_lpips.pictures.folders import NO_PATTERN, Skipped, a_few, list_folder, natural
from invariant_lpips.pictures.matching import Pattern, match


@dataclass(frozen=True)
class Pair:
    """Two pictures to compare; `label` names the pair in lpips-style lines and in the files of heat maps."""

    reference: Path
    distorted: Path
    label: str
    problem: str | None = None  # why it can't be measured, if that is known already

    def __str__(self) -> str:
        return f"{self.reference} and {self.distorted}"


@dataclass(frozen=True)
class Pairing:
    """The pairs in the order they are reported, and the pictures of two folders that have no partner.

    `skipped` is what else lies in the folders and was not looked at.
    """

    pairs: tuple[Pair, ...]
    unmatched: tuple[Path, ...] = field(default=())
    skipped: tuple[Skipped, ...] = field(default=())


def pair_paths(paths: Sequence[Path], *, recursive: bool = False) -> Pairing:
    """Two files, two folders, or one file against many, as the paths themselves say.

    Raises:
        ValueError: one path alone, a folder with a file, or anything that the three functions below refuse.
        FileNotFoundError: a file isn't there.
    """
    if len(paths) < 2:
        raise ValueError(f"two pictures or folders are needed, but got only {', '.join(map(str, paths))}")
    first, second = paths[:2]
    if len(paths) > 2 or (second.is_dir() and not first.is_dir()):
        return one_against_many(first, paths[1:], recursive=recursive)
    if not first.is_dir():
        return two_files(first, second)
    if not second.exists():
        raise FileNotFoundError(f"{second} does not exist; a folder to compare with {first} was expected")
    if not second.is_dir():
        raise ValueError(f"{first} is a folder and {second} is not; name the single reference first")
    return two_folders(first, second, recursive=recursive)


def two_files(reference: Path, distorted: Path) -> Pairing:
    """One pair; both files must exist, since with a single pair there is nothing else to report."""
    for path in (reference, distorted):
        if not path.exists():
            raise FileNotFoundError(f"there is no such file: {path}")
    return Pairing((_pair(reference, distorted),))


def one_against_many(reference: Path, others: Sequence[Path], *, recursive: bool = False) -> Pairing:
    """The reference with every other file as given; a folder stands for its pictures, in natural order."""
    if reference.is_dir():
        raise ValueError(
            f"the first path is the reference and must be a file to be compared with several: {reference}"
        )
    if not reference.exists():
        raise FileNotFoundError(f"there is no such file: {reference}")
    pictures: list[Path] = []
    skipped: list[Skipped] = []
    for other in others:
        if other.is_dir():
            listing = list_folder(other, recursive=recursive)
            pictures += listing.pictures
            skipped += listing.skipped
        else:
            pictures.append(other)
    return Pairing(tuple(_pair(reference, picture) for picture in pictures), skipped=_each_once(skipped))


def two_folders(references: Path, distorted: Path, *, recursive: bool = False) -> Pairing:
    """Pictures of the same name, in the natural order of the names.

    Names are paths within the folder. Where letters differ, :func:`invariant_lpips.pictures.matching.match` says what
    is still the same name: another suffix, accents written another way, a number without its zeros.
    """
    listings = [list_folder(folder, recursive=recursive) for folder in (references, distorted)]
    left = {path.relative_to(references): path for path in listings[0].pictures}
    right = {path.relative_to(distorted): path for path in listings[1].pictures}
    skipped = listings[0].skipped + listings[1].skipped
    return _matched(left, right, skipped, f"{references} and {distorted} have no picture name in common")


def by_pattern(folders: Sequence[Path], patterns: tuple[str, str], *, recursive: bool = False) -> Pairing:
    """Pictures whose names fit one pattern each and agree in what stands for {}, in one folder or in two.

    Args:
        folders: where the references and the distorted pictures lie; one for both.
        patterns: of the references and of the distorted, see :class:`invariant_lpips.pictures.matching.Pattern`.
        recursive: look into subfolders too; partners lie in subfolders of the same name.

    Raises:
        ValueError: no such pattern or folder, no pair, or names that the patterns don't tell apart.
    """
    if not 1 <= len(folders) <= 2:
        raise ValueError(f"patterns pick pairs in one folder or in two, but got {len(folders)} paths")
    both = Pattern(patterns[0]), Pattern(patterns[1])
    sides: tuple[dict[Path, Path], dict[Path, Path]] = ({}, {})
    skipped: list[Skipped] = []
    for folder, possible in zip(folders, ([0], [1]) if len(folders) == 2 else ([0, 1],), strict=True):
        listing = list_folder(folder, recursive=recursive)
        skipped += listing.skipped
        for path in listing.pictures:
            # A name may fit both, as x_fake does '{}' and '{}_fake': the one that fixes more letters is meant.
            fitting = {
                side: common for side in possible if (common := both[side].common(path.relative_to(folder)))
            }
            side = max(fitting, key=lambda k: both[k].letters, default=None)
            if side is None:
                skipped.append(Skipped(path, NO_PATTERN))
            elif len(fitting) == 2 and both[0].letters == both[1].letters:
                raise ValueError(
                    f"{path} fits both patterns, {patterns[0]!r} and {patterns[1]!r}; make one fix more letters"
                )
            elif (other := sides[side].setdefault(fitting[side], path)) != path:
                raise ValueError(
                    f"{patterns[side]!r} does not tell {other} from {path}; write the suffix into it"
                )
    return _matched(
        *sides, skipped, f"no two names agree in what stands for {{}} in {patterns[0]!r} and {patterns[1]!r}"
    )


def within_folder(folder: Path, *, all_pairs: bool, limit: int | None, recursive: bool = False) -> Pairing:
    """Neighbours in natural order (the frames of a film), or every picture with every other one."""
    listing = list_folder(folder, recursive=recursive)
    pictures = listing.pictures[:limit]
    if len(pictures) < 2:
        raise ValueError(f"{folder} must hold at least two pictures to compare, but holds {len(pictures)}")
    chosen = combinations(pictures, 2) if all_pairs else pairwise(pictures)
    return Pairing(
        tuple(
            Pair(a, b, label=f"({a.relative_to(folder).as_posix()},{b.relative_to(folder).as_posix()})")
            for a, b in chosen
        ),
        skipped=listing.skipped,
    )


def from_csv(table: Path) -> Pairing:
    """The rows of a csv file with columns `reference` and `distorted` (others are ignored), in its order.

    Columns may be separated by commas, semicolons or tabs; see :func:`invariant_lpips.files.tables.read_csv`. Relative
    paths start at the folder of the csv file, those of /dev/stdin and other pipes in /dev at the current one. A row
    with an empty cell is a pair with a problem.
    """
    start = Path() if Path("/dev") in table.parents else table.parent
    try:
        text = table.read_bytes().decode("utf-8-sig")
        reader = read_csv(text, ("reference", "distorted"))
        columns = reader.fieldnames or []
        if not {"reference", "distorted"} <= set(columns):
            raise ValueError(
                f"{table} must have the columns reference and distorted in its first line, "
                f"but has {', '.join(columns) or 'none'}"
            )
        pairs = [_csv_pair(table, start, row, reader.line_num) for row in reader]
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no such file: {table}") from None
    except IsADirectoryError:
        raise ValueError(f"{table} is a folder; --csv wants a file") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{table} is not a csv file in UTF-8: {error}") from None
    if not pairs:
        raise ValueError(f"{table} has no rows below its first line")
    return Pairing(tuple(pairs))


def _csv_pair(table: Path, start: Path, row: dict[str, str | None], line: int) -> Pair:
    reference, distorted = ((row[name] or "").rstrip() for name in ("reference", "distorted"))
    missing = [name for name, path in (("reference", reference), ("distorted", distorted)) if not path]
    problem = f"line {line} of {table} has no {' and no '.join(missing)}" if missing else None
    return Pair(
        _as_on_disk(start / reference) if reference else Path(),
        _as_on_disk(start / distorted) if distorted else Path(),
        label=f"{Path(reference).stem}-{Path(distorted).stem}",
        problem=problem,
    )


def _as_on_disk(path: Path) -> Path:
    """The path, with its accents written the way of the file that is there: composed, or apart as on macOS."""
    if not _exists(path):
        for form in ("NFC", "NFD"):
            written = Path(unicodedata.normalize(form, str(path)))
            if _exists(written):
                return written
    return path


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # no file can have such a name
        return False


def _pair(reference: Path, distorted: Path) -> Pair:
    return Pair(reference, distorted, label=f"{reference.stem}-{distorted.stem}")


def _matched(
    left: dict[Path, Path], right: dict[Path, Path], skipped: Iterable[Skipped], complaint: str
) -> Pairing:
    """The pairs of two sides, each name to picture; `complaint` begins the sentence where there is none."""
    matches = sorted(match(left, right), key=lambda names: natural(names[0]))
    if not matches:
        some = [a_few(map(str, names)) or "none" for names in (left, right)]
        raise ValueError(f"{complaint}: {some[0]} in the first, {some[1]} in the second")
    matched_left, matched_right = {a for a, _ in matches}, {b for _, b in matches}
    unmatched = [path for name, path in left.items() if name not in matched_left]
    unmatched += [path for name, path in right.items() if name not in matched_right]
    pairs = tuple(Pair(left[a], right[b], label=a.as_posix()) for a, b in matches)
    return Pairing(pairs, tuple(unmatched), _each_once(skipped))


def _each_once(skipped: Iterable[Skipped]) -> tuple[Skipped, ...]:
    return tuple(dict.fromkeys(skipped))  # a folder may be named twice
