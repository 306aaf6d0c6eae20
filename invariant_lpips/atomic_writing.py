"""Result files that are either complete or not there: written beside their place, then moved into it."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; move it there when the block ends well, else remove it.

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
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
