"""Archives of databases: what is in them, and unpacking a part into a folder of the cache.

Nothing is written beside an archive. A member lands below its target or nowhere: names with ``..``, roots or drives
and links are refused. Every file appears whole, and one that is there in its full size is not written again, so an
unpacking that was stopped goes on where it was.
"""

from __future__ import annotations

import contextlib
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from invariant_lpips.files.writing import replacing

__all__ = ["JUNK", "SEALED", "SUFFIXES", "members", "read_member", "stem_of", "unpack"]

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
"""Endings of archives that are read here."""

SEALED = (".rar", ".7z")
"""Endings of archives that Python cannot open."""

File = tuple[str, int, Callable[[], IO[bytes]]]  # its name, its size, what opens it

JUNK = ("__macosx", ".ds_store", "thumbs.db", "@eadir", "$recycle.bin", "lost+found")
"""What systems leave in folders and archives, in lower case."""

DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, EOFError, NotImplementedError, RuntimeError),
    *(zlib.error, lzma.LZMAError),  # which zipfile lets through
)


def stem_of(path: Path) -> str:
    """The name of an archive in lower case without its endings.

    Example:
        >>> stem_of(Path("data/twoafc_val.tar.gz"))
        'twoafc_val'
    """
    name = path.name.lower()
    return next((name[: -len(end)] for end in (*SUFFIXES, *SEALED) if name.endswith(end)), name)


def members(archive: Path) -> list[str]:
    """The names of the files in an archive, with ``/`` between folders, without what systems leave in folders.

    Raises:
        ValueError: it is damaged, or holds a name that points outside.
    """
    with _opened(archive) as files:
        return [name for name, _, _ in files]


def read_member(archive: Path, name: str) -> bytes:
    """The content of one file of an archive.

    Raises:
        ValueError: the archive is damaged, or has no such file.
    """
    with _opened(archive) as files:
        for found, _, file in files:
            if found == name:
                with file() as stream:
                    return stream.read()
    raise ValueError(f"{archive} holds no file {name}.")


def unpack(archive: Path, inside: str, target: Path) -> Path:
    """Unpack a file or folder of an archive to `target`; nothing is done where that was done before.

    Args:
        archive: a file that ends in one of :data:`SUFFIXES`.
        inside: its name within the archive, "" for everything.
        target: what it is to be called; its parent is made.

    Raises:
        ValueError: the archive is damaged or encrypted, or holds a name that points outside.
        OSError: there is no room, or the place cannot be written to.
    """
    done = target.with_name(target.name + ".complete")
    if done.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with _opened(archive) as files:
        for name, size, file in files:
            rest = PurePosixPath(name)
            if inside and rest != PurePosixPath(inside) and PurePosixPath(inside) not in rest.parents:
                continue
            place = target / rest.relative_to(inside) if inside else target / rest
            if place.is_file() and place.stat().st_size == size:
                continue
            free = shutil.disk_usage(target.parent).free
            if size > free:
                raise OSError(
                    f"{archive} cannot be unpacked to {target.parent}: {name} needs {size} bytes and {free} are free; "
                    "make room there, or name another folder with --cache."
                )
            place.parent.mkdir(parents=True, exist_ok=True)
            with replacing(place) as temporary, file() as source, temporary.open("wb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
    done.touch()
    return target


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[Iterator[File]]:
    """Its files in their order; what is wrong with it as one sentence."""
    try:
        if archive.name.lower().endswith(".zip"):
            with zipfile.ZipFile(archive) as packed:
                yield _files_of_zip(archive, packed)
        else:
            with tarfile.open(archive, "r|*") as packed_tar:
                yield _files_of_tar(archive, packed_tar)
    except DAMAGED as error:
        raise ValueError(
            f"{archive} cannot be unpacked ({error}): unpack it by hand, or fetch it again."
        ) from error


def _files_of_zip(archive: Path, packed: zipfile.ZipFile) -> Iterator[File]:
    for entry in packed.infolist():
        if not entry.is_dir() and not _junk(entry.filename):
            link = (entry.external_attr >> 16) & 0o170000 == 0o120000
            name = _within(archive, entry.filename, link)
            yield name, entry.file_size, partial(packed.open, entry)


def _files_of_tar(archive: Path, packed: tarfile.TarFile) -> Iterator[File]:
    for entry in packed:
        if not entry.isdir() and not _junk(entry.name):
            name = _within(archive, entry.name, not entry.isfile())
            yield name, entry.size, partial(_plain_file, packed, entry)


def _plain_file(packed: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    stream = packed.extractfile(entry)
    assert stream is not None  # it is a plain file
    return stream


def _within(archive: Path, name: str, link: bool) -> str:
    """The name in plain form, or a ValueError where it is a link or would lie outside the folder unpacked to."""
    plain = name.replace("\\", "/").removeprefix("./")
    parts = plain.split("/")
    if link or ".." in parts or "" in parts or ":" in parts[0] or "\0" in plain:
        raise ValueError(
            f"{archive} holds {name!r}, which is no plain file within it: it is not unpacked; get it from its authors."
        )
    return plain


def _junk(name: str) -> bool:
    """Whether a member is what a system leaves in folders."""
    return any(part.lower() in JUNK or part.startswith("._") for part in name.replace("\\", "/").split("/"))
