"""`invariant-lpips compare` of pairs of pictures by one metric: measured, written, printed, and said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from invariant_lpips.cli.compare_options import Comparison
from invariant_lpips.cli.one_metric import OneMetric
from invariant_lpips.cli.output import Exit, print_text, say, stays
from invariant_lpips.cli.pair_run import PairRun, conclude
from invariant_lpips.files.writing import write_text
from invariant_lpips.pictures import Outcome, Pair, Pairing, compare, reports
from invariant_lpips.pictures.masks import Masks
from invariant_lpips.pictures.measuring import Engine


def run(asked: Comparison) -> Exit:
    """Measure the pairs, and return the exit status."""
    engine = None
    if asked.workers is not None:
        from invariant_lpips.integrations import ray

        engine = ray.pair_engine(**asdict(asked.workers))
    masks = asked.masks()
    by = OneMetric.of(asked, f"{len(asked.pairing.pairs)} pairs")
    return PictureComparison(asked, by, masks, engine).run()


@dataclass(frozen=True)
class PictureComparison:
    """What is asked for, with all that it takes to do it."""

    asked: Comparison
    by: OneMetric
    masks: Masks | None
    engine: Engine | None

    def run(self) -> Exit:
        """Measure what isn't measured yet, say what was found, and return the exit status."""
        asked = self.asked
        measured, interrupted = PairRun(
            asked.pairing.pairs,
            self._measure,
            lambda outcome: {
                "distance": outcome.distance,
                "problem": outcome.problem,
                "parts": dict(outcome.parts),
            },
            self._again,
            asked.out,
            asked.identity(asked.settings(self.by.metric.describe())),
            asked.mask_files(),
            asked.quiet,
        ).run(self._write)
        self._print(measured)
        self.by.say_where_maps_are(quiet=asked.quiet)
        failing = self._above_the_limit(measured)
        if failing:
            limit = f"{reports.number(self.by.limit)}{self.by.unit}"
            say("compare", f"distances above {limit}: {len(failing)} of {len(measured)}")
            for outcome in failing:
                say("compare", f"  {reports.number(outcome.distance)}  {outcome.pair}")
        failed = [outcome for outcome in measured if outcome.problem is not None]
        for problem in dict.fromkeys(str(outcome.problem) for outcome in failed):  # of many pairs, one file's
            say("compare", problem)
        return conclude(
            asked,
            len(measured),
            len(failed),
            nothing=len(failed) == len(measured),
            too_far=bool(failing),
            interrupted=interrupted,
        )

    def _measure(self, pairs: Sequence[Pair]) -> Iterator[Outcome]:
        reading, distorted_reading = self.asked.readings()
        return compare(
            self.by.metric,
            Pairing(tuple(pairs)),
            reading=reading,
            distorted_reading=distorted_reading,
            masks=self.masks,
            batch_size=self.asked.batch_size,
            unequal_sizes=self.asked.unequal_sizes,
            maps=self.by.maps,
            engine=self.engine,
        )

    def _again(self, pair: Pair, row: Mapping[str, Any]) -> Outcome:
        """What an earlier run has measured."""
        if self.by.maps is not None and row["distance"] is not None:
            self.by.maps.pass_over(pair.label)
        return Outcome(pair, row["distance"], row["problem"], parts=row["parts"])

    def _above_the_limit(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        return [] if self.by.limit is None else reports.above(outcomes, self.by.limit)

    def _write(self, outcomes: Sequence[Outcome]) -> None:
        out = self.asked.out
        assert out is not None
        count = sum(outcome.distance is not None for outcome in outcomes)
        if stays(out, count):
            return
        settings = {
            **self.asked.settings(self.by.metric.describe()),
            "fail_above": self.by.limit,
            "above": len(self._above_the_limit(outcomes)),
        }
        text = reports.as_text(out.suffix.lower(), outcomes, self.asked.pairing, settings, self.by.noticed)
        write_text(out, text)
        say("compare", f"{count} of {len(self.asked.pairing.pairs)} distances written to {out}")

    def _print(self, outcomes: Sequence[Outcome]) -> None:
        """The result, if it is to be printed, and what sums it up."""
        if len(outcomes) == 1 and outcomes[0].comparison is not None:
            say("compare", str(outcomes[0].comparison))
        print_text(self.asked.printed(outcomes, self.by.noticed))
        total = len(self.asked.pairing.pairs)
        if total > 1 and (found := reports.summary(outcomes)) is not None:
            count = found.count if found.count == total else f"{found.count} of {total}"
            say("compare", f"{count} pairs: {found.said(self.by.noticed)}")
