"""Pictures of robustness: accuracy over shifts, along one axis, the comb of pooling, metrics side by side.

Each is meant to be understood without the text: titles say what is shown, axes carry units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invariant_lpips.evaluation.figures import new_figure, save

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["draw_bars", "draw_comb", "draw_curves", "draw_heat_maps"]

#: One colour per thing compared, told apart by colour-blind readers too (Okabe and Ito 2008).
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000", "#999999")


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
    import numpy as np

    figure = new_figure(3.1 * len(maps) + 0.8, 3.9)
    axes = figure.subplots(1, len(maps), sharey=True, squeeze=False)[0]
    low = min(float(np.nanmin(grid)) for grid in maps.values())
    high = max(float(np.nanmax(grid)) for grid in maps.values())
    image = None
    for axis, (name, grid) in zip(axes, maps.items(), strict=True):
        image = axis.imshow(100 * grid, origin="upper", cmap="viridis", vmin=100 * low, vmax=100 * high)
        for row in range(grid.shape[0]):
            for column in range(grid.shape[1]):
                if np.isnan(grid[row, column]):
                    continue
                bright = grid[row, column] > (low + high) / 2
                axis.text(
                    column,
                    row,
                    f"{100 * grid[row, column]:.0f}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="black" if bright else "white",
                )
        axis.set_xticks(range(len(reach)), [str(d) for d in reach])
        axis.set_yticks(range(len(reach)), [str(d) for d in reach])
        axis.set_title(name)
        axis.set_xlabel("window moved right by dx [px]")
    axes[0].set_ylabel("window moved down by dy [px]")
    figure.colorbar(image, ax=list(axes), label="accuracy [%]", shrink=0.8)
    figure.suptitle(title)
    return save(figure, path)


def draw_curves(
    path: Path,
    title: str,
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    x_label: str,
    y_label: str,
    logarithmic: bool = False,
    stride: int | None = None,
) -> Path:
    """Lines over one axis.

    Args:
        curves: name -> (x, y).
        stride: draw faint verticals at its multiples.
    """
    figure = new_figure(8, 4.2)
    axis = figure.subplots()
    for (name, (x, y)), colour in zip(curves.items(), COLOURS * 3, strict=False):
        axis.plot(
            x, y, color=colour, label=name, linewidth=1.6, marker="o" if len(x) < 40 else None, markersize=4
        )
    if stride is not None:
        last = max(max(x) for x, _ in curves.values())
        for at in range(0, int(last) + 1, stride):
            axis.axvline(at, color="#bbbbbb", linewidth=0.8, zorder=0)
    if logarithmic:
        axis.set_yscale("log")
    axis.set_xlabel(x_label)
    axis.set_ylabel(y_label)
    axis.set_title(title)
    axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    axis.legend(frameon=False, fontsize=9)
    return save(figure, path)


def draw_comb(
    path: Path,
    residuals: Mapping[str, Sequence[float]],
    spectra: Mapping[str, Sequence[tuple[float, float]]],
    *,
    title: str,
    y_label: str,
    floor: float = 1e-9,
) -> Path:
    """The comb of pooling: residual along dx above, its spectrum by period below.

    Args:
        residuals: name -> residual at shifts 0, 1, 2 ... px.
        spectra: name -> (period in pixels, amplitude).
        title, y_label: of the residual.
        floor: amplitudes below it are drawn at it: they are rounding.
    """
    figure = new_figure(8.5, 7)
    above, below = figure.subplots(2, 1)
    for (name, line), colour in zip(residuals.items(), COLOURS, strict=False):
        above.plot(range(len(line)), line, color=colour, label=name, linewidth=1.6)
    length = max(len(line) for line in residuals.values())
    for at in range(0, length + 1, 32):
        above.axvline(at, color="#bbbbbb", linewidth=0.8, zorder=0)
    above.set_xlim(0, length)
    above.set_xlabel("picture moved right by dx [px], wrapping around (grey lines: every 32 px)")
    above.set_ylabel(y_label)
    above.set_title(title)
    above.legend(frameon=False, fontsize=9)
    width = 0.8 / len(spectra)
    periods = [period for period, _ in next(iter(spectra.values()))]
    for number, ((name, lines), colour) in enumerate(zip(spectra.items(), COLOURS, strict=False)):
        heights = [max(amplitude, floor) for _, amplitude in lines]
        below.bar(
            [k + (number - (len(spectra) - 1) / 2) * width for k in range(len(lines))],
            heights,
            width,
            color=colour,
            label=name,
        )
    below.set_yscale("log")
    below.set_ylim(floor, None)
    shown = [k for k, period in enumerate(periods) if float(period).is_integer()]
    below.set_xticks(shown, [f"{periods[k]:.0f}" for k in shown])
    below.set_xlabel("period along dx [px]")
    below.set_ylabel("amplitude in the curve above")
    below.set_title("Its spectrum: the teeth stand at 32 px and its fractions, the strides of the pools")
    return save(figure, path)


def draw_bars(
    path: Path,
    title: str,
    values: Mapping[str, Mapping[str, float]],
    *,
    y_label: str,
    line: float | None = None,
) -> Path:
    """Groups of bars: group -> name -> height.

    Args:
        line: draw a horizontal line at this height.
    """
    figure = new_figure(9, 4.4)
    axis = figure.subplots()
    names = list(next(iter(values.values())))
    width = 0.85 / len(names)
    for number, (name, colour) in enumerate(zip(names, COLOURS * 3, strict=False)):
        axis.bar(
            [g + (number - (len(names) - 1) / 2) * width for g in range(len(values))],
            [group[name] for group in values.values()],
            width,
            color=colour,
            label=name,
        )
    if line is not None:
        axis.axhline(line, color="#555555", linewidth=0.9, linestyle="--")
    axis.set_xticks(range(len(values)), list(values))
    axis.set_ylabel(y_label)
    axis.set_title(title)
    axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    axis.legend(frameon=False, fontsize=8, ncols=2)
    return save(figure, path)


def grid_of(rows: Sequence[Mapping[str, Any]], reach: Sequence[int]) -> NDArray[np.float64]:
    """Accuracies over (dy, dx) from the `by_move` rows that `robustness.summary` gives."""
    import numpy as np

    found = {(row["dx"], row["dy"]): row["accuracy"] for row in rows if row["kind"] == "shift"}
    return np.array([[found.get((dx, dy), np.nan) for dx in reach] for dy in reach])
