"""Checking a database on disk: everything that is wrong in one list, and one error that prints it.

A benchmark that stops at the first missing file is fixed one file at a time. Here each reader collects what
it finds (missing, unreadable, unexpected counts) and raises once.

A file is read no further than its header and its last bytes: that finds missing, empty, cut-off and
mislabelled pictures in a database of ten thousand files within seconds, without decoding them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from PIL import Image

from invariant_lpips.datasets.pairs import RatedPair

__all__ = [
    "DatasetError",
    "FolderIndex",
    "Problems",
    "check_pictures",
    "find_entry",
    "is_number",
    "picture_problem",
    "problems_of",
]

LISTED = 20  # problems printed before "and N more"; the error keeps all of them


class DatasetError(ValueError):
    """A database on disk is not as it was published, or there is no such place.

    Attributes:
        problems: every problem found, one sentence each; empty where `root` does not exist.
    """

    def __init__(self, name: str, root: Path, problems: Iterable[str], obtain: str) -> None:
        self.problems = tuple(problems)
        shown = [f"  - {problem}" for problem in self.problems[:LISTED]]
        if len(self.problems) > LISTED:
            shown.append(f"  - and {len(self.problems) - LISTED} more")
        count = len(self.problems)
        heading = f"{name} under {root} is not complete: {count} problem{'s' if count != 1 else ''}"
        if not self.problems:
            heading = f"{name} was to be read from {root}, which does not exist"
        super().__init__("\n".join([heading, *shown, obtain]))


def problems_of(name: str, root: Path, obtain: str) -> Problems:
    """None yet, of a database that is read from `root`; DatasetError if there is no such place."""
    if not root.exists():
        raise DatasetError(name, root, (), obtain)
    return Problems(name, root, obtain)


class Problems:
    """Collects what is wrong with one database and raises it as one error.

    Example:
        >>> problems = Problems("tid2013", Path("/data"), "Get it from its authors.")
        >>> problems.add("mos_with_names.txt is missing")
        >>> problems.raise_if_any()
        Traceback (most recent call last):
        ...
        invariant_lpips.datasets.verification.DatasetError: tid2013 under /data is not complete: 1 problem
          - mos_with_names.txt is missing
        Get it from its authors.
    """

    def __init__(self, name: str, root: Path, obtain: str) -> None:
        self.name, self.root, self.obtain = name, root, obtain
        self.way_out = ""  # how to go on without what is missing, where one can
        self.found: dict[str, None] = {}  # in the order they were found, each once

    def add(self, problem: str) -> None:
        """Add one problem, worded as a sentence that names the file; one that is known stays single."""
        self.found[problem] = None

    def stop(self, problem: str) -> NoReturn:
        """Add a problem that leaves nothing to go on with, and raise everything added so far."""
        self.add(problem)
        raise self.error()

    def raise_if_any(self) -> None:
        """Raise a :class:`DatasetError` that lists everything added so far, if anything was."""
        if self.found:
            raise self.error()

    def error(self) -> DatasetError:
        """Everything added so far, and what to do about it."""
        to_do = f"{self.way_out}\n{self.obtain}" if self.way_out else self.obtain
        return DatasetError(self.name, self.root, self.found, to_do)


class FolderIndex:
    """The files of one folder, or of several that are read as one, by lower-case name and lower-case stem.

    Copies of the same database differ in letter case (I01.BMP, i01.bmp) and resynthesised ones in format
    (.png in place of .bmp): a name is looked up exactly first, then without its ending among `suffixes`.
    """

    def __init__(self, *folders: Path, suffixes: tuple[str, ...] = (".bmp", ".png")) -> None:
        self.folder = folders[0]  # where a missing file is said to be missing
        self.by_name: dict[str, Path] = {}
        self.by_stem: dict[str, Path] = {}
        for folder in reversed(folders):  # the first folder wins
            files = sorted(folder.iterdir()) if folder.is_dir() else []
            self.by_name |= {file.name.lower(): file for file in files}
            self.by_stem |= {file.stem.lower(): file for file in files if file.suffix.lower() in suffixes}

    def find(self, name: str) -> Path | None:
        """The file called `name` in any letter case and any of the endings, or None."""
        return self.by_name.get(name.lower()) or self.by_stem.get(Path(name).stem.lower())


def find_entry(root: Path, name: str) -> Path:
    """`root / name` in whichever letter case it exists; as given if it does not."""
    if not (root / name).exists() and root.is_dir():
        for entry in sorted(root.iterdir()):
            if entry.name.lower() == name.lower():
                return entry
    return root / name


def picture_problem(path: Path) -> str | None:
    """What is wrong with a picture file, or None.

    Opens the header with Pillow and looks whether the end of the file is where the format says: the IEND
    chunk of a PNG, the length in the header of a BMP, the end marker of a JPEG.
    """
    if not path.is_file():
        return f"{path} is missing"
    size = path.stat().st_size
    if size == 0:
        return f"{path} is empty"
    try:
        with Image.open(path) as image:
            kind = image.format
    except Exception as error:  # a damaged header can make Pillow raise almost anything
        return f"{path} cannot be read as a picture ({error})"
    with path.open("rb") as file:
        head = file.read(6)
        file.seek(max(0, size - 64))
        tail = file.read()
    whole = True
    if kind == "PNG":
        whole = b"IEND" in tail
    elif kind == "BMP":
        whole = int.from_bytes(head[2:6], "little") <= size
    elif kind == "JPEG":
        whole = b"\xff\xd9" in tail
    return None if whole else f"{path} is cut off: its end is missing ({size} bytes)"


def is_number(text: str) -> bool:
    """True if `text` reads as a finite number."""
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False


def check_pictures(pairs: Iterable[RatedPair], problems: Problems) -> None:
    """Add a problem for every picture of `pairs` that is missing or unreadable, each file once."""
    seen: set[Path] = set()
    for pair in pairs:
        for path in (pair.reference, pair.distorted):
            if path not in seen:
                seen.add(path)
                problem = picture_problem(path)
                if problem is not None:
                    problems.add(problem)
