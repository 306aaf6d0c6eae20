"""Files and servers that mean harm: swapped and older weights, paths that lead elsewhere, links, csv tables.

What is executed or built from a file is in test_torch_files.py, test_registry.py and test_hub.py.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import types
from pathlib import Path

import pytest
import torch

from invariant_lpips import LPIPS, InvariantLPIPS, registry, write_image
from invariant_lpips.cli import main
from invariant_lpips.datasets import DatasetError, load_dataset
from invariant_lpips.datasets.hub_download import download_from_hub
from invariant_lpips.files.safetensors import safetensors_bytes


def unit(value: float) -> InvariantLPIPS:
    metric = InvariantLPIPS("alex", "gap", weights="unit")
    metric.use_linear_weights({"weight": torch.full_like(metric.head.weight, value)}, "for tests")
    return metric


# Weights


def swapped() -> bytes:
    """As many tensors of the same names and shapes, other numbers."""
    state = registry.load_weights("lpips-alex-v0.1")
    return safetensors_bytes({name: value.flip(1) for name, value in state.items()})


def downgraded() -> bytes:
    return registry.weights_path("lpips-alex-v0.0").read_bytes()


@pytest.mark.parametrize("content", [swapped, downgraded])
def test_files_that_fit_but_are_others_are_refused(content, tmp_path, monkeypatch):
    (tmp_path / "lpips-alex-v0.1.safetensors").write_bytes(content())
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(ValueError, match="changed, truncated or swapped"):
        LPIPS(net="alex")


@pytest.mark.parametrize("kind", ["older", "longer", "shorter", "empty"])
def test_a_saved_metric_with_other_tensors_is_refused(kind, tmp_path):
    older, newer = (unit(value).save_pretrained(tmp_path / str(value)) for value in (1.0, 2.0))
    file = newer / "model.safetensors"
    right = file.read_bytes()
    file.write_bytes(
        {
            "older": (older / "model.safetensors").read_bytes(),
            "longer": right + b"\0",
            "shorter": right[:-4],
            "empty": b"",
        }[kind]
    )
    with pytest.raises(ValueError, match=r"changed, truncated or swapped"):
        InvariantLPIPS.from_pretrained(newer)


def test_a_pooling_that_a_file_makes_up_is_refused(tmp_path):
    weight = registry.load_weights("vgg16-gap")["weight"]
    path = tmp_path / "mine.safetensors"
    path.write_bytes(safetensors_bytes({"weight": weight}, {"pooling": "os.system('x')"}))
    with pytest.raises(ValueError, match="must name a pooling among max, blur, polyphase"):
        InvariantLPIPS(head="gap", weights=path)


@pytest.mark.parametrize(
    "value", [["a"] * 10_000, "x" * 100_000, {"a" * 9000: 1}, "two\nlines", 10**300, [[[[[["deep"]]]]]]]
)
@pytest.mark.parametrize("field", ["net", "format", "sha256", "trunk", "a\nnew\nfield"])
def test_what_a_config_holds_cannot_fill_the_screen(field, value, tmp_path):
    folder = unit(1.0).save_pretrained(tmp_path / "saved")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, field: value}))
    with pytest.raises(ValueError, match=r"config\.json") as caught:
        InvariantLPIPS.from_pretrained(folder)
    message = str(caught.value)
    assert len(message.replace(str(folder), "")) < 1000
    assert "\n" not in message


@pytest.mark.parametrize("value", [3e38, 1e16])
def test_weights_that_would_overflow_are_refused(value, tmp_path):
    linear = {name: torch.full_like(w, value) for name, w in registry.load_weights("lpips-alex-v0.1").items()}
    (tmp_path / "lpips.safetensors").write_bytes(safetensors_bytes(linear))
    (tmp_path / "gap.safetensors").write_bytes(safetensors_bytes({"weight": torch.full((1152,), value)}))
    with pytest.raises(ValueError, match="must lie in"):
        LPIPS(net="alex", model_path=tmp_path / "lpips.safetensors")
    with pytest.raises(ValueError, match="must be at most"):
        InvariantLPIPS("alex", "gap", weights=tmp_path / "gap.safetensors")


@pytest.mark.skipif(sys.platform == "win32", reason="files there are not sparse")
def test_a_file_too_large_to_be_weights_is_refused_by_its_size(tmp_path):
    for name in ("a.safetensors", "a.pth", "config.json", "model.safetensors", "pairs.csv"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(2**40)
    for read in (
        lambda: LPIPS(model_path=tmp_path / "a.pth"),
        lambda: LPIPS(model_path=tmp_path / "a.safetensors"),
        lambda: InvariantLPIPS(weights=tmp_path / "a.safetensors"),
        lambda: InvariantLPIPS.from_pretrained(tmp_path),
        lambda: load_dataset("csv", tmp_path / "pairs.csv"),
    ):
        with pytest.raises(ValueError, match="must have at most"):
            read()


def test_a_pickle_that_never_ends_is_not_followed(tmp_path):
    (tmp_path / "a.pth").write_bytes(b"\x80\x02]" + b"\x85" * 2_000_000 + b".")
    with pytest.raises(ValueError, match="too many tensors, or none"):
        LPIPS(model_path=tmp_path / "a.pth")


# Links


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_links_are_neither_written_through_nor_quoted(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("password: 1234")
    folder = tmp_path / "saved"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "README.md"):
        (folder / name).symlink_to(secret)
    with pytest.raises(ValueError, match="must be a JSON file") as caught:
        InvariantLPIPS.from_pretrained(folder)
    assert "1234" not in str(caught.value)
    unit(1.0).save_pretrained(folder)
    assert secret.read_text() == "password: 1234"
    assert not (folder / "config.json").is_symlink()
    InvariantLPIPS.from_pretrained(folder)


# Data sets on a Hub


@pytest.mark.parametrize(
    "name", ["../outside.csv", "a/../../outside.csv", "/outside.csv", "..\\outside.csv", "C:/x.csv"]
)
def test_a_data_set_that_lists_files_elsewhere_is_not_fetched(name, tmp_path, monkeypatch):
    outside = tmp_path / "outside.csv"
    outside.write_text("mine")

    class Api:
        def dataset_info(self, repository: str, **options: object) -> object:
            entry = types.SimpleNamespace(rfilename=name, blob_id="0" * 40, lfs=None)
            return types.SimpleNamespace(sha="abc", siblings=[entry])

    def fetch(*arguments: object, **options: object) -> None:
        pytest.fail("nothing is fetched")

    fake = types.SimpleNamespace(HfApi=Api, snapshot_download=fetch)
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    with pytest.raises(DatasetError, match="no file within the data set"):
        download_from_hub("x/y", tmp_path / "set", name="set", patterns=["*"])
    assert outside.read_text() == "mine"


# Tables


ODD = [
    "a\nb.png",
    "../../etc/passwd",
    "a\0b.png",
    "=cmd|' /C calc'!A0",
    "http://127.0.0.1:9/a.png",
    "|id",
    "x" * 5000,
]


def test_paths_in_a_table_are_opened_and_nothing_else(tmp_path, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    generator = torch.Generator().manual_seed(0)
    write_image(torch.rand(1, 3, 40, 40, generator=generator), folder / "a.png")
    with (folder / "pairs.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [("reference", "distorted"), *(("a.png", name) for name in ODD), ("a.png", "a.png")]
        )
    before = sorted(tmp_path.rglob("*"))
    out = tmp_path / "out.csv"
    options = ["--net", "alex", "--head", "gap", "--weights", "unit", "--quiet"]
    assert main(["compare", "--csv", str(folder / "pairs.csv"), "-o", str(out), *options]) == 1
    with out.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [Path(row["distorted"]).name for row in rows[:-1]] == [Path(name).name for name in ODD]
    assert all(row["error"] and not row["distance"] for row in rows[:-1])
    assert rows[-1]["distance"] == "0"
    assert sorted(tmp_path.rglob("*")) == sorted([*before, out])
    assert "Traceback" not in capsys.readouterr().err
