"""Which pictures are compared with which: files, folders and csv tables to an ordered list of pairs.

Paths are data: nothing is expanded, and a name that starts with a dash or holds a star is just a name.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from pathlib import Path

from invariant_lpips.pictures.folders import Skipped, a_few, list_folder, natural


@dataclass(frozen=True)
class Pair:
    """Two pictures to compare; `label` names the pair in lpips-style lines and in the files of heat maps."""

    reference: Path
    distorted: Path
    label: str
    problem: str | None = None  # why it can't be measured, if that is known already


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

    Names are paths within the folder. Pictures left over are matched by name without suffix (a.png with
    a.jpg) where that is unambiguous on both sides.
    """
    listings = [list_folder(folder, recursive=recursive) for folder in (references, distorted)]
    left = {path.relative_to(references): path for path in listings[0].pictures}
    right = {path.relative_to(distorted): path for path in listings[1].pictures}
    matches = [(name, name) for name in left.keys() & right.keys()]
    left_stems = _unique_stems(left.keys() - right.keys())
    right_stems = _unique_stems(right.keys() - left.keys())
    matches += [(left_stems[stem], right_stems[stem]) for stem in left_stems.keys() & right_stems.keys()]
    matches.sort(key=lambda match: natural(match[0]))
    matched_left, matched_right = {a for a, _ in matches}, {b for _, b in matches}
    unmatched = [path for name, path in left.items() if name not in matched_left]
    unmatched += [path for name, path in right.items() if name not in matched_right]
    if not matches:
        raise ValueError(
            f"{references} and {distorted} have no picture name in common: "
            f"{a_few(map(str, left))} in the first, {a_few(map(str, right))} in the second"
        )
    pairs = tuple(Pair(left[a], right[b], label=a.as_posix()) for a, b in matches)
    return Pairing(pairs, tuple(unmatched), _each_once(listings[0].skipped + listings[1].skipped))


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

    Relative paths start at the folder of the csv file. A row with an empty cell is a pair with a problem.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            columns = reader.fieldnames or []
            if not {"reference", "distorted"} <= set(columns):
                raise ValueError(
                    f"{table} must have the columns reference and distorted in its first line, "
                    f"but has {', '.join(columns) or 'none'}"
                )
            pairs = [_csv_pair(table, row, reader.line_num) for row in reader]
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no such file: {table}") from None
    except IsADirectoryError:
        raise ValueError(f"{table} is a folder; --csv wants a file") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{table} is not a csv file in UTF-8: {error}") from None
    if not pairs:
        raise ValueError(f"{table} has no rows below its first line")
    return Pairing(tuple(pairs))


def _csv_pair(table: Path, row: dict[str, str | None], line: int) -> Pair:
    reference, distorted = row["reference"] or "", row["distorted"] or ""
    missing = [name for name in ("reference", "distorted") if not row[name]]
    problem = f"line {line} of {table} has no {' and no '.join(missing)}" if missing else None
    return Pair(
        table.parent / reference if reference else Path(),
        table.parent / distorted if distorted else Path(),
        label=f"{Path(reference).stem}-{Path(distorted).stem}",
        problem=problem,
    )


def _pair(reference: Path, distorted: Path) -> Pair:
    return Pair(reference, distorted, label=f"{reference.stem}-{distorted.stem}")


def _each_once(skipped: Iterable[Skipped]) -> tuple[Skipped, ...]:
    return tuple(dict.fromkeys(skipped))  # a folder may be named twice


def _unique_stems(names: set[Path]) -> dict[Path, Path]:
    stems: dict[Path, list[Path]] = {}
    for name in names:
        stems.setdefault(name.with_suffix(""), []).append(name)
    return {stem: owners[0] for stem, owners in stems.items() if len(owners) == 1}
