"""Pictures of a report: scatter with the fitted logistic, SRCC per distortion, response curves of RAID."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from invariant_lpips.datasets.pairs import RatedPairs
from invariant_lpips.evaluation.figures import new_figure, save
from invariant_lpips.statistics.correlations import LogisticFit
from invariant_lpips.statistics.psychophysics import Curve

__all__ = ["draw_bars", "draw_curves", "draw_scatter"]


def draw_scatter(
    path: Path, pairs: RatedPairs, values: NDArray[np.float64], entry: Mapping[str, Any], metric: str
) -> Path:
    """Scores against the metric, coloured by distortion, with the fitted logistic that PLCC is taken after.

    Args:
        path: file to write.
        pairs: the rated pairs.
        values: the metric's values, shape (N,).
        entry: the metric's entry in the report, which holds its fit and correlations.
        metric: name of the metric.
    """
    figure = new_figure(6, 4.5)
    axes = figure.subplots()
    codes = {code: number for number, code in enumerate(pairs.distortions)}
    colours = [codes[pair.distortion] for pair in pairs]
    axes.scatter(values, pairs.scores, c=colours, cmap="turbo", s=6, alpha=0.6, linewidths=0)
    line = np.linspace(values.min(), values.max(), 200)
    fit = LogisticFit(tuple(entry["logistic"]), entry["logistic_failed"])
    axes.plot(line, fit.predict(line), color="black", linewidth=1.5)
    axes.set_xlabel(metric)
    axes.set_ylabel(f"score of {pairs.name}")
    axes.set_title(
        f"{metric} on {pairs.name}: SRCC {entry['srcc']:.3f}, PLCC {entry['plcc']:.3f}", fontsize=10
    )
    return save(figure, path)


def draw_bars(path: Path, report: Mapping[str, Any]) -> Path:
    """SRCC per distortion, a group of bars for each kind, a bar for each metric."""
    metrics = report["metrics"]
    codes = list(report["distortions"])
    figure = new_figure(max(6.0, 0.5 * len(codes) + 2), 4.5)
    axes = figure.subplots()
    width = 0.8 / max(1, len(metrics))
    for number, (name, entry) in enumerate(metrics.items()):
        heights = [entry["by_distortion"].get(code, {}).get("srcc") or 0.0 for code in codes]
        positions = [k + (number - (len(metrics) - 1) / 2) * width for k in range(len(codes))]
        axes.bar(positions, heights, width=width, label=name)
    labels = [report["distortions"][code] for code in codes]
    axes.set_xticks(range(len(codes)), labels, rotation=60, ha="right", fontsize=7)
    axes.set_ylabel("SRCC")
    axes.set_title(f"{report['dataset']}, by distortion", fontsize=10)
    axes.legend(fontsize=7, ncols=3)
    return save(figure, path)


def draw_curves(path: Path, human: Sequence[Curve], metrics: Mapping[str, Sequence[Curve]]) -> Path:
    """Mean response curves of RAID in JOD: a panel for each transform, people in black, metrics in colour.

    Args:
        path: file to write.
        human: people's curves, one a transform.
        metrics: name -> the metric's curves after its calibration to JOD, in the same order of transforms.
    """
    figure = new_figure(3.2 * len(human), 3.4)
    panels = figure.subplots(1, len(human), squeeze=False)[0]
    for panel, curve in zip(panels, human, strict=True):
        panel.plot(
            curve.sizes, curve.jod, color="black", marker="o", markersize=3, linewidth=2, label="people"
        )
        for name, curves in metrics.items():
            match = next(other for other in curves if other.distortion == curve.distortion)
            panel.plot(match.sizes, match.jod, marker=".", linewidth=1, label=name)
        panel.set_xlabel(curve.unit)
        panel.set_title(curve.distortion, fontsize=10)
    panels[0].set_ylabel("JOD")
    panels[0].legend(fontsize=7)
    return save(figure, path)
