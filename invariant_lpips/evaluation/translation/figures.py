"""The figures of the translation benchmark, each drawn from its result file alone.

Titles say what is shown, so that a figure can stand without the text around it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from invariant_lpips.evaluation.figures import COLOURS
from invariant_lpips.evaluation.translation import charts
from invariant_lpips.evaluation.translation.residuals import named, on_one_scale

__all__ = ["DRAWERS"]

#: Pooling, padding -> its colour in every figure.
POOLING_COLOURS = dict(
    zip(
        (
            "max, zeros",
            "max, circular",
            "blur, circular",
            "polyphase, circular",
            "blur, zeros",
            "polyphase, zeros",
        ),
        COLOURS,
        strict=False,
    )
)


def draw_classifiers(out: Path, result: Mapping[str, Any]) -> None:
    """Accuracy over (dx, dy), along each kind of move, and the drift of predictions around the circle."""
    heads: dict[str, Any] = result["heads"]
    first = next(iter(heads.values()))["by_move"]
    counts = {len(entry["classifiers"]) for entry in heads.values()}
    seeds = (
        "one seed"
        if counts == {1}
        else f"mean of {counts.pop()} seeds"
        if len(counts) == 1
        else "mean over seeds"
    )
    sizes = " and ".join(f"{side}" for side in result["image_sizes"])
    shown = f"{result['pictures']} test pictures of {sizes} px, {seeds}"
    reach = sorted({row["dy"] for row in first if row["kind"] == "shift"})
    titles = {head: head.replace(" (", "\n(") for head in heads}
    maps = {
        f"{titles[head]}: {100 * entry['accuracy']:.0f} % at rest,\n"
        f"moving loses {100 * entry['shift']['mean_relative_loss']:.1f} % of that": (
            charts.grid_of(entry["by_move"], reach)
        )
        for head, entry in heads.items()
    }
    charts.draw_heat_maps(
        out / "translation-accuracy-map.png",
        "What share of pictures each classifier still names rightly when the window is moved over the mirrored "
        f"picture\n({shown}; dx = dy = 0: the picture as it is)",
        maps,
        reach,
    )
    axes = {
        "shift": ("dx", "moves", "window moved right by dx [px]"),
        "rotation": ("degrees", "turns", "turned by [degrees]"),
        "zoom": ("factor", "grows", "magnified by [times]"),
    }
    panels: dict[str, charts.Curves] = {}
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
    charts.draw_curves(
        out / "translation-accuracy-moves.png",
        f"Accuracy when the picture {listed} ({shown})",
        panels,
        y_label="accuracy [%]",
        logarithmic=[axes["zoom"][2]],
        names_are="head",
        at_rest=0,
    )
    if "combs" in result:
        combs = result["combs"]
        count = next(iter(combs.values()))["pictures"]
        charts.draw_comb(
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
        charts.draw_comb(
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
        curves = {
            named(name): (
                [int(d) for d in share],
                [on_one_scale(name, value) for value in share.values()],
            )
            for name, share in shares.items()
        }
        ours = {name: curve for name, curve in curves.items() if name.startswith("gap (")}
        known = ("gap (max, zeros)", "gap (blur, zeros)")
        panels = {
            "window moved by [px]\nGAP head, by pooling and padding": ours,
            "window moved by [px]\nother heads and metrics beside two of the left": {
                name: curve for name, curve in curves.items() if name in known or name not in ours
            },
        }
        panels = {label: drawn for label, drawn in panels.items() if drawn}
        share_label = "distance as a share of noise of sigma 8/255\n(1: as far as that noise)"
        charts.draw_curves(
            out / "translation-real-shifts.png",
            "A window moved inside a larger photograph, as each metric sees it "
            f"({result['settings']['photographs']} photographs)",
            panels,
            y_label=share_label,
            logarithmic=[*panels, share_label],
            styles=styles(list(curves)),
            height=6.2,
        )
    if "sub_pixel" in result:
        moves = next(iter(result["sub_pixel"].values()))
        charts.draw_bars(
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
            colours=POOLING_COLOURS,
        )


def styles(names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Ours: colour by pooling, solid with zeros and dashed with circular padding; peers: dotted, by marker."""
    found = {}
    for name in names:
        label = name.removeprefix("gap (").removesuffix(")")
        if label in POOLING_COLOURS:
            found[name] = {"color": POOLING_COLOURS[label], "linestyle": "--" if "circular" in label else "-"}
    others = [name for name in names if name not in found]
    peers = ("#000000", "#999999", "#882255", "#332288", "#56B4E9", "#009E73", "#CC79A7")
    for name, colour, marker in zip(others, peers * 3, "svD^P*X<>ph" * 3, strict=False):
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
    charts.draw_bars(
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
