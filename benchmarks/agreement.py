"""Agreement with people in one figure: docs/figures/agreement.png, from the files in benchmarks/results/ and the cards.

    python benchmarks/agreement.py

Left: Spearman correlation with the scores of TID2013 (resynthesised), with 95 % intervals over references; ours are
scored on references that were left out of training. Right: the ladder of shifts, turns, zooms and noises.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from invariant_lpips.atomic_writing import replacing
from invariant_lpips.model_card import tables

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"

#: What a row is called -> its name in tid2013.json or its card, and in ladder.json.
ROWS = {
    "regional (default)": ("vgg16-regional", "default"),
    "regional, blur": ("vgg16-regional-blur", "regional+blur"),
    "gap (the paper)": ("vgg16-gap", "gap"),
    "DISTS": ("dists", "dists"),
    "LPIPS alex": ("lpips-alex", "lpips-alex"),
    "ST-LPIPS alex": ("st-lpips-alex", "st-lpips-alex"),
    "LPIPS vgg": ("lpips-vgg", "lpips-vgg"),
    "SSIM": ("ssim", "ssim"),
    "PSNR": ("psnr", "psnr"),
}


def correlation(name: str, report: dict[str, Any]) -> tuple[float, tuple[float, float] | None]:
    """SRCC and its interval; a card gives no interval."""
    if name in report:
        low, high = report[name]["srcc_interval"]
        return report[name]["srcc"], (low, high)
    card = (ROOT / "weights" / f"{name}.md").read_text(encoding="utf-8")
    figures = {row[0]: row[1] for table in tables(card) for row in table if len(row) == 2}
    return float(figures["SRCC, references left out (5 folds)"]), None


def main() -> None:
    """Draw the figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    report = json.loads((RESULTS / "tid2013.json").read_text(encoding="utf-8"))["metrics"]
    ladder = json.loads((RESULTS / "ladder.json").read_text(encoding="utf-8"))["metrics"]
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, sharey=True)
    for row, (of_tid, of_ladder) in enumerate(ROWS.values()):
        ours = of_tid.startswith("vgg16-")
        value, interval = correlation(of_tid, report)
        left.barh(row, value, color="#c2185b" if ours else "#b0b0b0")
        if interval is not None:
            left.plot(interval, (row, row), color="black", linewidth=1.5)
        left.annotate(f"{value:.3f}", (0.02, row), va="center", fontsize=8, color="white")
        summary = ladder[of_ladder]["summary"]
        for density, marker in ((29, "o"), (71, "^")):
            right.plot(
                summary[f"ladder_{density}"],
                row,
                marker,
                color="#c2185b" if ours else "#606060",
                label=f"{density} pixels per degree" if row == len(ROWS) - 1 else None,
            )
    left.set_yticks(range(len(ROWS)), list(ROWS))
    left.invert_yaxis()
    left.set_xlim(0, 0.95)
    left.set_title("TID2013 (resynthesised), 21 types", fontsize=10)
    right.set_title("ladder of detection thresholds", fontsize=10)
    right.grid(axis="x", alpha=0.3)
    right.legend(frameon=False, fontsize=8, loc="center left")
    for axis in (left, right):
        axis.set_xlabel("Spearman correlation")
        axis.spines[["top", "right"]].set_visible(False)
    with replacing(ROOT / "docs" / "figures" / "agreement.png") as temporary:
        figure.savefig(temporary, dpi=95, facecolor="white", format="png")


if __name__ == "__main__":
    main()
