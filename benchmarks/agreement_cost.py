#!/usr/bin/env python3
"""Agreement with people against cost: docs/figures/agreement_cost.png, from the files in benchmarks/results/.

    python benchmarks/agreement_cost.py

Up: Spearman correlation with the scores of TID2013 (resynthesised). Across: CPU time of a pair of 256 px as a share of
lpips' with VGG-16. A metric that stands in one of the reports of agreement and in `cost.json` (or
`cost_nets.json`, that of our other networks) under the same name is
drawn, so a new one needs nothing here: score it (`benchmarks/left_out.py`, `bench tid2013 --json`), time it
(`benchmarks/cost.py`), and draw again. A metric that learned
from TID2013 has a second row, "NAME, types left out": it is drawn in orange, with a line down to what it reaches on
types it never saw. What it costs with motion measured (`cost_motion.json`) is drawn hollow, at the score without:
on TID2013 the two are next to the same (`tid2013_motion.json`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matplotlib.patheffects import withStroke

from invariant_lpips.evaluation.figures import COLOURS, new_figure, save

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
#: Reports of agreement; where two know a metric, the first counts.
REPORTS = ("tid2013.json", "tid2013_nets.json", "tid2013_peers.json", "tid2013_peers_slow.json")
UNSEEN = ", types left out"
#: Metrics that are one and the same in the two files.
SAME = {"lpips-vgg": "lpips:vgg", "lpips-alex": "lpips:alex"}
#: What a letter of a label is wide, as a factor of cost.
PER_LETTER = 1.06
#: Of ours those whose left is taken.
TO_THE_RIGHT = ("regional+alex", "regional-32+pixels")
#: Of the others those whose right is taken.
TO_THE_LEFT = ("haarpsi",)
#: Ours from this cost on stand so close that their names are listed beside them, each with a line to its dot.
LISTED = 0.6
MOTION = "+motion"
#: Those whose label would lie on another's dot or on their own line -> by how many points it is moved up.
RAISED = {"ssimulacra2": 8, "regional-32+pixels": -8}
LABELS = {
    "regional": "regional (default)",
    "gap": "gap (the paper)",
    "regional+alex": "regional, alex",
    "regional-32+alex": "regional-32, alex",
    "gap+alex": "gap, alex",
    "regional+pixels": "regional, pixels",
    "regional-32+pixels": "regional-32, pixels",
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
    agreement: dict[str, Any] = {}
    for file in reversed(REPORTS):
        agreement |= results(file)["metrics"]
    cost = results("cost_nets.json")["metrics"] | results("cost.json")["metrics"]
    moving = results("cost_motion.json")["metrics"]
    ours = [entry["share"] for name, entry in cost.items() if name + UNSEEN in agreement]
    left_edge = min((share for share in ours if share > LISTED), default=LISTED) / PER_LETTER
    figure = new_figure(8.5, 5.2)
    axes = figure.subplots()
    labels: list[tuple[float, float, float]] = []
    for name, entry in sorted(agreement.items(), key=lambda item: -float(item[1]["srcc"])):
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
        if name + MOTION in moving:
            dearer = moving[name + MOTION]["share"]
            axes.plot([share, dearer], [srcc, srcc], color=colour, linewidth=1, linestyle=":")
            axes.plot(dearer, srcc, "o", color=colour, markersize=5, markerfacecolor="white")
        label = LABELS.get(name, name if unseen else name.upper())
        # Ours stand close together, and most are labelled on the left.
        to_the_left = name in TO_THE_LEFT or (unseen and name not in TO_THE_RIGHT)
        right, side = (-7, "right") if to_the_left else (6, "left")
        listed = bool(unseen) and share > LISTED
        at, height = left_edge if listed else share, srcc
        width = PER_LETTER ** (len(label) + 1)
        begin, end = sorted((at, at * width if side == "left" else at / width))
        while any(begin < e and b < end and abs(height - y) < 0.009 for b, e, y in labels):
            height -= 0.001
        labels.append((begin, end, height))
        if listed:
            axes.plot([at / PER_LETTER, share], [height, srcc], color=colour, linewidth=0.6, alpha=0.6)
        axes.annotate(
            label,
            (at, height),
            xytext=(right, RAISED.get(name, 0) - 3),
            textcoords="offset points",
            ha=side,
            fontsize=8,
            color=colour,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],  # over the lines of others
            zorder=3,
        )
    axes.set_xscale("log")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("CPU time of a pair of 256 px, lpips with VGG-16 = 1")
    axes.set_ylabel("Spearman correlation, TID2013 (resynthesised)")
    axes.set_title(
        "Orange: learned from TID2013, scored on references (dot) and types (bar) left out; hollow: the cost\n"
        "with motion at the score without. Blue: saw none of it.",
        fontsize=9,
    )
    save(figure, ROOT / "docs" / "figures" / "agreement_cost.png", dpi=110, facecolor="white")


if __name__ == "__main__":
    main()
