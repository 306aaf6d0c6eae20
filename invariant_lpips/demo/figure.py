"""The figure of the demonstration: pictures, heat maps, and how the distances compare."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from invariant_lpips.demo.copies import DAMAGE, DISPLACEMENT
from invariant_lpips.demo.measurements import MOVING, PLAIN, Table, as_tensor
from invariant_lpips.files.writing import replacing
from invariant_lpips.pictures.heat_maps import overlay

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COLOURS = {
    MOVING: "#c2185b",
    PLAIN: "#f48fb1",
    "LPIPS alex, root": "#5c6bc0",
    "LPIPS vgg, root": "#9fa8da",
    "1 - SSIM, root": "#b0bec5",
}

#: What a row of maps is called where that is not the metric's name: its numbers and maps are the root's.
LABELS = {"LPIPS alex": "LPIPS alex,\nroot,"}


def draw(
    path: Path,
    reference: NDArray[np.uint8],
    copies: Mapping[str, NDArray[np.uint8]],
    maps: Mapping[str, Mapping[str, Tensor]],
    brightest: Mapping[str, tuple[float, str]],
    said: Mapping[str, Mapping[str, str]],
    shares: Table,
    moved: Mapping[str, str],
) -> None:
    """Write the figure.

    Args:
        path: a .png file.
        reference, copies: the photograph shown and its copies, uint8 (H, W, 3).
        maps: metric -> copy -> heat map (1, 1, H, W) in units of the distance; a row for each metric.
        brightest: metric -> the value that is drawn brightest in its row, and what the key calls it.
        said: copy -> metric -> what stands above its map: the distance for the photograph shown.
        shares: copy -> metric -> distance in proportion to the noisy copy's, over all photographs.
        moved: copy -> what moved and what changed, in words; what moved stands below the copy.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("the demo needs matplotlib: pip install 'invariant-lpips[demo]'") from None
    rows = 1 + len(maps)
    figure = Figure(figsize=(14, 2.15 * rows + 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    parts: Any = figure.subfigures(2, 1, height_ratios=[2.15 * rows + 0.6, 4.0])
    upper, lower = parts
    _draw_pictures(upper, reference, copies, maps, brightest, said, moved)
    _draw_bars(lower, shares)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, facecolor="white")


def _draw_pictures(
    figure: Any,
    reference: NDArray[np.uint8],
    copies: Mapping[str, NDArray[np.uint8]],
    maps: Mapping[str, Mapping[str, Tensor]],
    brightest: Mapping[str, tuple[float, str]],
    said: Mapping[str, Mapping[str, str]],
    moved: Mapping[str, str],
) -> None:
    axes = figure.subplots(1 + len(maps), 1 + len(copies))
    for axis in axes.flat:
        axis.set_axis_off()
    axes[0, 0].imshow(reference)
    axes[0, 0].set_title("original\n", fontsize=12, fontweight="bold")
    for column, (name, copy) in enumerate(copies.items(), start=1):
        axes[0, column].imshow(copy)
        axes[0, column].set_title(name, fontsize=12)
        motion = moved[name].partition(";")[0].replace(", ", "\n")
        axes[0, column].text(
            0.5, -0.03, motion, ha="center", va="top", fontsize=8, transform=axes[0, column].transAxes
        )
    for row, (metric, heats) in enumerate(maps.items(), start=1):
        axes[row, 0].text(
            0.98, 0.66, f"{LABELS.get(metric, metric)}\nsees", ha="right", va="center", fontsize=13
        )
        # One scale for the whole row: a brighter map is a larger part of the distance.
        scale, most = brightest[metric]
        draw_colour_key(axes[row, 0].inset_axes((0.28, 0.3, 0.55, 0.09)), ("0", most))
        for column, (name, heat) in enumerate(heats.items(), start=1):
            picture = overlay(heat, as_tensor([reference]), scale)[0].movedim(0, -1).add(1).div(2).numpy()
            axes[row, column].imshow(picture.clip(0, 1))
            axes[row, column].set_title(said[name][metric], fontsize=11, pad=3)


def draw_colour_key(axis: Any, ends: tuple[str, str], *, fontsize: float = 9) -> None:
    """The colours of a map, from where the pictures are the same to where they differ most, and what these are."""
    ramp = torch.linspace(0, 1, 128).expand(1, 1, 12, 128)
    key = overlay(ramp, torch.zeros(1, 3, 12, 128), 1.0)[0].movedim(0, -1).add(1).div(2).numpy()
    axis.imshow(key.clip(0, 1), aspect="auto")
    axis.set_xticks([0, 127], ends, fontsize=fontsize)
    axis.set_yticks([])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def _draw_bars(figure: Any, shares: Table) -> None:
    axis = figure.subplots()
    names = [*DAMAGE, *DISPLACEMENT]
    width = 0.8 / len(COLOURS)
    for number, (metric, colour) in enumerate(COLOURS.items()):
        places = [index + (number - (len(COLOURS) - 1) / 2) * width for index in range(len(names))]
        heights = [shares[name][metric] for name in names]
        bars = axis.bar(places, heights, width * 0.92, color=colour, label=metric)
        axis.bar_label(bars, fmt="%.2f", fontsize=9, padding=1)
    axis.axhline(1, color="0.6", linewidth=0.8, linestyle=":")
    axis.axvline(len(DAMAGE) - 0.5, color="0.75", linewidth=1)
    axis.set_xticks(range(len(names)), [name.replace("\n", ", ") for name in names], fontsize=11)
    axis.set_ylabel("distance, noise = 1", fontsize=11)
    axis.margins(x=0.01)
    top = axis.get_ylim()[1] * 1.14
    axis.set_ylim(0, top)
    for left, text in ((1, "damaged: plain to see"), (4, "only moved: hard to see")):
        axis.text(left, top * 0.97, text, ha="center", va="top", fontsize=13, fontweight="bold", color="0.25")
    axis.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=len(COLOURS), frameon=False, fontsize=11
    )
    axis.spines[["top", "right"]].set_visible(False)
