"""Files from strangers: read whole and with a bound, hashed, and what they say shown at a bounded length."""

from __future__ import annotations

import hashlib
import reprlib
from pathlib import Path

#: The largest file of weights that is read: eight times the trunk of VGG-16 in float64.
LARGEST_FILE = 2**30
#: The largest configuration.
LARGEST_TEXT = 2**24

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80
_SHORT.maxlist = 12


def read_whole(path: Path, largest: int = LARGEST_FILE) -> bytes:
    """The bytes of a file of at most `largest` bytes.

    Raises:
        OSError: it can't be read.
        ValueError: it is larger.

    Example:
        >>> len(read_whole(Path(__file__))) > 100
        True
        >>> read_whole(Path(__file__), largest=100)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ValueError: ...reading.py must have at most 100 bytes, but has ...; name another file.
    """
    with path.open("rb") as stream:
        data = stream.read(largest + 1) if (size := path.stat().st_size) <= largest else b""
    if size > largest or len(data) > largest:
        raise ValueError(
            f"{path} must have at most {largest} bytes, but has {max(size, len(data))}; name another file."
        )
    return data


def sha256_of(data: bytes) -> str:
    """The sha256 of a file's bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def shown(value: object) -> str:
    """A file's value as a message shows it: on one line and of bounded length, whatever a stranger put there.

    >>> shown("a" * 1000).count("a")
    75
    >>> shown(list("abc"))
    "['a', 'b', 'c']"
    """
    return _SHORT.repr(value)
