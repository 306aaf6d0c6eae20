"""The examples run, and do what they say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def test_denoise(tmp_path, capsys):
    pytest.importorskip("skimage", reason="pip install scikit-image")
    spec = importlib.util.spec_from_file_location("denoise", EXAMPLES / "denoise.py")
    assert spec is not None
    assert spec.loader is not None
    denoise = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(denoise)
    out = tmp_path / "denoise.png"
    arguments = ["--head", "gap", "--weights", "unit", "--size", "64", "--steps", "60"]
    assert denoise.main([*arguments, "--out", str(out)]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.endswith("dB")]
    assert len(rows) == 11
    _, losses, distances, decibels = ([float(row[k]) for row in (rows[0], rows[-1])] for k in range(4))
    assert losses[1] < 0.95 * losses[0]
    # Of the photograph that it did not learn from.
    assert distances[1] < 0.96 * distances[0]
    assert decibels[1] > decibels[0] + 0.6
    from PIL import Image

    assert Image.open(out).size == (3 * 64, 64)
