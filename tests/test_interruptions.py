"""A short run of benchmarks/interruptions.py: kill -9, full disk, read-only disk, two processes on one output."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_nothing_is_lost() -> None:
    jobs = [
        sys.executable,
        str(ROOT / "benchmarks" / "interruptions.py"),
        "--jobs",
        "embed",
        "--kills",
        "1",
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(jobs, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout
    assert done.stdout.count("kill -9") == 1
