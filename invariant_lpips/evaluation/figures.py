"""What every figure of this package is made with: a canvas, a place to go, colours, a legend beside it.

Drawn with matplotlib (extra ``bench``) on its file backend: no window is opened and no global state is
touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from invariant_lpips.files.writing import replacing

__all__ = ["COLOURS", "legend_beside", "new_figure", "save"]

#: One colour per thing compared, told apart by colour-blind readers too (Okabe and Ito 2008; the last two Tol's).
COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#D55E00",
    "#56B4E9",
    "#000000",
    "#999999",
    "#882255",
    "#332288",
)


def new_figure(width: float, height: float) -> Any:
    """A figure of its own, in inches, or an ImportError that says what to install."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            f"Figures need matplotlib ({error}): `pip install 'invariant-lpips[bench]'`, or --no-figures."
        ) from error
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Any, path: Path, *, dpi: int = 150, **options: Any) -> Path:
    """Write a figure as PNG or whatever the ending of `path` says; the file is complete or absent.

    Args:
        options: as matplotlib's `savefig` takes them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=dpi, **options)
    return path


def legend_beside(figure: Any, handles: Mapping[str, Any], order: Sequence[str], title: str | None) -> None:
    """One legend for all panels, to the right of them: name -> what was drawn, in this order."""
    figure.legend(
        [handles[name] for name in order],
        order,
        loc="outside right center",
        frameon=False,
        fontsize=9,
        title=title,
    )
