"""The ladder: moved, turned, zoomed and noisy copies of photographs, ordered by how visible they should be.

Rated databases hold no displacements, so nothing in them says whether a metric's exchange rate between motion and
noise is people's. Detection thresholds do (:mod:`invariant_lpips.statistics.thresholds`): a shift, a turn, a zoom and
a noise that are just noticed all have the same subjective distance. The ladder takes sizes below and above these
thresholds and orders them by their multiples. That visibility grows in proportion to the multiples is an assumption,
and so are the pixels per degree; nothing is fitted to a ladder here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import Tensor
from tqdm import tqdm

from invariant_lpips.evaluation import metric_names
from invariant_lpips.evaluation.metrics import resolve_metric
from invariant_lpips.evaluation.scorers import Scorer
from invariant_lpips.evaluation.tables import aligned
from invariant_lpips.files.provenance import provenance, write_result
from invariant_lpips.pictures.folders import pictures_in
from invariant_lpips.pictures.images import read_image
from invariant_lpips.pictures.moves import turn, window, zoom
from invariant_lpips.statistics.thresholds import PIXELS_PER_DEGREE, multiples

__all__ = [
    "DEFAULT_METRICS",
    "HEIGHT",
    "LADDER",
    "MARGIN",
    "WIDTH",
    "LadderBench",
    "inner",
    "ladder",
    "measure",
    "run",
    "summary",
    "text",
    "visibility",
]

DEFAULT_METRICS = metric_names.LADDER
Array = NDArray[np.float64]

#: (kind, amount): pixels, degrees, factors, grey levels of 0..255.
LADDER: tuple[tuple[str, float], ...] = (
    *(("shift", pixels) for pixels in (1, 3, 7, 10, 16, 23, 32)),
    *(("turn", degrees) for degrees in (0.9, 1.8, 3.6, 7.2, 14)),
    *(("zoom", factor) for factor in (1.0065, 1.013, 1.026, 1.052, 1.09)),
    *(("noise", sigma) for sigma in (2.9, 5.7, 8.1, 11.4, 16, 23)),
)

HEIGHT, WIDTH, MARGIN = 256, 352, 32


def inner(picture: Tensor, dy: int = 0, dx: int = 0) -> Tensor:
    """A window of 256 x 352 pixels near the middle, so that a moved one needs no made-up border.

    Raises:
        ValueError: the picture is smaller than the window and its moves.
    """
    height, width = picture.shape[-2:]
    if height < HEIGHT + 2 * MARGIN or width < WIDTH + 2 * MARGIN:
        raise ValueError(
            f"The ladder needs pictures of at least {HEIGHT + 2 * MARGIN} x {WIDTH + 2 * MARGIN} pixels (height x "
            f"width), but got {height} x {width}; use larger photographs."
        )
    return window(picture, (HEIGHT, WIDTH), dx, dy)


def ladder(picture: Tensor, seed: int) -> Iterator[Tensor]:
    """The rungs of :data:`LADDER` for one photograph, in that order.

    Args:
        picture: (1, 3, H, W) float32 in [-1, 1], at least 320 x 416 pixels.
        seed: of the directions of shifts and turns, and of the noise.

    Returns:
        (1, 3, 256, 352) float32 in [-1, 1], one after another; the reference is :func:`inner` of the picture.

    Example:
        >>> rungs = list(ladder(torch.zeros(1, 3, 320, 416), seed=0))
        >>> len(rungs), rungs[0].shape
        (23, torch.Size([1, 3, 256, 352]))
    """
    generator, directions = torch.Generator().manual_seed(seed), np.random.RandomState(seed)
    for kind, amount in LADDER:
        if kind == "shift":
            angle = directions.rand() * 2 * math.pi
            yield inner(picture, round(amount * math.sin(angle)), round(amount * math.cos(angle)))
        elif kind == "turn":
            degrees = float(directions.choice([-1, 1]) * amount)
            yield inner(turn(picture, degrees))
        elif kind == "zoom":
            yield inner(zoom(picture, amount).clamp(-1, 1))
        else:
            noisy = (picture + torch.randn(picture.shape, generator=generator) * amount / 127.5).clamp(-1, 1)
            yield inner(((noisy + 1) * 127.5).round() / 127.5 - 1)


def visibility(pixels_per_degree: float) -> Array:
    """Each rung in multiples of its detection threshold, shape (rungs,).

    Example:
        >>> visibility(29.0).round(2).tolist()[:3]
        [0.15, 0.45, 1.05]
    """
    return np.array([multiples(kind, amount, pixels_per_degree) for kind, amount in LADDER])


def summary(
    distances: Array, densities: Sequence[float] = tuple(PIXELS_PER_DEGREE.values())
) -> dict[str, float]:
    """What a metric makes of the ladders of R photographs.

    Args:
        distances: (R, rungs), larger for less alike.
        densities: pixels per degree to assume.

    Returns:
        `ladder_D`: Spearman correlation of all distances with the rungs' visibility at D pixels per degree;
        `ladder_means_D`: the same of the mean distance of each rung; `NAME_share_of_noise`: median distance of
        a shift by 1 and 7 pixels and of a turn by 3.6 degrees over that of noise of 5.7 grey levels.
    """
    row: dict[str, float] = {}
    for density in densities:
        seen = visibility(density)
        row[f"ladder_{density:g}"] = float(spearmanr(distances.ravel(), np.tile(seen, len(distances)))[0])
        row[f"ladder_means_{density:g}"] = float(spearmanr(distances.mean(0), seen)[0])
    noise = distances[:, LADDER.index(("noise", 5.7))]
    rungs = {"shift_1px": ("shift", 1), "shift_7px": ("shift", 7), "turn_3.6": ("turn", 3.6)}
    for name, rung in rungs.items():
        row[f"{name}_share_of_noise"] = float(np.median(distances[:, LADDER.index(rung)] / noise))
    return row


@dataclass(frozen=True)
class LadderBench:
    """What to measure, with what, and where the results go.

    Attributes:
        images: folder of photographs of at least 320 x 416 pixels.
        metrics: names, as :func:`invariant_lpips.evaluation.metrics.resolve_metric` takes them.
        device: where deep metrics run.
        limit: use only the first so many pictures; None for all.
        out: JSON to write, and to go on from: metrics it holds for the same pictures are not measured again.
        progress: progress bars on stderr.
    """

    images: Path
    metrics: Sequence[str] = DEFAULT_METRICS
    device: str = "cpu"
    limit: int | None = None
    out: Path | None = None
    progress: bool = False


def run(bench: LadderBench) -> dict[str, Any]:
    """Measure each metric on the ladders of all pictures.

    Returns:
        Where it comes from, and "metrics": name -> description, pictures, :func:`summary` (no shares for a
        similarity: it has no zero to take them of) and distances (pictures, rungs).

    Raises:
        ValueError: there are no pictures, one is too small, or a metric is unknown.
        ImportError: a metric's package is not installed.
        OSError: a file cannot be read or written.
    """
    pictures = pictures_in(bench.images)[: bench.limit]
    names = [path.name for path in pictures]
    report: dict[str, Any] = {"metrics": {}}
    if bench.out is not None and bench.out.is_file():
        report = json.loads(bench.out.read_text(encoding="utf-8"))
    rows = report["metrics"]
    for name in bench.metrics:
        scorer = resolve_metric(name, bench.device)
        known = rows.get(name, {})
        if (known.get("description"), known.get("pictures")) != (scorer.describe(), names):
            distances = measure(scorer, pictures, bench.device, progress=bench.progress)
            figures: dict[str, float | None] = dict(summary(distances))
            if scorer.higher_is_better:
                figures = {key: None if "share" in key else value for key, value in figures.items()}
            rows[name] = {
                "description": scorer.describe(),
                "pictures": names,
                "summary": figures,
                "distances": distances.round(8).tolist(),
            }
        report = {**provenance(), "metrics": rows}
        if bench.out is not None:
            write_result(bench.out, report)
    return report


def measure(
    scorer: Scorer, pictures: Sequence[Path], device: str = "cpu", *, progress: bool = False
) -> Array:
    """Distance of each picture's rungs from its reference, (pictures, rungs); similarities change sign."""
    rows = []
    for seed, path in enumerate(tqdm(pictures, desc=scorer.name, disable=not progress), 1):
        picture = read_image(path)
        reference = ((inner(picture) + 1) / 2).to(device)
        rungs = [((rung + 1) / 2).to(device) for rung in ladder(picture, seed)]
        with torch.inference_mode():
            if scorer.embeds:
                kept = scorer.embed(reference)
                values = [scorer.distance_embedded(kept, scorer.embed(rung), 1) for rung in rungs]
            else:
                values = [scorer(reference, rung) for rung in rungs]
        rows.append([value.double().item() for value in values])
    return np.array(rows) * (-1 if scorer.higher_is_better else 1)


def text(report: dict[str, Any], metrics: Sequence[str]) -> str:
    """The summaries of some metrics of a report, for a terminal."""
    rows = {name: report["metrics"][name]["summary"] for name in metrics}
    head = ["", *next(iter(rows.values()))]
    cells = [[name, *("-" if v is None else f"{v:.3f}" for v in row.values())] for name, row in rows.items()]
    return aligned([head, *cells], rule=False) + "\n"
