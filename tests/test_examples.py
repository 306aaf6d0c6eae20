"""The examples run, and do what they say."""

from __future__ import annotations

import importlib.util
import json
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


def test_denoise(tmp_path, capsys, monkeypatch):
    denoise = example("denoise")
    monkeypatch.setattr(denoise, "JUDGES", ())
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


def test_denoise_beside_lpips(tmp_path, capsys, monkeypatch):
    denoise = example("denoise")
    monkeypatch.setattr(denoise, "JUDGES", ("lpips-alex",))
    arguments = ["--net", "alex", "--stock", "--size", "64", "--steps", "2"]
    assert denoise.main([*arguments, "--out", str(tmp_path / "denoise.png")]) == 0
    first, *_, noisy, denoised, _ = capsys.readouterr().out.splitlines()
    assert first.startswith("LPIPS(net=alexnet")
    assert noisy.startswith("noisy: lpips-alex 0.")
    assert denoised.startswith("denoised: lpips-alex 0.")
    assert noisy.split()[-1] != denoised.split()[-1]


def test_misaligned(tmp_path, capsys, monkeypatch):
    misaligned = example("misaligned")
    monkeypatch.setattr(misaligned, "JUDGES", ("psnr", "lpips-alex"))  # others take seconds to make
    out, kept = tmp_path / "misaligned.png", tmp_path / "misaligned.json"
    arguments = ["--losses", "LPIPS alex,alex regional-32", "--steps", "2", "--seeds", "2", "--side", "64"]
    assert misaligned.main([*arguments, "--out", str(out), "--json", str(kept)]) == 0
    report = json.loads(kept.read_text())
    assert list(report["losses"]) == [
        "LPIPS alex",
        "LPIPS alex, motion",
        "alex regional-32",
        "alex regional-32, motion",
    ]
    for rows in report["losses"].values():
        assert len(rows) == 2
        assert rows[0] != rows[1]
        assert rows[0].keys() == report["as given"].keys()
    assert report["the original"]["lpips-alex"] == 0 < report["as given"]["lpips-alex"]
    assert f"{report['losses']['LPIPS alex'][1]['detail']:.4f}" in capsys.readouterr().out
    from PIL import Image

    assert Image.open(out).size == (3 * 192, 2 * 192)
