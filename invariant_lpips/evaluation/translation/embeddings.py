"""The embedding half of the translation benchmark: what poolings, paddings and peers make of a moved picture.

Every function returns plain numbers for a result file;
:mod:`invariant_lpips.evaluation.translation.residuals` says what a "share of noise" is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from invariant_lpips.evaluation.metrics import resolve_metric
from invariant_lpips.evaluation.own_scorers import scorer_of
from invariant_lpips.evaluation.scorers import Scorer
from invariant_lpips.evaluation.translation.residuals import comb_spectrum, real_shift_shares, shift_shares
from invariant_lpips.heads import HEADS
from invariant_lpips.metric import InvariantLPIPS
from invariant_lpips.pictures.images import read_image
from invariant_lpips.pictures.moves import window
from invariant_lpips.registry import ENTRIES

__all__ = ["CONFIGURATIONS", "combs", "exactness", "head_residuals", "overhead", "photographs", "real_shifts"]

Wrap = Callable[[Iterable[Any], str], Iterable[Any]]

#: Label -> (pooling, padding) of the trunk under the GAP head.
CONFIGURATIONS = {
    "max, zeros": ("max", "zeros"),
    "max, circular": ("max", "circular"),
    "blur, zeros": ("blur", "zeros"),
    "blur, circular": ("blur", "circular"),
    "polyphase, zeros": ("polyphase", "zeros"),
    "polyphase, circular": ("polyphase", "circular"),
}

#: What GAP is compared with under real shifts; the first two are this package's default head, as it is and blurred.
PEERS = ("default", "regional+blur", "lpips-vgg", "lpips-alex", "st-lpips-alex", "dists-full", "ssim")


def photographs(folder: Path | None, count: int) -> list[Tensor]:
    """The first `count` pictures of a folder, or scikit-image's: (1, 3, H, W) in [0, 1] each."""
    if folder is None:
        from skimage import data

        arrays = [data.astronaut(), data.coffee(), data.chelsea()]
        tensors = [torch.from_numpy(array).permute(2, 0, 1)[None].float() / 255 for array in arrays]
        return tensors[:count]
    files = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".bmp")
    )
    if not files:
        raise FileNotFoundError(f"{folder} must hold photographs (.png, .jpg, .bmp), but has none.")
    return [(read_image(path) + 1) / 2 for path in files[:count]]


def named(wrap: Wrap, what: str) -> Callable[[Iterable[Any]], Iterable[Any]]:
    """A progress bar that knows what it counts."""
    return lambda steps: wrap(steps, what)


def own(label: str, head: str = "gap", device: str = "cpu") -> Scorer:
    """A head of ours with a configuration of :data:`CONFIGURATIONS`; unit weights if none are learned."""
    pooling, padding = CONFIGURATIONS[label]
    weights = None if f"vgg16-{head}" in ENTRIES else "unit"
    metric = InvariantLPIPS(head=head, pooling=pooling, padding=padding, weights=weights, normalize=True)
    return scorer_of(metric, f"{head} ({label})", device)


def combs(
    photos: Sequence[Tensor], size: int, shifts: int, labels: Sequence[str], device: str, wrap: Wrap
) -> dict[str, Any]:
    """Residual of circular shifts 0 .. shifts - 1 along dx for each configuration, and its spectrum."""
    x = torch.cat([window(photo, (size, size)) for photo in photos]).to(device)
    result: dict[str, Any] = {}
    for label in labels:
        metric = own(label, device=device)
        moves = [(float(d), 0.0) for d in range(shifts)]
        shares = shift_shares(metric, x, moves, wrap=named(wrap, label))
        result[label] = {
            "metric": metric.describe(),
            "mean_residual": shares.mean(1).tolist(),
            "max_residual": shares.max().item(),
            "spectrum": comb_spectrum(shares),
        }
    return result


def exactness(
    photos: Sequence[Tensor], sizes: Sequence[tuple[int, int]], shifts: int, device: str, wrap: Wrap
) -> dict[str, Any]:
    """Largest residual of polyphase pooling over circular shifts of both axes together, by picture size.

    Every dx in 0 .. shifts - 1 and every dy in the same range comes up twice: in the diagonal (d, d), and in
    pairs drawn by a seed.
    """
    metric = own("polyphase, circular", device=device)
    order = torch.randperm(shifts, generator=torch.Generator().manual_seed(0)).tolist()
    pairs = [(float(dx), float(dy)) for dx, dy in enumerate(order)]
    pairs += [(float(d), float(d)) for d in range(1, shifts)]
    result: dict[str, Any] = {}
    for height, width in sizes:
        x = torch.cat([window(photo, (height, width)) for photo in photos]).to(device)
        name = f"{height}x{width}"
        shares = shift_shares(metric, x, pairs, wrap=named(wrap, name))
        result[name] = {"max_residual": shares.max().item(), "shifts": len(pairs), "pictures": len(photos)}
    return result


def head_residuals(photos: Sequence[Tensor], size: int, device: str, wrap: Wrap) -> dict[str, Any]:
    """Mean residual of a few circular shifts for every head, with max pooling and with polyphase."""
    x = torch.cat([window(photo, (size, size)) for photo in photos]).to(device)
    moves = [(1.0, 0.0), (5.0, 3.0), (16.0, 16.0), (32.0, 0.0)]
    result: dict[str, Any] = {}
    for head in HEADS:
        for label in ("max, zeros", "polyphase, circular"):
            shares = shift_shares(
                own(head=head, label=label, device=device), x, moves, wrap=named(wrap, head)
            )
            result.setdefault(head, {})[label] = {
                f"{dx:.0f},{dy:.0f}": row.mean().item() for (dx, dy), row in zip(moves, shares, strict=True)
            }
    return result


def fractions(
    photos: Sequence[Tensor], size: int, labels: Sequence[str], device: str, wrap: Wrap
) -> dict[str, Any]:
    """Mean residual of band-limited circular shifts by quarters of a pixel along dx, by configuration."""
    x = torch.cat([window(photo, (size, size)) for photo in photos]).to(device)
    moves = [(0.25, 0.0), (0.5, 0.0), (0.75, 0.0), (1.0, 0.0), (0.5, 0.5)]
    result: dict[str, Any] = {}
    for label in labels:
        shares = shift_shares(own(label, device=device), x, moves, wrap=named(wrap, label))
        result[label] = {
            f"{dx:g},{dy:g}": row.mean().item() for (dx, dy), row in zip(moves, shares, strict=True)
        }
    return result


def real_metrics(labels: Sequence[str], device: str) -> dict[str, Callable[[], Scorer]]:
    """What is compared under real shifts: the GAP head in each configuration, and :data:`PEERS`."""
    metrics: dict[str, Callable[[], Scorer]] = {
        f"gap ({label})": partial(own, label, device=device) for label in labels
    }
    return metrics | {name: partial(resolve_metric, name, device) for name in PEERS}


def real_shifts(
    name: str,
    make: Callable[[], Scorer],
    photos: Sequence[Tensor],
    size: int,
    distances: Sequence[int],
    wrap: Wrap,
) -> dict[str, Any]:
    """Distance of a window to itself moved inside its photograph, as a share of noise, by shift.

    Each distance is taken along dx and along dy, and averaged; the standard error is over photographs.
    """
    try:
        metric = make()
    except ImportError as error:
        return {"skipped": str(error)}
    shifts = [(d, 0) for d in distances] + [(0, d) for d in distances]
    shares = real_shift_shares(metric, photos, (size, size), shifts, wrap=named(wrap, name))
    by_photo = shares.view(2, len(distances), -1).mean(0)
    spread = by_photo.std(1) / len(photos) ** 0.5
    return {
        "metric": metric.describe(),
        "share": dict(zip(map(str, distances), by_photo.mean(1).tolist(), strict=True)),
        "standard_error": dict(zip(map(str, distances), spread.tolist(), strict=True)),
    }


def overhead(
    size: int, batch: int, labels: Sequence[str], device: str, repeats: int, wrap: Wrap
) -> dict[str, Any]:
    """Time of `embed` for each configuration, taken in turns so that a busy machine slows all alike.

    On a CPU the process's own time is taken; the median over repeats and the smallest are reported, and the
    ratio to "max, zeros" as the median over turns.
    """
    models = {}
    for label in labels:
        pooling, padding = CONFIGURATIONS[label]
        models[label] = InvariantLPIPS(head="gap", pooling=pooling, padding=padding, weights="unit").to(
            device
        )
    x = torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(0)).to(device) * 2 - 1
    times: dict[str, list[float]] = {label: [] for label in labels}
    with torch.inference_mode():
        for turn in wrap(range(repeats + 1), "overhead"):
            for label, model in models.items():
                started = _clock(device)
                model.embed(x)
                elapsed = _clock(device) - started
                if turn:  # the first turn warms up
                    times[label].append(elapsed)
    base = times["max, zeros"]
    return {
        label: {
            "median_seconds": sorted(values)[len(values) // 2],
            "smallest_seconds": min(values),
            "over_max_zeros": sorted(v / b - 1 for v, b in zip(values, base, strict=True))[len(values) // 2],
        }
        for label, values in times.items()
    }


def pool_shares(size: int, batch: int, label: str, device: str) -> Mapping[str, float]:
    """Seconds spent in the pools and in everything else of one forward: where the overhead goes."""
    pooling, padding = CONFIGURATIONS[label]
    metric = InvariantLPIPS(head="gap", pooling=pooling, padding=padding, weights="unit").to(device)
    spent = {"pools": 0.0}
    started: list[float] = []
    pools = [layer for layer in metric.net.modules() if "Pool" in type(layer).__name__]
    for pool in pools:
        pool.register_forward_pre_hook(lambda *_: started.append(_clock(device)))
        pool.register_forward_hook(
            lambda *_: spent.__setitem__("pools", spent["pools"] + _clock(device) - started.pop())
        )
    x = torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(0)).to(device) * 2 - 1
    with torch.inference_mode():
        metric.embed(x)
        spent["pools"] = 0.0
        begin = _clock(device)
        metric.embed(x)
        total = _clock(device) - begin
    return {"pools": spent["pools"], "everything_else": total - spent["pools"]}


def _clock(device: str) -> float:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()
