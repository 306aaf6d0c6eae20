"""Agreement with people in one figure: docs/figures/agreement.png, from the files in benchmarks/results/.

    python benchmarks/agreement.py

Left: Spearman correlation with the scores of TID2013 (resynthesised), with 95 % intervals over references; ours are
scored on references that were left out of training. Right: the ladder of shifts, turns, zooms and noises.
"""

from __future__ import annotations

import json
from pathlib import Path

from invariant_lpips.evaluation.figures import new_figure, save

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"

#: What a row is called -> its name in tid2013.json, and in ladder.json.
ROWS = {
    "regional (default)": ("regional", "default"),
    "regional, blur": ("regional+blur", "regional+blur"),
    "gap (the paper)": ("gap", "gap"),
    "DISTS": ("dists", "dists"),
    "LPIPS alex": ("lpips-alex", "lpips-alex"),
    "ST-LPIPS alex": ("st-lpips-alex", "st-lpips-alex"),
    "LPIPS vgg": ("lpips-vgg", "lpips-vgg"),
    "SSIM": ("ssim", "ssim"),
    "PSNR": ("psnr", "psnr"),
}


def main() -> None:
    """Draw the figure."""
    report = json.loads((RESULTS / "tid2013.json").read_text(encoding="utf-8"))["metrics"]
    ladder = json.loads((RESULTS / "ladder.json").read_text(encoding="utf-8"))["metrics"]
    figure = new_figure(9, 3.4)
    left, right = figure.subplots(1, 2, sharey=True)
    for row, (of_tid, of_ladder) in enumerate(ROWS.values()):
        ours = f"{of_tid}, types left out" in report
        value = report[of_tid]["srcc"]
        left.barh(row, value, color="#c2185b" if ours else "#b0b0b0")
        left.plot(report[of_tid]["srcc_interval"], (row, row), color="black", linewidth=1.5)
        if ours:
            unseen = report[f"{of_tid}, types left out"]["srcc"]
            left.plot(unseen, row, "D", color="white", markeredgecolor="black", markersize=5)
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
    left.set_title(
        "TID2013 (resynthesised), references left out\n(diamonds: fitted on other types of distortion)",
        fontsize=9,
    )
    right.set_title(
        "shifts, turns, zooms and noise in the order\nof published detection thresholds", fontsize=9
    )
    right.grid(axis="x", alpha=0.3)
    right.legend(frameon=False, fontsize=8, loc="center left")
    for axis in (left, right):
        axis.set_xlabel("Spearman correlation")
        axis.spines[["top", "right"]].set_visible(False)
    save(figure, ROOT / "docs" / "figures" / "agreement.png", dpi=95, facecolor="white")


if __name__ == "__main__":
    main()
