"""The rows of a long run, kept beside the file that they will make: a run that was stopped goes on from there."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from invariant_lpips.files.contents import state_of
from invariant_lpips.files.writing import hold, naming

#: Of what a run is told by a hash -> what it means that the hash is another.
HASHED = {
    "files": "files have been written anew since",
    "pairs": "of other pictures",
    "others": "masks have been written anew since",
}


class Unfinished:
    """The rows of a run beside the file that they will make, one line of JSON each; use it as a context manager.

    The first line says what the run is. Lines are only ever appended; one that was cut short by a kill is cut off. A
    file without a row is removed again.

    Args:
        out: the file that will be written.
        run: all that the rows depend on, as JSON has it; a run of other things is refused.
        of: what the rows are of, in a word: "frames".

    Raises:
        ValueError: there are rows of another run, or another process is at this one.
        OSError: the file can't be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     out = Path(folder) / "x.csv"
        ...     with Unfinished(out, {"resize": 64}, of="pairs") as unfinished:
        ...         unfinished.add({"distance": 0.25})
        ...     with Unfinished(out, {"resize": 64}, of="pairs") as unfinished:
        ...         list(unfinished.rows())
        [{'distance': 0.25}]
    """

    def __init__(self, out: Path, run: Mapping[str, Any], *, of: str) -> None:
        self.path = out.with_name(f"{out.name}.unfinished")
        self._of = of
        self._empty = True
        with naming(self.path):
            self._file: BinaryIO = self.path.open("a+b")
        try:
            hold(self._file, self.path)
            self._file.seek(0)
            self._begin(json.loads(json.dumps(run)))
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Unfinished:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        if self._empty:
            self.remove()

    def remove(self) -> None:
        """The rows are elsewhere now."""
        self._close()
        self.path.unlink(missing_ok=True)

    def in_words(self) -> str:
        """Where a run that was stopped has left its rows, in a sentence."""
        return f"what was measured is in {self.path}; the same command goes on from there"

    def _close(self) -> None:
        with contextlib.suppress(OSError):  # of what waits to be written still, it was said when it was to be
            self._file.close()

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a row of what JSON can hold."""
        self._append(row)
        self._empty = False

    def rows(self) -> Iterator[dict[str, Any]]:
        """All rows in their order, read from disk one by one; nothing may be added meanwhile."""
        self._file.seek(self._start)
        for line in self._file:
            yield json.loads(line)

    def _append(self, values: Mapping[str, Any]) -> None:
        with naming(self.path):
            self._file.write(json.dumps(values).encode() + b"\n")
            self._file.flush()

    def _begin(self, run: Mapping[str, Any]) -> None:
        heading = {self._of: 1, "run": run}
        first = json.dumps(heading).encode() + b"\n"
        line = self._file.readline()
        if first.startswith(line) and line != first:  # new, or killed before the first line was out
            self._file.truncate(0)
            self._append(heading)
            line = first
        self._start = len(line)
        if line != first:
            self._refuse(line, run)
        end = self._start
        for line in self._file:
            if not line.endswith(b"\n"):
                self._file.truncate(end)
                break
            end += len(line)
        self._empty = end == self._start

    def of_another_run(self, how: str) -> ValueError:
        """The error that these rows are not of this run; `how` says what tells them apart."""
        return ValueError(
            f"{self.path} holds the unfinished work of another run ({how}); write to another file, or delete it to "
            "begin anew"
        )

    def _refuse(self, line: bytes, run: Mapping[str, Any]) -> NoReturn:
        try:
            heading = json.loads(line)
            theirs = dict(heading["run"])
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{self.path} is no unfinished run; move it elsewhere") from None
        name = next((name for name in {**run, **theirs} if theirs.get(name) != run.get(name)), None)
        if name is None or self._of not in heading:
            how = f"not of {self._of}"
        elif name in HASHED:
            how = HASHED[name]
        else:
            how = f"{name} was {theirs.get(name)}, and is {run.get(name)} now"
        raise self.of_another_run(how)


def fingerprint(files: Iterable[Path]) -> str:
    """What tells files from what lay there at another time: their names, sizes and times of change."""
    states: dict[Path, bytes] = {}
    found = hashlib.sha256()
    for file in files:
        if file not in states:
            states[file] = repr((str(file), *state_of(file))).encode("utf-8", "surrogateescape")
        found.update(states[file])
    return found.hexdigest()[:16]
