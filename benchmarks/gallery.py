#!/usr/bin/env python3
"""The gallery of the documentation: photographs, altered copies, heat maps, and what each metric says.

    python benchmarks/gallery.py    # writes docs/gallery.md, docs/figures/gallery-*, benchmarks/results/gallery.json

Photographs are scikit-image's. What moves is cut out of the larger picture, so no border is invented; the curves over
circular shifts wrap instead. Everything in docs/gallery.md comes from benchmarks/results/gallery.json.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from invariant_lpips import LPIPS, InvariantLPIPS
from invariant_lpips.demo.copies import PHOTOGRAPHS, altered, photograph, reference
from invariant_lpips.demo.figure import draw_colour_key
from invariant_lpips.demo.measurements import as_tensor
from invariant_lpips.evaluation.figures import new_figure, save
from invariant_lpips.evaluation.tables import markdown
from invariant_lpips.files.provenance import write_result
from invariant_lpips.files.writing import replacing
from invariant_lpips.pictures.heat_maps import overlay
from invariant_lpips.pictures.moves import circular_shift

Pixels = NDArray[np.uint8]
DOCS = Path(__file__).resolve().parents[1] / "docs"
RESULTS = Path(__file__).resolve().parent / "results" / "gallery.json"

RECOMMENDED = "alex, regional-32, motion"
METRICS: dict[str, Any] = {
    RECOMMENDED: lambda: InvariantLPIPS("alex", "regional-32", motion="similarity"),
    "regional": lambda: InvariantLPIPS(),
    "gap": lambda: InvariantLPIPS(head="gap"),
    "gap-spatial": lambda: InvariantLPIPS(head="gap-spatial"),
    "spatial, root": lambda: InvariantLPIPS(head="spatial"),
    "LPIPS vgg, root": lambda: LPIPS(net="vgg"),
    "LPIPS alex, root": lambda: LPIPS(net="alex"),
}
CURVES: dict[str, Any] = {
    "LPIPS vgg, root": METRICS["LPIPS vgg, root"],
    "regional": METRICS["regional"],
    "gap": METRICS["gap"],
    "gap, blur": lambda: InvariantLPIPS(head="gap", pooling="blur"),
    "gap, polyphase": lambda: InvariantLPIPS(head="gap", pooling="polyphase"),
}
MAPS = (RECOMMENDED, "regional", "LPIPS vgg, root")
JUST_NOTICEABLE = (RECOMMENDED, "regional", "gap")
SHIFTS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


def copies(picture: Pixels, centre: tuple[int, int]) -> dict[str, Pixels]:
    """Nine altered copies, by name; noise first, since the others are put in proportion to it."""
    row, column = centre
    window = reference(picture, centre).astype(np.float64)
    six = altered(picture, centre)
    flat = np.rint(128 + 0.6 * (window - 128)).astype(np.uint8)
    near = reference(picture, (row, column - 1))
    far = reference(picture, (row, column - 16))
    names = list(six)
    return {
        **{name: six[name] for name in names[:3]},
        "contrast\ntimes 0.6": flat,
        "shift\n1 px": near,
        names[3]: six[names[3]],
        "shift\n16 px": far,
        **{name: six[name] for name in names[4:]},
    }


def distances(metric: Any, x: Tensor, others: Tensor) -> list[float]:
    """All on one scale: of a metric that is a mean of squares the root."""
    root = isinstance(metric, LPIPS) or not metric.head.euclidean
    with torch.inference_mode():
        found = [float(metric(x, y[None])) for y in others]
    return [round(math.sqrt(d) if root else d, 6) for d in found]


def heat(metric: Any, x: Tensor, y: Tensor) -> Tensor:
    """(1, 1, H, W), in proportion to that distance: the map of every metric here is one of squares."""
    with torch.inference_mode():
        found: Tensor = metric.maps(x, y)
    return found.sign() * found.abs().sqrt()


def curves(x: Tensor) -> dict[str, list[float]]:
    """Distance to the picture moved in a circle, as a share of the distance to noise of sigma 8/255."""
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0)) * 8 / 127.5
    moved = torch.cat([circular_shift(x, shift, 0) for shift in SHIFTS])
    found = {}
    for name, make in CURVES.items():
        metric = make()
        scale = distances(metric, x, (x + noise).clamp(-1, 1))[0]
        found[name] = [round(d / scale, 6) for d in distances(metric, x, moved)]
    return found


def to_pixels(picture: Tensor) -> Pixels:
    return ((picture[0].movedim(0, -1) + 1) * 127.5).round().clamp(0, 255).byte().numpy()


def named_value(metric: Any, value: float) -> str:
    """A value of a map as a key names it: in just noticeable ones where that is known."""
    if isinstance(metric, LPIPS):
        return f"{value:.1f}"
    return f"{metric.jnd(torch.tensor(value)).item():.0f} JND"


def draw_strip(
    path: Path, original: Pixels, altered: dict[str, Pixels], maps: dict[str, tuple[str, list[Pixels]]]
) -> None:
    rows = 1 + len(maps)
    figure = new_figure(1.35 * (1 + len(altered)), 1.45 * rows + 0.35)
    axes: Any = figure.subplots(rows, 1 + len(altered))
    for axis in axes.flat:
        axis.set_axis_off()
    axes[0, 0].imshow(original)
    axes[0, 0].set_title("original\n", fontsize=9)
    for column, (name, copy) in enumerate(altered.items(), start=1):
        axes[0, column].imshow(copy)
        axes[0, column].set_title(name, fontsize=9)
    for row, (metric, (most, pictures)) in enumerate(maps.items(), start=1):
        name = metric.replace(", ", ",\n")
        axes[row, 0].text(0.5, 0.65, name, ha="center", va="center", fontsize=9)
        draw_colour_key(axes[row, 0].inset_axes((0.12, 0.22, 0.76, 0.1)), ("0", most), fontsize=7)
        for column, picture in enumerate(pictures, start=1):
            axes[row, column].imshow(picture)
    save(figure, path, dpi=95, facecolor="white", pil_kwargs={"quality": 82})


def draw_curves(path: Path, found: dict[str, list[float]]) -> None:
    figure = new_figure(7.5, 3.6)
    axis: Any = figure.subplots()
    for (name, values), style in zip(found.items(), ("-", "-", "-", "--", ":"), strict=True):
        axis.plot(SHIFTS, values, style, marker="o", markersize=3, label=name)
    axis.set_xlabel("circular shift, pixels")
    axis.set_ylabel("distance, in units of noise\nof sigma 8/255")
    axis.set_ylim(bottom=-0.05)
    axis.legend(frameon=False, fontsize=8)
    save(figure, path, dpi=95, facecolor="white")


def measure(figures: Path) -> dict[str, Any]:
    """Everything the page shows; draws on the way."""
    tables: dict[str, Any] = {}
    metrics = {name: make() for name, make in METRICS.items()}
    for name, centre in PHOTOGRAPHS.items():
        picture = photograph(name)
        original, changed = reference(picture, centre), copies(picture, centre)
        x, others = as_tensor([original]), as_tensor(list(changed.values()))
        tables[name] = {
            metric: dict(
                zip((key.replace("\n", " ") for key in changed), distances(made, x, others), strict=True)
            )
            for metric, made in metrics.items()
        }
        maps = {}
        for metric in MAPS:
            heats = [heat(metrics[metric], x, y[None]) for y in others]
            largest = max(float(h.abs().amax()) for h in heats)
            pictures = [to_pixels(overlay(h, x, largest)) for h in heats]
            maps[metric] = named_value(metrics[metric], largest), pictures
        draw_strip(figures / f"gallery-{name}.jpg", original, changed, maps)
    found = curves(as_tensor([reference(photograph("coffee"), PHOTOGRAPHS["coffee"])]))
    draw_curves(figures / "gallery-shifts.png", found)
    described = {name: metric.describe() for name, metric in metrics.items()}
    return {
        "metrics": described,
        "distances": tables,
        "circular shifts": list(SHIFTS),
        "shift, share of noise of sigma 8/255": found,
    }


def just_noticeable(table: dict[str, dict[str, float]]) -> dict[str, Tensor]:
    """metric -> its distances in units of the just noticeable one."""
    return {name: METRICS[name]().jnd(torch.tensor(list(table[name].values()))) for name in JUST_NOTICEABLE}


def page(result: dict[str, Any]) -> str:
    """docs/gallery.md, from the results."""
    lines = [
        "# Gallery",
        "",
        "Three of scikit-image's photographs, 256 px, nine copies of each, and where three metrics see a difference."
        " The colours of a row",
        "share one scale: yellow is the end of the bar beside the row. Tables give each",
        "distance as a share of the same metric's distance to the noisy copy. LPIPS and `spatial` are means of squared"
        " differences, the others roots of them:",
        "here the root is taken of all, so that their shares can be read side by side. The last rows are not shares but"
        " multiples of what is just noticeable.",
        "",
        "Made by `python benchmarks/gallery.py`; every number is in `benchmarks/results/gallery.json`.",
        "",
    ]
    for name, table in result["distances"].items():
        titles = list(next(iter(table.values())))
        lines += [
            f"## {name.capitalize()}",
            "",
            f"![{name}, nine altered copies and heat maps](figures/gallery-{name}.jpg)",
            "",
            markdown(
                ["", *titles],
                [
                    *(
                        [metric, *(f"{value / values[titles[0]]:.2f}" for value in values.values())]
                        for metric, values in table.items()
                    ),
                    *(
                        [f"{head}, times just noticeable", *(f"{float(value):.1f}" for value in multiples)]
                        for head, multiples in just_noticeable(table).items()
                    ),
                ],
            ),
            "",
        ]
    shifts = result["circular shifts"]
    lines += [
        "## A picture that moves",
        "",
        "The coffee, moved in a circle (what leaves on one side comes back on the other), against noise of"
        " sigma 8/255.",
        "",
        "![Distance over circular shifts for five metrics](figures/gallery-shifts.png)",
        "",
        markdown(
            ["", *(f"{shift} px" for shift in shifts)],
            [
                [metric, *(f"{share:.2f}" for share in shares)]
                for metric, shares in result["shift, share of noise of sigma 8/255"].items()
            ],
        ),
    ]
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--page-only", action="store_true", help="write the page from the results that are there"
    )
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    if args.page_only:
        result = json.loads(RESULTS.read_text(encoding="utf-8"))
    else:
        result = write_result(RESULTS, measure(DOCS / "figures"))
    with replacing(DOCS / "gallery.md") as temporary:
        temporary.write_text(page(result), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
