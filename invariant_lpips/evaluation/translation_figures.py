"""The figures of the translation benchmark, each drawn from its result file alone.

Titles say what is shown, so that a figure can stand without the text around it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from invariant_lpips.evaluation import robustness_figures as figures

__all__ = ["DRAWERS"]


def draw_classifiers(out: Path, result: Mapping[str, Any]) -> None:
    """Accuracy over (dx, dy), along each kind of move, and the drift of predictions around the circle."""
    heads: dict[str, Any] = result["heads"]
    first = next(iter(heads.values()))["by_move"]
    reach = sorted({row["dy"] for row in first if row["kind"] == "shift"})
    maps = {
        f"{head}: {100 * entry['accuracy']:.0f} % at rest,\n"
        f"moving loses {100 * entry['shift']['mean_relative_loss']:.1f} % of that": (
            figures.grid_of(entry["by_move"], reach)
        )
        for head, entry in heads.items()
    }
    figures.draw_heat_maps(
        out / "translation-accuracy-map.png",
        f"How many of {result['pictures']} test pictures each classifier still names rightly when the window is moved "
        "over the mirrored picture\n(dx = dy = 0: the picture as it is; mean over seeds of training)",
        maps,
        reach,
    )
    axes = {
        "shift": ("dx", "moves", "window moved right by dx [px]"),
        "rotation": ("degrees", "turns", "turned by [degrees]"),
        "zoom": ("factor", "grows", "magnified by [times]"),
    }
    panels: dict[str, figures.Curves] = {}
    verbs = []
    for kind, (field, verb, label) in axes.items():
        lines = {}
        for head, entry in heads.items():
            still = {"kind": kind, field: 1.0 if kind == "zoom" else 0, "accuracy": entry["accuracy"]}
            found = {
                row[field]: row["accuracy"]
                for row in [still, *entry["by_move"]]
                if (row["kind"] == kind or (kind, row["kind"]) == ("shift", "line")) and not row.get("dy")
            }
            lines[head] = (sorted(found), [100 * found[at] for at in sorted(found)])
        if len(lines[head][0]) > 1:
            panels[label] = lines
            verbs.append(verb)
    listed = " or ".join(filter(None, [", ".join(verbs[:-1]), verbs[-1]]))
    figures.draw_curves(
        out / "translation-accuracy-moves.png",
        f"Accuracy when the picture {listed} ({result['pictures']} test pictures, mean over seeds)",
        panels,
        y_label="accuracy [%]",
        logarithmic=[axes["zoom"][2]],
        names_are="head",
        at_rest=0,
    )
    if "combs" in result:
        combs = result["combs"]
        count = next(iter(combs.values()))["pictures"]
        figures.draw_comb(
            out / "translation-heads-comb.png",
            {head: entry["drift"] for head, entry in combs.items()},
            {head: entry["spectrum"] for head, entry in combs.items()},
            title=f"What a circular shift takes from a prediction, by head ({count} picture{'s' * (count > 1)})",
            y_label="probability gone to other classes\n(0: same prediction)",
            names_are="head",
        )


def draw_embeddings(out: Path, result: Mapping[str, Any]) -> None:
    """The comb of each pooling, real shifts by metric, fractions of a pixel: those that were measured."""
    if "comb" in result:
        figures.draw_comb(
            out / "translation-comb.png",
            {label: entry["mean_residual"] for label, entry in result["comb"].items()},
            {label: entry["spectrum"] for label, entry in result["comb"].items()},
            title="A picture moved round should be at distance 0: max pooling leaves a comb, polyphase nothing",
            y_label="distance to the unmoved picture,\nas a share of noise of sigma 8/255",
            names_are="pooling, padding",
            rounding=1e-7,
        )
    if "real" in result:
        shares = {name: entry["share"] for name, entry in result["real"].items() if "share" in entry}
        moved, share_label = (
            "window moved by [px]",
            "distance as a share of noise of sigma 8/255\n(1: as far as that noise)",
        )
        figures.draw_curves(
            out / "translation-real-shifts.png",
            "A window moved inside a larger photograph, as each metric sees it "
            f"({result['settings']['photographs']} photographs)",
            {
                moved: {
                    name: ([int(d) for d in share], list(share.values())) for name, share in shares.items()
                }
            },
            y_label=share_label,
            logarithmic=[moved, share_label],
            styles=styles(list(shares)),
            names_are="metric",
        )
    if "sub_pixel" in result:
        moves = next(iter(result["sub_pixel"].values()))
        figures.draw_bars(
            out / "translation-sub-pixel.png",
            "Shifted by a fraction of a pixel (band-limited, circular): an invariant metric would say 0",
            {
                "(dx, dy) =\n" + f"({move.replace(',', ', ')}) px": {
                    label: entry[move] for label, entry in result["sub_pixel"].items()
                }
                for move in moves
            },
            y_label="distance as a share of noise of sigma 8/255",
            names_are="pooling, padding",
        )


def styles(names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Ours: colour by pooling, solid with zeros and dashed with circular padding; peers: dotted, by marker."""
    poolings = dict(zip(("max", "blur", "polyphase"), figures.COLOURS, strict=False))
    found = {}
    for name in names:
        pooling, _, padding = name.removeprefix("gap (").removesuffix(")").partition(", ")
        if pooling in poolings:
            found[name] = {"color": poolings[pooling], "linestyle": "--" if padding == "circular" else "-"}
    others = [name for name in names if name not in found]
    for name, colour, marker in zip(others, figures.COLOURS[3:] * 3, "svD^P*X<>ph" * 3, strict=False):
        found[name] = {"color": colour, "linestyle": ":", "marker": marker}
    return found


def draw_digits(out: Path, result: Mapping[str, Any]) -> None:
    """Accuracy in the middle and moved, by canvas, trunk and head."""
    groups: dict[str, dict[str, float]] = {}
    centre: dict[str, dict[str, float]] = {}
    for side, entry in result["canvases"].items():
        for kind in ("frozen", "tuned"):
            if kind in entry:
                heads = entry[kind]["heads"]
                name = f"{side} px canvas\n{kind} trunk"
                groups[name] = {head: 100 * heads[head]["shift"]["mean_accuracy"] for head in heads}
                centre[name] = {head: 100 * heads[head]["accuracy"] for head in heads}
    figures.draw_bars(
        out / "translation-digits.png",
        "Digits learned in the middle of the canvas only, then moved",
        groups,
        y_label="mean accuracy over shifts [%]",
        names_are="head",
        line=10.0,
        line_label="guessing",
        marks=centre,
        marks_label="in the middle, where it was learned",
    )


#: Part of the benchmark -> what draws its figures into a folder.
DRAWERS: dict[str, Callable[[Path, Mapping[str, Any]], None]] = {
    "classifiers": draw_classifiers,
    "embeddings": draw_embeddings,
    "digits": draw_digits,
}
