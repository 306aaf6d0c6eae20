"""Tables and a plot of what `bench speed` measured, written into a page of the documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from invariant_lpips.evaluation.figures import COLOURS, new_figure, save
from invariant_lpips.evaluation.speed.aims import BASELINE, aims_table
from invariant_lpips.evaluation.speed.clocks import median_ratio
from invariant_lpips.evaluation.tables import between_marks, markdown
from invariant_lpips.files.writing import write_text

__all__ = ["tables", "write_page"]

DEVICES = ("cpu", "cuda")


def write_page(report: Mapping[str, Any], page: Path) -> None:
    """Put the tables of each measured device between its marks in the page, and a plot into figures/ beside it.

    Raises:
        ValueError: the page lacks the marks of a device that was measured.
    """
    text = page.read_text(encoding="utf-8")
    measured = [
        device for device in DEVICES if any("times" in case for _, case in _of(report["cases"], device))
    ]
    for device in measured:
        body = tables(report, device)
        if device != "cpu":  # the page leads with the plot of the CPU
            body += f"\n\n![Time and memory as shares of lpips](figures/speed_{device}.png)"
        text = between_marks(text, f"measured, {device}", body, str(page))
    write_text(page, text)
    for device in measured:
        _draw(report, device, page.parent / "figures" / f"speed_{device}.png")


def tables(report: Mapping[str, Any], device: str) -> str:
    """Everything measured on a device, as Markdown."""
    cases = report["cases"]
    aims = aims_table(cases, device)
    blocks = [f"Against what was aimed at, as shares of lpips (vgg) in the same run:\n\n{aims}"]
    clock = "CPU time" if device == "cpu" else "time"
    for kind, title in (
        ("forward", "forward pass"),
        ("loss", "forward and backward pass, gradient to one image"),
    ):
        if table := _race_table(cases, device, kind):
            blocks.append(
                f"**{device.upper()}, {clock} of a {title}**, as a share of lpips (vgg):\n\n{table}"
            )
    if table := _memory_table(cases, device):
        blocks.append(
            f"**{device.upper()}, peak memory above what was held before**, as a share of lpips (vgg):\n\n{table}"
        )
    for name in (f"{device} pairwise 64", f"{device} compiled 256 1", f"{device} floors"):
        if name in cases and "left_out" not in cases[name] and "failed" not in cases[name]:
            describe = {"pairwise": _pairwise, "compiled": _compiled, "floors": _floors}[name.split()[1]]
            blocks.append(describe(cases, device))
    left = [
        f"{name.partition(' ')[2]} ({case['left_out']})"
        for name, case in _of(cases, device)
        if "left_out" in case
    ]
    if left:
        blocks.append(f"Left out on {device.upper()}: {', '.join(left)}.")
    machine, versions = report["machine"], report["versions"]
    packages = ", ".join(f"{name} {version}" for name, version in versions.items() if name in _NAMED)
    blocks.append(
        f"Measured {report['date']} on {machine['processor']} ({machine['threads']} thread"
        f"{'s' if machine['threads'] != 1 else ''}), GPU: {machine['gpu'] or 'none'}; {packages}."
    )
    return "\n\n".join(blocks)


_NAMED = (
    "invariant-lpips",
    "python",
    "torch",
    "lpips",
    "DISTS_pytorch",
    "stlpips_pytorch",
    "piq",
    "torchmetrics",
)


def _of(cases: Mapping[str, Any], device: str) -> Iterator[tuple[str, Any]]:
    return ((name, case) for name, case in cases.items() if name.startswith(f"{device} "))


def shares(case: Mapping[str, Any], device: str) -> dict[str, float]:
    """Each metric's time as a share of lpips', the median over rounds."""
    clock = "cpu" if device == "cpu" else "wall"
    times = case["times"]
    return {name: median_ratio(times[name][clock], times[BASELINE][clock]) for name in times}


def _race_table(cases: Mapping[str, Any], device: str, kind: str) -> str:
    columns = {}
    for name, case in _of(cases, device):
        if re.match(rf"{device} {kind} \d+ \d+$", name) and "times" in case:
            side, batch = name.split()[2:]
            columns[f"{side} px, batch {batch}"] = (int(side), int(batch), shares(case, device), case)
    if not columns:
        return ""
    ordered = dict(sorted(columns.items(), key=lambda item: item[1][:2]))
    clock = "cpu" if device == "cpu" else "wall"
    absolute = [
        f"{min(case['times'][BASELINE][clock]):.3g} s, {len(case['times'][BASELINE][clock])} rounds"
        for _, _, _, case in ordered.values()
    ]
    rows = [[BASELINE, *(f"1 ({text})" for text in absolute)]]
    for name in _metrics(found for _, _, found, _ in ordered.values()):
        cells = [f"{found[name]:.2f}" if name in found else "" for _, _, found, _ in ordered.values()]
        rows.append([_written(name), *cells])
    return markdown(["metric", *ordered], rows)


def _memory_table(cases: Mapping[str, Any], device: str) -> str:
    columns: dict[str, dict[str, float]] = {}
    for name, case in _of(cases, device):
        if name.startswith(f"{device} memory") and "peak" in case:
            _, _, kind, side, batch, metric = name.split()
            columns.setdefault(f"{kind}, {side} px, batch {batch}", {})[metric] = case["peak"] - case["held"]
    columns = {title: found for title, found in columns.items() if BASELINE in found}
    if not columns:
        return ""
    rows = [[BASELINE, *(f"1 ({found[BASELINE] / 2**20:.0f} MiB)" for found in columns.values())]]
    for name in _metrics(columns.values()):
        cells = [
            f"{found[name] / found[BASELINE]:.2f}" if name in found else "" for found in columns.values()
        ]
        rows.append([_written(name), *cells])
    return markdown(["metric", *columns], rows)


def _metrics(found: Any) -> list[str]:
    return list(dict.fromkeys(name for each in found for name in each if name != BASELINE))


def _written(name: str) -> str:
    return name.replace("stock-vgg", "our LPIPS (vgg)").replace("+", ", ")


def _pairwise(cases: Mapping[str, Any], device: str) -> str:
    case = cases[f"{device} pairwise 64"]
    clock = "cpu" if device == "cpu" else "wall"
    times = {name: min(each[clock]) for name, each in case["times"].items()}
    loop = times[BASELINE] / case["loop_pairs"] * 4950
    heads = ", ".join(
        f"`{head}` {times[head]:.2f} s ({loop / times[head]:.0f} times faster)"
        for head in ("regional", "gap")
    )
    thousand = ", ".join(
        f"`{head}` {times[f'{head}, 1000 embeddings']:.2f} s" for head in ("regional", "gap")
    )
    return (
        f"**{device.upper()}, all 4,950 pairs of 100 images of 64 px**: a loop of lpips {loop:.0f} s "
        f"(from {case['loop_pairs']} of its pairs), `pairwise` {heads}; aimed at: 20 times. "
        f"The matrix of 1,000 embeddings: {thousand}."
    )


def _compiled(cases: Mapping[str, Any], device: str) -> str:
    case = cases[f"{device} compiled 256 1"]
    found = shares(case, device)
    first = {name: max(case["first"][name]["wall"]) for name in found}
    parts = []
    for head in ("regional", "gap"):
        name = f"{head}+compiled"
        parts.append(f"`{head}` {found[name]:.2f} (plain {found[head]:.2f}; first call {first[name]:.0f} s)")
    heads = ", ".join(parts)
    return f"**{device.upper()}, torch.compile at 256 px, batch 1**, as shares of lpips (vgg): {heads}."


def _floors(cases: Mapping[str, Any], device: str) -> str:
    """How far from the limits of the machine: the larger of operations / rate and bytes / bandwidth."""
    rates, work = cases[f"{device} floors"]["rates"], cases[f"{device} floors"]["work"]
    clock = "cpu" if device == "cpu" else "wall"
    operations, copying = rates["float32 operations/s"], rates["copy bytes/s"]
    rows = []
    for name, case in _of(cases, device):
        if not re.match(rf"{device} forward \d+ \d+$", name) or "times" not in case:
            continue
        side, batch = (int(text) for text in name.split()[2:])
        for metric, each in work.items():
            if metric not in case["times"]:
                continue
            pixels, seconds = side * side * batch, min(case["times"][metric][clock])
            products, traffic = (
                pixels * each["operations/pixel"] / operations,
                pixels * each["bytes/pixel"] / copying,
            )
            cells = [f"{value:.3g} s" for value in (products, traffic, seconds)]
            rows.append([f"{side} px, batch {batch}", _written(metric), *cells, f"{seconds / products:.2f}"])
    head = ["case", "metric", "products alone", "traffic alone", "measured", "measured / products"]
    table = markdown(head, rows)
    tf32 = " (TF32 in convolutions)" if cases[f"{device} floors"].get("tf32") else ""
    return (
        f"**{device.upper()}, the floors**: products (a large matrix product or 3x3 convolution, whichever is faster) "
        f"run at {operations / 1e9:.0f} GFLOP/s in float32{tf32}"
        + "".join(
            f" and {rate / 1e9:.0f} in {name.split()[0]}"
            for name, rate in rates.items()
            if "float16 op" in name
        )
        + f", copies at {copying / 1e9:.0f} GB/s. A pair's products, and what its kernels would read and write without "
        f"caches, take at these rates:\n\n{table}"
    )


RECOMMENDED = "regional-32+alex+motion"
_DRAWN = {
    "dists": ("x", COLOURS[7]),
    "stock-vgg": ("^", COLOURS[2]),
    "regional": ("o", COLOURS[0]),
    "gap": ("s", COLOURS[1]),
    RECOMMENDED: ("*", COLOURS[4]),
    "lpips-alex": ("+", COLOURS[6]),
    "regional+alex": ("D", COLOURS[3]),
    "regional+pixels": ("v", COLOURS[5]),
}
"""Metric in the plot -> its marker and colour, from the slowest to the fastest."""


def _draw(report: Mapping[str, Any], device: str, path: Path) -> None:
    figure = new_figure(10, 4.2)
    left, right = figure.subplots(1, 2)
    clock = "CPU time" if device == "cpu" else "time"
    for name, (marker, colour) in _DRAWN.items():
        points = []
        for case_name, case in _of(report["cases"], device):
            if re.match(rf"{device} forward \d+ \d+$", case_name) and name in case.get("times", {}):
                side, batch = (int(text) for text in case_name.split()[2:])
                points.append((side * side * batch / 1e6, shares(case, device)[name]))
        if points:
            left.plot(
                *zip(*sorted(points), strict=True),
                marker=marker,
                color=colour,
                linewidth=1.2,
                label=_written(name),
            )
    left.set(
        xscale="log",
        xlabel="million pixels in one of the two batches",
        ylabel=f"{clock} / that of lpips (vgg)",
        yscale="log",
    )
    left.axhline(1, color="grey", linewidth=0.8)
    if left.lines[1:]:
        figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    bars = [
        (f"{kind} {side} px x {batch}", _written(metric), (case["peak"] - case["held"]) / base)
        for name, case in _of(report["cases"], device)
        if name.startswith(f"{device} memory") and "peak" in case
        for _, _, kind, side, batch, metric in [name.split()]
        if metric in ("regional", "gap", RECOMMENDED) or "checkpointing" in metric or "reference" in metric
        for lpips in [report["cases"].get(f"{device} memory {kind} {side} {batch} {BASELINE}", {})]
        if "peak" in lpips
        for base in [lpips["peak"] - lpips["held"]]
    ]
    bars.sort()
    right.barh(
        [f"{title}: {metric}" for title, metric, _ in bars], [share for _, _, share in bars], color=COLOURS[0]
    )
    right.invert_yaxis()
    right.set(xlabel="peak memory / that of lpips (vgg)", xlim=(0, 1))
    right.tick_params(axis="y", labelsize=8)
    figure.suptitle(
        "Against lpips (vgg)" + (" on one CPU thread" if device == "cpu" else " on a GPU"), fontsize=10
    )
    save(figure, path, dpi=110)
