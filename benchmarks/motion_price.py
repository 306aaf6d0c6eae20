#!/usr/bin/env python3
"""How motion and appearance may be put together: rules compared on the ladder, where equal multiples look equal.

    python benchmarks/motion_price.py --images DIR -o benchmarks/results/motion_price.json

The ladder (`invariant_lpips/evaluation/ladder.py`) orders shifts, turns, zooms and noises by multiples of their
published detection thresholds. Every rule gets what one metric found of each rung: the appearance that is left once
the motion is undone, and the motion in thresholds. Reported is the rank correlation with the multiples, over rungs
and photographs, at two densities. No response of RAID is used.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from tqdm import tqdm

from invariant_lpips.evaluation.ladder import inner, ladder, visibility
from invariant_lpips.evaluation.tables import aligned
from invariant_lpips.files.provenance import write_result
from invariant_lpips.metric import InvariantLPIPS
from invariant_lpips.motion.price import multiples, with_motion
from invariant_lpips.pictures.folders import pictures_in
from invariant_lpips.pictures.images import read_image

Array = NDArray[np.float64]


def rules(metric: InvariantLPIPS) -> dict[str, Callable[[Array, Array], Array]]:
    """Name -> (appearance, multiples) to distances."""
    calibration = metric.jnd_fit
    assert calibration is not None
    d0 = calibration["d0"]

    def fechner(appearance: Array, thresholds: Array) -> Array:
        total: Array = with_motion(
            torch.from_numpy(appearance), torch.from_numpy(thresholds), calibration
        ).numpy()
        return total

    return {
        "shipped: visibilities add as squares (Fechner)": fechner,
        "distances add as squares: d^2 = a^2 + (d0 m)^2": lambda a, m: np.hypot(a, d0 * m),
        "distances add": lambda a, m: a + d0 * m,
        "the larger": lambda a, m: np.maximum(a, d0 * m),
        "appearance alone": lambda a, m: a,
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("-o", "--out", type=Path)
    args = parser.parse_args(argv)
    pictures = pictures_in(args.images)
    metric, plain = InvariantLPIPS(motion="similarity"), InvariantLPIPS()
    densities = (29.0, 71.0)
    appearance, distances = [], []
    motion: dict[float, list[list[float]]] = {density: [] for density in densities}
    for seed, path in enumerate(tqdm(pictures)):
        picture = read_image(path)
        reference = inner(picture)
        rungs = list(ladder(picture, seed))
        found = [metric.compare(reference, rung) for rung in rungs]
        appearance.append([float(one.appearance) for one in found])
        with torch.inference_mode():
            read = plain.reference(reference)
            distances.append([float(plain(read, rung)) for rung in rungs])
        for density in densities:
            motion[density].append([float(multiples(one.moved, density)) for one in found])
    left = np.array(appearance)
    table = {}
    for density in densities:
        seen = np.tile(visibility(density), len(pictures))
        row = {"plain metric": float(spearmanr(np.ravel(distances), seen)[0])}
        for name, rule in rules(metric).items():
            total = rule(left, np.array(motion[density]))
            row[name] = float(spearmanr(total.ravel(), seen)[0])
        table[f"{density:g} px per degree"] = row
    names = list(next(iter(table.values())))
    print(
        aligned(
            [["rule", *table], *([name, *(f"{row[name]:.4f}" for row in table.values())] for name in names)]
        )
    )
    if args.out:
        write_result(
            args.out,
            {
                "metric": metric.describe(),
                "pictures": [path.name for path in pictures],
                "srcc": table,
                "appearance": np.round(left, 5).tolist(),
                "multiples": {f"{density:g}": np.round(motion[density], 4).tolist() for density in densities},
            },
        )


if __name__ == "__main__":
    main()
