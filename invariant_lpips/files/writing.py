"""Result files that are either complete or not there: written beside their place, then moved into it."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

#: What to do about the errors of a place that can't be written to.
REMEDIES = {
    errno.ENOSPC: "make room there, or write to another disk",
    errno.EDQUOT: "make room there, or write to another disk",
    errno.EFBIG: "raise the limit on the size of files, or write to another disk",
    errno.EROFS: "choose a place that can be written to",
    errno.EACCES: "choose a place that can be written to, or change its permissions",
    errno.EPERM: "choose a place that can be written to, or change its permissions",
}


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; move it there when the block ends well, else remove it.

    Raises:
        OSError: as :func:`naming` says.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "x.txt") as temporary:
    ...         _ = temporary.write_text("all of it")
    ...     (Path(folder) / "x.txt").read_text()
    'all of it'
    """
    target = Path(path)
    # Not tempfile.mkstemp: it makes files that only their owner may read, whatever the umask says.
    temporary = target.with_name(f".{target.stem}-{secrets.token_hex(6)}{target.suffix}")
    try:
        with naming(target, temporary):
            yield temporary
            temporary.replace(target)
    finally:
        with contextlib.suppress(OSError):  # it was never made, or can't be removed: the first error counts
            temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write text in UTF-8 as it is, line ends too; whole or not at all.

    Names of files need not be UTF-8: what Python could not decode in them is written as it came.

    Raises:
        OSError: as :func:`naming` says.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")


@contextlib.contextmanager
def naming(path: str | os.PathLike[str], *others: str | os.PathLike[str]) -> Iterator[None]:
    """Say which file could not be written, and what to do: the system's errors of a full disk name none.

    Args:
        path: the file that the block writes.
        others: names it has meanwhile.

    Raises:
        OSError: of the kind that was caught, with one sentence, where the block met a full or closed place.

    Example:
        >>> with naming("x.txt"):
        ...     raise OSError(errno.ENOSPC, "No space left on device")
        Traceback (most recent call last):
        OSError: x.txt could not be written: No space left on device; make room there, or write to another disk.
    """
    try:
        yield
    except Exception as error:
        known = {None, *(os.fspath(each) for each in (path, *others))}
        cause: BaseException | None = error  # torch.save hides the system's error behind its own
        while cause is not None:
            if isinstance(cause, OSError) and cause.errno in REMEDIES and cause.filename in known:
                raise type(cause)(f"{path} could not be written: {said(cause)}.") from error
            cause = cause.__cause__ or cause.__context__
        raise


def hold(stream: BinaryIO, path: str | os.PathLike[str], patience: float = 0.0) -> None:
    """Lock a file that grows as a run goes on, until it is closed, so that no other process writes to it.

    Args:
        stream: the open file, of path `path`.
        patience: seconds to wait for another process.

    Raises:
        ValueError: another process has it.
    """
    try:
        import fcntl
    except ImportError:  # Windows: two runs at once are the user's to avoid
        return
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise ValueError(f"{path} is in use: another process is at this run") from None
            time.sleep(0.2)
        except OSError:  # a file system without locks
            return


def set_aside_room(file: str | os.PathLike[str]) -> None:
    """Have the disk's room set aside for a file: a mapped one that finds none later ends the process (SIGBUS)."""
    if hasattr(os, "posix_fallocate"):
        with Path(file).open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, os.fstat(stream.fileno()).st_size)


def said(error: OSError) -> str:
    """What the system says and, where the place is the trouble, what to do about it.

    Example:
        >>> said(OSError(errno.EROFS, "Read-only file system"))
        'Read-only file system; choose a place that can be written to'
    """
    remedy = REMEDIES.get(error.errno or 0)
    return f"{error.strerror}; {remedy}" if remedy else str(error)


def one_line(error: object) -> str:
    """What an error of somebody else's says, on one line; its kind where it says nothing.

    Example:
        >>> one_line(RuntimeError("no memory\\n  left")), one_line(MemoryError())
        ('no memory left', 'MemoryError')
    """
    return " ".join(str(error).split()) or type(error).__name__
