"""Which pictures are embedded: those of a folder, of a table of paths, or of a list."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from invariant_lpips.indexing.files import pyarrow_parquet
from invariant_lpips.pictures.folders import Skipped, list_folder


@dataclass(frozen=True)
class Pictures:
    """Picture files in a fixed order.

    Attributes:
        root: where relative names start.
        names: one for each picture, relative to `root` with forward slashes, or absolute.
        skipped: what else is in the folder, by paths relative to it.
    """

    root: Path
    names: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def file(self, position: int) -> Path:
        """Where the picture at a position lies."""
        return self.root / self.names[position]

    def fingerprint(self) -> str:
        """A hash of the names and of the files' sizes in bytes: other pictures, another fingerprint."""
        digest = hashlib.sha256()
        for position, name in enumerate(self.names):
            try:
                size = self.file(position).stat().st_size
            except OSError:  # it will be reported when it is read
                size = -1
            digest.update(f"{name}\0{size}\0".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()[:16]


def find_pictures(
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], *, recursive: bool = False
) -> Pictures:
    """The pictures of a folder, in natural order; of a Parquet file with a column `path`; or of a list, in its order.

    Args:
        source: a folder, a .parquet file (relative paths start at its folder), or paths.
        recursive: look into subfolders too.

    Raises:
        ValueError: no such folder or no pictures in it, no column `path`, or an empty list.
    """
    if not isinstance(source, (str, os.PathLike)):
        names = tuple(os.fspath(path) for path in source)
        if not names:
            raise ValueError("a list of pictures must name at least one, but it is empty")
        return Pictures(Path(), names)
    folder = Path(source)
    if folder.suffix.lower() == ".parquet":
        return Pictures(folder.parent, _path_column(folder))
    found = list_folder(folder, recursive=recursive)
    return Pictures(
        folder,
        tuple(path.relative_to(folder).as_posix() for path in found.pictures),
        tuple(Skipped(path.relative_to(folder), why) for path, why in found.skipped),
    )


def _path_column(table: Path) -> tuple[str, ...]:
    parquet = pyarrow_parquet()
    if not table.is_file():
        raise FileNotFoundError(f"there is no such file: {table}")
    try:
        schema = parquet.read_schema(table)
        if "path" not in schema.names:
            raise ValueError(f"{table} must have a column path, but has {', '.join(schema.names) or 'none'}")
        names = parquet.read_table(table, columns=["path"])["path"].to_pylist()
    except OSError as error:
        raise ValueError(f"cannot read {table}: {error}") from None
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"the column path of {table} must hold a path in every row")
    return tuple(names)


def first_of_another_size(pictures: Pictures) -> int | None:
    """Position of the first picture whose sides, in any order, aren't those of the one before; headers only.

    Sides that the camera's rotation swaps are left to the moment when the picture is decoded; files that can't be
    read are left out.
    """
    sides: list[int] | None = None
    for position in range(len(pictures)):
        try:
            with Image.open(pictures.file(position)) as image:
                found = sorted(image.size)
        except Exception:  # a damaged header can make Pillow raise almost anything; decoding will say so
            continue
        if sides is not None and found != sides:
            return position
        sides = found
    return None
