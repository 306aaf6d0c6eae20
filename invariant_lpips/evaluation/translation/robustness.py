"""How a classifier's answers hold when the picture is moved, turned or magnified: the paper's protocol.

arXiv:2604.27870 tiles each picture with its mirror images and reads a window moved by (dx, dy), for all dx
and dy in -50 .. 50, turned by 0 .. 20 degrees, and at 20 scales. Reported are the accuracy at each, the mean
relative loss (acc(0) - acc(move)) / acc(0), and the consistency: how often the answer stays what it was.

Classifiers that share a trunk are judged from one forward of it, so four heads with three seeds each cost as
much as one. Answers are kept on disk as they come: a run that was killed goes on, in the middle of a picture too.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from invariant_lpips.classifier import GAPClassifier
from invariant_lpips.datasets.folders import LabelledImages, load_picture
from invariant_lpips.files.writing import replacing
from invariant_lpips.pictures.moves import mirror_rotate, mirror_shift, mirror_zoom

Answers = NDArray[np.int32]

__all__ = ["Move", "answers", "by_trunk", "interval_of_loss", "protocol", "relative_loss", "summary"]

#: Seconds between two writes of the answers.
SAVE_SECONDS = 30.0


@dataclass(frozen=True)
class Move:
    """One way to move a picture; the default leaves it as it is.

    `kind` is "shift", "line" (a shift along dx between those of the grid, for the curve only), "rotation" or "zoom".
    """

    kind: str = "shift"
    dx: int = 0
    dy: int = 0
    degrees: float = 0.0
    factor: float = 1.0

    def __call__(self, x: Tensor) -> Tensor:
        """The moved (N, 3, H, W) batch over the mirrored plane."""
        if self.kind in ("shift", "line"):
            return mirror_shift(x, self.dx, self.dy)
        return mirror_rotate(x, self.degrees) if self.kind == "rotation" else mirror_zoom(x, self.factor)

    @property
    def still(self) -> bool:
        """Whether it leaves the picture as it is."""
        return self == Move(self.kind)


def protocol(
    *,
    full: bool = False,
    reach: int = 50,
    step: int = 25,
    shifts_only: bool = False,
    cross: bool = False,
    dx_step: int | None = None,
    all_turns: bool = False,
) -> list[Move]:
    """The moves of the paper's protocol, the still picture first.

    Args:
        full: every shift up to `reach`, every degree of 0 .. 20 and 20 scales. Otherwise shifts in steps of
            `step`, every fifth degree and five scales.
        reach: largest shift in pixels.
        step: of the coarse grid of shifts; the largest shift is always in it.
        shifts_only: leave out rotations and scales.
        cross: shift along one axis at a time only.
        dx_step: shifts along dx alone too, in steps of so many pixels. They draw a finer curve and are no part of
            the grid that means are taken over: their kind is "line". None for those of the grid.
        all_turns: every degree and all 20 scales, whatever the grid of shifts.

    Example:
        >>> len(protocol()), len(protocol(full=True, shifts_only=True))
        (33, 10201)
    """
    for name, value in (("step", step), ("dx_step", step if dx_step is None else dx_step)):
        if not 1 <= value <= reach:
            raise ValueError(f"Argument `{name}` must be 1 to {reach} (reach), but got {value}.")
    outward = list(range(reach, 0, -(1 if full else step)))
    line = [-d for d in outward] + [0] + outward[::-1]
    grid = [(dx, dy) for dy in line for dx in line if (dx or dy) and not (cross and dx and dy)]
    between: list[Move] = []
    if dx_step is not None:
        sideways = [dx for d in range(dx_step, reach + 1, dx_step) for dx in (-d, d)]
        between = [Move("line", dx=dx) for dx in sideways if (dx, 0) not in grid]
    moves = [Move()] + [Move(dx=dx, dy=dy) for dx, dy in grid] + between
    if shifts_only:
        return moves
    degrees, count = (1, 20) if full or all_turns else (5, 5)
    moves += [Move("rotation", degrees=float(d)) for d in range(degrees, 21, degrees)]
    factors = [2.0 ** (2 * k / (count - 1) - 1) for k in range(count)]
    return moves + [Move("zoom", factor=round(factor, 4)) for factor in factors if abs(factor - 1) > 1e-9]


def answers(
    models: Mapping[str, GAPClassifier],
    images: LabelledImages,
    moves: Sequence[Move],
    store: str | os.PathLike[str],
    *,
    device: str | torch.device = "cpu",
    batch_size: int = 8,
    wrap: Callable[[Iterable[Any]], Iterable[Any]] = lambda steps: steps,
) -> Answers:
    """The class that each model names for each picture after each move.

    Args:
        models: name -> classifier; those with the same trunk, pooling and image size share its forwards.
        images: labelled pictures.
        moves: what to do to them; see :func:`protocol`.
        store: folder in which answers are kept.
        batch_size: moved copies per forward.
        wrap: around the iteration over batches, for a progress bar.

    Returns:
        (pictures, moves, models) int32 class indices.
    """
    columns: dict[str, Answers] = {}
    for key, part in by_trunk(models).items():
        table = _shared_answers(part, key, images, moves, Path(store), torch.device(device), batch_size, wrap)
        columns |= {name: table[:, :, i] for i, name in enumerate(part)}
    return np.stack([columns[name] for name in models], axis=2)


def by_trunk(models: Mapping[str, GAPClassifier]) -> dict[str, dict[str, GAPClassifier]]:
    """The models that can be judged from one forward: same trunk, pooling, padding and image size."""
    groups: dict[str, dict[str, GAPClassifier]] = {}
    for name, model in models.items():
        groups.setdefault(_trunk_key(model), {})[name] = model
    return groups


def relative_loss(correct: NDArray[np.bool_ | np.float64], still: int = 0) -> NDArray[np.float64]:
    """Mean over moves of (acc(0) - acc(move)) / acc(0), from (pictures, moves, models) right or wrong.

    Returns:
        (models,); the still picture, move number `still`, is not counted. 0 for a model that is never right
        about still pictures: it has nothing to lose.
    """
    accuracy = correct.mean(0)
    others = np.delete(accuracy, still, axis=0)
    lost: NDArray[np.float64] = (accuracy[still] - others).mean(0)
    loss: NDArray[np.float64] = np.zeros_like(lost)
    np.divide(lost, accuracy[still], out=loss, where=accuracy[still] > 0)
    return loss


def interval_of_loss(
    correct: NDArray[np.bool_], groups: Sequence[Sequence[int]], resamples: int = 2000, seed: int = 0
) -> list[tuple[float, float]]:
    """95 % bootstrap intervals over pictures of the relative loss, averaged over the models of each group."""
    generator = np.random.default_rng(seed)
    count = correct.shape[0]
    # The loss is linear in the moves other than the still one: their mean over each picture says all.
    brief = np.stack([correct[:, 0], correct[:, 1:].mean(1)], axis=1)
    draws = np.stack([relative_loss(brief[generator.integers(0, count, count)]) for _ in range(resamples)])
    bounds = [np.percentile(draws[:, list(group)].mean(1), [2.5, 97.5]) for group in groups]
    return [(float(low), float(high)) for low, high in bounds]


def summary(
    table: Answers, labels: Sequence[int], moves: Sequence[Move], names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Name -> accuracy at rest, relative loss and consistency per kind of move, accuracy at every move.

    Shifts of kind "line" are in the last only. Relative loss and consistency of rotations and zooms are taken
    against the still picture, move 0.
    """
    correct = table == np.asarray(labels)[:, None, None]
    accuracy = correct.mean(0)
    same = (table == table[:, :1]).mean(0)
    result: dict[str, dict[str, Any]] = {}
    for column, name in enumerate(names):
        entry: dict[str, Any] = {"accuracy": float(accuracy[0, column])}
        for kind in dict.fromkeys(move.kind for move in moves if move.kind != "line"):
            rows = [i for i, move in enumerate(moves) if move.kind == kind and not move.still]
            if rows:
                loss = relative_loss(correct[:, [0, *rows], column, None])[0]
                entry[kind] = {
                    "mean_accuracy": float(accuracy[rows, column].mean()),
                    "worst_accuracy": float(accuracy[rows, column].min()),
                    "mean_relative_loss": float(loss),
                    "consistency": float(same[rows, column].mean()),
                }
        entry["by_move"] = [
            {**_brief(move), "accuracy": float(accuracy[i, column]), "consistency": float(same[i, column])}
            for i, move in enumerate(moves)
        ]
        result[name] = entry
    return result


def _brief(move: Move) -> dict[str, Any]:
    fields = {"shift": ("dx", "dy"), "line": ("dx", "dy"), "rotation": ("degrees",), "zoom": ("factor",)}[
        move.kind
    ]
    return {"kind": move.kind, **{field: getattr(move, field) for field in fields}}


def _trunk_key(model: GAPClassifier) -> str:
    config = model.config()
    height, width = model.image_size
    return (
        f"{config['net']}-{config['trunk']['hash']}-{config['pooling']}-{config['padding']}-{height}x{width}"
    )


def _shared_answers(
    models: Mapping[str, GAPClassifier],
    key: str,
    images: LabelledImages,
    moves: Sequence[Move],
    store: Path,
    device: torch.device,
    batch_size: int,
    wrap: Callable[[Iterable[Any]], Iterable[Any]],
) -> Answers:
    heads = [
        (model.head_name, hashlib.sha256(model.linear.weight.detach().cpu().numpy().tobytes()).hexdigest())
        for model in models.values()
    ]
    identity = json.dumps([key, images.fingerprint(), [asdict(move) for move in moves], heads])
    store.mkdir(parents=True, exist_ok=True)
    path = store / f"answers-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.npy"
    shape = (len(images), len(moves), len(models))
    table: Answers = np.load(path) if path.is_file() else np.full(shape, -1, np.int32)
    trunk = next(iter(models.values()))
    for model in models.values():
        model.to(device).eval()
    saved = time.monotonic()
    waiting = [
        (i, first)
        for i in range(len(images))
        for first in range(0, len(moves), batch_size)
        if (table[i, first : first + batch_size] < 0).any()
    ]
    at, picture = -1, torch.empty(0)
    with torch.inference_mode():
        for i, first in wrap(waiting):
            if i != at:
                at, picture = i, load_picture(images.file(i), trunk.image_size)[None]
            batch = torch.cat([move(picture) for move in moves[first : first + batch_size]])
            means, last_map = trunk.readouts(batch.to(device))
            for column, model in enumerate(models.values()):
                logits = model.linear(model.select(means, last_map))
                table[i, first : first + len(batch), column] = logits.argmax(1).cpu().numpy()
            if time.monotonic() - saved > SAVE_SECONDS or (i, first) == waiting[-1]:
                with replacing(path) as temporary:
                    np.save(temporary, table)
                saved = time.monotonic()
    return table
