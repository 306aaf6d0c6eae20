"""Agreement with people in one figure: docs/figures/agreement.png, from the files in benchmarks/results/.

    python benchmarks/agreement.py

Left: Spearman correlation with the scores of TID2013 (resynthesised), with 95 % intervals over references; ours are
scored on references that were left out of training, and without motion. Right: the ladder of shifts, turns, zooms and
noises; of a metric that measures motion over six photographs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from invariant_lpips.evaluation.figures import new_figure, save

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"

#: Reports of either kind; where two know a metric, the first counts.
AGREEMENT = ("tid2013.json", "tid2013_nets.json", "tid2013_peers.json")
LADDER = ("ladder.json", "ladder_motion.json", "ladder_peers.json")
MOTION = "+motion"
#: What a row is called -> its name in reports of agreement, and of the ladder.
ROWS = {
    "regional-32, alex, motion": ("regional-32+alex", "regional-32+alex+motion"),
    "regional (default)": ("regional", "default"),
    "regional, blur": ("regional+blur", "regional+blur"),
    "regional-32, pixels, motion": ("regional-32+pixels", "regional-32+pixels+motion"),
    "gap (the paper)": ("gap", "gap"),
    "VSI": ("vsi", "vsi"),
    "MDSI": ("mdsi", "mdsi"),
    "DISTS": ("dists", "dists"),
    "LPIPS alex": ("lpips-alex", "lpips-alex"),
    "ST-LPIPS alex": ("st-lpips-alex", "st-lpips-alex"),
    "LPIPS vgg": ("lpips-vgg", "lpips-vgg"),
    "SSIM": ("ssim", "ssim"),
    "PSNR": ("psnr", "psnr"),
}


def metrics(files: Sequence[str]) -> dict[str, Any]:
    """Metric -> its entry in the first of the reports that knows it."""
    found: dict[str, Any] = {}
    for file in reversed(files):
        found |= json.loads((RESULTS / file).read_text(encoding="utf-8"))["metrics"]
    return found


def main() -> None:
    """Draw the figure."""
    report, ladder = metrics(AGREEMENT), metrics(LADDER)
    figure = new_figure(9, 4.4)
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
                fillstyle="none" if of_ladder.endswith(MOTION) else "full",
                label=f"{density} pixels per degree" if row == len(ROWS) - 1 else None,
            )
    left.set_yticks(range(len(ROWS)), list(ROWS))
    left.invert_yaxis()
    left.set_xlim(0, 0.95)
    left.set_title(
        "TID2013 (resynthesised), references left out, without\nmotion (diamonds: fitted on other types of distortion)",
        fontsize=9,
    )
    right.set_title(
        "shifts, turns, zooms and noise in the order of\npublished thresholds (hollow: on six photographs)",
        fontsize=9,
    )
    right.grid(axis="x", alpha=0.3)
    right.legend(frameon=False, fontsize=8, loc="upper left")
    for axis in (left, right):
        axis.set_xlabel("Spearman correlation")
        axis.spines[["top", "right"]].set_visible(False)
    save(figure, ROOT / "docs" / "figures" / "agreement.png", dpi=100, facecolor="white")


if __name__ == "__main__":
    main()
