"""Result files of the translation benchmark as Markdown tables, so that documents quote what was measured."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from invariant_lpips.evaluation.tables import markdown
from invariant_lpips.evaluation.translation.residuals import named, on_one_scale

__all__ = ["report"]


def report(folder: Path) -> str:
    """Tables of every `translation-PART.json` in `folder`, with the command that made each.

    Raises:
        FileNotFoundError: there is none.
    """
    writers = {
        "classifiers": classifiers,
        "digits": digits,
        "embeddings": embeddings,
        "overhead": overhead,
    }
    parts = []
    for name, writer in writers.items():
        path = folder / f"translation-{name}.json"
        if path.is_file():
            result = json.loads(path.read_text(encoding="utf-8"))
            machine = result["machine"]
            made = f"`{result['command']}` ({machine['processor']}, {machine['threads']} thread(s), {result['date']})"
            parts.append(f"{writer(result)}\n\nMade by {made}.")
    if not parts:
        raise FileNotFoundError(
            f"{folder} must hold a translation-PART.json, but has none; run a part first."
        )
    return "\n\n".join(parts) + "\n"


#: Periods of the comb: the strides of VGG's pools.
TEETH = (32.0, 16.0, 8.0, 4.0, 2.0)
TEETH_NAMES = [f"{period:.0f} px" for period in TEETH]


def teeth(spectrum: Sequence[Sequence[float]]) -> list[str]:
    """The comb's amplitudes at the strides of the pools; "-" for a period that the spectrum lacks."""
    amplitudes = {line[0]: line[1] for line in spectrum}
    return [f"{amplitudes[period]:.1e}" if period in amplitudes else "-" for period in TEETH]


def classifiers(result: Mapping[str, Any]) -> str:
    """Accuracy, loss and parameters of each head."""
    rows = []
    for head, entry in result["heads"].items():
        low, high = entry["shift"]["mean_relative_loss_95"]
        row = [
            f"`{head}`",
            str(len(entry["classifiers"])),
            "-" if entry["trainable_parameters"] is None else f"{entry['trainable_parameters']:,}",
            f"{100 * entry['accuracy']:.1f}"
            + (f" ± {100 * entry['accuracy_deviation']:.1f}" if len(entry["classifiers"]) > 1 else ""),
            f"{entry['shift']['mean_relative_loss']:.3f} ({low:.3f} to {high:.3f})",
            f"{entry['shift']['consistency']:.3f}",
        ]
        row += [f"{entry[k]['mean_relative_loss']:.3f}" if k in entry else "-" for k in ("rotation", "zoom")]
        rows.append(row)
    head_row = [
        "head",
        "seeds",
        "trained parameters",
        "accuracy at rest [%]",
        "mean relative loss, shifts (95 %)",
    ]
    head_row += ["consistency, shifts", "loss, rotations", "loss, scales"]
    text = (
        f"### Heads on photographs\n\n{result['pictures']} test pictures, {result['moves']} moves, mean over seeds "
        f"± their standard deviation; intervals are over pictures.\n\n{markdown(head_row, rows)}"
    )
    if "combs" in result:
        rows = []
        for head, entry in result["combs"].items():
            line = entry["drift"][1:]
            rows.append(
                [f"`{head}`", f"{sum(line) / len(line):.3f}", f"{max(line):.3f}", *teeth(entry["spectrum"])]
            )
        pictures = next(iter(result["combs"].values()))["pictures"]
        text += (
            f"\n\nProbability that goes to other classes under circular shifts of 1 to {len(line)} px "
            f"({pictures} picture{'s' * (pictures > 1)}); the last columns are the amplitudes by period:\n\n"
            + markdown(["head", "mean", "largest", *TEETH_NAMES], rows)
        )
    return text


def digits(result: Mapping[str, Any]) -> str:
    """Accuracy at the centre and over shifts, by canvas, trunk and head."""
    rows = []
    for side, kinds in result["canvases"].items():
        for kind in ("frozen", "tuned"):
            for head, entry in kinds.get(kind, {}).get("heads", {}).items():
                rows.append(
                    [
                        f"{side} px, ±{kinds['reach']} px",
                        kind,
                        f"`{head}`",
                        f"{100 * entry['accuracy']:.1f}",
                        f"{100 * entry['shift']['mean_accuracy']:.1f}",
                        f"{100 * entry['shift']['worst_accuracy']:.1f}",
                        f"{entry['shift']['mean_relative_loss']:.3f}",
                    ]
                )
    head_row = [
        "canvas, shifts",
        "trunk",
        "head",
        "centre [%]",
        "mean over shifts [%]",
        "worst shift [%]",
        "loss",
    ]
    return (
        f"### Digits learned in the middle only\n\nDigits: {result['digits']}.\n\n{markdown(head_row, rows)}"
    )


def embeddings(result: Mapping[str, Any]) -> str:
    """Residuals of circular, sub-pixel and real shifts; all as shares of the distance to noise of 8/255."""
    settings = result["settings"]
    parts = [
        "### What is left of the distance",
        "Every number is a share of the metric's own distance to noise of sigma 8/255. Windows of "
        f"{settings['size']} px. Of means of squares (LPIPS, ST-LPIPS, 1 - SSIM, `spatial`) the root is taken.",
    ]
    if "comb" in result:
        rows = []
        for label, entry in result["comb"].items():
            line = entry["mean_residual"][1:]
            rows.append(
                [
                    label,
                    f"{sum(line) / len(line):.1e}",
                    f"{entry['max_residual']:.1e}",
                    *teeth(entry["spectrum"]),
                ]
            )
        head_row = ["pooling, padding", "mean", "max", *TEETH_NAMES]
        parts += [
            f"Circular shifts of 1 to {settings['shifts'] - 1} px along one axis, GAP head, "
            f"{settings['comb_photographs']} photograph(s); the last columns are the comb's amplitudes by period:",
            markdown(head_row, rows),
        ]
    if "exact" in result:
        rows = [
            [size, str(e["shifts"]), str(e["pictures"]), f"{e['max_residual']:.1e}"]
            for size, e in result["exact"].items()
        ]
        parts += [
            "GAP head, polyphase, circular; circular shifts of both axes together:",
            markdown(["size", "shifts", "photographs", "largest residual"], rows),
        ]
    if "heads" in result:
        moves = list(next(iter(next(iter(result["heads"].values())).values())))
        rows = [
            [f"`{head}`", label, *(f"{on_one_scale(head, e[move]):.1e}" for move in moves)]
            for head, labels in result["heads"].items()
            for label, e in labels.items()
        ]
        parts += ["All heads, circular shifts (dx,dy):", markdown(["head", "pooling, padding", *moves], rows)]
    if "sub_pixel" in result:
        moves = list(next(iter(result["sub_pixel"].values())))
        rows = [[label, *(f"{e[move]:.3f}" for move in moves)] for label, e in result["sub_pixel"].items()]
        parts += [
            "Shifts by fractions of a pixel (dx,dy), GAP head:",
            markdown(["pooling, padding", *moves], rows),
        ]
    if "real" in result:
        measured = {name: e for name, e in result["real"].items() if "share" in e}
        steps = list(next(iter(measured.values()))["share"])
        rows = [
            [named(name), *(f"{on_one_scale(name, e['share'][step]):.2f}" for step in steps)]
            for name, e in measured.items()
        ]
        parts += [
            f"A window moved inside a larger photograph ({settings['photographs']} photographs):",
            markdown(["metric", *(f"{step} px" for step in steps)], rows),
        ]
    return "\n\n".join(parts)


def overhead(result: Mapping[str, Any]) -> str:
    """Time of each pooling over that of max pooling."""
    rows = [
        [
            label,
            f"{e['median_seconds']:.2f}",
            f"{100 * e['over_max_zeros']:+.0f} %",
            f"{e['one_forward']['pools']:.2f}",
            f"{e['one_forward']['everything_else']:.2f}",
        ]
        for label, e in result["configurations"].items()
    ]
    head_row = ["pooling, padding", "s per batch", "over max, zeros", "of it pools", "everything else"]
    return (
        f"### Time\n\nBatch of {result['batch']} at {result['size']} px on {result['device']}.\n\n"
        f"{markdown(head_row, rows)}"
    )
