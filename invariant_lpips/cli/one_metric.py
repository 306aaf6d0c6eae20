"""The one metric of a comparison, and what its distances are held against: a limit, what people notice, maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from invariant_lpips.cli.compare_options import Comparison
from invariant_lpips.cli.metric_options import just_noticeable
from invariant_lpips.cli.output import say
from invariant_lpips.metric import InvariantLPIPS
from invariant_lpips.stock import LPIPS

if TYPE_CHECKING:
    from invariant_lpips.pictures import MapFiles


@dataclass(frozen=True)
class OneMetric:
    """The metric that was asked for, built.

    Attributes:
        noticed: the just noticeable distance, where its multiples stand beside distances; else None.
        limit: distances above it are named; None for no limit.
        unit: of the limit as it was asked for, in words.
        maps: what writes maps, if any are asked for.
    """

    metric: InvariantLPIPS | LPIPS
    noticed: float | None
    limit: float | None
    unit: str
    maps: MapFiles | None

    @classmethod
    def of(cls, asked: Comparison, compared: str) -> OneMetric:
        """The metric of a comparison; with `--verbose` it is said, and what is `compared`.

        Raises:
            ValueError, OSError: options that conflict, no weights that fit, or a metric that doesn't know what is
                noticed.
        """
        metric = asked.metric.build()
        limit, unit, noticed = asked.fail_above, "", None
        if asked.jnd or asked.fail_above_jnd is not None:
            noticed = just_noticeable(cast("InvariantLPIPS", metric))
            if asked.fail_above_jnd is not None:
                limit = asked.fail_above_jnd * noticed
                unit = f" ({asked.fail_above_jnd:g} just noticeable)"
        maps = None if asked.maps is None else asked.maps.files(metric)
        if asked.verbose:
            place = f"on {asked.metric.device} in {asked.metric.dtype}"
            say("compare", f"{metric.describe()} {place}, {compared}")
        return cls(metric, noticed if asked.jnd else None, limit, unit, maps)

    def say_where_maps_are(self, *, quiet: bool) -> None:
        """Say it, if any were written."""
        if self.maps is not None and self.maps.written and not quiet:
            say("compare", self.maps.in_words())
