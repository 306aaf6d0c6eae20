"""`invariant-lpips compare` as a user types it."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from invariant_lpips import InvariantLPIPS, pictures, read_image
from invariant_lpips.cli import main
from invariant_lpips.files.contents import Contents
from invariant_lpips.files.writing import write_text
from invariant_lpips.pictures.folders import pictures_in
from invariant_lpips.pictures.heat_maps import overlay
from invariant_lpips.pictures.measuring import Measuring
from invariant_lpips.pictures.pairing import (
    from_csv,
    one_against_many,
    pair_paths,
    two_folders,
    within_folder,
)
from invariant_lpips.trunks import Trunk

# The smallest trunk, and no learned weights: what is tested here is the command, not the distances.
FAST = ["--net", "alex", "--head", "gap", "--weights", "unit"]
SIZE = 72


def picture(path: Path, seed: int, size: int = SIZE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (size // 8, size // 8, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((size, size), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two folders with partners a, b and c in each, and the working directory beside them."""
    for number, name in enumerate("cab"):
        picture(tmp_path / "ref" / f"{name}.png", number)
        picture(tmp_path / "dist" / f"{name}.png", 10 + number)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def compare(*arguments: str | Path, options: list[str] = FAST) -> int:
    return main(["compare", *map(str, arguments), *options])


def expected(reference: str, distorted: str) -> float:
    metric = InvariantLPIPS(net="alex", head="gap", weights="unit")
    return float(metric(read_image(reference), read_image(distorted)))


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# two files ------------------------------------------------------------------------------------------------


def test_two_files_print_one_number(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("ref/a.png", "dist/a.png") == 0
    out, err = capsys.readouterr()
    assert float(out) == pytest.approx(expected("ref/a.png", "dist/a.png"), rel=1e-5)
    assert out.count("\n") == 1
    assert err == ""


def test_a_picture_and_itself_are_at_distance_zero(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("ref/a.png", "ref/a.png") == 0
    assert capsys.readouterr().out == "0\n"


def test_as_a_user_types_it(folder: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "invariant_lpips",
        "compare",
        "ref",
        "dist",
        "--metric",
        "lpips",
        "--verbose",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [row["reference"] for row in rows(done.stdout)] == ["ref/a.png", "ref/b.png", "ref/c.png"]
    assert "LPIPS(net=alexnet" in done.stderr, "--verbose names the metric on stderr"
    assert "100%" in done.stderr, "progress goes to stderr"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "exactly one way"),
        (["ref/a.png"], "only ref/a.png"),
        (["ref/a.png", "nowhere.png"], "no such file: nowhere.png"),
        (["ref", "dist/a.png"], "name the single reference first"),
        (["ref", "dist", "ref"], "must be a file"),
        (["ref/a.png", "dist/a.png", "--csv", "x.csv"], "exactly one way"),
        (["--csv", "nowhere.csv"], "no such file: nowhere.csv"),
        (["-p0", "ref/a.png"], "-p0 and -p1 go together"),
        (["ref/a.png", "dist/a.png", "-o", "x.xlsx"], "must end in one of .csv, .json, .txt"),
        (["ref/a.png", "dist/a.png", "-o", "nowhere/x.csv"], "nowhere does not exist"),
        (["ref/a.png", "dist/a.png", "--device", "toaster"], "--device must be"),
        (["ref/a.png", "dist/a.png", "--map-npy"], "belong to --map"),
        (["ref/a.png", "dist/a.png", "--batch-size", "0"], "--batch-size must be at least 1"),
        (["ref/a.png", "dist/a.png", "-v", "0.0"], "needs --metric lpips"),
        (["ref/a.png", "dist/a.png", "--metric", "lpips"], "--head does not belong to --metric lpips"),
    ],
)
def test_wrong_usage_is_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert compare(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.startswith("invariant-lpips compare: ")
    assert err.count("\n") == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_use_gpu_without_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("-p0", "ref/a.png", "-p1", "dist/a.png", "--use_gpu") == 2
    assert "no CUDA device" in capsys.readouterr().err


# several pairs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", ["1", "2"])
def test_two_folders_are_matched_and_sorted(
    folder: Path, capsys: pytest.CaptureFixture[str], batch_size: str
) -> None:
    assert compare("ref", "dist", "--batch-size", batch_size) == 0
    table = rows(capsys.readouterr().out)
    assert [row["reference"] for row in table] == ["ref/a.png", "ref/b.png", "ref/c.png"]
    assert [row["distorted"] for row in table] == ["dist/a.png", "dist/b.png", "dist/c.png"]
    for row in table:
        assert float(row["distance"]) == pytest.approx(expected(row["reference"], row["distorted"]), rel=1e-4)


def test_unmatched_names_are_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture(folder / "ref" / "alone.png", 5)
    assert compare("ref", "dist") == 1
    out, err = capsys.readouterr()
    assert len(rows(out)) == 3, "the others are measured all the same"
    assert "ref/alone.png" in err
    assert compare("ref", "dist", "--allow-unmatched") == 0


def test_one_against_many(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("ref/a.png", "dist/c.png", "ref", "--batch-size", "3") == 0
    table = rows(capsys.readouterr().out)
    assert [row["distorted"] for row in table] == ["dist/c.png", "ref/a.png", "ref/b.png", "ref/c.png"]
    assert float(table[0]["distance"]) == pytest.approx(expected("ref/a.png", "dist/c.png"), rel=1e-4)
    assert float(table[1]["distance"]) == 0


def test_csv_of_pairs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = "reference,distorted,mos\n../ref/c.png,../dist/a.png,1\n../ref/a.png,../dist/a.png,2\n"
    (folder / "tables").mkdir()
    (folder / "tables" / "pairs.csv").write_text("\ufeff" + names, encoding="utf-8")  # as Excel writes it
    assert compare("--csv", "tables/pairs.csv") == 0
    table = rows(capsys.readouterr().out)
    assert [Path(row["reference"]).name for row in table] == ["c.png", "a.png"], (
        "the order of the table is kept"
    )
    assert float(table[1]["distance"]) == pytest.approx(expected("ref/a.png", "dist/a.png"), rel=1e-5)


def test_a_broken_picture_does_not_stop_the_rest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "dist" / "b.png").write_bytes((folder / "dist" / "b.png").read_bytes()[:300])
    assert compare("ref", "dist", "-o", "out.csv", "--batch-size", "4") == 1
    out, err = capsys.readouterr()
    assert out == ""
    table = rows((folder / "out.csv").read_text())
    assert [bool(row["distance"]) for row in table] == [True, False, True]
    assert "cut short" in table[1]["error"]
    assert "1 of 3 pairs failed" in err
    assert "Traceback" not in err
    assert sorted(path.name for path in folder.iterdir()) == ["dist", "out.csv", "ref"], (
        "no temporary file is left"
    )


@pytest.mark.parametrize("more", [(), ("--metrics", "psnr,ssim")], ids=["one", "several"])
def test_a_picture_that_fails_many_pairs_is_said_once(
    folder: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    (folder / "pairs.csv").write_text("reference,distorted\nref/a.png,dist/a.png\nref/a.png,dist/b.png\n")
    assert main(["compare", "--csv", "pairs.csv", "--frame", "7", "--quiet", *more]) == 2
    printed, said = capsys.readouterr()
    assert printed.count("but frame 7 was asked for") == 2  # a row for each pair
    assert said.count("but frame 7 was asked for") == 1
    assert "2 of 2 pairs failed" in said


def test_json_says_what_was_used(folder: Path) -> None:
    assert compare("ref", "dist", "-o", "out.json", "--resize", "80x64") == 0
    report = json.loads((folder / "out.json").read_text())
    assert report["metric"].startswith("InvariantLPIPS(net=alexnet")
    assert report["resize"] == "80x64"
    expected = {"alpha": "white", "bands": None, "full_scale": None, "icc": "convert", "frame": None}
    assert {name: report[name] for name in expected} == expected
    assert report["max_pixels"] == 89_478_485
    assert (report["crop_border"], report["luma"]) == (0, False)
    assert [pair["reference"] for pair in report["pairs"]] == ["ref/a.png", "ref/b.png", "ref/c.png"]
    assert all(pair["distance"] > 0 and pair["error"] is None for pair in report["pairs"])


def test_a_result_that_cannot_be_finished_leaves_the_old_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "out.csv").write_text("old")
    real = Path.write_text

    def full_disk(self: Path, data: str, **keywords: str) -> int:
        real(self, data[:10], **keywords)
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_text(folder / "out.csv", "a longer text")
    monkeypatch.undo()
    assert (folder / "out.csv").read_text() == "old"


def stop_at(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Ctrl-C when the picture of this name is read, once."""
    from invariant_lpips.pictures import images

    real, stopped = images.read_image, []

    def impatient(path: Path, **keywords: object) -> torch.Tensor:
        if path.name == name and not stopped:
            stopped.append(path)
            raise KeyboardInterrupt
        return real(path, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(images, "read_image", impatient)


def test_interrupted_work_is_printed(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at(monkeypatch, "c.png")
    assert compare("ref", "dist") == 130
    out, err = capsys.readouterr()
    assert [row["reference"] for row in rows(out)] == ["ref/a.png", "ref/b.png"]
    assert "interrupted after 2 of 3 pairs" in err


@pytest.mark.parametrize(
    "options",
    [
        [*FAST, "--map", "maps"],
        ["--net", "pixels", "--motion", "shift"],
        ["--metrics", "psnr,gap+alex+unit"],
    ],
    ids=["one metric", "motion", "metrics"],
)
def test_a_stopped_run_leaves_the_table_that_was_there_and_goes_on(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    for name in ("ref", "dist"):  # of one label, so that the second's map has another name
        picture(folder / name / "sub" / "b.png", 20 if name == "ref" else 21)
    (folder / "pairs.csv").write_text(
        "reference,distorted\n"
        + "".join(f"ref/{n}.png,dist/{n}.png\n" for n in ("b", "sub/b", "a", "nowhere", "c"))
    )
    assert compare("--csv", "pairs.csv", "-o", "whole.json", options=options) == 1
    maps = {path.name: path.read_bytes() for path in Path("maps").glob("*")}
    Path("out.json").write_text("of another day")
    stop_at(monkeypatch, "c.png")
    capsys.readouterr()
    assert compare("--csv", "pairs.csv", "-o", "out.json", options=options) == 130
    said = "what was measured is in out.json.unfinished; the same command goes on from there"
    assert said in capsys.readouterr().err
    assert Path("out.json").read_text() == "of another day"
    kept = Path("out.json.unfinished").read_bytes()

    assert compare("--csv", "pairs.csv", "-o", "out.json", "--resize", "80", options=options) == 2
    assert "another run (resize was None, and is 80x80 now)" in capsys.readouterr().err
    assert Path("out.json.unfinished").read_bytes() == kept

    assert compare("--csv", "pairs.csv", "-o", "out.json", options=options) == 1
    assert "goes on after 4 of 5 pairs" in capsys.readouterr().err
    assert Path("out.json").read_bytes() == Path("whole.json").read_bytes()
    assert {path.name: path.read_bytes() for path in Path("maps").glob("*")} == maps
    assert not Path("out.json.unfinished").exists()


@pytest.mark.parametrize("pair", [("ref/a.png", "dist/a.png"), ("ref", "dist")])
def test_a_run_stopped_before_its_first_pair_leaves_nothing(
    pair: tuple[str, str], folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at(monkeypatch, "a.png")
    assert compare(*pair, "-o", "out.csv") == 130
    assert "interrupted after 0 of" in capsys.readouterr().err
    assert not list(folder.glob("o*"))


@pytest.mark.parametrize("options", [FAST, ["--metrics", "psnr"]])
def test_a_table_stays_where_nothing_could_be_measured(
    options: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare("ref", "dist", "-o", "out.csv", options=options) == 0
    kept = Path("out.csv").read_bytes()
    (folder / "bad").mkdir()
    for name in ("a.png", "b.png", "c.png"):
        (folder / "bad" / name).write_bytes(b"no picture")
    assert compare("ref", "bad", "-o", "out.csv", options=options) == 2
    assert "nothing was measured, so out.csv stays as it was" in capsys.readouterr().err
    assert Path("out.csv").read_bytes() == kept
    assert not Path("out.csv.unfinished").exists()
    assert (
        compare("ref", "bad", "-o", "new.csv", options=options) == 2
    )  # there, the reasons are worth keeping
    assert "bad/a.png" in Path("new.csv").read_text()


def test_work_on_pictures_that_changed_is_not_mixed(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at(monkeypatch, "c.png")
    assert compare("ref", "dist", "-o", "out.csv") == 130
    kept = Path("out.csv.unfinished").read_bytes()
    picture(folder / "dist" / "a.png", 30, size=80)
    capsys.readouterr()
    assert compare("ref", "dist", "-o", "out.csv") == 2
    assert "another run (dist/a.png has been written anew since)" in capsys.readouterr().err
    picture(folder / "dist" / "0.png", 31)
    picture(folder / "ref" / "0.png", 32)
    assert compare("ref", "dist", "-o", "out.csv") == 2
    assert "another run (of other pictures)" in capsys.readouterr().err
    assert Path("out.csv.unfinished").read_bytes() == kept


def test_pictures_that_were_only_touched_and_those_not_yet_measured_cost_no_row(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "masks").mkdir()
    for name in ("a", "b", "c"):
        Image.new("L", (SIZE, SIZE), 255).save(folder / "masks" / f"{name}.png")
    options = ["--mask", "masks", "-o", "out.csv"]
    stop_at(monkeypatch, "c.png")
    assert compare("ref", "dist", *options) == 130
    for file in ("ref/a.png", "dist/b.png", "masks/a.png"):
        os.utime(folder / file, (1, 1))
    picture(folder / "dist" / "c.png", 40)
    capsys.readouterr()
    assert compare("ref", "dist", *options) == 0
    assert "goes on after 2 of 3 pairs" in capsys.readouterr().err
    assert compare("ref", "dist", "--mask", "masks", "-o", "whole.csv") == 0
    assert Path("out.csv").read_text() == Path("whole.csv").read_text()


def test_a_file_that_is_written_while_it_is_read_is_not_taken_for_what_it_became(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"old")
    begun = Contents([file])
    file.write_bytes(b"new")
    os.utime(file, (1, 1))
    kept = begun.of(file)
    os.utime(file, (2, 2))
    assert not Contents([file]).are_still(file, kept)
    missing = Contents([tmp_path / "gone"]).of(tmp_path / "gone")
    assert Contents([tmp_path / "gone"]).are_still(tmp_path / "gone", missing)
    (tmp_path / "gone").touch()
    assert not Contents([tmp_path / "gone"]).are_still(tmp_path / "gone", missing)


def test_unequal_sizes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture(folder / "small.png", 3, size=64)
    assert compare("ref/a.png", "small.png") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "differ in size (72 x 72 and 64 x 64)" in err
    assert compare("ref/a.png", "small.png", "--resize", "64") == 0
    resized = float(capsys.readouterr().out)
    assert compare("ref/a.png", "small.png", "--unequal-sizes") == 0
    by_embedding = float(capsys.readouterr().out)
    metric = InvariantLPIPS(net="alex", head="gap", weights="unit")
    a, b = metric.embed([read_image("ref/a.png"), read_image("small.png")])
    assert by_embedding == pytest.approx(float((a - b).norm()), rel=1e-5)
    assert by_embedding != resized


def test_unequal_sizes_need_a_head_without_size(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--net", "alex", "--head", "spatial", "--weights", "unit", "--unequal-sizes"]
    assert compare("ref/a.png", "dist/a.png", options=options) == 2
    assert "--head gap" in capsys.readouterr().err
    assert compare("ref/a.png", "dist/a.png", "--unequal-sizes", "--motion", "shift", options=[]) == 2
    assert "--unequal-sizes does not go with --motion" in capsys.readouterr().err


def test_too_small_a_picture_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture(folder / "tiny0.png", 3, size=16)
    picture(folder / "tiny1.png", 4, size=16)
    assert compare("tiny0.png", "tiny1.png") == 2
    err = capsys.readouterr().err
    assert "tiny1.png" in err
    assert "must be at least" in err


def test_multiples_of_what_people_notice(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = ["--net", "pixels", "--jnd"]
    noticed = InvariantLPIPS("pixels").jnd_fit["d0"]  # type: ignore[index]
    assert compare("ref/a.png", "dist/a.png", options=pixels) == 0
    distance, multiple = map(float, capsys.readouterr().out.split("\t"))
    assert multiple == pytest.approx(distance / noticed, rel=1e-6)
    assert compare("ref", "dist", options=pixels) == 0
    out, err = capsys.readouterr()
    assert float(rows(out)[0]["jnd"]) == pytest.approx(multiple, rel=1e-6)
    assert err.count("times just noticeable") == 3
    assert compare("ref", "dist", "-o", "x.json", options=pixels) == 0
    assert json.loads(Path("x.json").read_text())["pairs"][0]["jnd"] == pytest.approx(multiple, rel=1e-6)
    assert compare("ref/a.png", "dist/a.png", "--jnd", "--metric", "lpips", options=[]) == 2
    assert compare("-d", "ref", options=pixels) == 2
    assert "lpips' lines" in capsys.readouterr().err


# several metrics ------------------------------------------------------------------------------------------

NAMES = "gap+alex+unit,psnr,default+pixels"


def test_metrics_side_by_side(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("ref", "dist", "--metrics", NAMES, options=[]) == 0
    out, err = capsys.readouterr()
    row = rows(out)[0]
    assert list(row) == ["reference", "distorted", *NAMES.split(","), "error"]
    assert float(row["gap+alex+unit"]) == pytest.approx(expected("ref/a.png", "dist/a.png"), rel=1e-5)
    a, b = (np.asarray(Image.open(f"{side}/a.png")) / 255 for side in ("ref", "dist"))
    assert float(row["psnr"]) == pytest.approx(-10 * np.log10(((a - b) ** 2).mean()), rel=1e-5)
    lowest = min(rows(out), key=lambda row: float(row["psnr"]))
    assert f"worst {lowest['psnr']} ({lowest['reference']} and " in err, (
        "the worst similarity is the smallest"
    )
    assert err.count("invariant-lpips compare: ") == 3


def test_metrics_in_text_and_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("ref/a.png", "dist/a.png", "--metrics", NAMES, options=[]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == NAMES.split(",")
    assert compare("ref", "dist", "--metrics", "psnr", "-o", "x.json", options=[]) == 0
    report = json.loads(Path("x.json").read_text())
    assert report["metrics"]["psnr"]["higher_is_better"] is True
    assert report["pairs"][0]["values"]["psnr"] == float(lines[1].split()[1])
    assert report["summary"]["psnr"]["count"] == 3


def test_a_metric_that_fails_leaves_the_others(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture(folder / "ref" / "small.png", 5, size=16)
    picture(folder / "dist" / "small.png", 6, size=16)
    (folder / "dist" / "b.png").write_bytes(b"no picture")
    assert compare("ref", "dist", "--metrics", "gap+alex,psnr", options=[]) == 1
    out, err = capsys.readouterr()
    found = {Path(row["reference"]).stem: row for row in rows(out)}
    assert found["small"]["gap+alex"] == ""
    assert float(found["small"]["psnr"]) > 0
    assert "gap+alex: " in found["small"]["error"]
    assert found["b"]["psnr"] == ""
    assert "1 of 4 pairs failed" in err
    assert "gap+alex could not measure 1 of 4 pairs, first ref/small.png and dist/small.png: " in err


def test_what_a_metric_refuses_is_said_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for size in (16, 17, 18):  # each too small for AlexNet, each with other numbers in the reason
        for side in ("ref", "dist"):
            picture(folder / "small" / side / f"{size}.png", size, size=size)
    names = ["--metrics", "gap+alex,psnr"]
    assert compare("small/ref", "small/dist", *names, options=[]) == 1
    out, err = capsys.readouterr()
    assert all(row["psnr"] and not row["gap+alex"] for row in rows(out))
    assert err.count("gap+alex") == 1
    assert "gap+alex could not measure 3 of 3 pairs, first small/ref/16.png and small/dist/16.png: " in err
    assert "failed" not in err
    assert compare("small/ref", "small/dist", "--metrics", "gap+alex", options=[]) == 2, (
        "nothing was measured"
    )
    capsys.readouterr()
    assert compare("small/ref/16.png", "small/dist/16.png", *names, options=[]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("psnr ")
    assert err.startswith("invariant-lpips compare: gap+alex could not measure: ")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--metrics", "psnr,psnr"], "each metric once"),
        (["--metrics", "psnr", "--net", "alex"], "--metrics does not go with --metric, --net"),
        (["--metrics", "psnr", "--map", "maps"], "--metrics does not go with --map"),
        (["--metrics", "nothing"], "Metric must be one of psnr"),
    ],
)
def test_metrics_that_make_no_sense(
    more: list[str], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare("ref", "dist", *more, options=[]) == 2
    assert said in capsys.readouterr().err


# heat maps ------------------------------------------------------------------------------------------------


def test_heat_maps(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("ref", "dist", "--map", "maps", "--map-npy") == 0
    names = [f"{name}.{suffix}" for name in "abc" for suffix in ("npy", "png")]
    assert sorted(path.name for path in (folder / "maps").iterdir()) == names
    heat = np.load(folder / "maps" / "a.npy")
    assert heat.shape == (SIZE, SIZE)
    out, err = capsys.readouterr()
    assert "invariant-lpips compare: the maps are in maps\n" in err
    distance = float(rows(out)[0]["distance"])
    assert heat.mean() == pytest.approx(distance**2, rel=1e-3), "the mean of the map is the squared distance"
    with Image.open(folder / "maps" / "a.png") as drawn:
        assert drawn.width > 3 * SIZE
        left = np.asarray(drawn)[:SIZE, :SIZE]
    np.testing.assert_array_equal(left, np.asarray(Image.open("ref/a.png")))


def colours(path: Path) -> np.ndarray:
    """The map's part of a drawn pair."""
    with Image.open(path) as drawn:
        return np.asarray(drawn)[:SIZE, -SIZE:]


def test_where_a_map_is_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("ref/a.png", "dist/a.png", "--map", "maps") == 0
    said = capsys.readouterr().err
    assert said.endswith(f"invariant-lpips compare: the map is {Path('maps', 'a-a.png')}\n")
    assert Path("maps", "a-a.png").is_file()
    assert compare("ref/a.png", "dist/a.png", "--map", "maps", "--quiet") == 0
    assert "the map is" not in capsys.readouterr().err


def test_the_map_of_one_pair_may_have_a_file_of_its_own(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):  # written over by the next run, as -o is
        assert compare("ref/a.png", "dist/a.png", "--map", "maps/one.png", "--map-npy") == 0
        assert f"the map is {Path('maps', 'one.png')}" in capsys.readouterr().err
    assert sorted(path.name for path in Path("maps").iterdir()) == ["one.npy", "one.png"]
    for arguments, sentence in (
        (("ref", "dist", "--map", "one.png"), "--map one.png is one file, which holds the map of one pair"),
        (("ref/a.png", "dist/a.png", "--map", "one.jpg"), "--map one.jpg must end in .png"),
    ):
        assert compare(*arguments) == 2
        assert sentence in capsys.readouterr().err
    assert not list(Path().glob("one.*"))


def test_maps_of_one_run_are_on_one_scale(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Image.open("ref/a.png") as picture:
        levels = np.asarray(picture).astype(int)
        for name, change in (("faint", 2), ("strong", 40)):
            stripes = change * (-1) ** np.arange(SIZE)[:, None, None]
            Image.fromarray((levels + stripes).clip(0, 255).astype("uint8")).save(f"{name}.png")
    plain_pair = ["compare", "ref/a.png", "faint.png", "strong.png", "--net", "pixels"]
    pair = [*plain_pair, "--map", "maps"]
    assert main(pair) == 0
    mapped = rows(capsys.readouterr().out)
    faint, strong = (int(colours(Path(f"maps/a-{name}.png")).max()) for name in ("faint", "strong"))
    assert main(plain_pair) == 0
    for row, plain in zip(mapped, rows(capsys.readouterr().out), strict=True):
        assert float(row["distance"]) == pytest.approx(float(plain["distance"]), rel=1e-6)
    assert faint < 130 < strong, "what hardly differs stays dark"
    assert main([*pair, "--map-scale", "1e-9"]) == 0
    assert int(colours(Path("maps/a-faint.png")).max()) > 200
    with pytest.raises(SystemExit):
        main([*pair, "--map-scale", "0"])
    assert "expected a map value above 0, or `each`" in capsys.readouterr().err


def test_a_map_and_its_distance_are_one_pass(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = []
    run = Trunk.reduce
    monkeypatch.setattr(Trunk, "reduce", lambda *args, **options: passes.append(1) or run(*args, **options))
    assert compare("ref", "dist", "--map", "maps") == 0
    assert len(passes) == 3


def test_heat_maps_of_equal_names_do_not_overwrite_each_other(folder: Path) -> None:
    assert compare("ref/a.png", "dist/b.png", "ref/b.png", "--map", "maps") == 0
    assert sorted(path.name for path in (folder / "maps").iterdir()) == ["a-b-2.png", "a-b.png"]


# as lpips' scripts ----------------------------------------------------------------------------------------


def test_lpips_two_images(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("-p0", "ref/a.png", "-p1", "dist/a.png") == 0
    out = capsys.readouterr().out
    assert out.startswith("Distance: ")
    assert float(out.split()[1]) == pytest.approx(expected("ref/a.png", "dist/a.png"), abs=1e-6)


def test_lpips_two_folders(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("-d0", "ref", "-d1", "dist", "-o", "dists.txt") == 0
    out = capsys.readouterr().out
    assert [line.split(": ")[0] for line in out.splitlines()] == ["a.png", "b.png", "c.png"]
    assert (folder / "dists.txt").read_text() == out


def test_lpips_one_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("-d", "ref") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == ["(a.png,b.png)", "(b.png,c.png)", "Avg"]
    assert compare("-d", "ref", "--all-pairs", "-N", "3") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "(a.png,b.png)",
        "(a.png,c.png)",
        "(b.png,c.png)",
        "Avg",
    ]
    values = [float(line.split(": ")[1]) for line in lines[:3]]
    mean, error = (float(part) for part in lines[3].removeprefix("Avg: ").split(" +/- "))
    assert mean == pytest.approx(np.mean(values), abs=2e-6)
    assert error == pytest.approx(np.std(values) / 3**0.5, abs=2e-6)


def test_lpips_own_numbers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lpips = pytest.importorskip("lpips")
    assert compare("-p0", "ref/a.png", "-p1", "dist/a.png", options=["--metric", "lpips"]) == 0
    distance = float(capsys.readouterr().out.split()[1])
    theirs = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    from invariant_lpips import LPIPS

    theirs.load_state_dict(LPIPS(net="alex").state_dict())
    with torch.no_grad():
        expected_distance = float(theirs(read_image("ref/a.png"), read_image("dist/a.png")))
    assert distance == pytest.approx(expected_distance, abs=1e-5)


def test_colours_of_a_map() -> None:
    picture = torch.zeros(1, 3, 1, 3)
    still = overlay(torch.zeros(1, 1, 1, 3), picture)
    assert still.std() == 0, "a map of zeros shows the picture in grey"
    shown = overlay(torch.tensor([-1.0, 0.0, 1.0]).view(1, 1, 1, 3), picture)[0, :, 0]
    assert torch.equal(shown[:, 1], still[0, :, 0, 1])
    red, blue = shown[0], shown[2]
    assert blue[0] > red[0], "below zero is cold"
    assert red[2] > blue[2], "above zero is warm"
    fainter = overlay(torch.tensor([-1.0, 0.0, 1.0]).view(1, 1, 1, 3), picture, full_colour_at=4.0)[0, :, 0]
    assert fainter[0, 2] < shown[0, 2], "the scale can be fixed over pictures"


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-5), ("bfloat16", 0.1), ("float16", 0.02)])
def test_dtype(folder: Path, capsys: pytest.CaptureFixture[str], dtype: str, tolerance: float) -> None:
    assert compare("ref/a.png", "dist/a.png", "--dtype", dtype) == 0
    distance = float(capsys.readouterr().out)
    assert distance == pytest.approx(expected("ref/a.png", "dist/a.png"), rel=tolerance)


# pairing --------------------------------------------------------------------------------------------------


def test_names_match_without_their_suffix_where_that_is_clear(tmp_path: Path) -> None:
    for name in (
        "x/a.png",
        "x/b.png",
        "x/c.png",
        "x/d.png",
        "y/a.png",
        "y/b.webp",
        "y/c.jpg",
        "y/c.bmp",
        "x/sub/e.png",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    pairing = two_folders(tmp_path / "x", tmp_path / "y")
    assert [(pair.reference.name, pair.distorted.name) for pair in pairing.pairs] == [
        ("a.png", "a.png"),
        ("b.png", "b.webp"),
    ]
    unmatched = [path.relative_to(tmp_path).as_posix() for path in pairing.unmatched]
    assert unmatched == ["x/c.png", "x/d.png", "y/c.bmp", "y/c.jpg"]
    with pytest.raises(ValueError, match="no picture name in common"):
        two_folders(tmp_path / "x" / "sub", tmp_path / "y")


def test_folders_are_read_as_stated(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpeg", "notes.txt", ".hidden.png", "sub/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in pictures_in(tmp_path)] == ["a.jpeg", "b.PNG"]
    assert [path.name for path in pictures_in(tmp_path, recursive=True)] == ["a.jpeg", "b.PNG", "c.png"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no pictures"):
        pictures_in(tmp_path / "empty")
    with pytest.raises(ValueError, match="at least two pictures"):
        within_folder(tmp_path / "sub", all_pairs=False, limit=None)


def test_paths_are_data(tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text("reference,distorted\n~/a.png,*.png\n$HOME,\n/abs/a.png,-rf\n")
    pairs = from_csv(table).pairs
    assert [pair.reference for pair in pairs] == [
        tmp_path / "~/a.png",
        tmp_path / "$HOME",
        Path("/abs/a.png"),
    ]
    assert pairs[0].distorted == tmp_path / "*.png"
    assert pairs[1].problem is not None
    assert "line 3" in pairs[1].problem
    assert pairs[2].distorted == tmp_path / "-rf"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has none"),
        (b"left,right\na,b\n", "has left, right"),
        (b"reference,distorted\n", "no rows"),
        (b"reference,distorted\n\xff\xfe,b\n", "UTF-8"),
    ],
)
def test_bad_tables(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "pairs.csv").write_bytes(content)
    with pytest.raises(ValueError, match=said):
        from_csv(tmp_path / "pairs.csv")


def test_a_missing_partner_among_many_is_a_failed_pair(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(one_against_many(Path("ref/a.png"), [Path("nowhere.png"), Path("dist")]).pairs) == 4
    assert compare("ref/a.png", "nowhere.png", "dist/a.png") == 1
    table = rows(capsys.readouterr().out)
    assert "no such file" in table[0]["error"]
    assert float(table[1]["distance"]) > 0


# in Python ------------------------------------------------------------------------------------------------


def test_the_same_call_in_python(folder: Path) -> None:
    (folder / "dist" / "b.png").write_bytes(b"no picture")
    metric = InvariantLPIPS(net="alex", head="gap", weights="unit")
    outcomes = list(pictures.compare(metric, two_folders(Path("ref"), Path("dist")), batch_size=2))
    assert [outcome.pair.label for outcome in outcomes] == ["a.png", "b.png", "c.png"]
    assert outcomes[0].distance == pytest.approx(expected("ref/a.png", "dist/a.png"), rel=1e-5)
    assert outcomes[1].distance is None
    assert "not a picture" in str(outcomes[1].problem)
    assert outcomes[2].problem is None
    smaller = pictures.compare(
        metric, pair_paths([Path("ref/a.png"), Path("dist/a.png")]), reading=pictures.Reading(resize=(64, 64))
    )
    assert next(smaller).distance != outcomes[0].distance


def test_arguments_that_do_not_go_together(folder: Path) -> None:
    pairing = two_folders(Path("ref"), Path("dist"))
    local = InvariantLPIPS(net="alex", head="spatial", weights="unit")
    with pytest.raises(ValueError, match="head='gap'"):
        pictures.compare(local, pairing, unequal_sizes=True)
    with pytest.raises(ValueError, match="`batch_size` must be at least 1"):
        pictures.compare(local, pairing, batch_size=0)
    with pytest.raises(ValueError, match="don't go with an engine"):
        pictures.compare(
            local, pairing, maps=pictures.MapFiles(folder / "maps"), engine=lambda measuring, pairs: iter(())
        )


def test_an_engine_measures_in_place_of_this_process(folder: Path) -> None:
    metric = InvariantLPIPS(net="alex", head="gap", weights="unit")

    def backwards(measuring: Measuring, pairs: Sequence[pictures.Pair]) -> Iterator[pictures.Outcome]:
        assert measuring.batch_size == 3
        return reversed(list(measuring(pairs)))

    pairing = two_folders(Path("ref"), Path("dist"))
    found = list(pictures.compare(metric, pairing, batch_size=3, engine=backwards))
    assert found[::-1] == list(pictures.compare(metric, pairing, batch_size=3))


# summary, and a limit -------------------------------------------------------------------------------------


def test_many_pairs_have_a_mean(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("ref", "dist", "-o", "out.json") == 0
    report = json.loads((folder / "out.json").read_text())
    distances = [pair["distance"] for pair in report["pairs"]]
    worst = report["pairs"][int(np.argmax(distances))]
    assert report["summary"] == {
        "count": 3,
        "mean": pytest.approx(np.mean(distances), rel=1e-6),
        "median": np.median(distances),
        "worst": worst,
    }
    said = next(line for line in capsys.readouterr().err.splitlines() if "mean" in line)
    assert said.startswith(f"invariant-lpips compare: 3 pairs: mean {report['summary']['mean']}, median ")
    assert said.endswith(f"({worst['reference']} and {worst['distorted']})")
    (folder / "dist" / "b.png").write_bytes(b"no picture")
    assert compare("ref", "dist") == 1
    out, err = capsys.readouterr()
    assert "2 of 3 pairs: mean" in err
    assert "mean" not in out, "the table stays a table"


@pytest.mark.parametrize("pairs", [["ref/a.png", "dist/a.png"], ["ref", "dist"], ["--csv", "pairs.csv"]])
def test_distances_above_a_limit_end_with_status_3(
    folder: Path, capsys: pytest.CaptureFixture[str], pairs: list[str]
) -> None:
    (folder / "pairs.csv").write_text("reference,distorted\nref/a.png,dist/a.png\nref/a.png,ref/a.png\n")
    distance = expected("ref/a.png", "dist/a.png")
    assert compare(*pairs, "--fail-above", "100") == 0
    assert "above" not in capsys.readouterr().err
    assert compare(*pairs, "--fail-above", str(distance * 0.99)) == 3
    out, err = capsys.readouterr()
    assert out
    assert f"  {distance:.3g}"[:7] in err
    assert "ref/a.png and dist/a.png" in err
    assert "ref/a.png and ref/a.png" not in err


def test_the_limit_is_compared_with_the_number_that_is_printed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare("ref/a.png", "dist/a.png") == 0
    printed = capsys.readouterr().out.strip()
    assert compare("ref/a.png", "dist/a.png", "--fail-above", printed) == 0
    assert compare("ref/a.png", "ref/a.png", "--fail-above", "0") == 0
    assert compare("ref/a.png", "dist/a.png", "--fail-above", "0", "-o", "out.json") == 3
    report = json.loads((folder / "out.json").read_text())
    assert (report["fail_above"], report["above"]) == (0.0, 1)


def test_a_limit_in_units_of_what_people_notice(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--head", "gap", "--resize", "64"]
    assert compare("ref/a.png", "dist/a.png", options=options) == 0
    distance = float(capsys.readouterr().out)
    noticeable = distance / float(InvariantLPIPS(head="gap").jnd(torch.tensor(distance)))
    for limit, status in ((distance / noticeable * 1.01, 0), (distance / noticeable * 0.99, 3)):
        assert compare("ref/a.png", "dist/a.png", "--fail-above-jnd", str(limit), options=options) == status
    assert compare("ref/a.png", "dist/a.png", "--fail-above-jnd", "1") == 2, "unit weights are not calibrated"
    assert "--weights unit does not" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--fail-above", "nan"], "--fail-above must be a distance of at least 0, but got nan"),
        (["--fail-above-jnd", "-1"], "--fail-above-jnd must be a distance"),
        (["--fail-above", "1", "--fail-above-jnd", "1"], "two units of one limit"),
        (["--metric", "lpips", "--fail-above-jnd", "1"], "--metric lpips does not"),
        (["--crop-border", "-1"], "--crop-border must be at least 0"),
    ],
)
def test_limits_that_mean_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert compare("ref/a.png", "dist/a.png", options=options) == 2
    assert said in capsys.readouterr().err


def test_a_pair_that_failed_is_not_below_the_limit(folder: Path) -> None:
    (folder / "dist" / "b.png").write_bytes(b"no picture")
    assert compare("ref", "dist", "--fail-above", "100") == 1
    assert compare("ref", "dist", "--fail-above", "0") == 3


# patterns, borders and luma -------------------------------------------------------------------------------


def test_pairs_by_pattern(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "ab":
        (folder / "dist" / f"{name}.png").rename(folder / "ref" / f"{name}_x4.png")
    (folder / "ref" / "c.png").unlink()
    assert compare("ref", "--pair", "{}", "{}_x4") == 0
    table = rows(capsys.readouterr().out)
    assert [(row["reference"], row["distorted"]) for row in table] == [
        ("ref/a.png", "ref/a_x4.png"),
        ("ref/b.png", "ref/b_x4.png"),
    ]
    assert compare("-d", "ref", "--pair", "{}", "{}_x4") == 2
    assert compare("-d0", "ref", "-d1", "ref", "--pair", "{}", "{}_x4") == 1, (
        "the others of each have no partner"
    )


def test_a_border_is_cut_off_both(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Image.open("ref/a.png") as image:
        framed = np.zeros((SIZE + 8, SIZE + 8, 3), np.uint8)
        framed[4:-4, 4:-4] = np.asarray(image)
    Image.fromarray(framed).save("framed.png")
    framed[:] = 255
    with Image.open("dist/a.png") as image:
        framed[4:-4, 4:-4] = np.asarray(image)
    Image.fromarray(framed).save("distorted.png")
    assert compare("framed.png", "distorted.png", "--crop-border", "4", "-o", "out.json") == 0
    report = json.loads((folder / "out.json").read_text())
    assert report["pairs"][0]["distance"] == pytest.approx(expected("ref/a.png", "dist/a.png"), rel=1e-5)
    assert (report["crop_border"], report["luma"]) == (4, False)
    assert compare("framed.png", "distorted.png", "--crop-border", "40") == 2
    assert "cannot crop 40 pixels" in capsys.readouterr().err


def test_luma_is_that_of_bt_601(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # A red and a grey of the same luma: 16 + 65.481 = 16 + 219 v.
    flat = np.zeros((SIZE, SIZE, 3), np.uint8)
    flat[..., 0] = 255
    Image.fromarray(flat).save("red.png")
    Image.fromarray(np.full_like(flat, round(255 * 65.481 / 219))).save("grey.png")
    assert compare("red.png", "grey.png") == 0
    plain = float(capsys.readouterr().out)
    assert compare("red.png", "grey.png", "--luma") == 0
    assert float(capsys.readouterr().out) < plain / 50


def test_nothing_that_is_compared_is_written_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*.png")}
    (folder / "pairs.csv").write_text("reference,distorted\nref/a.png,dist/a.png\n")
    (folder / "link").symlink_to("dist")
    for arguments, sentence in (
        (("ref", "dist", "--map", "ref"), "--map ref holds pictures that are compared"),
        (("ref", "dist", "--map", "link"), "--map link holds pictures that are compared"),
        (("ref/a.png", "dist/a.png", "--map", "dist"), "--map dist holds pictures"),
        (("ref/a.png", "dist/a.png", "--map", "ref/../dist/a.png"), "is a picture that is compared"),
        (("--csv", "pairs.csv", "-o", "./pairs.csv"), "would replace the table of pairs"),
    ):
        assert compare(*arguments) == 2
        assert sentence in capsys.readouterr().err
    assert {path: path.read_bytes() for path in before} == before
    assert (folder / "pairs.csv").read_text().startswith("reference,distorted\nref/a.png")
