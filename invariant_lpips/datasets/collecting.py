"""What the readers of rated databases share: a reader says what its tables mean, this module does the rest.

Finding files in any letter case, pairing rows with pictures, counting, looking at the pictures, and one error
that lists everything that is wrong: :class:`Database` and :class:`Collector` do it for every database alike.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path

from invariant_lpips.datasets.pairs import RatedPair, RatedPairs
from invariant_lpips.datasets.verification import FolderIndex, check_pictures, find_entry, problems_of
from invariant_lpips.files.reading import read_whole
from invariant_lpips.files.tables import read_csv

__all__ = ["Collector", "Database"]


@dataclass(frozen=True)
class Database:
    """One rated database: where it comes from, what its scores mean, and the function that reads its tables.

    Attributes:
        name: as in :data:`invariant_lpips.datasets.DATASETS`.
        summary: one line on what is in it.
        obtain: one sentence: where to get it.
        read: reads the tables below ``Collector.root`` and hands each row to :meth:`Collector.add`.
        higher_is_better: True if a high score means a good picture (MOS), False if a bad one (DMOS, scales of
            difference).
        distortions: code of a kind of distortion -> its name; empty where the data say themselves.
        order: attributes of :class:`RatedPair` that pairs are sorted by; empty for the order of the tables.
        download: fetches the database into a folder; None where its authors ask people to do that.
        rated: how many pictures the published tables rate; None if nobody says.
        parts: the files and folders that `read` looks for, in lower case and as shell patterns, names that stand for
            each other together; the first is the table that tells the database from others.
        recognise: tells by the text of that table whether it is this database's, where another calls its own alike.
    """

    name: str
    summary: str
    obtain: str
    read: Callable[[Collector], None]
    higher_is_better: bool
    distortions: dict[str, str] = field(default_factory=dict)
    order: tuple[str, ...] = ("reference_id", "distortion", "level")
    download: Callable[[Path], Path] | None = None
    rated: int | None = None
    parts: tuple[tuple[str, ...], ...] = ()
    recognise: Callable[[str], bool] | None = None

    def load(self, root: str | Path, *, verify: bool = True, allow_missing: bool = False) -> RatedPairs:
        """The rated pairs under `root`; arguments and errors as :func:`invariant_lpips.datasets.load_dataset`."""
        collector = Collector(self, Path(root), verify=verify, allow_missing=allow_missing)
        self.read(collector)
        if verify:
            check_pictures(collector.pairs, collector.problems)
        collector.problems.raise_if_any()
        pairs = sorted(collector.pairs, key=attrgetter(*self.order)) if self.order else collector.pairs
        return RatedPairs(self.name, tuple(pairs), collector.higher_is_better)


class Collector:
    """The pairs of one database as they are found, and everything that is wrong with it.

    Attributes:
        root: the folder its authors' archive unpacks to (for ``csv``, the table).
        verify: whether counts and pictures are to be as published.
        allow_missing: leave out pairs whose pictures are not there, in place of a problem.
        higher_is_better: the database's convention; a table that says its own may set it.
        pairs: the pairs whose two pictures are there, in the order of the tables.
        rated: how many pictures the tables rate.
        problems: what is wrong so far.
    """

    def __init__(
        self, database: Database, root: Path, *, verify: bool = True, allow_missing: bool = False
    ) -> None:
        self.root, self.verify, self.allow_missing = root, verify, allow_missing
        self.higher_is_better = database.higher_is_better
        self.pairs: list[RatedPair] = []
        self.rated = 0
        self.problems = problems_of(database.name, root, database.obtain)
        self._seen: set[tuple[Path, str]] = set()
        self._folders: dict[Path, None] = {}  # where pictures were looked for

    def find(self, *names: str) -> Path:
        """The first of `names` that `root` holds, in any letter case; the first name if it holds none."""
        found = [find_entry(self.root, name) for name in names]
        return next((path for path in found if path.exists()), found[0])

    def require(self, *paths: Path) -> None:
        """Raise what is wrong so far if one of these, without which nothing can be read, is missing."""
        for path in paths:
            if not path.exists():
                self.problems.add(f"{path} is missing")
        self.problems.raise_if_any()

    def text(self, table: Path) -> str:
        """The text of a table; raises what is wrong so far if it is missing, too large or not in UTF-8."""
        try:
            return read_whole(table).decode("utf-8-sig")
        except OSError:
            self.problems.stop(f"{table} is missing")
        except UnicodeDecodeError as error:
            self.problems.stop(f"{table} is not in UTF-8: {error}")
        except ValueError as error:
            self.problems.stop(str(error))

    def lines(self, table: Path) -> Iterator[tuple[str, str]]:
        """("TABLE line NUMBER", line) of every line that is not blank."""
        for number, line in enumerate(self.text(table).splitlines(), start=1):
            if line.strip():
                yield f"{table} line {number}", line

    def rows(
        self, table: Path, columns: Collection[str] = (), *, text: str | None = None, above: int = 0
    ) -> Iterator[tuple[str, dict[str, str]]]:
        """("TABLE line NUMBER", row by column) of a csv table with a header.

        Args:
            table: the file.
            columns: those it must have; without them, or if it is no csv, what is wrong so far is raised.
            text: what to read in place of the whole file.
            above: how many lines of the file stand above `text`.
        """
        try:
            reader = read_csv(self.text(table) if text is None else text, columns)
            if lacking := set(columns) - set(reader.fieldnames or ()):
                self.problems.stop(f"{table} has no column {', '.join(sorted(lacking))}")
            rows = list(reader)
        except csv.Error as error:
            self.problems.stop(f"{table} is not a csv file: {error}")
        for number, row in enumerate(rows, start=above + 2):
            yield f"{table} line {number}", row

    def add(
        self,
        row: str,
        reference: tuple[FolderIndex, str],
        distorted: tuple[FolderIndex, str],
        score: float,
        *,
        reference_id: str,
        distortion: str,
        level: float = 0.0,
    ) -> None:
        """Add the pair that one row rates, or what is wrong with it.

        Args:
            row: where it stands, for the error about a picture that is rated twice.
            reference, distorted: a folder's files and the name that the table gives.
            score, reference_id, distortion, level: as of :class:`RatedPair`.
        """
        folder, name = distorted
        if (folder.folder, Path(name).stem.lower()) in self._seen:
            self.problems.add(f"{row} rates {name} a second time")
            return
        self._seen.add((folder.folder, Path(name).stem.lower()))
        self.rated += 1
        self._folders |= {reference[0].folder: None, folder.folder: None}
        paths = [files.find(name) for files, name in (reference, distorted)]
        for path, (files, name) in zip(paths, (reference, distorted), strict=True):
            if path is None and not self.allow_missing:
                self.lack(f"{files.folder / name} is missing")
        if paths[0] is not None and paths[1] is not None:
            self.pairs.append(RatedPair(paths[0], paths[1], score, reference_id, distortion, level))

    def expect(self, count: int | None, table: Path, *, of: str = "", what: str = "pictures") -> None:
        """Add a problem if the tables do not rate `count` pictures, or, with `allow_missing`, if none is there.

        Args:
            count: how many are published; None if nobody says.
            table: what rates them.
            of: what the whole database is called.
            what: what the pictures are called.
        """
        if self.allow_missing:
            if not self.pairs:
                where = " and ".join(
                    str(path) if path.is_dir() else f"{path}, which is missing," for path in self._folders
                )
                self.problems.add(
                    f"none of the {self.rated} {what} that {table.name} rates is there; looked in {where or self.root}"
                )
        elif self.verify and count is not None and self.rated != count:
            self.lack(f"{table} rates {self.rated} {what}, but {of} has {count}")

    def lack(self, problem: str) -> None:
        """Add a problem that `allow_missing` puts up with, and have the error say so."""
        self.problems.add(problem)
        self.problems.way_out = "To go on with what is there: allow_missing=True (--allow-missing)."
