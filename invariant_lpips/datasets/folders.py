"""Folders of labelled pictures, one folder per class, for training a classifier.

Two trees are read. Already split (`validation` or `valid` may stand for `val`; val and test are optional)::

    root/
      train/accordion/image_0001.jpg ...
      train/airplanes/...
      val/accordion/...
      test/accordion/...

or one tree, which is split here, class by class, with a seed::

    root/
      accordion/image_0001.jpg ...
      airplanes/...

A class list is a text file with one class per line: the folder's name, or an ImageNet line
("n01440764 tench, Tinca tinca") that begins with it; `#` starts a comment. It selects those classes and fixes
their order; without it the classes are the folders of `train`, sorted.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor

from invariant_lpips.pictures.decoding import SUFFIXES
from invariant_lpips.pictures.folders import Skipped, sort_out
from invariant_lpips.pictures.images import read_image

__all__ = ["Folders", "LabelledImages", "load", "load_picture", "read_class_list"]

_VALIDATION_NAMES = ("val", "validation", "valid")


@dataclass(frozen=True)
class LabelledImages:
    """Pictures and the index of each one's class.

    Attributes:
        root: the folder that `paths` are relative to.
        paths: one per picture, relative to `root`.
        labels: index into `Folders.classes`, one per picture.
    """

    root: Path
    paths: tuple[str, ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def file(self, index: int) -> Path:
        """Where picture `index` lies."""
        return self.root / self.paths[index]

    def select(self, indices: Sequence[int]) -> LabelledImages:
        """The pictures at `indices`, in that order."""
        return LabelledImages(
            self.root, tuple(self.paths[i] for i in indices), tuple(self.labels[i] for i in indices)
        )

    def first_of_each_class(self, count: int) -> LabelledImages:
        """The first `count` pictures of every class, in the order of the files' names.

        Example:
            >>> images = LabelledImages(Path("r"), ("a/1.png", "a/2.png", "b/1.png"), (0, 0, 1))
            >>> images.first_of_each_class(1).paths
            ('a/1.png', 'b/1.png')
        """
        seen: dict[int, int] = {}
        chosen = []
        for index, label in enumerate(self.labels):
            seen[label] = seen.get(label, 0) + 1
            if seen[label] <= count:
                chosen.append(index)
        return self.select(chosen)

    def spread(self, count: int) -> LabelledImages:
        """At most `count` pictures, evenly spaced in their order, so that they come from different classes.

        Example:
            >>> LabelledImages(Path("r"), ("a/1.png", "a/2.png", "b/1.png", "b/2.png"), (0, 0, 1, 1)).spread(2).paths
            ('a/1.png', 'b/1.png')
        """
        count = min(count, len(self))
        return self.select([index * len(self) // count for index in range(count)])

    def fingerprint(self) -> str:
        """16 hex digits that change when a file is added, removed, renamed, resized or rewritten."""
        digest = hashlib.sha256()
        for path in self.paths:
            status = (self.root / path).stat()
            digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Folders:
    """A tree of labelled pictures: its classes and its three parts; `val` and `test` may be empty.

    `skipped` is what else lies in the folders of the classes.
    """

    classes: tuple[str, ...]
    train: LabelledImages
    val: LabelledImages
    test: LabelledImages
    skipped: tuple[Skipped, ...] = ()


def load(
    root: str | os.PathLike[str],
    *,
    classes: Sequence[str] | None = None,
    fractions: tuple[float, float] = (0.15, 0.15),
    seed: int = 0,
) -> Folders:
    """Read the tree under `root`; see the module's docstring for its shape.

    Args:
        root: the folder that holds `train` or the classes.
        classes: names of the folders to use, in the order of their indices; None for all, sorted.
        fractions: shares of each class that become val and test where the tree doesn't say. Of a tree with
            `train` and no `val`, the first share of `train` becomes val.
        seed: of that split; the same names and seed always give the same split.

    Raises:
        FileNotFoundError: `root` is no folder, or a class has no folder.
        ValueError: a class has no pictures in a part, or the fractions leave none of it to train on.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"A folder of labelled pictures was expected, but {root} is none.")
    if min(fractions) < 0 or sum(fractions) >= 1:
        raise ValueError(
            f"Argument `fractions` must be two shares >= 0 with a sum below 1, but got {fractions}."
        )
    split = (root / "train").is_dir()
    train_root = root / "train" if split else root
    names = tuple(classes) if classes is not None else _class_folders(train_root)
    if len(names) < 2:
        raise ValueError(
            f"{train_root} must hold at least two folders, one for each class, but has {len(names)}."
        )
    whole, skipped = _read(root, train_root, names)
    nothing = LabelledImages(root, (), ())
    if not split:
        val, test, train = _divide(whole, fractions, seed)
        _every_class(train.labels, names, f"must keep pictures to train on when {fractions} are taken")
        return Folders(names, train, val, test, skipped)
    val_root = next((root / name for name in _VALIDATION_NAMES if (root / name).is_dir()), None)
    test, more = _read(root, root / "test", names) if (root / "test").is_dir() else (nothing, ())
    skipped += more
    if val_root is not None:
        val, more = _read(root, val_root, names)
        return Folders(names, whole, val, test, skipped + more)
    val, _, train = _divide(whole, (fractions[0], 0.0), seed)
    _every_class(train.labels, names, f"must keep pictures to train on when {fractions[0]} are taken")
    return Folders(names, train, val, test, skipped)


def read_class_list(path: str | os.PathLike[str], root: str | os.PathLike[str]) -> tuple[str, ...]:
    """The classes that the file `path` selects among the folders of `root` (or of its `train`).

    Raises:
        FileNotFoundError: the file is missing, or names a class that has no folder.
        ValueError: a class is named twice.
    """
    path, root = Path(path), Path(root)
    if not path.is_file():
        raise FileNotFoundError(
            f"The class list {path} must be a text file, one class per line; there is none."
        )
    folder = root / "train" if (root / "train").is_dir() else root
    names: list[str] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.split("#", 1)[0].strip()
        if not text:
            continue
        # Folder names may hold blanks, so the whole line is tried before its first word.
        name = next((name for name in (text, text.split()[0]) if (folder / name).is_dir()), None)
        if name is None:
            raise FileNotFoundError(f"{path}, line {number}: class {text!r} has no folder in {folder}.")
        if name in names:
            raise ValueError(f"{path}, line {number}: class {name!r} is named twice.")
        names.append(name)
    return tuple(names)


def load_picture(path: str | os.PathLike[str], size: tuple[int, int]) -> Tensor:
    """A picture as float32 (3, H, W) in [-1, 1], resized to `size` = (H, W) with both axes free.

    Resizing is bilinear with antialiasing, on the file's own (gamma) values; a picture that already has the
    size is left as it is.
    """
    image = read_image(path)
    if tuple(image.shape[-2:]) != size:
        image = F.interpolate(image, size, mode="bilinear", antialias=True, align_corners=False)
    return image[0].clamp(-1, 1)


def _class_folders(folder: Path) -> tuple[str, ...]:
    return tuple(
        sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    )


def _read(root: Path, folder: Path, classes: Sequence[str]) -> tuple[LabelledImages, tuple[Skipped, ...]]:
    paths: list[str] = []
    skipped: list[Skipped] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        if not (folder / name).is_dir():
            raise FileNotFoundError(f"Class {name!r} must have a folder in {folder}, but has none.")
        found = sort_out(folder / name, recursive=True)
        # In the order of the names as text: features that an earlier run kept lie in it.
        paths += [entry.relative_to(root).as_posix() for entry in sorted(found.pictures)]
        labels += [label] * len(found.pictures)
        skipped += found.skipped
    if not paths:
        raise ValueError(
            f"{folder} must hold pictures ({', '.join(SUFFIXES)}) in class folders, but has none."
        )
    _every_class(labels, classes, f"must have pictures ({', '.join(SUFFIXES)}) in {folder}")
    return LabelledImages(root, tuple(paths), tuple(labels)), tuple(skipped)


def _divide(
    images: LabelledImages, fractions: tuple[float, float], seed: int
) -> tuple[LabelledImages, LabelledImages, LabelledImages]:
    """Two shares of every class and the rest; membership depends on the seed and each file's name alone."""
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    by_class: dict[int, list[int]] = {}
    for index, label in enumerate(images.labels):
        by_class.setdefault(label, []).append(index)
    for members in by_class.values():
        order = sorted(members, key=lambda i: hashlib.sha256(f"{seed}\0{images.paths[i]}".encode()).digest())
        first = round(fractions[0] * len(order))
        second = first + round(fractions[1] * len(order))
        for part, chosen in zip(parts, (order[:first], order[first:second], order[second:]), strict=True):
            part.extend(sorted(chosen))
    if not parts[2]:
        raise ValueError(f"The split must leave pictures to train on, but fractions {fractions} leave none.")
    a, b, c = (images.select(part) for part in parts)
    return a, b, c


def _every_class(labels: Sequence[int], classes: Sequence[str], must: str) -> None:
    """Raise if a class is in none of the labels, with what every class `must`."""
    present = set(labels)
    empty = [repr(name) for label, name in enumerate(classes) if label not in present]
    if empty:
        named = ", ".join(empty[:5]) + (f" and {len(empty) - 5} more" if len(empty) > 5 else "")
        raise ValueError(
            f"Every class {must}, but these have none: {named}; add some, or choose the classes in a class list."
        )
