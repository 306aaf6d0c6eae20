"""Pictures of robustness: accuracy over shifts, along one axis, the comb of pooling, metrics side by side.

Each is meant to be understood without the text: titles say what is shown, axes carry units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from invariant_lpips.evaluation.figures import COLOURS, legend_beside, new_figure, save

__all__ = ["draw_bars", "draw_comb", "draw_curves", "draw_heat_maps"]

Curves = Mapping[str, tuple[Sequence[float], Sequence[float]]]


def draw_heat_maps(
    path: Path, title: str, maps: Mapping[str, NDArray[np.float64]], reach: Sequence[int]
) -> Path:
    """Accuracy over (dx, dy), one panel per head, on one scale of colours.

    Args:
        path: file to write.
        title: over all panels.
        maps: head -> (len(reach), len(reach)) accuracies, rows dy, columns dx; NaN where none was taken.
        reach: the shifts in pixels, ascending.
    """
    figure = new_figure(max(3.1 * len(maps) + 0.8, 9.5), 4.5)
    axes = figure.subplots(1, len(maps), sharey=True, squeeze=False)[0]
    low = min(float(np.nanmin(grid)) for grid in maps.values())
    high = max(float(np.nanmax(grid)) for grid in maps.values())
    image = None
    few = len(reach) <= 11  # more cells have no room for their numbers
    marked = range(0, len(reach), 1 if few else max(1, (len(reach) - 1) // 4))
    for axis, (name, grid) in zip(axes, maps.items(), strict=True):
        image = axis.imshow(100 * grid, origin="upper", cmap="viridis", vmin=100 * low, vmax=100 * high)
        for row, column in zip(*np.nonzero(~np.isnan(grid)), strict=True) if few else ():
            value = grid[row, column]
            colour = "black" if value > (low + high) / 2 else "white"
            axis.text(column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=8, color=colour)
        axis.set_xticks(marked, [str(reach[k]) for k in marked])
        axis.set_yticks(marked, [str(reach[k]) for k in marked])
        axis.set_title(name)
        axis.set_xlabel("window moved right by dx [px]")
    axes[0].set_ylabel("window moved down by dy [px]")
    figure.colorbar(image, ax=list(axes), label="named rightly [% of pictures]", shrink=0.8)
    figure.suptitle(title)
    return save(figure, path)


def draw_curves(
    path: Path,
    title: str,
    panels: Mapping[str, Curves],
    *,
    y_label: str,
    logarithmic: Sequence[str] = (),
    styles: Mapping[str, Mapping[str, Any]] | None = None,
    at_rest: float | None = None,
    names_are: str | None = None,
    height: float = 4.4,
) -> Path:
    """Lines over one axis per panel, in the order of their ends in the legend.

    Args:
        panels: label of the x axis -> curves, name -> (x, y). Panels of the same names share one legend, others
            have one each.
        logarithmic: labels of x axes that are logarithmic; `y_label` makes the y axis so.
        styles: name -> what matplotlib's `plot` takes; None for one colour per curve.
        at_rest: mark this x of the first panel.
        names_are: title of a shared legend.
    """
    figure = new_figure(4.4 * len(panels) + (4 if len(panels) == 1 else 1.8), height)
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    names = list(dict.fromkeys(name for curves in panels.values() for name in curves))
    shared = all(list(curves) == names for curves in panels.values())
    if styles is None:
        styles = {name: {"color": colour} for name, colour in zip(names, COLOURS * 3, strict=False)}
    drawn = {}
    for axis, (label, curves) in zip(axes, panels.items(), strict=True):
        for name, (x, y) in curves.items():
            shape = {"linewidth": 1.6, "marker": "o", "markersize": 4} | dict(styles[name])
            (drawn[name],) = axis.plot(x, y, label=name, **shape)
        if label in logarithmic:
            from matplotlib.ticker import NullLocator

            axis.set_xscale("log", base=2)
            wide = max(x) > 4 * min(x)
            powers = (1, 2, 4, 8, 16, 32) if wide else (0.5, 0.7, 1, 1.4, 2)
            ticks = [tick for tick in powers if min(x) <= tick <= max(x)]
            axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axis.xaxis.set_minor_locator(NullLocator())
        else:
            measured = sorted({at for x, _ in curves.values() for at in x})
            gaps = [
                n for n in range(1, len(measured)) if (len(measured) - 1) % n == 0 and len(measured) / n < 12
            ]
            axis.set_xticks(measured[:: gaps[0] if gaps else 1])
        axis.set_xlabel(label)
        order = [name for _, name in sorted((-y[-1], name) for name, (_, y) in curves.items())]
        if not shared:
            axis.legend(
                [drawn[name] for name in order],
                order,
                loc="upper center",
                bbox_to_anchor=(0.5, -0.2),
                ncols=2,
                frameon=False,
                fontsize=8,
            )
        axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    if y_label in logarithmic:
        axes[0].set_yscale("log")
    if at_rest is not None:
        axes[0].axvline(at_rest, color="#bbbbbb", linewidth=0.8, zorder=0)
    axes[0].set_ylabel(y_label)
    figure.suptitle(title)
    if shared:
        legend_beside(figure, drawn, order, names_are)
    return save(figure, path)


def draw_comb(
    path: Path,
    residuals: Mapping[str, Sequence[float]],
    spectra: Mapping[str, Sequence[tuple[float, float]]],
    *,
    title: str,
    y_label: str,
    names_are: str,
    rounding: float | None = None,
) -> Path:
    """The comb of pooling: residual along dx above, below it how strong each period is in each curve.

    The strides of the pools (32, 16, 8, 4 and 2 px) are drawn in full colour, other periods pale.

    Args:
        residuals: name -> residual at shifts 0, 1, 2 ... px.
        spectra: name -> (period in pixels, amplitude).
        title, y_label: of the residual; names_are: title of the legend.
        rounding: amplitudes below it are rounding; that part of the panels is shaded.
    """
    figure = new_figure(9.5, 6.6)
    upper, lower = figure.subfigures(2, 1, height_ratios=(1.25, 1))
    above = upper.subplots()
    for (name, line), colour in zip(residuals.items(), COLOURS * 3, strict=False):
        above.plot(range(len(line)), line, color=colour, label=name, linewidth=1.6)
    length = max(len(line) for line in residuals.values())
    for at in range(0, length + 1, 32):
        above.axvline(at, color="#bbbbbb", linewidth=0.8, zorder=0)
    above.set_xlim(0, length)
    above.set_xticks(range(0, length + 1, 8))
    above.set_xlabel("picture moved right by dx [px], what leaves it comes back on the left")
    above.set_ylabel(y_label)
    above.set_title(title)
    upper.legend(loc="outside right center", frameon=False, fontsize=9, title=names_are)
    axes = lower.subplots(1, len(spectra), sharey=True, squeeze=False)[0]
    lower.suptitle(
        "How strong each period is in the curves above (full colour: the strides of the pools)",
        fontsize="medium",
    )
    lowest = min(amplitude for lines in spectra.values() for _, amplitude in lines if amplitude > 0)
    highest = max(amplitude for lines in spectra.values() for _, amplitude in lines)
    floor = lowest / 2 if rounding is None else min(lowest, rounding / 100)
    for axis, (name, lines), colour in zip(axes, spectra.items(), COLOURS * 3, strict=False):
        strides = [k for k, (period, _) in enumerate(lines) if period in (32, 16, 8, 4, 2)]
        others = [k for k in range(len(lines)) if k not in strides]
        for chosen, weight, shade in ((others, 1.2, 0.4), (strides, 2.4, 1.0)):
            tops = [max(lines[k][1], floor) for k in chosen]
            axis.vlines(chosen, floor, tops, color=colour, linewidth=weight, alpha=shade)
        axis.set_yscale("log")
        axis.set_ylim(floor, 2 * highest)
        axis.set_xticks(strides, [f"{lines[k][0]:.0f}" for k in strides], fontsize=7)
        for label in axis.get_xticklabels()[:1]:  # 32 px, right beside 16
            label.set_horizontalalignment("right")
        axis.set_xlabel("period [px]")
        axis.set_title(name, fontsize="small")
        if rounding is not None:
            axis.axhspan(floor, rounding, color="#eeeeee", zorder=0)
            axis.text(len(lines) - 0.5, rounding * 1.5, "below: rounding", ha="right", fontsize=7).set_bbox(
                {"facecolor": "white", "edgecolor": "none", "pad": 1}
            )
    axes[0].set_ylabel("amplitude")
    return save(figure, path)


def draw_bars(
    path: Path,
    title: str,
    values: Mapping[str, Mapping[str, float]],
    *,
    y_label: str,
    names_are: str | None = None,
    line: float | None = None,
    line_label: str | None = None,
    marks: Mapping[str, Mapping[str, float]] | None = None,
    marks_label: str | None = None,
    colours: Mapping[str, str] | None = None,
) -> Path:
    """Groups of bars: group -> name -> height; "not run" stands where a group lacks a name, "0" for no height.

    Args:
        colours: name -> colour; None for one each.
        names_are: title of the legend.
        line: draw a horizontal line at this height and call it `line_label`.
        marks: a black mark at another height over each bar, group -> name -> height, called `marks_label`.
    """
    figure = new_figure(max(9, 4 + 1.3 * len(values)), 4.4)
    axis = figure.subplots()
    names = list(dict.fromkeys(name for group in values.values() for name in group))
    width = 0.85 / len(names)
    colours = colours or dict(zip(names, COLOURS * 3, strict=False))
    highest = max(height for group in values.values() for height in group.values())
    for number, name in enumerate(names):
        places = [g + (number - (len(names) - 1) / 2) * width for g in range(len(values))]
        heights = [group.get(name, float("nan")) for group in values.values()]
        axis.bar(places, heights, width, color=colours[name], label=name)
        for place, group in zip(places, values.values(), strict=True):
            if name not in group:
                above = (line or 0) + 0.01 * highest
                axis.text(place, above, "not run", rotation=90, ha="center", fontsize=7, color="#666666")
            elif group[name] < 0.003 * highest:
                axis.text(place, 0, "0", ha="center", va="bottom", fontsize=8, color=colours[name])
        if marks is not None:
            axis.plot(
                places,
                [marks[group].get(name, float("nan")) for group in values],
                "k_",
                markersize=9,
                label=marks_label if number == 0 else None,
            )
    if line is not None:
        axis.axhline(line, color="#555555", linewidth=0.9, linestyle="--", label=line_label)
    axis.set_xticks(range(len(values)), list(values))
    axis.set_ylabel(y_label)
    axis.set_title(title)
    axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    axis.set_axisbelow(True)
    handles = dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    order = [*names, *(label for label in handles if label not in names)]
    legend_beside(figure, handles, order, names_are)
    return save(figure, path)


def grid_of(rows: Sequence[Mapping[str, Any]], reach: Sequence[int]) -> NDArray[np.float64]:
    """Accuracies over (dy, dx) from the `by_move` rows that `robustness.summary` gives."""
    found = {(row["dx"], row["dy"]): row["accuracy"] for row in rows if row["kind"] == "shift"}
    return np.array([[found.get((dx, dy), np.nan) for dx in reach] for dy in reach])
