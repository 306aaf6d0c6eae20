"""Finished work of a run on disk, record by record, so that a killed run goes on where it was.

A journal is an append-only file: a line of JSON that says what the run is, then records, each with its length
and checksum in front. A record that was cut short by a kill is recognised by them and cut off; nothing is
ever rewritten in place.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import torch
from torch import Tensor

from invariant_lpips.files.writing import hold, naming
from invariant_lpips.indexing.settings import Settings

#: Seconds to wait for the lock: the decoders of a killed run hold it until they notice, within five.
PATIENCE = 10.0

_FRAME = struct.Struct("<QQI")  # chunk, length and CRC-32 of what follows


class Record(NamedTuple):
    """The results of one chunk of consecutive pictures.

    Attributes:
        positions: of the pictures that were embedded, ascending.
        vectors: (len(positions), D) float32.
        problems: position -> the sentence that says why a picture has no row.
    """

    positions: tuple[int, ...]
    vectors: Tensor
    problems: dict[int, str]

    def to_bytes(self) -> bytes:
        from safetensors.torch import save

        problems = json.dumps({str(k): v for k, v in self.problems.items()}, sort_keys=True)
        tensors = {"positions": torch.tensor(self.positions, dtype=torch.int64), "vectors": self.vectors}
        return save(tensors, metadata={"problems": problems})

    @classmethod
    def from_bytes(cls, data: bytes) -> Record:
        from safetensors.torch import load

        tensors = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        problems = json.loads(header["__metadata__"]["problems"])
        return cls(
            tuple(tensors["positions"].tolist()), tensors["vectors"], {int(k): v for k, v in problems.items()}
        )


class Journal:
    """The journal of one run; use it as a context manager.

    Args:
        path: the file; made if it isn't there.
        settings: what the run is. A journal of another run is refused.

    Raises:
        ValueError: the file belongs to a run with other settings or pictures, or is in use by another process.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path = path
        self._places: dict[int, tuple[int, int]] = {}
        with naming(path):
            self._file: BinaryIO = path.open("a+b")
        try:
            hold(self._file, path, PATIENCE)
            self._file.seek(0)
            header = json.dumps({"journal": 1, "settings": settings.to_json()}).encode() + b"\n"
            if not self._begins_with(header, settings):
                self._file.truncate(0)
                self._append(header)
            self._find_records()
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        with contextlib.suppress(OSError):  # what could not be written was said when it was to be
            self._file.close()

    def __contains__(self, chunk: int) -> bool:
        return chunk in self._places

    def __len__(self) -> int:
        return len(self._places)

    def add(self, chunk: int, record: bytes) -> None:
        """Keep the record of a chunk, as :meth:`Record.to_bytes` gives it; a second one of a chunk is dropped."""
        if chunk in self._places:
            return
        start = self._file.seek(0, os.SEEK_END) + _FRAME.size
        self._append(_FRAME.pack(chunk, len(record), zlib.crc32(record)) + record)
        self._places[chunk] = start, len(record)

    def records(self) -> Iterator[Record]:
        """All records, in the order of their chunks."""
        for chunk in sorted(self._places):
            start, length = self._places[chunk]
            self._file.seek(start)
            yield Record.from_bytes(self._file.read(length))

    def _append(self, data: bytes) -> None:
        with naming(self.path):
            self._file.write(data)
            self._file.flush()

    def _begins_with(self, header: bytes, settings: Settings) -> bool:
        """Whether the header is there and complete; ValueError where it is that of another run."""
        line = self._file.readline()
        if header.startswith(line):  # new, or killed before the first line was out
            return line == header
        try:
            text = json.loads(line)["settings"]
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{self.path} is no unfinished run; move it elsewhere") from None
        difference = Settings.from_json(text, str(self.path)).difference(settings)
        if not difference:  # the same run, as an earlier version writes it down
            return True
        raise ValueError(
            f"{self.path} holds the unfinished work of another run ({difference}); finish that one, write to "
            "another file, or delete it to begin anew"
        )

    def _find_records(self) -> None:
        place = self._file.tell()
        while len(frame := self._file.read(_FRAME.size)) == _FRAME.size:
            chunk, length, checksum = _FRAME.unpack(frame)
            record = self._file.read(length)
            if len(record) < length or zlib.crc32(record) != checksum:
                break
            self._places[chunk] = place + _FRAME.size, length
            place += _FRAME.size + length
        self._file.truncate(place)
