"""`invariant-lpips compare` of two videos: a row for each frame, written as it is measured."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from invariant_lpips.cli.output import Exit, print_text, say
from invariant_lpips.cli.video_options import selection_of
from invariant_lpips.files.tables import csv_text
from invariant_lpips.files.unfinished import Unfinished, fingerprint
from invariant_lpips.pictures import Outcome, Reading
from invariant_lpips.pictures.folders import not_looked_at, pictures_in
from invariant_lpips.pictures.reports import number
from invariant_lpips.pictures.video import VideoPairing, is_video
from invariant_lpips.pictures.video.decoding import load_av
from invariant_lpips.pictures.video.rows import Row, Tally, header, write_table


def video_pairing(args: argparse.Namespace, reading: Reading) -> VideoPairing:
    """The two videos, opened; what `check_videos` refuses is refused already."""
    return VideoPairing(
        *args.paths,
        reading=reading,
        crop_border=args.crop_border,
        luma=args.luma,
        selection=selection_of(args),
        unequal_sizes=args.unequal_sizes,
        recursive=args.recursive,
    )


class Measured(Protocol):
    """The outcomes of the frames after one of a number."""

    def __call__(self, *, after: int) -> Iterator[Outcome]: ...


@dataclass(frozen=True)
class VideoComparison:
    """What remains to be done once the metric is there.

    Attributes:
        measured: what gives the outcomes.
        settings: how the numbers are made; rows of a run with others are not mixed with these.
        motion: whether the parts of a motion have columns.
        noticed: the just noticeable distance, where its multiples have a column; else None.
        limit: distances above it are named; None for no limit.
        unit: of the limit as it was asked for, in words.
        allow_unmatched: a difference in length is no reason for a status.
    """

    pairing: VideoPairing
    measured: Measured
    settings: dict[str, Any]
    mask: Path | None
    motion: bool
    noticed: float | None
    limit: float | None
    unit: str
    out: Path | None
    allow_unmatched: bool
    quiet: bool

    def run(self) -> Exit:
        """Measure what isn't measured yet, say what was found, and return the exit status."""
        tally = Tally(self.limit)
        if self.out is None:
            print_text(csv_text(header(motion=self.motion, jnd=self.noticed is not None), ()))

            def print_row(row: Row) -> None:
                print_text(csv_text(row.cells(motion=self.motion, noticed=self.noticed), ()))

            return self._conclude(tally, self._measure(tally, print_row))
        with Unfinished(self.out, self._run(), of="frames") as unfinished:
            for kept in unfinished.rows():
                tally.add(Row.from_dict(kept))
            if tally.rows:
                say("compare", f"goes on after frame {tally.last_frame}, from {unfinished.path}")
            interrupted = self._measure(tally, lambda row: unfinished.add(row.to_dict()))
            if interrupted:
                if tally.rows:
                    say(
                        "compare",
                        f"what was measured is in {unfinished.path}; the same command goes on from there",
                    )
                return self._conclude(tally, interrupted)
            write_table(
                self.out,
                map(Row.from_dict, unfinished.rows()),
                motion=self.motion,
                report=self._report(tally),
                noticed=self.noticed,
            )
            unfinished.remove()
        say("compare", f"{tally.measured} of {tally.rows} distances written to {self.out}")
        return self._conclude(tally, interrupted)

    def _measure(self, tally: Tally, keep: Callable[[Row], None]) -> bool:
        """Whether it was interrupted."""
        outcomes = tqdm(
            self.measured(after=tally.last_frame),
            total=self.pairing.count,
            initial=tally.rows,
            unit="frame",
            file=sys.stderr,
            disable=self.quiet,
        )
        try:
            for outcome in outcomes:
                row = Row.of(outcome)
                keep(row)
                tally.add(row)
        except KeyboardInterrupt:
            return True
        finally:
            outcomes.close()
        return False

    def _run(self) -> dict[str, Any]:
        """All that rows depend on."""
        inputs: list[Sequence[Path]] = [self.pairing.reference.files, self.pairing.distorted.files]
        if self.mask is not None:
            inputs.append(pictures_in(self.mask) if self.mask.is_dir() else [self.mask])
        return {**self.settings, "files": [fingerprint(files) for files in inputs]}

    def _report(self, tally: Tally) -> dict[str, Any]:
        found = tally.summary()
        return {
            **self.settings,
            "fail_above": self.limit,
            "above": tally.above,
            "summary": found
            and {
                "count": found.count,
                "mean": float(number(found.mean)),
                "median": float(number(found.median)),
                "worst": tally.worst and tally.worst.to_dict(self.noticed),
            },
            "unmatched": [self.pairing.unmatched] if self.pairing.unmatched else [],
            "skipped": [{"path": str(path), "why": why} for path, why in self.pairing.skipped],
        }

    def _conclude(self, tally: Tally, interrupted: bool) -> Exit:
        if (found := tally.summary()) is not None:
            count = found.count if found.count == tally.rows else f"{found.count} of {tally.rows}"
            say("compare", f"{count} frames: {found.said(self.noticed)}")
        if self.limit is not None and tally.above:
            say("compare", f"distances above {number(self.limit)}{self.unit}: {tally.above} of {tally.rows}")
            for row in tally.first_above:
                say("compare", f"  {number(row.distance)}  {row.pair}")
            _say_how_many_more(tally.above - len(tally.first_above))
        for problem in tally.first_problems:
            say("compare", problem)
        _say_how_many_more(tally.failed - len(tally.first_problems))
        if tally.failed:
            say("compare", f"{tally.failed} of {tally.rows} frames failed")
        unmatched = self.pairing.unmatched
        if unmatched is not None:
            say("compare", unmatched)
        if self.pairing.skipped:
            say("compare", not_looked_at(self.pairing.skipped))
        if interrupted:
            say("compare", f"interrupted after {tally.rows} frames")
            return Exit.INTERRUPTED
        if tally.failed == tally.rows:
            return Exit.REFUSED
        if tally.above:
            return Exit.ABOVE
        incomplete = (
            tally.failed
            or (unmatched is not None and not self.allow_unmatched)
            or any(item.missed for item in self.pairing.skipped)
        )
        return Exit.INCOMPLETE if incomplete else Exit.DONE


def video_settings(pairing: VideoPairing) -> dict[str, Any]:
    """What a report says about the videos and how they were read."""
    selection = pairing.selection
    stop = "" if selection.stop is None else selection.stop
    decoded = any(is_video(side.path) for side in (pairing.reference, pairing.distorted))
    return {
        "reference": str(pairing.reference.path),
        "reference_colours": pairing.reference.colours,
        "distorted": str(pairing.distorted.path),
        "distorted_colours": pairing.distorted.colours,
        "frames": f"{selection.start}:{stop}",
        "every": selection.every,
        "decoder": f"PyAV {load_av().__version__}" if decoded else None,
    }


def in_words(pairing: VideoPairing) -> str:
    """The two videos and how their colours are read."""
    return " and ".join(f"{side.path} ({side.colours})" for side in (pairing.reference, pairing.distorted))


def _say_how_many_more(count: int) -> None:
    if count > 0:
        say("compare", f"  and {count} more")
