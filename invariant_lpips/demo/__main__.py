"""`python -m invariant_lpips.demo --out demo`: tables on stdout, figure.png and table.csv in the folder."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from invariant_lpips.demo import copies, measurements
from invariant_lpips.demo.figure import draw
from invariant_lpips.files.writing import replacing


def main(argv: Sequence[str] | None = None) -> int:
    """Make the demonstration; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m invariant_lpips.demo",
        description="What perceptual metrics make of photographs that were damaged, and of some only moved.",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("demo"), help="folder for figure.png and table.csv (demo)"
    )
    out: Path = parser.parse_args(argv).out
    out.mkdir(parents=True, exist_ok=True)

    metrics = measurements.Metrics()
    print(f"measured with {metrics.networks[measurements.INVARIANT].describe()}", file=sys.stderr)
    tables: dict[str, measurements.Table] = {}
    for name, centre in copies.PHOTOGRAPHS.items():
        print(f"{name} ...", file=sys.stderr)
        picture = copies.photograph(name)
        tables[name] = metrics.table(copies.reference(picture, centre), copies.altered(picture, centre))
    means = measurements.mean(list(tables.values()))
    shares = measurements.shares(list(tables.values()))
    print(f"Mean over the photographs {', '.join(tables)} ({copies.SIDE} x {copies.SIDE} pixels)\n")
    print(measurements.as_text(means, measurements.COLUMNS, digits=3))
    print("\nAs shares of the distance to the noisy copy\n")
    print(measurements.as_text(shares, measurements.DISTANCES, digits=2))

    print("\nWhat only moved, in multiples of what people just notice (1 = just noticeable),")
    print(f"seen at {measurements.PIXELS_PER_DEGREE} pixels per degree of visual angle\n")
    print(measurements.against_thresholds(means, metrics.networks[measurements.INVARIANT]))

    shown, centre = next(iter(copies.PHOTOGRAPHS.items()))
    picture = copies.photograph(shown)
    reference, altered = copies.reference(picture, centre), copies.altered(picture, centre)
    maps = {metric: metrics.maps(metric, reference, altered) for metric in measurements.NETWORKS[:2]}
    draw(out / "figure.png", reference, altered, maps, tables[shown], shares)
    with replacing(out / "table.csv") as temporary:
        temporary.write_text(measurements.as_csv(tables), encoding="utf-8")
    print(f"\nPictures and heat maps: {out / 'figure.png'}   every value: {out / 'table.csv'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
