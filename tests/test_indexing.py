"""Folders to index files and back: resumption, formats, distances, neighbours, duplicates, the commands."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from invariant_lpips import (
    Index,
    InvariantLPIPS,
    distance_matrix,
    embed_folder,
    near_duplicates,
    nearest,
    open_index,
    read_image,
)
from invariant_lpips.cli import main
from invariant_lpips.indexing import write_matrix
from invariant_lpips.indexing.distances import exact_distances
from invariant_lpips.indexing.duplicates import COPIES
from invariant_lpips.indexing.journal import Journal
from invariant_lpips.indexing.settings import Settings

#: Those of 80 x 64 pixels; the others are 64 x 72.
OTHER_SIZE = ("0.png", "3.png", "6.png")
FAST = ["--net", "alex", "--head", "gap", "--weights", "unit", "--quiet"]


@pytest.fixture(scope="module")
def metric() -> InvariantLPIPS:
    return InvariantLPIPS("alex", head="gap", weights="unit")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine crops of photographs in two sizes, a copy of one of them, and a file that is no picture."""
    root = tmp_path_factory.mktemp("pictures")
    photographs = [getattr(data, name)() for name in ("astronaut", "coffee", "chelsea")]
    for number in range(9):
        height, width = (72, 64) if number % 3 else (64, 80)
        top = 60 + 20 * number
        crop = photographs[number // 3][top : top + height, 100 : 100 + width]
        Image.fromarray(crop).save(root / f"{number}.png")
    (root / "copy.png").write_bytes((root / "4.png").read_bytes())
    (root / "broken.png").write_bytes(b"no picture")
    return root


@pytest.fixture(scope="module")
def index(metric: InvariantLPIPS, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Index:
    """The pictures' index, as an uninterrupted run writes it."""
    return embed_folder(metric, folder, tmp_path_factory.mktemp("index") / "whole.npz", workers=0)


@pytest.mark.parametrize("suffix", ["npz", "safetensors", "parquet"])
def test_every_format_holds_the_metrics_embeddings(
    metric: InvariantLPIPS, folder: Path, tmp_path: Path, suffix: str
) -> None:
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    index = embed_folder(metric, folder, tmp_path / f"a.{suffix}", workers=0)
    assert index.paths == [*(f"{k}.png" for k in range(9)), "copy.png"]
    assert [name for name, _ in index.problems] == ["broken.png"]
    for row, name in enumerate(index.paths):
        with torch.no_grad():
            alone = metric.embed(read_image(folder / name))
        assert torch.equal(index.rows(row, row + 1), alone)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a.{suffix}"]


def test_other_programs_read_the_files(
    metric: InvariantLPIPS, folder: Path, index: Index, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    embed_folder(metric, folder, tmp_path / "a.safetensors", workers=0)
    rows = index.rows(0, len(index)).numpy()
    with np.load(index.origin, allow_pickle=False) as archive:
        assert np.array_equal(archive["embeddings"], rows)
        assert archive["paths"].tolist() == index.paths
    assert np.array_equal(load_file(tmp_path / "a.safetensors")["embeddings"].numpy(), rows)


KILLED = """
import os, signal, sys
from invariant_lpips import InvariantLPIPS
from invariant_lpips.cli import main

embed, calls = InvariantLPIPS.embed, []

def dying(*arguments, **named):
    calls.append(1)
    if len(calls) == 6:
        os.kill(os.getpid(), signal.SIGKILL)
    return embed(*arguments, **named)

InvariantLPIPS.embed = dying
main(sys.argv[1:])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no kill -9")
def test_after_kill_9_the_run_goes_on_and_gives_the_same_bytes(
    folder: Path, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "cut.npz"
    command = ["embed", str(folder), "--out", str(out), *FAST, "--workers", "0"]
    died = subprocess.run(
        [sys.executable, "-c", KILLED, *command],
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},  # kernels round by their number
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    assert not out.exists()
    journal = tmp_path / "cut.npz.unfinished"
    journal.write_bytes(journal.read_bytes()[:-7])  # and as if the fifth record had been cut in the middle
    calls: list[int] = []
    embed = InvariantLPIPS.embed

    def counted(self: InvariantLPIPS, *arguments: object, **named: object) -> torch.Tensor:
        calls.append(1)
        return embed(self, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(InvariantLPIPS, "embed", counted)
    assert main(command) == 1  # broken.png
    assert len(calls) == 10 - 4
    assert out.read_bytes() == Path(index.origin).read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["cut.npz"]


def test_ctrl_c_says_where_the_work_is(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "a.npz"
    monkeypatch.setattr(InvariantLPIPS, "embed", interrupted)
    assert main(["embed", str(folder), "--out", str(out), *FAST, "--workers", "0"]) == 130
    said = f"interrupted; finished work is in {out}.unfinished, and the same command goes on from there"
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz.unfinished"]


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 2), (3, 0)])
def test_neither_workers_nor_batches_change_the_rows(
    metric: InvariantLPIPS, folder: Path, index: Index, tmp_path: Path, batch_size: int, workers: int
) -> None:
    out = tmp_path / "a.npz"
    other = embed_folder(metric, folder, out, batch_size=batch_size, workers=workers)
    assert other.paths == index.paths
    assert other.problems == index.problems
    torch.testing.assert_close(other.rows(0, 10), index.rows(0, 10), rtol=1e-5, atol=1e-6)
    if batch_size == 1:
        assert out.read_bytes() == Path(index.origin).read_bytes()


def test_finished_pictures_are_not_computed_again(
    metric: InvariantLPIPS, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    embed = type(metric).embed

    def failing(self: InvariantLPIPS, *arguments: object, **named: object) -> torch.Tensor:
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return embed(self, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(type(metric), "embed", failing)
    with pytest.raises(KeyboardInterrupt):
        embed_folder(metric, folder, tmp_path / "a.npz", workers=0)
    embed_folder(metric, folder, tmp_path / "a.npz", workers=0)
    assert len(calls) == 10 + 1  # ten pictures, and the one that was interrupted
    embed_folder(metric, folder, tmp_path / "a.npz", workers=0)
    assert len(calls) == 11


def test_another_metric_or_other_pictures_are_refused(
    metric: InvariantLPIPS, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.npz"
    index = embed_folder(metric, folder, out, workers=0)
    other = InvariantLPIPS("alex", head="gap", weights="unit", pooling="max")
    with torch.no_grad():
        other.head.weight[0] = 2
    with pytest.raises(ValueError, match="another run"):
        embed_folder(other, folder, out, workers=0)
    with pytest.raises(ValueError, match="mean nothing"):
        index.settings.require_metric(other, str(out))
    with pytest.raises(ValueError, match="pictures are others"):
        embed_folder(metric, [folder / "1.png"], out, workers=0)


@pytest.mark.parametrize(
    ("option", "value"),
    [("--net", "vgg"), ("--head", "spatial"), ("--pooling", "blur"), ("--dtype", "float16")],
)
def test_options_for_another_metric_than_the_index_are_named(
    option: str, value: str, folder: Path, index: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    made_of = {"--net": "alex", "--head": "gap", "--pooling": "max", "--dtype": "float32"}[option]
    for command in (
        ["search", str(folder / "1.png"), "--index", index.origin],
        ["matrix", index.origin],
    ):
        assert main([*command, option, value]) == 2
        message = capsys.readouterr().err
        assert f"was made with {option} {made_of}, not with {option} {value}" in message
        assert message.count("\n") == 1
    assert main([*command, "--net", "alexnet", "--head", "gap"]) == 1  # one picture is broken


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--resize", "32"], "--resize 32x32: the pictures of {} were read without it"),
        (["--alpha", "black"], "--alpha black: the pictures of {} were read with --alpha white"),
        (["--bands", "3,2,1"], "--bands 3,2,1: the pictures of {} were read without it"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_pictures_of_an_index_are_not_read_again(
    option: list[str], said: str, index: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["matrix", index.origin], ["duplicates", index.origin, "--below", "1"]):
        assert main([*command, *option]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert said.format(index.origin) in err
        assert err.count("\n") == 1


def test_a_run_that_another_process_finished_meanwhile_is_done(
    metric: InvariantLPIPS, folder: Path, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "a.npz"

    class Waited(Journal):
        def __init__(self, path: Path, settings: Settings) -> None:
            super().__init__(path, settings)
            out.write_bytes(Path(index.origin).read_bytes())
            path.unlink()

    monkeypatch.setattr("invariant_lpips.indexing.embedding.Journal", Waited)
    monkeypatch.setattr("invariant_lpips.indexing.embedding.Embedder.__call__", None)
    assert embed_folder(metric, folder, out, workers=0).paths == index.paths
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_a_query_of_another_size_is_refused_though_its_embedding_is_as_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    photograph = Image.fromarray(data.astronaut())
    for name, (width, height) in {"photos/a": (128, 64), "tall": (64, 128), "near": (130, 66)}.items():
        Path(name).parent.mkdir(exist_ok=True)
        photograph.crop((100, 0, 100 + width, height)).save(f"{name}.png")
    pixels = InvariantLPIPS("pixels")
    index = embed_folder(pixels, "photos", "a.npz", workers=0)
    assert all(pixels.embed(read_image(f"{name}.png")).shape[1] == index.columns for name in ("tall", "near"))
    assert main(["search", "tall.png", "near.png", "photos/a.png", "--index", "a.npz"]) == 1
    out, err = capsys.readouterr()
    assert table(out) == [{"query": "photos/a.png", "rank": "1", "path": "a.png", "distance": "0"}]
    assert "tall.png: is 64 x 128 pixels, but the others are 128 x 64" in err
    assert "near.png: is 130 x 66 pixels" in err
    Path("other").mkdir()
    embed_folder(pixels, ["tall.png"], "other/tall.npz", workers=0)
    embed_folder(pixels, "photos", "other/a.npz", workers=0)  # as long as the other
    with pytest.raises(ValueError, match=r"size: \(128, 64\) / \(64, 128\)"):
        open_index("other")


def test_an_index_that_does_not_say_its_size_is_read(tmp_path: Path, index: Index) -> None:
    settings = json.loads(index.settings.to_json())
    del settings["size"]
    known = replace(index.settings, size=(64, 64))
    assert Settings.from_json(json.dumps(settings), "x").difference(known) == ""


def test_heads_whose_embedding_grows_need_one_size(folder: Path, tmp_path: Path) -> None:
    regional = InvariantLPIPS(weights="unit")
    with pytest.raises(ValueError, match="--resize"):
        embed_folder(regional, folder, tmp_path / "a.npz", workers=0)
    with pytest.raises(ValueError, match="none of the 1 pictures"):
        embed_folder(regional, [folder / "broken.png"], tmp_path / "a.npz", workers=0)


def test_tiles(metric: InvariantLPIPS, folder: Path, index: Index, tmp_path: Path) -> None:
    whole = index
    tiled = embed_folder(metric, folder, tmp_path / "b.npz", workers=0, tile=32)
    difference = (whole.rows(0, 10) - tiled.rows(0, 10)).norm(dim=1)
    assert (difference <= 1e-5 * whole.rows(0, 10).norm(dim=1)).all()


def test_a_folder_of_indexes_is_one_index(
    metric: InvariantLPIPS, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "ab":
        embed_folder(metric, folder, tmp_path / f"{name}.safetensors", workers=0)
    joined = open_index(tmp_path)
    assert len(joined) == 20
    assert joined.paths[10] == "b/0.png"
    assert torch.equal(joined.rows(8, 12), torch.cat([joined.rows(8, 10), joined.rows(10, 12)]))
    assert main(["duplicates", str(tmp_path), "--below", "1e-9"]) == 1  # one picture is broken
    assert [row["path"] for row in table(capsys.readouterr().out)][:2] == ["a/0.png", "b/0.png"]


def test_damaged_indexes_are_refused(tmp_path: Path) -> None:
    for suffix in ("npz", "safetensors"):
        (tmp_path / f"a.{suffix}").write_bytes(b"not an index at all")
        with pytest.raises(ValueError, match="no index"):
            open_index(tmp_path / f"a.{suffix}")
    with pytest.raises(FileNotFoundError):
        open_index(tmp_path / "none.npz")


# distances --------------------------------------------------------------------------------------------------


def clustered(rows: int = 60, columns: int = 300) -> torch.Tensor:
    """Embeddings at many scales of distance, from equal rows to strangers."""
    generator = torch.Generator().manual_seed(0)
    base = torch.rand(rows // 6, columns, generator=generator)
    steps = torch.tensor([0.0, 1e-7, 1e-5, 1e-3, 1e-1, 0.0])
    noise = torch.randn(rows // 6, 6, columns, generator=generator) * steps[:, None]
    return (base[:, None] + noise).flatten(0, 1)


def test_distances_hold_to_the_tolerance_and_equal_rows_are_at_zero() -> None:
    x = clustered()
    distances = exact_distances(x, x)
    truth = (x[:, None].double() - x[None].double()).norm(dim=2)
    longest = torch.maximum(x.norm(dim=1)[:, None], x.norm(dim=1)[None])
    assert ((distances - truth).abs() <= 1e-6 * truth + 1e-9 * longest).all()
    assert torch.equal(distances == 0, (x[:, None] == x[None]).all(2))


def test_matrix_neighbours_and_duplicates_are_those_of_the_metric(
    metric: InvariantLPIPS, folder: Path, index: Index
) -> None:
    images = [read_image(folder / name) for name in index.paths if name not in OTHER_SIZE]
    kept = [row for row, name in enumerate(index.paths) if name not in OTHER_SIZE]
    with torch.no_grad():
        loop = torch.tensor([[float(metric(x, y)) for y in images] for x in images])
    lengths = torch.cat([index.rows(row, row + 1) for row in kept]).norm(dim=1)
    allowed = 1e-5 * loop + 2e-6 * torch.maximum(lengths[:, None], lengths)
    matrix = distance_matrix(index)
    assert np.array_equal(matrix, matrix.T)
    assert (matrix.diagonal() == 0).all()
    among = torch.from_numpy(matrix[np.ix_(kept, kept)])
    assert ((among - loop).abs() <= allowed).all()
    four, copy = index.paths.index("4.png"), index.paths.index("copy.png")
    assert matrix[four, copy] == 0
    assert np.count_nonzero(matrix == 0) == len(index) + 2
    found = nearest(index, metric.embed(images[0]).detach(), k=len(index))
    assert torch.equal(found.rows[0].sort().values, torch.arange(len(index)))
    assert found.distances[0].tolist() == sorted(matrix[kept[0]].tolist())
    assert [(group.rows, group.distances) for group in near_duplicates(index, below=1e-6)] == [
        ([four, copy], [0.0, 0.0])
    ]


def test_matrix_files_are_written_in_blocks(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = distance_matrix(index)
    monkeypatch.setattr("invariant_lpips.indexing.files.BLOCK_BYTES", 4 * index.columns * 3)  # of three rows
    write_matrix(index, tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as archive:
        assert np.array_equal(archive["distances"], whole)
        assert archive["paths"].tolist() == index.paths
    with pytest.raises(ValueError, match=r"\.csv, \.npz"):
        write_matrix(index, tmp_path / "m.txt")


@pytest.mark.parametrize("backend", ["torch", "faiss"])
def test_neighbours_are_those_of_sorting_everything(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if backend == "faiss":
        pytest.importorskip("faiss")
    x = clustered()
    monkeypatch.setattr("invariant_lpips.indexing.files.BLOCK_BYTES", 4 * 300 * 7)  # blocks of seven rows
    found = nearest(Index.of_tensor(x), x, 9, backend=backend)  # type: ignore[arg-type]
    wanted = exact_distances(x, x).sort(dim=1, stable=True)
    assert torch.equal(found.rows, wanted.indices[:, :9])
    assert torch.equal(found.distances, wanted.values[:, :9])


def test_duplicates_start_with_a_threshold_for_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for name in ("astronaut", "coffee"):
        photograph = Image.fromarray(getattr(data, name)()[100:228, 100:228])
        photograph.save(f"photos/{name}.png")
        photograph.save(f"photos/{name}-small.jpg", quality=60)
    command = ["duplicates", "photos", "--net", "pixels", "--quiet"]
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert [line.split(",")[:2] for line in out.splitlines()[1:]] == [
        ["1", "astronaut-small.jpg"],
        ["1", "astronaut.png"],
        ["2", "coffee-small.jpg"],
        ["2", "coffee.png"],
    ]
    assert "3.6 times the just noticeable distance; --below chooses another" in err
    monkeypatch.setattr("invariant_lpips.indexing.embed_folder", None)  # what can't be done isn't begun
    assert main([*command, "--weights", "unit"]) == 2
    assert "name it with --below" in capsys.readouterr().err
    for way in (["duplicates", "photos", "--below", "1"], ["matrix", "photos", "-o", "m.csv"]):
        assert main([*way, "--jnd", *command[2:], "--weights", "unit"]) == 2
        assert "carry no calibration" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_the_thresholds_for_copies_are_those_that_were_measured() -> None:
    results = Path(__file__).parents[1] / "benchmarks" / "results" / "duplicates.json"
    measured = {(row["net"], row["head"]): row for row in json.loads(results.read_text())["metrics"]}
    assert measured.keys() == COPIES.keys()
    for who, multiple in COPIES.items():
        row = measured[who]
        assert multiple < row["nearest_others"]
        if row["threshold"] is not None:
            assert multiple == pytest.approx(row["threshold"], abs=0.05)


def test_duplicates_are_chains_of_near_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invariant_lpips.indexing.files.BLOCK_BYTES", 4 * 300 * 7)
    groups = near_duplicates(Index.of_tensor(clustered()), below=0.1)
    assert [group.rows for group in groups] == [[6 * k + j for j in (0, 1, 2, 3, 5)] for k in range(10)]
    assert all(group.distances[0] == 0 for group in groups)


def test_groups_are_the_connected_parts_of_any_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invariant_lpips.indexing.files.BLOCK_ROWS", 32)
    x = torch.rand(200, 2, generator=torch.Generator().manual_seed(0))
    for below in (0.01, 0.05, 0.08, 2.0):
        near = torch.cdist(x, x) < below
        reached = near
        for _ in range(8):  # paths of up to 256 steps
            reached = (reached.float() @ reached.float()) > 0
        parts = {tuple(row.nonzero().flatten().tolist()) for row in reached}
        expected = sorted(list(part) for part in parts if len(part) > 1)
        assert [group.rows for group in near_duplicates(Index.of_tensor(x), below)] == expected


def test_blocks_of_short_rows_have_no_more_rows_than_their_distances_allow() -> None:
    assert Index.of_tensor(torch.zeros(10, 1)).block_rows == 2048
    assert Index.of_tensor(torch.zeros(1, 155_648)).block_rows == 107


# commands ---------------------------------------------------------------------------------------------------


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_commands_as_a_user_types_them(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["embed", str(folder), "--out", "a.npz", *FAST, "--workers", "0"]) == 1  # broken.png
    assert "1 of 11 pictures failed" in capsys.readouterr().err
    assert main(["search", str(folder / "copy.png"), "--index", "a.npz", "-k", "3"]) == 0
    rows = table(capsys.readouterr().out)
    assert [(row["rank"], row["path"], row["distance"]) for row in rows[:2]] == [
        ("1", "4.png", "0"),
        ("2", "copy.png", "0"),
    ]
    assert main(["search", "nowhere.png", str(folder / "4.png"), "--index", "a.npz"]) == 1
    capsys.readouterr()
    assert main(["search", "nowhere.png", "--index", "a.npz", "-o", "none.csv"]) == 2  # nothing was done
    assert capsys.readouterr().err.startswith("invariant-lpips search: nowhere.png: ")
    assert not Path("none.csv").exists()
    assert main(["duplicates", "a.npz", "--below", "0.001"]) == 1
    assert [row["path"] for row in table(capsys.readouterr().out)] == ["4.png", "copy.png"]
    assert main(["matrix", str(folder), "-o", "m.csv", *FAST, "--workers", "0"]) == 1
    assert main(["matrix", "a.npz", "-o", "m.npz"]) == 1
    printed = list(csv.reader((tmp_path / "m.csv").open()))
    with np.load("m.npz") as archive:
        assert printed[0][1:] == archive["paths"].tolist()
        assert np.allclose(np.array([row[1:] for row in printed[1:]], float), archive["distances"], rtol=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "m.csv", "m.npz"]


@pytest.mark.parametrize("threshold", [1, 20, 10**6])
@pytest.mark.parametrize("queries", [1, 19, 20, 21])
def test_faiss_own_switch_to_a_matrix_product_changes_nothing(queries: int, threshold: int) -> None:
    # By how many queries there are, faiss takes differences or ||x||^2 + ||y||^2 - 2 x.y, which is no number for
    # near-duplicates: here they are 1e-4 of their length apart.
    faiss = pytest.importorskip("faiss")
    generator = torch.Generator().manual_seed(0)
    x = 100 + torch.rand(4, 600, generator=generator).repeat_interleave(8, 0)
    x += 0.01 * torch.rand(x.shape, generator=generator)
    before, faiss.cvar.distance_compute_blas_threshold = faiss.cvar.distance_compute_blas_threshold, threshold
    try:
        found = nearest(Index.of_tensor(x), x[:queries], 5, backend="faiss")
    finally:
        faiss.cvar.distance_compute_blas_threshold = before
    wanted = exact_distances(x[:queries], x).sort(dim=1, stable=True)
    assert torch.equal(found.rows, wanted.indices[:, :5])
    assert torch.equal(found.distances, wanted.values[:, :5])
