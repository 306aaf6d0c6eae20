"""A run over pairs of pictures: rows that go to a file are kept beside it until it is whole."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from tqdm import tqdm

from invariant_lpips.cli.compare_options import Comparison
from invariant_lpips.cli.output import Exit, say
from invariant_lpips.files.contents import Contents, digest
from invariant_lpips.files.unfinished import Unfinished
from invariant_lpips.pictures.folders import not_looked_at
from invariant_lpips.pictures.pairing import Pair

R = TypeVar("R")


@dataclass(frozen=True)
class PairRun(Generic[R]):
    """What measures pairs, and how a row of it is kept.

    Attributes:
        measure: the rows of pairs, one for each, in order.
        to_dict: a row as JSON has it, without its pair.
        from_dict: the row again.
        out: the file that the rows will make; None where they are printed.
        settings: how the numbers are made; rows of a run with others are not mixed with these.
        others: files beside the pictures that the rows depend on, such as masks.
        quiet: no progress bar.
    """

    pairs: Sequence[Pair]
    measure: Callable[[Sequence[Pair]], Iterator[R]]
    to_dict: Callable[[R], dict[str, Any]]
    from_dict: Callable[[Pair, Mapping[str, Any]], R]
    out: Path | None
    settings: Mapping[str, Any]
    others: Sequence[Path] = ()
    quiet: bool = False

    def run(self, write: Callable[[list[R]], None]) -> tuple[list[R], bool]:
        """The rows of all pairs, handed to `write` too where there is a file to write; and whether it was interrupted.

        Then the rows are those that were there, and the file is what it was.
        """
        if self.out is None or len(self.pairs) == 1:
            rows: list[R] = []
            interrupted = self._measure(rows, lambda row: None)
            if self.out is not None and not interrupted:
                write(rows)
            return rows, interrupted
        with Unfinished(self.out, self._identity(), of="pairs") as unfinished:
            contents = Contents(self._pictures())
            rows = self._kept(unfinished, contents)
            if rows:
                say(
                    "compare", f"goes on after {len(rows)} of {len(self.pairs)} pairs, from {unfinished.path}"
                )

            def keep(row: R) -> None:
                pair = self.pairs[len(rows)]
                made_of = [contents.of(file) for file in (pair.reference, pair.distorted)]
                unfinished.add({**self.to_dict(row), "files": made_of})

            interrupted = self._measure(rows, keep)
            if not interrupted:
                write(rows)
                unfinished.remove()
            elif rows:
                say("compare", unfinished.in_words())
        return rows, interrupted

    def _kept(self, unfinished: Unfinished, contents: Contents) -> list[R]:
        """The rows of an earlier run; ValueError if they were made of other contents."""
        rows = []
        for pair, row in zip(self.pairs, unfinished.rows(), strict=False):
            for file, kept in zip((pair.reference, pair.distorted), row["files"], strict=True):
                if not contents.are_still(file, kept):
                    raise unfinished.of_another_run(f"{file} has been written anew since")
            rows.append(self.from_dict(pair, row))
        return rows

    def _measure(self, rows: list[R], keep: Callable[[R], None]) -> bool:
        """Add the rows that are missing; whether it was interrupted."""
        total = len(self.pairs)
        measured = tqdm(
            self.measure(self.pairs[len(rows) :]),
            total=total,
            initial=len(rows),
            unit="pair",
            file=sys.stderr,
            disable=self.quiet or total == 1,
        )
        with warnings.catch_warnings():
            # Pillow's remarks on odd metadata are not about pixels.
            warnings.filterwarnings("ignore", module=r"PIL\..*")
            try:
                for row in measured:
                    keep(row)
                    rows.append(row)
            except KeyboardInterrupt:
                return True
            finally:
                measured.close()
        return False

    def _pictures(self) -> list[Path]:
        return [path for pair in self.pairs for path in (pair.reference, pair.distorted)]

    def _identity(self) -> dict[str, Any]:
        """All that rows depend on, but for what is in the pictures, which each row has its own of."""
        others = Contents(self.others)
        return {
            **self.settings,
            "pairs": digest(map(str, self._pictures())),
            "others": digest(f"{file} {others.hash_of(file)}" for file in self.others),
        }


def conclude(
    asked: Comparison,
    count: int,
    failed: int,
    *,
    nothing: bool,
    too_far: bool = False,
    refused: bool = False,
    interrupted: bool = False,
) -> Exit:
    """Say what is missing of `count` pairs, of which some `failed`; `nothing`: not one was measured.

    `refused`: some metric of several has no number of some pair.
    """
    if failed and count > 1:
        say("compare", f"{failed} of {count} pairs failed")
    unmatched = asked.pairing.unmatched
    if unmatched:
        say("compare", f"pictures without a partner of the same name: {len(unmatched)}")
        for path in unmatched:
            say("compare", f"  {path}")
    skipped = asked.pairing.skipped
    if skipped:
        say("compare", not_looked_at(skipped))
    if interrupted:
        say("compare", f"interrupted after {count} of {len(asked.pairing.pairs)} pairs")
        return Exit.INTERRUPTED
    if (failed or refused) and nothing:
        return Exit.REFUSED
    if too_far:
        return Exit.ABOVE
    incomplete = (
        failed or refused or (unmatched and not asked.allow_unmatched) or any(item.missed for item in skipped)
    )
    return Exit.INCOMPLETE if incomplete else Exit.DONE
