#!/usr/bin/env python3
"""Agreement with people against cost: docs/figures/agreement_cost.png, from the files in benchmarks/results/.

    python benchmarks/agreement_cost.py

Up: Spearman correlation with the scores of TID2013 (resynthesised). Across: CPU time of a pair of 256 px as a share of
lpips' with VGG-16. A metric that stands in one of the reports of agreement and in `cost.json` under the same name is
drawn, so a new one needs nothing here: score it (`benchmarks/left_out.py`, `bench tid2013 --json`), time it
(`benchmarks/cost.py`), and draw again. One that learned from TID2013 has a second row, "NAME, types left out": it is
drawn in colour, with a line down to what it reaches on types it never saw.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from invariant_lpips.evaluation.figures import COLOURS, new_figure, save

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
#: Reports of agreement on the same pairs; where two know a metric, the first counts.
REPORTS = ("tid2013.json", "tid2013_peers.json")
UNSEEN = ", types left out"
#: Metrics that are one and the same in the two files.
SAME = {"lpips-vgg": "lpips:vgg", "lpips-alex": "lpips:alex"}
LABELS = {
    "regional": "regional (default)",
    "gap": "gap (the paper)",
    "lpips-vgg": "LPIPS vgg",
    "lpips-alex": "LPIPS alex",
    "st-lpips-alex": "ST-LPIPS alex",
    "dists": "DISTS",
    "haarpsi": "HaarPSI",
    "fsimc": "FSIMc",
    "flip": "FLIP",
    "cvvdp": "ColorVideoVDP, 4K",
    "cvvdp-fhd": "ColorVideoVDP, full HD",
    "ssimulacra2": "SSIMULACRA 2",
    "ssim-rgb": "SSIM (RGB, halved)",
    "ssim": "SSIM (luma)",
}


def results(name: str) -> dict[str, Any]:
    """One file of results."""
    found: dict[str, Any] = json.loads((RESULTS / name).read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Draw the figure."""
    reports = [results(name) for name in REPORTS]
    if len({(report["pairs"], report["references"]) for report in reports}) > 1:
        raise ValueError(f"Reports must be of the same pairs, but are not: {', '.join(REPORTS)}.")
    agreement: dict[str, Any] = {}
    for report in reversed(reports):
        agreement |= report["metrics"]
    cost = results("cost.json")["metrics"]
    figure = new_figure(8.5, 5.2)
    axes = figure.subplots()
    for name, entry in agreement.items():
        timed = SAME.get(name, name)
        if timed not in cost:
            continue
        share, srcc = cost[timed]["share"], entry["srcc"]
        unseen = agreement.get(name + UNSEEN)
        colour = COLOURS[4] if unseen else COLOURS[0]
        if unseen:
            axes.plot([share, share], [unseen["srcc"], srcc], color=colour, linewidth=1)
            axes.plot(share, unseen["srcc"], "_", color=colour, markersize=8)
        axes.plot(share, srcc, "o", color=colour, markersize=5)
        label = LABELS.get(name, name.upper() if not unseen else name)
        axes.annotate(label, (share, srcc), xytext=(5, 3), textcoords="offset points", fontsize=8)
    axes.set_xscale("log")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("CPU time of a pair of 256 px, lpips with VGG-16 = 1")
    axes.set_ylabel("Spearman correlation, TID2013 (resynthesised), 2,520 pairs")
    axes.set_title(
        "Orange: learned from TID2013, scored on references (dot) and types (bar) left out. Blue: saw none of it.",
        fontsize=9,
    )
    save(figure, ROOT / "docs" / "figures" / "agreement_cost.png", dpi=110, facecolor="white")


if __name__ == "__main__":
    main()
