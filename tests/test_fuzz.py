"""A short run of benchmarks/fuzz.py: damaged files of every kind are read rightly or refused in one sentence."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
SEED = 4
COUNTS = {"image": 500, "weights": 800, "published": 500, "config": 120, "table": 150, "index": 60}


@pytest.mark.parametrize("kind", COUNTS)
def test_damaged_files(kind, tmp_path, monkeypatch, capfd):
    monkeypatch.syspath_prepend(BENCHMARKS)
    fuzz = importlib.import_module("fuzz")
    target = fuzz.TARGETS[kind](tmp_path)
    outcomes = {"read": 0, "refused": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for index in range(COUNTS[kind]):
            outcome, why = fuzz.judge(target, *fuzz.input_of(target, SEED, index))
            assert outcome in outcomes, f"{kind} input {index} of seed {SEED}: {why}"
            outcomes[outcome] += 1
    assert min(outcomes.values()) > 0, outcomes
