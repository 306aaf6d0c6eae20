"""BAPPS trees: 2AFC choices, JND pairs, and one error for all that is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from invariant_lpips.datasets import DatasetError
from invariant_lpips.datasets.bapps import load_2afc, load_jnd


def patch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((64, 64, 3), dtype=np.uint8)).save(path)


def bapps_tree(root: Path) -> Path:
    for k in range(2):
        for side in ("ref", "p0", "p1"):
            patch(root / "2afc" / "val" / "cnn" / side / f"{k:06d}.png")
        judge = root / "2afc" / "val" / "cnn" / "judge" / f"{k:06d}.npy"
        judge.parent.mkdir(parents=True, exist_ok=True)
        np.save(judge, np.array([k / 2], dtype=np.float32))
        for side in ("p0", "p1"):
            patch(root / "jnd" / "val" / "cnn" / side / f"{k:06d}.png")
        same = root / "jnd" / "val" / "cnn" / "same" / f"{k:06d}.npy"
        same.parent.mkdir(parents=True, exist_ok=True)
        np.save(same, np.array([1 / 3], dtype=np.float32))
    return root


def test_both_parts_load_also_under_dataset_folder(tmp_path: Path) -> None:
    bapps_tree(tmp_path / "dataset")
    choices = load_2afc(tmp_path, subsets=["cnn"])
    assert [(c.judge, c.subset, c.first.parent.name, c.reference.name) for c in choices] == [
        (0.0, "cnn", "p0", "000000.png"),
        (0.5, "cnn", "p0", "000001.png"),
    ]
    assert [round(p.same, 3) for p in load_jnd(tmp_path, subsets=["cnn"])] == [0.333, 0.333]


def test_problems_come_in_one_list(tmp_path: Path) -> None:
    root = bapps_tree(tmp_path)
    (root / "2afc/val/cnn/p1/000001.png").unlink()
    np.save(root / "2afc/val/cnn/judge/000000.npy", np.array([1.5]))
    with pytest.raises(DatasetError) as caught:
        load_2afc(root, subsets=["cnn", "deblur"])
    text = "\n".join(caught.value.problems)
    assert "p1/000001.png is missing" in text
    assert "must hold a share in [0, 1], but holds 1.5" in text
    assert "deblur/judge is missing" in text
    with pytest.raises(ValueError, match="'val' or 'train'"):
        load_2afc(root, split="test")
