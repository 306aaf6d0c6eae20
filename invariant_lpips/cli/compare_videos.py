"""`invariant-lpips compare` of two videos: a row for each frame, written as it is measured."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from invariant_lpips.cli.compare_options import Comparison
from invariant_lpips.cli.one_metric import OneMetric
from invariant_lpips.cli.output import Exit, print_text, say, stays
from invariant_lpips.files.tables import csv_text
from invariant_lpips.files.unfinished import Unfinished, fingerprint
from invariant_lpips.pictures.folders import not_looked_at
from invariant_lpips.pictures.masks import Masks
from invariant_lpips.pictures.reports import number
from invariant_lpips.pictures.video import FrameMasks, VideoPairing, compare_videos, is_video
from invariant_lpips.pictures.video.decoding import load_av
from invariant_lpips.pictures.video.rows import Row, Tally, header, write_table


def run(asked: Comparison, pairing: VideoPairing) -> Exit:
    """Measure the frames, and return the exit status."""
    masks = _masks(asked, pairing)
    sides = pairing.reference, pairing.distorted
    by = OneMetric.of(asked, " and ".join(f"{side.path} ({side.colours})" for side in sides))
    status = VideoComparison(asked, pairing, by, masks).run()
    by.say_where_maps_are(quiet=asked.quiet)
    return status


def _masks(asked: Comparison, pairing: VideoPairing) -> Masks | FrameMasks | None:
    """Those asked for: in a folder without one of the video's name, one a frame."""
    masks = asked.masks()
    reference = pairing.reference.path
    if masks is None or not reference.is_file() or not masks.path.is_dir() or masks.has(reference):
        return masks
    return FrameMasks(masks.path, masks.reading)


@dataclass(frozen=True)
class VideoComparison:
    """What is asked for, with all that it takes to do it."""

    asked: Comparison
    pairing: VideoPairing
    by: OneMetric
    masks: Masks | FrameMasks | None

    def run(self) -> Exit:
        """Measure what isn't measured yet, say what was found, and return the exit status."""
        tally = Tally(self.by.limit)
        if self.asked.out is None:
            print_text(csv_text(header(motion=self._motion, jnd=self.by.noticed is not None), ()))

            def print_row(row: Row) -> None:
                print_text(csv_text(row.cells(motion=self._motion, noticed=self.by.noticed), ()))

            return self._conclude(tally, self._measure(tally, print_row))
        with Unfinished(self.asked.out, self._run(), of="frames") as unfinished:
            for kept in unfinished.rows():
                tally.add(Row.from_dict(kept))
            if tally.rows:
                say("compare", f"goes on after frame {tally.last_frame}, from {unfinished.path}")
            interrupted = self._measure(tally, lambda row: unfinished.add(row.to_dict()))
            if interrupted:
                if tally.rows:
                    say("compare", unfinished.in_words())
                return self._conclude(tally, interrupted)
            if not stays(self.asked.out, tally.measured):
                write_table(
                    self.asked.out,
                    map(Row.from_dict, unfinished.rows()),
                    motion=self._motion,
                    report=self._report(tally),
                    noticed=self.by.noticed,
                )
                say("compare", f"{tally.measured} of {tally.rows} distances written to {self.asked.out}")
            unfinished.remove()
        return self._conclude(tally, interrupted)

    def _measure(self, tally: Tally, keep: Callable[[Row], None]) -> bool:
        """Whether it was interrupted."""
        outcomes = tqdm(
            compare_videos(
                self.by.metric,
                self.pairing,
                batch_size=self.asked.batch_size,
                unequal_sizes=self.asked.unequal_sizes,
                maps=self.by.maps,
                masks=self.masks,
                after=tally.last_frame,
            ),
            total=self.pairing.count,
            initial=tally.rows,
            unit="frame",
            file=sys.stderr,
            disable=self.asked.quiet,
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

    @property
    def _motion(self) -> bool:
        """Whether the parts of a motion have columns."""
        return self.asked.metric.motion is not None

    def _settings(self) -> dict[str, Any]:
        """How the numbers are made; rows of a run with others are not mixed with these."""
        return {**self.asked.settings(self.by.metric.describe()), **video_settings(self.pairing)}

    def _run(self) -> dict[str, Any]:
        """All that rows depend on."""
        inputs: list[Sequence[Path]] = [self.pairing.reference.files, self.pairing.distorted.files]
        if self.asked.mask is not None:
            inputs.append(self.asked.mask_files())
        return {**self.asked.identity(self._settings()), "files": [fingerprint(files) for files in inputs]}

    def _report(self, tally: Tally) -> dict[str, Any]:
        found = tally.summary()
        return {
            **self._settings(),
            "fail_above": self.by.limit,
            "above": tally.above,
            "summary": found
            and {
                "count": found.count,
                "mean": float(number(found.mean)),
                "median": float(number(found.median)),
                "worst": tally.worst and tally.worst.to_dict(self.by.noticed),
            },
            "unmatched": [self.pairing.unmatched] if self.pairing.unmatched else [],
            "skipped": [{"path": str(path), "why": why} for path, why in self.pairing.skipped],
        }

    def _conclude(self, tally: Tally, interrupted: bool) -> Exit:
        if (found := tally.summary()) is not None:
            count = found.count if found.count == tally.rows else f"{found.count} of {tally.rows}"
            say("compare", f"{count} frames: {found.said(self.by.noticed)}")
        if self.by.limit is not None and tally.above:
            say(
                "compare",
                f"distances above {number(self.by.limit)}{self.by.unit}: {tally.above} of {tally.rows}",
            )
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
            or (unmatched is not None and not self.asked.allow_unmatched)
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


def _say_how_many_more(count: int) -> None:
    if count > 0:
        say("compare", f"  and {count} more")
