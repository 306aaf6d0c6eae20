"""`invariant-lpips bench` end to end on tiny trees: selection, report, files, figures, errors."""

from __future__ import annotations

import argparse
import csv
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from invariant_lpips.cli import bench, main
from invariant_lpips.datasets import select_pairs
from invariant_lpips.datasets.pairs import RatedPair, RatedPairs

REPOSITORY = Path(__file__).parent.parent


def picture(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)


def tid_tree(root: Path) -> Path:
    """Three references, two kinds of noise, four levels; scores fall with the noise."""
    random = np.random.default_rng(0)
    lines = []
    for r in (1, 2, 3):
        base = random.integers(60, 190, (12, 12, 3)).repeat(4, axis=0).repeat(4, axis=1).astype(float)
        picture(root / "reference_images" / f"I0{r}.png", base)
        for kind in (1, 16):
            for level in range(1, 5):
                change = random.normal(0, 5 * level, base.shape) if kind == 1 else 8.0 * level
                picture(root / "distorted_images" / f"i0{r}_{kind:02d}_{level}.png", base + change)
                lines.append(f"{7 - level + 0.1 * r} i0{r}_{kind:02d}_{level}.png")
    (root / "mos_with_names.txt").write_text("\n".join(lines))
    return root


def arguments(name: str, *rest: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    bench.configure(parser)
    return parser.parse_args([name, *rest])


def test_tid_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("skimage", reason="scikit-image is not installed")
    root, out = tid_tree(tmp_path / "tid"), tmp_path / "out"
    options = [
        "--root",
        str(root),
        "--allow-missing",
        "--metrics",
        "psnr,ssim",
        "--resamples",
        "50",
        "--quiet",
    ]
    places = ["--out", str(out), "--json", str(tmp_path / "one.json"), "--cache", str(tmp_path / "cache")]
    label = ["--label", "TID2013 (resynthesised)"]
    assert bench.run(arguments("tid2013", *options, *places, *label)) == 0
    text = capsys.readouterr().out
    assert text == (out / "report.txt").read_text()
    assert "TID2013 (resynthesised): 24 pairs of 3 references" in text
    assert "16 mean shift" in text
    report = json.loads((out / "report.json").read_text())
    assert json.loads((tmp_path / "one.json").read_text()) == report
    psnr = report["metrics"]["psnr"]
    assert psnr["by_distortion"]["01"] == {"pairs": 12, "srcc": pytest.approx(0.96, abs=0.04)}
    assert psnr["by_level"]["2"]["pairs"] == 6
    assert psnr["srcc_interval"][0] <= psnr["srcc"] <= psnr["srcc_interval"][1]
    assert (psnr["computed"], psnr["higher_is_better"]) == (24, True)
    assert [(test["first"], test["second"]) for test in report["paired"]] == [("psnr", "ssim")]
    assert {"command", "versions", "machine", "date"} <= set(report)
    with (out / "by_distortion.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[0]["srcc"]) == psnr["by_distortion"]["01"]["srcc"]
    figures = {"by_distortion.png", "scatter_psnr.png", "scatter_ssim.png"}
    assert figures <= {path.name for path in out.iterdir()}
    # A second run finds every score, and selections are made before scoring.
    assert bench.run(arguments("tid2013", *options, *places, "--types", "10-16", "--references", "i02")) == 0
    again = json.loads((out / "report.json").read_text())
    assert (again["pairs"], again["metrics"]["psnr"]["computed"]) == (4, 0)
    assert again["paired"] == []  # one reference cannot be resampled


def test_raid_has_curves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    rows = ["Reference,Distorted,Curve_Value,Sigmas,Response,Estimated_MOS"]
    for code in ("gn", "rot"):
        for image in (1, 2):
            base = random.integers(60, 190, (48, 48, 3)).astype(float)
            for level in range(1, 5):
                name = f"{code}_img_{image:02d}_level_{level:02d}.png"
                picture(tmp_path / "imagenes_bd" / name, base + random.normal(0, 4 * (level - 1), base.shape))
                rows.append(f"img_{image:02d}.png,{name},0,1,{0.6 * (level - 1)},5")
    (tmp_path / "responses.csv").write_text("\n".join(rows))
    out = tmp_path / "out"
    options = ["--root", str(tmp_path), "--allow-missing", "--metrics", "psnr", "--no-cache", "--quiet"]
    assert bench.run(arguments("raid", *options, "--resamples", "20", "--out", str(out))) == 0
    assert "size of 1 JOD" in capsys.readouterr().out
    report = json.loads((out / "report.json").read_text())["raid"]
    assert report["metrics"]["psnr"]["srcc_pooled"] > 0.8
    assert report["metrics"]["psnr"]["mean_points"] == 6
    sizes = report["human"]["curves"]["gn"]["sizes"]
    assert sizes[0] == 0
    assert sizes[1:] == pytest.approx([4, 8, 12], rel=0.1)  # measured on the pictures
    assert report["human"]["size_of_1_jod"]["rot"] == pytest.approx(2 * 0.6745 / 0.6, rel=1e-3)
    assert (out / "curves.png").is_file()
    head = "gender,age_group,transformation,image_id_01,distortion_level_11,distortion_level_12,"
    lines = [head + "distortion_level_21,distortion_level_22,reaction_time_ms,answer"]
    for _ in range(60):
        a, b, c, d = random.permutation(10)[:4] + 1
        lines.append(f"man,41-50,rotation,1,{a},{b},{c},{d},3335,{1 if abs(a - b) > abs(c - d) else 2}")
    (tmp_path / "answers.csv").write_text("\n".join(lines))
    assert (
        bench.run(arguments("raid", *options, "--scales", "monotone", "--json", str(out / "one.json"))) == 0
    )
    assert "scales from raw trials" in capsys.readouterr().out
    scales = json.loads((out / "one.json").read_text())["raid"]["scales"]
    assert (scales["rot"]["series"], scales["rot"]["trials"]) == (1, 60)
    assert scales["rot"]["srcc"] == pytest.approx(1)


def test_bapps_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    for k in range(4):
        base = random.integers(60, 190, (64, 64, 3)).astype(float)
        for part, sides in (("2afc/val/cnn", ("ref", "p0", "p1")), ("jnd/val/cnn", ("p0", "p1"))):
            for s, side in enumerate(sides):
                picture(
                    tmp_path / part / side / f"{k:06d}.png", base + random.normal(0, 1 + 9 * s, base.shape)
                )
        for part, name, value in (("2afc/val/cnn", "judge", 0.25), ("jnd/val/cnn", "same", 1 / 3)):
            (tmp_path / part / name).mkdir(exist_ok=True)
            np.save(tmp_path / part / name / f"{k:06d}.npy", np.array([value], dtype=np.float32))
    out = tmp_path / "bapps.json"
    options = ["--root", str(tmp_path), "--subsets", "cnn", "--metrics", "psnr", "--out", str(out)]
    options += ["--cache", str(tmp_path / "cache")]
    assert bench.run(arguments("bapps", *options, "--batch-size", "3")) == 0
    printed = capsys.readouterr()
    assert "2AFC agreement" in printed.out
    assert "psnr 2AFC cnn, p0" in printed.err
    assert bench.run(arguments("bapps", *options)) == 0
    assert "psnr" not in capsys.readouterr().err  # scores that are kept have no progress
    report = json.loads(out.read_text())["metrics"]["psnr"]
    assert report["2afc"] == {"cnn": pytest.approx(0.75), "mean": pytest.approx(0.75)}
    assert report["jnd"]["mean"] == pytest.approx(1 / 3, rel=1e-5)


def test_errors_are_one_message_and_status_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "kadid10k", "--root", str(tmp_path), "--metrics", "psnr"]) == 2
    assert "kadid10k.zip" in capsys.readouterr().err
    tid_tree(tmp_path)
    common = ["--root", str(tmp_path), "--allow-missing", "--quiet", "--no-cache"]
    assert main(["bench", "tid2013", *common, "--metrics", "nothing"]) == 2
    assert "but got 'nothing'" in capsys.readouterr().err
    assert main(["bench", "tid2013", *common, "--metrics", "psnr", "--types", "17"]) == 2
    assert "'17' is not in the database, which has 01, 16" in capsys.readouterr().err
    assert main(["bench", "tid2013", *common, "--metrics", ""]) == 2
    assert main(["bench", "tid2013", *common, "--types", "2-9"]) == 2
    assert "No pair is left" in capsys.readouterr().err


def test_selection_of_names_and_ranges() -> None:
    pairs = RatedPairs(
        "t",
        tuple(
            RatedPair(Path("a"), Path("b"), 1.0, "I01", code, level)
            for code in ("01", "02", "10", "rot")
            for level in (1.0, 2.0)
        ),
        higher_is_better=True,
    )
    assert select_pairs(pairs, types="1-5,rot").distortions == ("01", "02", "rot")
    assert select_pairs(pairs, types="10").distortions == ("10",)
    assert len(select_pairs(pairs, levels="2", references="i01")) == 4


@pytest.mark.parametrize("name", [*bench.BENCHES, *bench.EXPERIMENTS])
def test_every_bench_says_what_it_takes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["bench", name, "--help"])
    assert caught.value.code == 0
    assert f"bench {name}" in capsys.readouterr().out or name in bench.EXPERIMENTS


@pytest.mark.parametrize("script", ["kadid10k", "raid", "tid", "bapps", "ladder", "translation", "speed"])
def test_scripts_run_alone(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [f"{script}.py"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(REPOSITORY / "benchmarks" / f"{script}.py"), run_name="__main__")
    assert caught.value.code == 2


def test_an_installed_package_says_where_experiments_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "__file__", str(tmp_path / "site" / "invariant_lpips" / "cli" / "bench.py"))
    assert main(["bench", "ablation", "--help"]) == 2
    assert "run benchmarks/ablation.py in a clone of the repository" in capsys.readouterr().err
