"""The speed benchmark: its cases run, those for a GPU too where there is none, and its page says what was found."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from invariant_lpips.cli import main
from invariant_lpips.evaluation.speed import cases, clocks, contenders
from invariant_lpips.evaluation.speed import report as speed_report
from invariant_lpips.evaluation.speed.aims import AIMS, RATES, aims_table
from invariant_lpips.evaluation.speed.bench import run
from invariant_lpips.evaluation.speed.cases import SpeedBench
from invariant_lpips.evaluation.tables import marks

pytest.importorskip("lpips", reason="lpips is not installed: pip install 'invariant-lpips[bench]'")

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
BENCH = SpeedBench(Path("nowhere.json"), metrics="gap", round_seconds=1e9, budget=0.0)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of CUDA, by code that computes on the CPU all the same."""
    asked: list[str] = []

    def counted(name: str, result: int = 0) -> Any:
        def call(*_: Any) -> int:
            asked.append(name)
            return result

        return call

    monkeypatch.setattr(torch.cuda, "synchronize", counted("synchronize"))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", counted("reset"))
    monkeypatch.setattr(torch.cuda, "memory_allocated", counted("held", 10))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", counted("peak", 30))
    monkeypatch.setattr(cases, "contender", lambda name, device="cpu": contenders.contender(name))
    pictures = cases.pictures
    monkeypatch.setattr(cases, "pictures", lambda side, batch, _: pictures(side, batch, "cpu"))
    return asked


def test_cases_for_a_gpu_run(gpu: list[str]) -> None:
    case = cases.run_case("cuda memory loss 32 2 gap+reference", BENCH, 1e12)
    assert case == {"held": 10, "peak": 30}
    assert gpu == ["reset", "held", "peak"]
    gpu.clear()
    times = cases.run_case("cuda forward 32 1", BENCH, 1e12)["times"]
    assert list(times) == ["lpips-vgg", "gap"]
    rounds = len(times["gap"]["wall"])
    assert rounds >= 2
    assert gpu == ["synchronize"] * 2 * 2 * (rounds + 1)  # around each call; the first round doesn't count


def test_every_aim_is_a_case_and_a_contestant_of_the_benchmark() -> None:
    for aim in (*AIMS, *RATES):
        device, *rest = aim.case.split()
        kind, side, batch = rest[-3], int(rest[-2]), int(rest[-1])
        for metric in (name + option for name in aim.metrics for option in aim.options):
            if "memory" in rest:
                assert f"{aim.case} {metric}" in cases.case_names(device)
            else:
                assert aim.case in cases.case_names(device)
                assert metric in cases.contestants(device, kind, side, batch)


def test_the_page_says_which_aims_are_met(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def times(**shares: float) -> dict[str, Any]:
        all_of = {"lpips-vgg": 1.0, **shares}
        return {"times": {name: {"cpu": [share] * 3, "wall": [share] * 3} for name, share in all_of.items()}}

    measured = {
        "cpu forward 256 8": times(
            **{"regional": 0.5, "gap": 0.7, "regional+alex": 0.055, "regional-32+alex+motion": 0.1}
        ),
        "cuda forward 512 16": times(
            **{
                "regional": 0.6,
                "gap": 0.5,
                "regional+float16+channels_last": 0.15,
                "gap+bfloat16+channels_last": 0.3,
                "regional+pixels+float16+channels_last": 0.015,
            }
        ),
        "cuda floors": {
            "rates": {
                "copy bytes/s": 1e12,
                "float32 operations/s": 1e13,
                "bfloat16 operations/s": 2e13,
                "float16 operations/s": 2e13,
            },
            "work": {name: {"operations/pixel": 6e5, "bytes/pixel": 1e4} for name in ("regional", "gap")},
        },
        **{
            f"cuda memory forward 512 16 {name}": {"held": 100, "peak": peak}
            for name, peak in (("lpips-vgg", 1100), ("regional", 200), ("gap", 400))
        },
    }
    table = aims_table(measured, "cpu")
    assert "| forward, 256 px, batch 8 | regional | 0.60 | 0.50 | met |" in table
    assert "| forward, 256 px, batch 8 | gap | 0.60 | 0.70 | missed |" in table
    assert "| forward, 1024 px | gap | 0.60 |  | not measured |" in table
    assert "| forward, 256 px, batch 8 | regional, alex | 0.06 | 0.055 | met |" in table
    table = aims_table(measured, "cuda")
    assert "| forward, 512 px, batch 16 | regional | 0.70 | 0.60 | met |" in table
    assert "| memory of a forward pass, 512 px, batch 16 | gap | 0.35 | 0.30 | met |" in table
    assert "| forward in half precision, 512 px, batch 16 | regional | 0.20 | 0.15 | met |" in table
    assert "| forward in half precision, 512 px, batch 16 | gap | 0.20 | 0.30 | missed |" in table
    assert "| forward in half precision, 512 px, batch 16 | regional, pixels | 0.02 | 0.015 | met |" in table
    # 512 * 512 * 16 * 6e5 operations in 0.6 and 0.15 s, by 1e13 and 2e13 in a second
    assert "| forward, 512 px, batch 16 | regional | 0.50 | 0.42 | missed |" in table
    assert "| forward in half precision, 512 px, batch 16 | regional | 0.50 | 0.84 | met |" in table
    assert "rate of products" not in aims_table(measured, "cpu")
    report = {
        "cases": measured,
        "machine": {"processor": "P", "threads": 1, "gpu": "G"},
        "versions": {"torch": "2"},
        "date": "today",
    }
    page = tmp_path / "page.md"
    both = "".join(
        f"{begin}old {device}{end}"
        for device in ("cpu", "cuda")
        for begin, end in [marks(f"measured, {device}")]
    )
    page.write_text(f"before {both} after")
    drawn: dict[str, Any] = {}
    save = speed_report.save

    def kept(figure: Any, path: Path, **options: Any) -> Path:
        drawn[path.name] = figure
        return save(figure, path, **options)

    monkeypatch.setattr(speed_report, "save", kept)
    speed_report.write_page(report, page)
    (legend,) = drawn["speed_cpu.png"].legends
    assert "regional-32, alex, motion" in [text.get_text() for text in legend.get_texts()]
    assert not any(legend.get_window_extent().overlaps(axes.bbox) for axes in drawn["speed_cpu.png"].axes)
    text = page.read_text()
    assert text.startswith("before ")
    assert text.endswith(" after")
    assert "old" not in text
    assert "**CUDA, time of a forward pass**" in text
    assert (tmp_path / "figures" / "speed_cpu.png").is_file()
    assert (tmp_path / "figures" / "speed_cuda.png").is_file()


def test_the_page_keeps_what_another_machine_measured(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    (begin, end), (other, after) = marks("measured, cuda"), marks("measured, cpu")
    page.write_text(f"{begin}{end} {other}kept{after}")
    one = {"cpu": [1.0] * 3, "wall": [1.0] * 3}
    report = {
        "cases": {"cuda forward 64 1": {"times": {"lpips-vgg": one}}, "cpu floors": {"left_out": "no CPU"}},
        "machine": {"processor": "P", "threads": 1, "gpu": "G"},
        "versions": {"torch": "2"},
        "date": "today",
    }
    speed_report.write_page(report, page)
    assert f"{other}kept{after}" in page.read_text()
    page.write_text("no marks")
    with pytest.raises(ValueError, match="must hold the marks <!-- measured, cuda: begin -->"):
        speed_report.write_page(report, page)
    assert page.read_text() == "no marks"


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_script_for_a_gpu_runs_through(tmp_path: Path) -> None:
    """Every line of it, on a CPU: one test of those for CUDA and one case of the benchmark."""
    page = tmp_path / "speed.md"
    page.write_text("".join(marks("measured, cpu")))
    settings = {
        "PYTHON": sys.executable,
        "DEVICE": "cpu",
        "TESTS": "images_elsewhere",
        "CASES": "^cpu memory forward 1024 1 regional.pixels$",
        "OUT": str(tmp_path),
        "PAGE": str(page),
    }
    done = subprocess.run(
        ["bash", str(BENCHMARKS / "gpu.sh")],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in (tmp_path / "gpu_tests.txt").read_text()
    cases = json.loads((tmp_path / "speed_cpu.json").read_text())["cases"]
    assert cases["cpu memory forward 1024 1 regional+pixels"]["peak"] > 0


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_script_for_a_gpu_asks_for_cases_that_exist(tmp_path: Path) -> None:
    """Its patterns, as a stand-in for Python is given them, against the names of the benchmark."""
    log, stand_in = tmp_path / "calls", tmp_path / "python"
    stand_in.write_text('#!/usr/bin/env bash\nprintf "%s\\n" "$*" >> "$LOG"\n')
    stand_in.chmod(0o755)
    settings = {"PYTHON": str(stand_in), "DEVICE": "cuda", "OUT": str(tmp_path), "LOG": str(log)}
    inherited = {name: value for name, value in os.environ.items() if name not in ("CASES", "PAGE", "TESTS")}

    def asked_for(**more: str) -> list[str]:
        log.write_text("")
        environment = {**inherited, **settings, **more}
        subprocess.run(["bash", str(BENCHMARKS / "gpu.sh")], env=environment, timeout=60, check=True)
        return [found[1] for found in re.finditer(r"--only (\^.*\$)", log.read_text())]

    assert asked_for(SECONDS="400") == [
        "^cuda floors$"
    ]  # as if the tests had taken so long: only the page is made
    patterns = asked_for()
    known = cases.case_names("cuda")
    assert re.search(patterns[0], known[0]), "the floors come first: they say how long a round takes"
    assert patterns[-1] == "^cuda floors$"
    chosen: list[str] = []
    for pattern in patterns[:-1]:
        names = [name for name in known if re.search(pattern, name)]
        assert names, pattern
        assert not set(names) & set(chosen), pattern
        chosen += names
    asked = ["forward 64 1", "forward 256 1", "forward 1024 1", "loss 256 2", "pairwise 64", "compiled 256 1"]
    asked += [f"memory forward 512 16 {name}" for name in ("torchmetrics-vgg", "piq-vgg", "dists")]
    wanted = {f"cuda {name}" for name in asked}
    for aim in AIMS:
        if aim.case.startswith("cuda memory"):
            names = [cases.BASELINE, *(name + option for name in aim.metrics for option in aim.options)]
            wanted |= {f"{aim.case} {name}" for name in names}
        elif aim.case.startswith("cuda"):
            wanted.add(aim.case)
    assert wanted <= set(chosen)


def test_a_run_goes_on_where_it_was(tmp_path: Path) -> None:
    out = tmp_path / "speed.json"
    known = {name: {"left_out": "it is a test"} for name in cases.case_names("cpu")}
    out.write_text(json.dumps({"cases": known, "old": True}))
    assert main(["bench", "speed", "-o", str(out), "--only", "^cpu"]) == 0
    assert json.loads(out.read_text())["old"]


def test_a_case_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    name = "cpu memory forward 512 1 gap"
    bench = SpeedBench(tmp_path / "speed.json", only=f"^{name}$")
    cases_of = {"cpu": [name]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("invariant_lpips.evaluation.speed.bench.case_names", lambda device: cases_of[device])
        patch.setattr("invariant_lpips.evaluation.speed.bench.devices", lambda: ["cpu"])
        case = run(bench)["cases"][name]
    assert case["peak"] > case["held"] > 0
    assert case["process_cpu_seconds"] > 0
    report = json.loads(bench.out.read_text())
    assert report["cases"] == {name: case}
    assert report["machine"]["threads"] == 1


def test_rates_and_work_are_counted() -> None:
    def product() -> Tensor:
        return torch.ones(8, 4) @ torch.ones(4, 2)

    operations, traffic = clocks.counted_work(product)
    assert operations == 2 * 8 * 4 * 2
    assert traffic >= 4 * (8 * 4 + 4 * 2 + 8 * 2)


def test_growth_is_fitted_and_drawn(tmp_path: Path) -> None:
    growth = runpy.run_path(str(BENCHMARKS / "growth.py"))
    report = {
        "series": {
            name: {str(size): {"seconds": size / 1e3, "bytes": size**2} for size in sizes}
            for name, sizes in growth["points"]().items()
        }
    }
    for powers in growth["exponents"](report).values():
        assert powers == {"seconds": pytest.approx(1), "bytes": pytest.approx(2)}
    growth["draw"](report, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").is_file()
    growth["call_for"]("rows: search, 10 queries", 20, {})()
