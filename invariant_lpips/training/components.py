"""Features once: the components of rated pairs, one number per learned weight, kept on disk.

With the trunk frozen, a head is linear in its strengths (:mod:`invariant_lpips.heads`): all that training
needs of a pair is its vector of components. One run of the trunk serves several heads.
"""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from invariant_lpips.datasets.pairs import RatedPair, RatedPairs
from invariant_lpips.files.writing import replacing
from invariant_lpips.metric import InvariantLPIPS
from invariant_lpips.pictures.images import read_image
from invariant_lpips.trunks.chroma import SIGMA

#: Part of every cache key: raise it when the arithmetic of a head changes.
ARITHMETIC = 1


class ComponentReader:
    """A trunk and several heads that read the same of it, run once per picture."""

    def __init__(
        self, heads: Sequence[str], net: str = "vgg", pooling: str | None = None, device: str = "cpu"
    ) -> None:
        self.metrics = {head: InvariantLPIPS(net, head, pooling, weights="unit").to(device) for head in heads}
        self.taps = next(iter(self.metrics.values())).head.taps
        read = {(metric.head.taps, metric.head.coarse_colour) for metric in self.metrics.values()}
        if len(read) > 1:
            raise ValueError(
                f"Heads {', '.join(heads)} read different taps, or colour differently; collect their components, or "
                "train them, separately."
            )
        self.device = device

    def describe(self) -> str:
        """Everything the components depend on besides the pictures."""
        return f"{ARITHMETIC}: " + "; ".join(computed_by(metric) for metric in self.metrics.values())

    @torch.inference_mode()
    def summaries(self, image: Tensor) -> dict[str, list[Any]]:
        """Each head's summaries of one picture (1, 3, H, W) in [-1, 1]."""
        metric = next(iter(self.metrics.values()))
        size = (image.shape[-2], image.shape[-1])
        scaled = metric.scaling_layer(image.to(self.device))
        kept = metric.net.reduce(
            scaled,
            self.taps,
            lambda tap, f: {name: m.head.summary(tap, f, size) for name, m in self.metrics.items()},
        )
        return {name: [tap[name] for tap in kept] for name in self.metrics}

    @torch.inference_mode()
    def components(self, x: dict[str, list[Any]], y: dict[str, list[Any]]) -> dict[str, Tensor]:
        """Each head's components of a pair, divided as in its distance: d^2 (or d) = components @ strengths."""
        return {name: metric.head.shares(x[name], y[name])[0].cpu() for name, metric in self.metrics.items()}


def computed_by(metric: InvariantLPIPS) -> str:
    """What names one head's components in the cache: who reads the pictures. A cache outlives versions."""
    colour = "" if metric.net.chroma is None else f" colour {SIGMA}"
    return f"{' '.join(metric.identity.reading)} {metric.head.weight.numel()}{colour}"


def collect_components(
    pairs: RatedPairs,
    heads: Sequence[str],
    *,
    net: str = "vgg",
    pooling: str | None = None,
    device: str = "cpu",
    cache: Path | None = None,
    workers: int = 1,
    progress: bool = True,
) -> dict[str, NDArray[np.float32]]:
    """Components of every pair for every head.

    Args:
        pairs: rated pairs; pictures of one reference are read together, the reference once.
        heads: names of heads that read the same taps, and colour alike.
        net, pooling, device: as for :class:`invariant_lpips.InvariantLPIPS`.
        cache: folder where the components of each reference are kept; a run that was stopped goes on from
            there. None keeps nothing.
        workers: processes; torch's threads are divided between them.

    Returns:
        For each head an array (pairs, weights), float32.
    """
    groups: dict[str, list[int]] = {}
    for index, pair in enumerate(pairs):
        groups.setdefault(pair.reference_id, []).append(index)
    tasks = [(reference, [pairs[i] for i in indices], cache) for reference, indices in groups.items()]
    setting = (tuple(heads), net, pooling, device, max(1, torch.get_num_threads() // workers))
    result: dict[str, NDArray[np.float32]] = {}
    with tqdm(total=len(pairs), unit="pair", disable=not progress, desc="components") as bar:
        for reference, found in _run(tasks, setting, workers):
            for head, rows in found.items():
                whole = result.setdefault(head, np.empty((len(pairs), rows.shape[1]), dtype=np.float32))
                whole[groups[reference]] = rows
            bar.update(len(groups[reference]))
    return result


_Task = tuple[str, list[RatedPair], Path | None]
_reader: ComponentReader | None = None


def _run(tasks: Sequence[_Task], setting: tuple[Any, ...], workers: int) -> Any:
    if workers == 1:
        _start(*setting)
        yield from map(_reference, tasks)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, initializer=_start, initargs=setting) as pool:
        yield from pool.imap_unordered(_reference, tasks)


def _start(heads: tuple[str, ...], net: str, pooling: str | None, device: str, threads: int) -> None:
    global _reader
    torch.set_num_threads(threads)
    _reader = ComponentReader(heads, net, pooling, device)


def _reference(task: _Task) -> tuple[str, dict[str, NDArray[np.float32]]]:
    """The components of all pairs of one reference, from the cache if they are there."""
    assert _reader is not None
    reference, pairs, cache = task
    path = None
    if cache is not None:
        path = cache / f"{reference}-{_digest(_reader, pairs)}.npz"
        if path.is_file():
            with np.load(path, allow_pickle=False) as kept:
                return reference, {name: kept[name] for name in kept.files}
    rows: dict[str, list[NDArray[np.float32]]] = {name: [] for name in _reader.metrics}
    base = _reader.summaries(read_image(pairs[0].reference))
    for pair in pairs:
        found = _reader.components(base, _reader.summaries(read_image(pair.distorted)))
        for name, values in found.items():
            if not bool(torch.isfinite(values).all()):
                raise ValueError(
                    f"Components of {pair.distorted} must be finite, but are not for head {name!r}."
                )
            rows[name].append(values.numpy())
    result = {name: np.stack(values) for name, values in rows.items()}
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **result)  # type: ignore[arg-type]
    return reference, result


def _digest(reader: ComponentReader, pairs: Sequence[RatedPair]) -> str:
    hashed = hashlib.sha256(reader.describe().encode())
    for path in [pairs[0].reference, *(pair.distorted for pair in pairs)]:
        hashed.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return hashed.hexdigest()[:16]
