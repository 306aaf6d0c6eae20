"""Whether files still hold what was read of them: by size and time of change, and by a hash where those differ."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

#: Of a file: size, time of change in nanoseconds, sha256 of what it holds; empty of one that isn't there.
Kept = Sequence[Any]

PIECE = 2**20


class Contents:
    """What files hold, from before they are read: one that is written while it is read is not taken for what it became.

    Args:
        files: that will be read.

    Example:
        >>> import os, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "x"
        ...     _ = file.write_bytes(b"old")
        ...     kept = Contents([file]).of(file)
        ...     os.utime(file, (1, 1))
        ...     touched = Contents([file]).are_still(file, kept)
        ...     _ = file.write_bytes(b"new")
        ...     touched, Contents([file]).are_still(file, kept)
        (True, False)
    """

    def __init__(self, files: Iterable[Path]) -> None:
        self._states = {file: state_of(file) for file in files}
        self._hashes: dict[Path, str] = {}

    def of(self, file: Path) -> Kept:
        """What to keep of a file that was read, as JSON has it."""
        state = self._states[file]
        return (*state, self.hash_of(file)) if state else ()

    def hash_of(self, file: Path) -> str:
        """The sha256 of what it holds; empty of one that has changed meanwhile, can't be read or isn't there."""
        if file not in self._hashes:
            self._hashes[file] = _hash(file, self._states[file])
        return self._hashes[file]

    def are_still(self, file: Path, kept: Kept) -> bool:
        """Whether a file holds what was kept of it; it is read where only its time of change is another."""
        state = self._states[file]
        if not (state and kept):
            return not state and not kept
        size, changed, held = kept
        return state == (size, changed) or bool(state[0] == size and held and held == self.hash_of(file))


def state_of(file: Path) -> tuple[int, ...]:
    """Size and time of change; nothing of a file that isn't there, which is the problem of its row."""
    try:
        state = file.stat()
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return ()
    return state.st_size, state.st_mtime_ns


def digest(parts: Iterable[str]) -> str:
    """One hash of many texts in their order.

    Example:
        >>> digest(["a", "bc"]) == digest(["ab", "c"])
        False
    """
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _hash(file: Path, state: tuple[int, ...]) -> str:
    found = hashlib.sha256()
    try:
        if not file.is_file():
            return ""
        with file.open("rb") as stream:
            while piece := stream.read(PIECE):
                found.update(piece)
    except OSError:
        return ""
    return found.hexdigest() if state_of(file) == state else ""
