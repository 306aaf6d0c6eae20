"""Folders of pictures: their order, and that nothing in them is passed over in silence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from invariant_lpips import InvariantLPIPS, embed_folder, open_index, write_image
from invariant_lpips.cli import main
from invariant_lpips.datasets import folders as class_folders
from invariant_lpips.pictures import two_folders, within_folder
from invariant_lpips.pictures.folders import list_folder, pictures_in

# The smallest trunk, and no learned weights: what is tested here is which files are looked at.
FAST = ["--net", "alex", "--head", "gap", "--weights", "unit", "--quiet"]


def grey(path: Path, level: float = 0.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(torch.full((1, 3, 64, 64), level), path)
    return path


@pytest.fixture
def mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two pictures, and beside them all that a folder of pictures may hold."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    grey(folder / "a.png")
    grey(folder / "b.png", 0.5)
    (folder / "c.psd").write_bytes(b"8BPS")
    (folder / "gone.png").symlink_to("nowhere.png")
    (folder / "notes.txt").touch()
    (folder / ".hidden.psd").touch()
    grey(folder / "more" / "d.png")
    return folder


SAID = (
    "4 not looked at: photos/c.psd (picture format that is not read); photos/gone.png (dead link); "
    "photos/more (folder; --recursive looks into it); photos/notes.txt (no picture by its suffix)"
)


# order ----------------------------------------------------------------------------------------------------


def test_frames_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (1, 2, 10, 9, 100):
        (tmp_path / f"frame{number}.png").touch()
    assert [path.stem for path in pictures_in(tmp_path)] == [f"frame{k}" for k in (1, 2, 9, 10, 100)]
    pairing = within_folder(tmp_path, all_pairs=False, limit=4)
    assert [pair.label for pair in pairing.pairs] == [
        "(frame1.png,frame2.png)",
        "(frame2.png,frame9.png)",
        "(frame9.png,frame10.png)",
    ]
    both = two_folders(tmp_path, tmp_path)
    assert [pair.reference.stem for pair in both.pairs] == [f"frame{k}" for k in (1, 2, 9, 10, 100)]


def test_folders_are_in_order_before_files(tmp_path: Path) -> None:
    for name in ("v10/f1.png", "v2/f10.png", "v2/f9.png", "v2/f09.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in pictures_in(tmp_path, recursive=True)]
    assert found == ["v2/f09.png", "v2/f9.png", "v2/f10.png", "v10/f1.png"]


# what is not looked at ------------------------------------------------------------------------------------


def test_a_listing_says_what_it_passed_over(mixed: Path) -> None:
    listing = list_folder(mixed)
    assert [path.name for path in listing.pictures] == ["a.png", "b.png"]
    assert [(item.path.name, item.missed) for item in listing.skipped] == [
        ("c.psd", True),
        ("gone.png", True),
        ("more", False),
        ("notes.txt", False),
    ]
    recursive = list_folder(mixed, recursive=True)
    assert len(recursive.pictures) == 3
    assert len(recursive.skipped) == 3
    (mixed / "linked").symlink_to(mixed / "more")
    skipped = [item for item in list_folder(mixed, recursive=True).skipped if item.path.name == "linked"]
    assert [item.why for item in skipped] == ["link to a folder, which is not followed"]


def test_a_folder_of_other_formats_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "a.psd").touch()
    with pytest.raises(ValueError, match=r"holds no pictures .* 1 not looked at: .*a\.psd"):
        list_folder(tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        ["compare", "photos/a.png", "photos"],
        ["compare", "-d", "photos"],
        ["compare", "photos", "photos"],
        ["duplicates", "photos", "--below", "0.1"],
        ["matrix", "photos"],
        ["embed", "photos", "-o", "index.npz"],
    ],
)
def test_every_command_names_what_it_did_not_look_at(
    mixed: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert main([*command, *FAST]) == 1, "two pictures were missed"
    err = capsys.readouterr().err
    said = [line for line in err.splitlines() if "not looked at" in line]
    assert len(said) == 1
    assert all(name in said[0] for name in ("c.psd", "gone.png (dead link)", "notes.txt", "more"))
    if command == ["compare", "photos/a.png", "photos"]:
        assert said[0].removeprefix("invariant-lpips compare: ") == SAID


def test_files_that_are_no_pictures_are_named_and_no_failure(
    mixed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (mixed / "c.psd").unlink()
    (mixed / "gone.png").unlink()
    assert main(["compare", "photos", "photos", "-o", "out.json", *FAST]) == 0
    assert "2 not looked at" in capsys.readouterr().err
    assert json.loads(Path("out.json").read_text())["skipped"] == [
        {"path": "photos/more", "why": "folder; --recursive looks into it"},
        {"path": "photos/notes.txt", "why": "no picture by its suffix"},
    ]


def test_an_index_knows_what_it_lacks(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metric = InvariantLPIPS("alex", head="gap", weights="unit")
    out = mixed / "index.safetensors"
    index = embed_folder(metric, mixed, out, workers=0)
    assert [item.path.as_posix() for item in index.skipped] == ["c.psd", "gone.png", "more", "notes.txt"]
    whole = out.read_bytes()
    out.unlink()
    (mixed / "index.safetensors.unfinished").touch()  # as a run that was killed at once leaves it
    assert embed_folder(metric, mixed, out, workers=0).skipped == index.skipped
    assert out.read_bytes() == whole, "the file is that of an uninterrupted run"
    parts = mixed.parent / "parts"
    parts.mkdir()
    out.rename(parts / "one.safetensors")
    assert open_index(parts).skipped[0].path.as_posix() == "one/c.psd"
    assert main(["search", "photos/a.png", "--index", "parts", "-k", "1"]) == 0
    assert "when parts was made: 4 not looked at: one/c.psd" in capsys.readouterr().err
    assert main(["search", "photos/a.png", "--index", "parts", "-k", "1", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_classes_for_training_say_what_they_lack(tmp_path: Path) -> None:
    for name in ("cats", "dogs"):
        for number in range(8):
            grey(tmp_path / name / f"{number}.png")
    (tmp_path / "cats" / "9.psd").touch()
    found = class_folders.load(tmp_path)
    assert [item.path.name for item in found.skipped] == ["9.psd"]
