"""The folder of a training run: where it stands (`checkpoint.pt`), its record, its log and its result.

A checkpoint is whole or absent, and holds enough to go on as if nothing had happened: it is written beside its
place, flushed to the disk and moved over the previous one, so a kill at any moment leaves the old one or the new
one. It is read with `weights_only=True`: it can't run code.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from invariant_lpips.files.writing import replacing

CHECKPOINT, RECORD, LOG, RESULT = "checkpoint.pt", "config.json", "log.csv", "result.json"
COLUMNS = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "best")


@dataclass
class Checkpoint:
    """Where a run stands.

    Attributes:
        fingerprint: of the configuration and data it belongs to.
        epoch: the epoch being run, from 1; `step` batches of it are done, in the order `order`.
        loss_sum, correct, seen: running sums of that epoch.
        model: the parameters that training changes; best: those of the best epoch.
        optimizer, scaler, rng: their states.
        history: one row of the log per finished epoch.
    """

    fingerprint: str
    epoch: int = 1
    step: int = 0
    order: list[int] = field(default_factory=list)
    loss_sum: float = 0.0
    correct: int = 0
    seen: int = 0
    model: dict[str, Tensor] = field(default_factory=dict)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = 0
    best_accuracy: float = -1.0
    optimizer: dict[str, Any] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)
    rng: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    finished: bool = False

    def where(self) -> str:
        """Where the run goes on, in words."""
        if self.finished:
            return f"trained to its end, {len(self.history)} epochs; only the result is written again"
        return f"going on from epoch {self.epoch}, step {self.step + 1}"


def save_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Put `checkpoint` into `folder` in place of the one before."""
    with replacing(folder / CHECKPOINT) as temporary, temporary.open("wb") as stream:
        torch.save({each.name: getattr(checkpoint, each.name) for each in fields(checkpoint)}, stream)
        stream.flush()
        os.fsync(stream.fileno())


def fingerprint(decides: dict[str, Any]) -> str:
    """16 hex digits of all that decides a run's result; a checkpoint is continued only where they are its own."""
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]


def load_checkpoint(folder: Path, decides: dict[str, Any]) -> Checkpoint | None:
    """The checkpoint in `folder`, or None if there is none.

    Args:
        folder: of the run; its `config.json` is that of the checkpoint, or of this very run.
        decides: all that decides the result, as `config.json` records it.

    Raises:
        ValueError: it belongs to another configuration or other data, or is no checkpoint.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        checkpoint = Checkpoint(**content)
    except Exception as error:  # torch raises many kinds for a foreign file
        raise ValueError(
            f"{path} must be a checkpoint of this program, but cannot be read: {error}."
        ) from error
    if checkpoint.fingerprint != fingerprint(decides):
        raise ValueError(
            f"{path} belongs to a run with {_difference(folder / RECORD, decides)}; choose another output "
            "folder, or remove this one to start anew."
        )
    return checkpoint


def _difference(file: Path, decides: dict[str, Any]) -> str:
    """What the run recorded in `file` has that this one has not: its options before its pictures."""
    here = json.loads(json.dumps(decides))  # tuples become lists, as in the file
    try:
        there = json.loads(file.read_text(encoding="utf-8"))
        old, new = there["options"], here["options"]
        changed = [name for name in new if old.get(name) != new[name]]
        pictures = [
            part for part, digest in here["pictures"].items() if there["pictures"].get(part) != digest
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "another configuration or other pictures"
    if changed:
        values = [f"{name}: {old.get(name)!r} there, {new[name]!r} here" for name in changed[:3]]
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        return f"another configuration ({'; '.join(values)}{more})"
    if there.get("classes") != here["classes"]:
        return f"other classes ({len(there.get('classes') or ())} there, {len(here['classes'])} here)"
    if pictures:
        return f"other pictures: files of {', '.join(pictures)} were added, removed or changed since"
    return "another trunk"


def rng_state() -> dict[str, Any]:
    """States of torch's random generators."""
    state: dict[str, Any] = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def restore_rng(state: dict[str, Any]) -> None:
    """Put the states of :func:`rng_state` back; CUDA's only where the number of devices is the same."""
    if not state:
        return
    torch.set_rng_state(state["cpu"])
    if torch.cuda.is_available() and len(state.get("cuda", ())) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a record or a result, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def write_log(folder: Path, history: Sequence[dict[str, float]]) -> None:
    """Write the whole log anew, so that it never holds an epoch twice after a resumed run."""
    with replacing(folder / LOG) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(history)


class TensorBoard:
    """Scalars for TensorBoard under `folder`/tensorboard; steps are epochs, so repeated ones coincide."""

    def __init__(self, folder: Path, first_epoch: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ImportError(
                "The TensorBoard log needs tensorboard: pip install 'invariant-lpips[train]'."
            ) from error
        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=first_epoch)

    def add(self, row: dict[str, float]) -> None:
        """Write one row of the log."""
        for column in COLUMNS[1:]:
            self._writer.add_scalar(column, row[column], int(row["epoch"]))
        self._writer.flush()
