"""BAPPS: Berkeley-Adobe perceptual patches: two-alternative choices (2AFC), noticeable differences (JND).

::

    bapps/ (or bapps/dataset/)
      2afc/{train,val}/SUBSET/   ref/000000.png  p0/000000.png  p1/000000.png  judge/000000.npy
      jnd/val/SUBSET/            p0/000000.png   p1/000000.png  same/000000.npy

``judge`` is the share of people who found p1 nearer to ref, ``same`` the share who saw no difference. 2AFC
subsets of val: traditional, cnn, superres, deblur, color, frameinterp; of train: traditional, cnn, mix. JND
subsets: traditional, cnn.

Reference: R. Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", CVPR
2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from invariant_lpips.datasets.verification import Problems, find_entry, picture_problem, problems_of

__all__ = ["JND_SUBSETS", "NAME", "OBTAIN", "TWO_AFC_SUBSETS", "SamePair", "TwoAFC", "load_2afc", "load_jnd"]

NAME = "bapps"
OBTAIN = (
    "BAPPS is public: run scripts/download_dataset_valonly.sh of "
    "https://github.com/richzhang/PerceptualSimilarity "
    "(twoafc_val.tar.gz, 1.3 GB, and jnd.tar.gz, 0.4 GB) and unpack both."
)
# Checked against the lists in the authors' train.py and test_dataset_model.py (richzhang/PerceptualSimilarity).
TWO_AFC_SUBSETS: dict[str, tuple[str, ...]] = {
    "val": ("traditional", "cnn", "superres", "deblur", "color", "frameinterp"),
    "train": ("traditional", "cnn", "mix"),
}
JND_SUBSETS = ("traditional", "cnn")
PARTS = (("2afc",), ("jnd",))
"""The folders that its tree is made of; either says that it is there."""


@dataclass(frozen=True)
class TwoAFC:
    """One choice: which of two pictures is nearer to the reference?

    Attributes:
        reference: the reference patch.
        first: patch p0.
        second: patch p1.
        judge: share of people who found p1 nearer, in [0, 1].
        subset: name of the subset.
    """

    reference: Path
    first: Path
    second: Path
    judge: float
    subset: str


@dataclass(frozen=True)
class SamePair:
    """One pair of nearly equal patches and the share of people who called them the same, in [0, 1]."""

    first: Path
    second: Path
    same: float
    subset: str


def load_2afc(
    root: Path, *, split: str = "val", subsets: Sequence[str] | None = None, verify: bool = True
) -> tuple[TwoAFC, ...]:
    """The 2AFC choices of a split, subset by subset, in the order of their file names.

    Args:
        root: the folder that holds ``2afc`` (or ``dataset/2afc``).
        split: "val" or "train".
        subsets: which subsets; None takes those of the split that are published.
        verify: check that the pictures can be read.

    Raises:
        ValueError: the split is unknown.
        DatasetError: files are missing or unreadable; all of them are listed.
    """
    if split not in TWO_AFC_SUBSETS:
        raise ValueError(f"Argument `split` must be 'val' or 'train', but got {split!r}.")
    problems = problems_of(NAME, Path(root), OBTAIN)
    choices = []
    for subset in subsets or TWO_AFC_SUBSETS[split]:
        folder = part(Path(root), "2afc") / split / subset
        for stem, share in shares(folder / "judge", problems):
            pictures = [picture(folder / side, stem, problems, verify) for side in ("ref", "p0", "p1")]
            choices.append(TwoAFC(pictures[0], pictures[1], pictures[2], share, subset))
    problems.raise_if_any()
    return tuple(choices)


def load_jnd(
    root: Path, *, subsets: Sequence[str] | None = None, verify: bool = True
) -> tuple[SamePair, ...]:
    """The JND pairs, subset by subset, in the order of their file names. Arguments as :func:`load_2afc`."""
    problems = problems_of(NAME, Path(root), OBTAIN)
    pairs = []
    for subset in subsets or JND_SUBSETS:
        folder = part(Path(root), "jnd") / "val" / subset
        for stem, share in shares(folder / "same", problems):
            pictures = [picture(folder / side, stem, problems, verify) for side in ("p0", "p1")]
            pairs.append(SamePair(pictures[0], pictures[1], share, subset))
    problems.raise_if_any()
    return tuple(pairs)


def part(root: Path, name: str) -> Path:
    """The folder ``2afc`` or ``jnd``, also where the archive's own ``dataset`` folder stands above it."""
    inner = find_entry(find_entry(root, "dataset"), name)
    return inner if inner.is_dir() else find_entry(root, name)


def shares(folder: Path, problems: Problems) -> list[tuple[str, float]]:
    """Name and share of each ``.npy`` file of `folder`, sorted by name."""
    if not folder.is_dir():
        problems.add(f"{folder} is missing")
        return []
    found = []
    for path in sorted(folder.glob("*.npy")):
        try:
            values = np.load(path, allow_pickle=False)
            share = float(values.reshape(-1)[0])
        except (OSError, ValueError, IndexError, TypeError) as error:
            problems.add(f"{path} cannot be read as a number ({error})")
            continue
        if not 0 <= share <= 1:
            problems.add(f"{path} must hold a share in [0, 1], but holds {share}")
            continue
        found.append((path.stem, share))
    if not found:
        problems.add(f"{folder} holds no readable .npy file")
    return found


def picture(folder: Path, stem: str, problems: Problems, verify: bool) -> Path:
    """The picture called `stem` in `folder`; a problem is added if it is not there or cannot be read."""
    path = folder / f"{stem}.png"
    problem = picture_problem(path) if verify else (None if path.is_file() else f"{path} is missing")
    if problem is not None:
        problems.add(problem)
    return path
