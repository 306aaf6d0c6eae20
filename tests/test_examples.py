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
    arguments = ["--head", "gap", "--weights", "unit", "--size", "64", "--steps", "6", "--out", str(out)]
    assert denoise.main(arguments) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.endswith("dB")][:-1]
    distances = [float(row[1]) for row in rows]
    assert len(distances) == 7
    assert distances[-1] < 0.8 * distances[0]
    from PIL import Image

    assert Image.open(out).size == (3 * 64, 64)
