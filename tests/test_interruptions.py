"""Long runs that stop: of benchmarks/interruptions.py (kill -9, full disk, two processes on one output) a short run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from invariant_lpips.files.unfinished import Unfinished

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


def test_rows_that_find_no_room_are_one_sentence(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, before[1]))
    try:
        said = r"x\.csv\.unfinished could not be written: .*; raise the limit on the size of files"
        with pytest.raises(OSError, match=said):
            Unfinished(tmp_path / "x.csv", {"resize": 64}, of="pairs")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
