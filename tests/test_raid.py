"""RAID on a tiny tree: pairs, raw trials, and that the undistorted level is the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from invariant_lpips.datasets import DatasetError, load_dataset
from invariant_lpips.datasets.raid import load_trials

ANSWERS = """\
gender,age_group,transformation,image_id_01,distortion_level_11,distortion_level_12,distortion_level_21,\
distortion_level_22,reaction_time_ms,answer
man,41-50,rotation,1,2,1,4,6,3335,2
woman,18-30,gaussian_noise,24,10,7,1,3,4105,1
woman,18-30,scale,3,10,7,1,3,4105,0
"""


def raid_tree(root: Path, images: int = 2, levels: int = 3) -> Path:
    """A tree with `images` pictures and `levels` levels of each transform; answers included."""
    (root / "imagenes_bd").mkdir(parents=True)
    rows = ["Reference,Distorted,Curve_Value,Sigmas,Response,Estimated_MOS"]
    random = np.random.default_rng(0)
    for transform in ("rot", "trans", "scale", "gn"):
        for image in range(1, images + 1):
            base = random.integers(0, 256, (48, 48, 3), dtype=np.uint8)
            for level in range(1, levels + 1):
                name = f"{transform}_img_{image:02d}_level_{level:02d}.png"
                Image.fromarray(np.roll(base, level - 1, axis=1)).save(root / "imagenes_bd" / name)
                rows.append(f"img_{image:02d}.png,{name},0.1,0.2,{0.5 * (level - 1)},5")
    (root / "responses.csv").write_text("\n".join(rows) + "\n")
    (root / "answers.csv").write_text(ANSWERS)
    return root


def test_pairs_use_the_undistorted_level_as_reference(tmp_path: Path) -> None:
    pairs = load_dataset("raid", raid_tree(tmp_path), allow_missing=True)
    assert len(pairs) == 4 * 2 * 2
    assert not pairs.higher_is_better
    assert pairs.distortions == ("gn", "rot", "scale", "trans")
    first = pairs.select(lambda pair: pair.distortion == "rot")[0]
    assert first.reference.name == "rot_img_01_level_01.png"
    assert first.distorted.name == "rot_img_01_level_02.png"
    assert (first.score, first.level, first.reference_id) == (0.5, 1.0, "img_01")


def test_incomplete_database_is_refused(tmp_path: Path) -> None:
    root = raid_tree(tmp_path)
    (root / "imagenes_bd" / "trans_img_02_level_01.png").unlink()
    with pytest.raises(DatasetError) as caught:
        load_dataset("raid", root)
    assert len(caught.value.problems) == 2
    assert "rates 16 distorted pictures, but RAID has 864" in str(caught.value)
    assert "trans_img_02_level_01.png is missing" in str(caught.value)


def test_trials_keep_answers_of_one_or_two(tmp_path: Path) -> None:
    trials = load_trials(raid_tree(tmp_path))
    assert [(t.distortion, t.reference_id, t.first, t.second, t.first_larger) for t in trials] == [
        ("rot", "img_01", (2, 1), (4, 6), False),
        ("gn", "img_24", (10, 7), (1, 3), True),
    ]
    (tmp_path / "answers.csv").write_text(ANSWERS + "man,41-50,shear,1,2,1,4,6,3335,2\nman,x\n")
    with pytest.raises(DatasetError) as caught:
        load_trials(tmp_path)
    assert len(caught.value.problems) == 2
