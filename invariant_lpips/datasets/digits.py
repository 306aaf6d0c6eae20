"""Digits on large black canvases: a digit that is always in the middle, until it is moved.

The paper's second test (arXiv:2604.27870) puts 28x28 digits on canvases of 56, 128 and 256 px and moves them
by up to 10, 25 and 50 px. Its digits are MNIST's; they are read here from the four files of the MNIST archive
where a folder has them (`train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-...`, or `.gz`).
Otherwise scikit-learn's 1,797 digits of 8x8 pixels (Alpaydin and Kaynak 1998; no download) stand in, enlarged
to 28x28: fewer and coarser, the same question.
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from invariant_lpips.pictures.images import write_image

__all__ = ["CANVASES", "load_digits", "on_canvas", "write_tree"]

SIDE = 28
#: Canvas side in pixels -> the largest shift of the paper's protocol on it.
CANVASES = {56: 10, 128: 25, 256: 50}


def load_digits(mnist: str | os.PathLike[str] | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Digits and labels to train on and to test with.

    Args:
        mnist: folder of MNIST's files; None for scikit-learn's digits, of which the last 500 are for testing.

    Returns:
        Pictures (N, 28, 28) float32 in [0, 1] and labels (N,) int64, for training and then for testing.

    Raises:
        FileNotFoundError: the folder lacks one of the files.
        ImportError: scikit-learn is not installed.
    """
    if mnist is not None:
        return (
            _idx(Path(mnist), "train-images-idx3-ubyte").float() / 255,
            _idx(Path(mnist), "train-labels-idx1-ubyte").long(),
            _idx(Path(mnist), "t10k-images-idx3-ubyte").float() / 255,
            _idx(Path(mnist), "t10k-labels-idx1-ubyte").long(),
        )
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ImportError(
            "The digits come with scikit-learn: pip install 'invariant-lpips[bench]', or name a folder of "
            "MNIST's files."
        ) from error
    bunch = datasets.load_digits()
    small = torch.from_numpy(bunch.images).float().unsqueeze(1) / 16
    large = F.interpolate(small, (SIDE, SIDE), mode="bilinear", align_corners=False)[:, 0]
    labels = torch.from_numpy(bunch.target).long()
    return large[:-500], labels[:-500], large[-500:], labels[-500:]


def on_canvas(digits: Tensor, side: int) -> Tensor:
    """(N, 28, 28) digits in [0, 1] in the middle of black canvases: (N, 3, side, side) in [-1, 1].

    Example:
        >>> on_canvas(torch.ones(1, 28, 28), 56)[0, 0, 28, [0, 13, 14, 41, 42]].tolist()
        [-1.0, -1.0, 1.0, 1.0, -1.0]
    """
    if side < SIDE:
        raise ValueError(f"Argument `side` must be at least {SIDE}, but got {side}.")
    before = (side - SIDE) // 2
    after = side - SIDE - before
    canvas = F.pad(digits, (before, after, before, after))
    return (2 * canvas - 1).unsqueeze(1).expand(-1, 3, -1, -1)


def write_tree(
    root: str | os.PathLike[str],
    side: int,
    *,
    per_class: tuple[int, int, int] = (40, 10, 20),
    mnist: str | os.PathLike[str] | None = None,
) -> Path:
    """Write centred digits as a tree of pictures that a classifier can be trained on.

    Args:
        root: folder to write to; pictures that are there are kept.
        side: of the canvas in pixels.
        per_class: pictures of each digit in train, val and test; val is taken from the training digits.

    Returns:
        `root`, with train/0 ... train/9, val/..., test/...
    """
    root = Path(root)
    train, train_labels, test, test_labels = load_digits(mnist)
    for digit in range(10):
        own, others = train[train_labels == digit], test[test_labels == digit]
        if len(own) < per_class[0] + per_class[1] or len(others) < per_class[2]:
            raise ValueError(
                f"Argument `per_class` asks for {per_class} pictures, but digit {digit} has {len(own)} to "
                f"train and validate on and {len(others)} to test with."
            )
        parts = {
            "train": own[: per_class[0]],
            "val": own[per_class[0] : per_class[0] + per_class[1]],
            "test": others[: per_class[2]],
        }
        for part, digits in parts.items():
            folder = root / part / str(digit)
            folder.mkdir(parents=True, exist_ok=True)
            for number, canvas in enumerate(on_canvas(digits, side)):
                path = folder / f"{number:05d}.png"
                if not path.is_file():
                    write_image(canvas, path)
    return root


def _idx(folder: Path, name: str) -> Tensor:
    """One of MNIST's files: a big-endian header (magic number, sizes) and unsigned bytes."""
    plain, packed = folder / name, folder / f"{name}.gz"
    if not plain.is_file() and not packed.is_file():
        raise FileNotFoundError(f"{folder} must hold MNIST's file {name} or {name}.gz, but has neither.")
    data = plain.read_bytes() if plain.is_file() else gzip.decompress(packed.read_bytes())
    axes = data[3]
    sizes = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(axes)]
    values = torch.frombuffer(bytearray(data[4 + 4 * axes :]), dtype=torch.uint8)
    if data[:3] != b"\0\0\x08" or values.numel() != int(torch.tensor(sizes).prod()):
        raise ValueError(f"{plain} must be one of MNIST's files, but its header and length don't agree.")
    return values.view(sizes)
