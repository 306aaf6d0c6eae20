"""TID2013 (resynthesised) on a made-up tree: what it writes, that it repeats itself, and that it resumes."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from invariant_lpips.cli import resynthesise as command
from invariant_lpips.datasets import load_dataset
from invariant_lpips.distortions import luma_psnr, resynthesis
from invariant_lpips.distortions.resynthesis import resynthesise
from invariant_lpips.distortions.tid_targets import read_targets

PSNR = {1: 37.7, 2: 34.8, 3: 31.7, 4: 28.8, 5: 25.8}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """One small reference and the tables of both databases, with TID2013's PSNRs of type 1."""
    folder = tmp_path / "tid"
    (folder / "refs").mkdir(parents=True)
    rows, columns = np.mgrid[:64, :80]
    pixels = np.stack([128 + 90 * np.sin(rows / 7.0), 128 + 90 * np.cos(columns / 5.0), rows + columns], -1)
    Image.fromarray(pixels.astype(np.uint8)).save(folder / "refs" / "I04.png")
    for name, types, levels in (("tid2013", 24, 5), ("tid2008", 17, 4)):
        with (folder / f"{name}.csv").open("w", newline="") as table:
            writer = csv.writer(table)
            psnr_column = ["luma_psnr_db"] if name == "tid2013" else []
            writer.writerow(["reference", "type", "level", "mos", "mos_std", *psnr_column])
            for type_ in range(1, types + 1):
                for level in range(1, levels + 1):
                    psnr = ["inf" if type_ == 18 else PSNR[level]] if name == "tid2013" else []
                    writer.writerow(["I04", type_, level, 6.5 - level, 0.1, *psnr])
    return folder


def contents(tree: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(tree)): path.read_bytes() for path in sorted(tree.rglob("*")) if path.is_file()
    }


def test_writes_a_tree_of_tids_layout(root: Path, tmp_path: Path) -> None:
    made = resynthesise(root, tmp_path / "out", types=[1, 10, 18], levels=[1, 3], progress=False)

    assert sorted(contents(tmp_path / "out")) == [
        *(f"distorted_images/i04_{type_:02d}_{level}.png" for type_ in (1, 10, 18) for level in (1, 3)),
        "manifest.csv",
        "mos_with_names.txt",
        "reference_images/I04.png",
    ]
    scores = (tmp_path / "out" / "mos_with_names.txt").read_text().splitlines()
    assert scores[:2] == ["5.50000 i04_01_1.png", "3.50000 i04_01_3.png"]
    assert [(line.type, line.level) for line in made] == [(1, 1), (1, 3), (10, 1), (10, 3), (18, 1), (18, 3)]
    # Type 1 meets the middle of its PSNR's last digit, as read back from the file; type 18 one in RGB.
    reference, distorted = (
        np.asarray(Image.open(tmp_path / "out" / name)) / 255.0
        for name in ("reference_images/I04.png", "distorted_images/i04_01_3.png")
    )
    assert luma_psnr(reference, distorted) == pytest.approx(31.75, abs=0.045)
    assert made[1].reached_psnr == pytest.approx(luma_psnr(reference, distorted), abs=1e-4)
    assert made[4].rgb_psnr == pytest.approx(33.0, abs=0.045)
    assert made[2].strength == 80


def test_is_read_by_tids_reader(root: Path, tmp_path: Path) -> None:
    resynthesise(root, tmp_path / "out", types=[16], progress=False)
    pairs = load_dataset("tid2013", tmp_path / "out", allow_missing=True)
    assert sorted(pair.score for pair in pairs) == [1.5, 2.5, 3.5, 4.5, 5.5]


def test_repeats_itself_and_in_two_processes(root: Path, tmp_path: Path) -> None:
    for out, workers in (("a", 1), ("b", 2)):
        resynthesise(root, tmp_path / out, types=[1, 6, 14], levels=[5], workers=workers, progress=False)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_resumes(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    resynthesise(root, out, types=[1, 3], levels=[4, 5], progress=False)
    complete = contents(out)
    (out / "distorted_images" / "i04_03_4.png").unlink()  # lost
    manifest = (out / "manifest.csv").read_text().splitlines()
    (out / "manifest.csv").write_text("\n".join(manifest[:-1]) + "\n")  # cut off after its image was written

    made: list[tuple[int, int]] = []
    real = resynthesis.distort_to_psnr

    def counted(image: object, type: int, level: int, *rest: object, **named: object) -> object:
        made.append((type, level))
        return real(image, type, level, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(resynthesis, "distort_to_psnr", counted)
    resynthesise(root, out, types=[1, 3], levels=[4, 5], progress=False)
    assert made == [(3, 4), (3, 5)]
    assert contents(out) == complete

    resynthesise(root, out, types=[7], levels=[1], progress=False)  # more of it later keeps what is there
    assert contents(out).items() > {k: v for k, v in complete.items() if k.endswith(".png")}.items()
    assert len((out / "mos_with_names.txt").read_text().splitlines()) == 5


def test_tid2008_is_tid2013_one_level_up(root: Path, tmp_path: Path) -> None:
    resynthesise(root, tmp_path / "old", database="tid2008", types=[1], levels=[2], progress=False)
    resynthesise(root, tmp_path / "new", types=[1], levels=[3], progress=False)
    old = (tmp_path / "old" / "distorted_images" / "i04_01_2.png").read_bytes()
    assert old == (tmp_path / "new" / "distorted_images" / "i04_01_3.png").read_bytes()
    assert [target.tid2013_level for target in read_targets(root, "tid2008", types=[1])] == [2, 3, 4, 5]


def test_says_what_is_missing(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'tid2013' or 'tid2008', but got 'tid'"):
        resynthesise(root, tmp_path, database="tid")
    with pytest.raises(ValueError, match="among 1 to 17, but got 18"):
        resynthesise(root, tmp_path, database="tid2008", types=[18])
    with pytest.raises(ValueError, match="I04, but got I05"):
        resynthesise(root, tmp_path, references=["I05"])
    with pytest.raises(FileNotFoundError, match=r"I01\.png"):
        resynthesise(tmp_path / "nowhere", tmp_path)
    shutil.copy(root / "refs" / "I04.png", root / "refs" / "I05.png")
    with pytest.raises(ValueError, match="I05, type 1, level 1"):
        resynthesise(root, tmp_path, references=["I05"])
    (root / "tid2008.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"tid2008\.csv"):
        resynthesise(root, tmp_path, database="tid2008")


def test_command(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    command.configure(parser)
    arguments = ["--root", str(root), "--out", str(tmp_path / "out"), "--types", "7,16-17", "--levels", "1"]
    assert command.run(parser.parse_args([*arguments, "--workers", "1"])) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("3 images of tid2013 (resynthesised)")
    assert "image" in printed.err
    with pytest.raises(SystemExit):
        parser.parse_args([*arguments, "--types", "a-b"])


def test_benchmark_measures_the_tree_again(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib.util
    import json

    script = Path(__file__).parents[1] / "benchmarks" / "resynthesis.py"
    specification = importlib.util.spec_from_file_location("bench_resynthesis", script)
    assert specification is not None
    assert specification.loader is not None
    bench = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(bench)

    tree = tmp_path / "out"
    assert bench.main(["--tree", str(tree)]) == 2  # nothing made yet
    made = resynthesise(root, tree, types=[1, 18], progress=False)
    assert bench.main(["--tree", str(tree), "--out", str(tmp_path / "report")]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert "| 1 | additive Gaussian noise | searched |" in capsys.readouterr().out
    assert report["types"][0]["max_db"] <= 0.05
    assert report["types"][0]["psnr_srcc"] == 1.0  # scores fall level by level, and so does PSNR
    assert report["types"][1]["psnr_srcc"] is None
    assert report["protocol types"]["images"] == len(made) == 10
    assert len((tmp_path / "report.csv").read_text().splitlines()) == 3
