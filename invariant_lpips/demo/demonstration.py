"""All of the demonstration: photographs and their copies measured, and written as a figure and a table."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from invariant_lpips.demo import copies, measurements
from invariant_lpips.demo.figure import draw
from invariant_lpips.demo.measurements import MAPPED, MOVING, Table
from invariant_lpips.files.writing import write_text


@dataclass(frozen=True)
class Demonstration:
    """What was found, and where it was written.

    Attributes:
        tables: photograph -> copy -> metric -> value.
        means: copy -> metric -> mean over the photographs.
        shares: copy -> metric -> distance in proportion to the noisy copy's, mean over the photographs.
        thresholds: the displaced copies in multiples of what people just notice, as text.
        moved: copy -> what moved and what changed, in words, of the first photograph.
        figure, table: the files.
    """

    tables: dict[str, Table]
    means: Table
    shares: Table
    thresholds: str
    moved: dict[str, str]
    figure: Path
    table: Path


def demonstrate(
    folder: str | os.PathLike[str], *, say: Callable[[str], None] = lambda _: None
) -> Demonstration:
    """Damage and move photographs that travel inside scikit-image, and see what the metrics make of it.

    Args:
        folder: for `figure.png` and `table.csv`; made if missing.
        say: is told what is going on.

    Returns:
        :class:`Demonstration`.

    Raises:
        ImportError: scikit-image or matplotlib isn't installed; the message names the command.
        OSError: the folder can't be written to.
    """
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    metrics = measurements.Metrics()
    say(f"measured with {metrics.networks[MOVING].describe()}")
    tables: dict[str, Table] = {}
    for name, centre in copies.PHOTOGRAPHS.items():
        say(f"{name} ...")
        picture = copies.photograph(name)
        tables[name] = metrics.table(copies.reference(picture, centre), copies.altered(picture, centre))
    means = measurements.mean(list(tables.values()))
    shown, centre = next(iter(copies.PHOTOGRAPHS.items()))
    picture = copies.photograph(shown)
    reference, altered = copies.reference(picture, centre), copies.altered(picture, centre)
    found = Demonstration(
        tables=tables,
        means=means,
        shares=measurements.shares(list(tables.values())),
        thresholds=measurements.against_thresholds(means, metrics.networks[MOVING]),
        moved=metrics.moved(reference, altered),
        figure=out / "figure.png",
        table=out / "table.csv",
    )
    maps = {metric: metrics.maps(metric, reference, altered) for metric in MAPPED}
    brightest = {metric: metrics.brightest(metric, heats) for metric, heats in maps.items()}
    said = metrics.said(tables[shown])
    draw(found.figure, reference, altered, maps, brightest, said, found.shares, found.moved)
    write_text(found.table, measurements.as_csv(tables))
    return found
