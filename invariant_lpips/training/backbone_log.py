"""The log of a training run: a csv file with a row per epoch and, where asked for, TensorBoard."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from invariant_lpips.files.writing import replacing

FILE = "log.csv"
COLUMNS = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "best")


def write(folder: Path, history: Sequence[dict[str, float]]) -> None:
    """Write the whole log anew, so that it never holds an epoch twice after a resumed run."""
    with replacing(folder / FILE) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
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
