#!/usr/bin/env python3
"""What a distance of .05, .13 and .3 looks like, and what lpips says of the same pictures.

    python benchmarks/looks.py    # writes benchmarks/results/looks.json, docs/figures/looks.jpg and docs/numbers.md

Noise, JPEG and blur are made as strong as it takes for the default to say .05, .13 and .3 of each of the
demonstration's three photographs. lpips' distances of these pairs say where a threshold belongs that was chosen with
lpips; the gradients' norms say by what a loss weight has to be multiplied for the same pull on the picture.
"""

from __future__ import annotations

import io
import re
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor

from invariant_lpips import LPIPS, InvariantLPIPS
from invariant_lpips.demo.copies import PHOTOGRAPHS, photograph, reference
from invariant_lpips.demo.measurements import as_tensor
from invariant_lpips.evaluation.figures import new_figure, save
from invariant_lpips.evaluation.tables import between_marks, markdown
from invariant_lpips.files.provenance import write_result
from invariant_lpips.files.writing import write_text

Pixels = NDArray[np.uint8]
Row = dict[str, Any]
ROOT = Path(__file__).resolve().parents[1]
TARGETS = (0.05, 0.13, 0.3)
OURS: dict[str, Callable[[], Any]] = {
    "default": InvariantLPIPS,
    "alex, regional-32": lambda: InvariantLPIPS("alex", "regional-32"),
}
THEIRS: dict[str, Callable[[], Any]] = {
    "lpips-vgg": lambda: LPIPS(net="vgg"),
    "lpips-alex": lambda: LPIPS(net="alex"),
}
METRICS = {**OURS, **THEIRS}


def levels(picture: NDArray[Any]) -> Pixels:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def noisy(picture: Pixels, sigma: float) -> Pixels:
    return levels(picture + np.random.default_rng(0).normal(0.0, sigma, picture.shape))


def compressed(picture: Pixels, loss: float) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="JPEG", quality=100 - round(loss))
    return np.asarray(Image.open(buffer))


def blurred(picture: Pixels, sigma: float) -> Pixels:
    return levels(gaussian_filter(picture.astype(np.float64), sigma=(sigma, sigma, 0)))


#: Kind -> what makes it, its weakest and strongest, and how the strength is written.
KINDS: dict[str, tuple[Callable[[Pixels, float], Pixels], float, float, Callable[[float], str]]] = {
    "noise": (noisy, 0.5, 60, lambda s: f"sigma {s:.1f} of 255"),
    "JPEG": (compressed, 2, 99, lambda s: f"quality {100 - round(s)}"),
    "blur": (blurred, 0.2, 6, lambda s: f"sigma {s:.2f} px"),
}


def strength_for(target: float, kind: str, picture: Pixels, metric: Any) -> float:
    """By bisection: distances grow with the strength of each kind."""
    make, weak, strong, _ = KINDS[kind]
    known = metric.reference(as_tensor([picture]))
    for _ in range(8):
        middle = (weak + strong) / 2
        with torch.inference_mode():
            close = float(metric(as_tensor([make(picture, middle)]), known)) < target
        weak, strong = (middle, strong) if close else (weak, middle)
    return (weak + strong) / 2


def pull(metric: Any, x: Tensor, y: Tensor) -> tuple[float, float]:
    """The distance, and the norm of its gradient with respect to the second picture."""
    y = y.clone().requires_grad_()
    distance = metric(x, y)
    distance.sum().backward()
    assert y.grad is not None
    return float(distance.detach()), float(y.grad.norm())


def measure() -> tuple[list[Row], dict[str, dict[float, Pixels]]]:
    """A row for each pair, and the first photograph's copies, kind -> target -> picture."""
    made = {name: make() for name, make in METRICS.items()}
    rows: list[Row] = []
    shown: dict[str, dict[float, Pixels]] = {kind: {} for kind in KINDS}
    for number, (name, centre) in enumerate(PHOTOGRAPHS.items()):
        picture = reference(photograph(name), centre)
        x = as_tensor([picture])
        for kind, (make, *_, written) in KINDS.items():
            for target in TARGETS:
                strength = strength_for(target, kind, picture, made["default"])
                copy = make(picture, strength)
                found = {metric: pull(network, x, as_tensor([copy])) for metric, network in made.items()}
                rows.append(
                    {
                        "photograph": name,
                        "target": target,
                        "kind": kind,
                        "strength": written(strength),
                        "distances": {metric: round(d, 6) for metric, (d, _) in found.items()},
                        "gradients": {metric: round(g, 8) for metric, (_, g) in found.items()},
                    }
                )
                if number == 0:
                    shown[kind][target] = copy
    return rows, shown


def thresholds(rows: list[Row]) -> str:
    """Markdown: what the same pictures are in every metric, and how damaged they are."""
    lines = []
    for target in TARGETS:
        pairs = [row for row in rows if row["target"] == target]
        damage = (
            " to ".join(dict.fromkeys(_strengths([row for row in pairs if row["kind"] == kind])))
            for kind in KINDS
        )
        distances = (
            spread([row["distances"][metric] for row in pairs]) for metric in ("alex, regional-32", *THEIRS)
        )
        lines.append([_short(target), f"{target / 0.1:.1f}".removeprefix("0"), *damage, *distances])
    kinds = ("noise, sigma of 255", "JPEG, quality", "blur, sigma in px")
    return markdown(["default", "just noticeable", *kinds, "`alex, regional-32`", *THEIRS], lines)


def factors(rows: list[Row]) -> str:
    """Markdown: what a loss weight that was chosen for lpips is multiplied by, so that gradients keep their norm."""
    lines = []
    for theirs in THEIRS:
        for target in TARGETS:
            pairs = [row for row in rows if row["target"] == target]
            cells = [f"{theirs} {_short(statistics.median(row['distances'][theirs] for row in pairs))}"]
            for ours in OURS:
                share = [row["gradients"][theirs] / row["gradients"][ours] for row in pairs]
                # The gradient of a square is 2 d times that of the distance d.
                twice = [2 * row["distances"][ours] for row in pairs]
                cells += [spread(share), spread(s / t for s, t in zip(share, twice, strict=True))]
            lines.append(cells)
    columns = (f"`{ours}`{square}" for ours in OURS for square in ("", ", squared"))
    return markdown(["a weight chosen for, where training stands", *columns], lines)


def spread(values: Iterable[float]) -> str:
    """Median, least and most: ".69 (.46 to 1.1)"."""
    low, *_, high = ordered = sorted(values)
    return f"{_short(statistics.median(ordered))} ({_short(low)} to {_short(high)})"


def _short(value: float) -> str:
    """Two digits, in places beyond the second only where there are any: .007, .05, .69, 1.2, 12."""
    if value < 0.1:
        return f"{value:.3f}".removeprefix("0").rstrip("0")
    return f"{value:.{0 if value >= 10 else 1 if value >= 1 else 2}f}".removeprefix("0")


def _strengths(rows: list[Row]) -> list[str]:
    """The weakest and the strongest, as they are written."""
    numbers = (match[0] for row in rows if (match := re.search(r"[\d.]+", row["strength"])))
    low, *_, high = sorted(numbers, key=float)
    return [low, high]


def page(text: str, rows: list[Row]) -> str:
    """The page with the tables of these pairs between their marks.

    Raises:
        ValueError: the page lacks the marks of a table.
    """
    for name, table in (("thresholds", thresholds(rows)), ("factors", factors(rows))):
        text = between_marks(text, f"looks, {name}", table, "docs/numbers.md")
    return text


def draw(original: Pixels, rows: list[Row], shown: dict[str, dict[float, Pixels]]) -> None:
    figure = new_figure(2.3 * (1 + len(TARGETS)), 2.5 * len(KINDS))
    axes: Any = figure.subplots(len(KINDS), 1 + len(TARGETS))
    said = {(row["kind"], row["target"]): row for row in rows if row["photograph"] == next(iter(PHOTOGRAPHS))}
    for axis in axes.flat:
        axis.set_axis_off()
    for line, (kind, copies) in enumerate(shown.items()):
        axes[line, 0].imshow(original)
        axes[line, 0].set_title("original", fontsize=9)
        for column, (target, copy) in enumerate(copies.items(), start=1):
            row = said[kind, target]
            axes[line, column].imshow(copy)
            axes[line, column].set_title(
                f"{row['distances']['default']:.2f}: {kind}, {row['strength']}", fontsize=9
            )
    save(
        figure,
        ROOT / "docs" / "figures" / "looks.jpg",
        dpi=110,
        facecolor="white",
        pil_kwargs={"quality": 88},
    )


def main() -> int:
    torch.manual_seed(0)
    rows, shown = measure()
    report = {
        "side": 256,
        "metrics": {name: make().describe() for name, make in METRICS.items()},
        "pairs": rows,
    }
    write_result(ROOT / "benchmarks" / "results" / "looks.json", report)
    numbers = ROOT / "docs" / "numbers.md"
    write_text(numbers, page(numbers.read_text(encoding="utf-8"), rows))
    name, centre = next(iter(PHOTOGRAPHS.items()))
    draw(reference(photograph(name), centre), rows, shown)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
