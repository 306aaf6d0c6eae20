"""The examples run, and do what they say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def example(name: str) -> ModuleType:
    pytest.importorskip("skimage", reason="pip install scikit-image")
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_denoise(tmp_path, capsys):
    denoise = example("denoise")
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


def test_misaligned(tmp_path, capsys):
    misaligned = example("misaligned")
    out = tmp_path / "misaligned.png"
    assert misaligned.main(["--steps", "2", "--side", "64", "--out", str(out)]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line[:1] not in "(l" and "  " in line]
    assert [row[:22].strip() for row in rows] == [
        "as given",
        "LPIPS vgg",
        "LPIPS vgg, motion",
        "spatial",
        "spatial, motion",
    ]
    from PIL import Image

    assert Image.open(out).size == (6 * 192, 192)
