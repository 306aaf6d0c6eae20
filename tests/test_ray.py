"""Ray as the engine: the results of the single process, also when a worker is killed on the way."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from invariant_lpips import InvariantLPIPS, write_image
from invariant_lpips.cli import main
from invariant_lpips.indexing import Reading, embed_folder, open_index

pytest.importorskip("ray", reason="Ray is not installed: pip install 'invariant-lpips[ray]'")
pytest.importorskip("pyarrow")

from invariant_lpips.integrations.ray import chunk_engine, embed_stage

COUNT = 12


@dataclass(frozen=True)
class Deadly(Reading):
    """Reading that kills its process at a picture, the first time it comes to it."""

    victim: str = ""
    marker: str = ""

    def __call__(self, path: Path) -> Tensor:
        if path.name == self.victim and not Path(self.marker).exists():
            Path(self.marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(path)


@pytest.fixture(scope="module", autouse=True)
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    import ray
    import ray.cloudpickle

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    # Workers step back behind everything else by default, which on a busy machine takes for ever.
    os.environ.update(RAY_worker_niceness="0", RAY_worker_register_timeout_seconds="300")
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        object_store_memory=2**28,
    )
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    generator = torch.Generator().manual_seed(0)
    for k in range(COUNT):
        side = 48 if k % 3 else 64
        write_image(torch.rand(1, 3, side, side, generator=generator) * 2 - 1, folder / f"{k:02}.png")
    (folder / "05.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def metric() -> InvariantLPIPS:
    return InvariantLPIPS("alex", head="gap", weights="unit")


def test_an_index_is_the_same_file_also_after_a_kill(pictures: Path, metric: Any, tmp_path: Path) -> None:
    here = embed_folder(metric, pictures, tmp_path / "here.npz", workers=0, batch_size=1)
    marker = tmp_path / "killed"
    reading = Deadly(victim="07.png", marker=str(marker))
    there = embed_folder(metric, pictures, tmp_path / "there.npz", reading=reading, engine=chunk_engine(2))
    assert marker.exists()
    assert there.paths == here.paths
    assert len(there) == COUNT - 1
    assert there.problems[0][0] == "05.png"
    assert (tmp_path / "there.npz").read_bytes() == (tmp_path / "here.npz").read_bytes()


def test_the_commands(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--net", "alex", "--head", "gap", "--weights", "unit", "--quiet"]
    table = tmp_path / "pairs.csv"
    rows = [f"{pictures}/{k:02}.png,{pictures}/{k + 3:02}.png" for k in range(0, COUNT - 3)]
    table.write_text("reference,distorted\n" + "\n".join(rows) + "\n")
    printed = []
    for engine in ([], ["--engine", "ray"]):
        assert main(["compare", "--csv", str(table), *options, *engine]) == 1
        printed.append(capsys.readouterr())
    assert printed[0] == printed[1]  # and nothing of Ray's
    assert printed[0].out.count("\n") == COUNT - 2
    command = ["embed", str(pictures), *options, "--batch-size", "2", "-o"]
    assert main([*command, str(tmp_path / "a.safetensors")]) == 1
    assert main([*command, str(tmp_path / "b.safetensors"), "--engine", "ray", "--ray-workers", "2"]) == 1
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert len(open_index(tmp_path / "b.safetensors")) == COUNT - 1


def test_parquet_to_parquet(pictures: Path, metric: Any, tmp_path: Path) -> None:
    import pyarrow.parquet as parquet
    import ray.data

    names = sorted(str(path) for path in pictures.iterdir())
    paths = ray.data.from_items([{"path": name} for name in names])
    embed_stage(paths, metric, workers=1).write_parquet(tmp_path / "out")
    found = {row["path"]: row for row in parquet.read_table(tmp_path / "out").to_pylist()}
    assert len(found) == COUNT
    for name in names:
        row = found[name]
        if name.endswith("05.png"):
            assert row["embedding"] is None
            assert row["error"]
        else:
            assert row["error"] is None
            expected = metric.embed(Reading()(Path(name)))
            assert torch.equal(torch.tensor(row["embedding"]), expected[0])


def test_wrong_usage(capsys: pytest.CaptureFixture[str], pictures: Path, tmp_path: Path) -> None:
    two = [str(pictures / "00.png"), str(pictures / "03.png")]
    assert main(["compare", *two, "--engine", "ray", "--map", str(tmp_path)]) == 2
    assert "--map" in capsys.readouterr().err
