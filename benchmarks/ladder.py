"""How metrics rank displacements against noise: the ladder of detection thresholds, on any photographs.

    invariant-lpips bench ladder --images DIR --metrics default,gap,lpips-vgg,dists,st-lpips --out ladder.json

Every picture of DIR of at least 320 x 416 pixels gives 23 moved, turned, zoomed and noisy copies; see
`invariant_lpips/evaluation/ladder/stimuli.py` for what they are ordered by, and what that assumes. A table goes to
stdout; `--out` keeps the distances too, and a rerun computes only metrics that are not yet in it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from invariant_lpips.evaluation.ladder.stimuli import inner, ladder, summary
from invariant_lpips.evaluation.metrics import resolve_metric
from invariant_lpips.evaluation.scorers import Scorer
from invariant_lpips.files.provenance import provenance
from invariant_lpips.files.writing import replacing
from invariant_lpips.pictures.folders import pictures_in
from invariant_lpips.pictures.images import read_image


def measure(scorer: Scorer, pictures: Sequence[Path], device: str) -> NDArray[np.float64]:
    """Distance of each picture's rungs from its reference, (pictures, rungs); similarities change sign."""
    rows = []
    for seed, path in enumerate(tqdm(pictures, desc=scorer.name), 1):
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


def table(rows: dict[str, dict[str, Any]]) -> str:
    """The summaries as text."""
    columns = list(next(iter(rows.values()))["summary"])
    width = max(len(name) for name in rows)
    lines = [" " * width + "  " + "  ".join(columns)]
    for name, row in rows.items():
        values = (("-" if v is None else f"{v:.3f}").rjust(len(c)) for c, v in row["summary"].items())
        lines.append(name.ljust(width) + "  " + "  ".join(values))
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure each metric and print the table."""
    parser = argparse.ArgumentParser(prog="invariant-lpips bench ladder", description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--metrics", default="default,gap,lpips-vgg", help="names, separated by commas")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--limit", type=int, help="use only the first N pictures")
    parser.add_argument("--out", type=Path, help="JSON to write, and to go on from")
    arguments = parser.parse_args(argv)
    try:
        pictures = pictures_in(arguments.images)[: arguments.limit]
    except ValueError as error:
        parser.error(f"option --images: {error}")
    rows: dict[str, dict[str, Any]] = {}
    if arguments.out and arguments.out.is_file():
        rows = json.loads(arguments.out.read_text())["metrics"]
    for name in arguments.metrics.split(","):
        scorer = resolve_metric(name, arguments.device)
        known = rows.get(name, {})
        if (known.get("description"), known.get("pictures")) != (
            scorer.describe(),
            [p.name for p in pictures],
        ):
            distances = measure(scorer, pictures, arguments.device)
            figures: dict[str, float | None] = dict(summary(distances))
            if scorer.higher_is_better:  # a similarity has no zero to take shares of
                figures = {key: None if "share" in key else value for key, value in figures.items()}
            rows[name] = {
                "description": scorer.describe(),
                "pictures": [p.name for p in pictures],
                "summary": figures,
                "distances": distances.round(8).tolist(),
            }
        if arguments.out:
            with replacing(arguments.out) as temporary:
                temporary.write_text(json.dumps({**provenance(), "metrics": rows}, indent=1) + "\n")
    print(table({name: rows[name] for name in arguments.metrics.split(",")}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
