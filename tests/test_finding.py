"""Databases are found in the arrangements that people keep them in, and archives are unpacked into the cache only."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from invariant_lpips.cli import main
from invariant_lpips.datasets import bapps, load_dataset
from invariant_lpips.datasets.finding import NAMES, find_databases, how_to_obtain, open_database
from invariant_lpips.datasets.unpacking import unpack
from tests.rated_trees import TREES, kadid_tree, tid2008_tree, tid_tree


def listing(root: Path) -> list[Path]:
    return sorted(root.rglob("*"))


def zipped(tree: Path, archive: Path, inside: str = "") -> None:
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(tree.rglob("*")):
            if path.is_file():
                packed.write(path, (Path(inside) / path.relative_to(tree)).as_posix())
        packed.writestr("__MACOSX/._dmos.csv", b"what a Mac leaves")


def test_all_eight_are_found_and_read_below_any_folders(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for depth, (name, tree) in enumerate(TREES.items()):
        tree(root / "/".join(["some", "Folder", "deep"][: depth % 4]) / name.upper())
    before = listing(root)
    finding = find_databases(root)
    assert sorted(finding.databases) == sorted(NAMES)
    assert finding.remarks == []
    for name, found in finding.databases.items():
        assert (found.root, found.missing) == (root / found.root.relative_to(root), ())  # type: ignore[union-attr]
        if name != "bapps":
            assert len(load_dataset(name, open_database(found, tmp_path / "cache"), allow_missing=True)) > 17
    assert len(bapps.load_2afc(open_database(finding.databases["bapps"], tmp_path / "cache"))) == 12
    assert listing(root) == before
    assert not (tmp_path / "cache").exists()  # nothing had to be unpacked


def test_two_editions_of_tid_are_told_apart_by_their_tables(tmp_path: Path) -> None:
    tid_tree(tmp_path / "a")
    tid2008_tree(tmp_path / "b")
    databases = find_databases(tmp_path).databases
    assert (databases["tid2013"].root, databases["tid2008"].root) == (tmp_path / "a", tmp_path / "b")


def test_archives_and_scattered_parts_are_put_together_in_the_cache(tmp_path: Path) -> None:
    made, root, cache = tmp_path / "made", tmp_path / "data", tmp_path / "cache"
    for name in ("kadid10k", "csiq", "live", "pipal", "bapps"):
        TREES[name](made / name)
    root.mkdir()
    zipped(made / "kadid10k", root / "KADID10k.ZIP", inside="kadid10k")
    csiq = root / "CSIQ"  # two archives, one of which holds bare pictures, beside the table
    csiq.mkdir()
    zipped(made / "csiq" / "src_imgs", csiq / "src_imgs.zip")
    zipped(made / "csiq" / "dst_imgs", csiq / "dst_imgs.zip", inside="dst_imgs")
    shutil.copy(made / "csiq" / "csiq.DMOS.xlsx", csiq)
    shutil.copytree(
        made / "live", root / "LIVE" / "databaserelease2"
    )  # its realigned scores are a separate file
    (root / "LIVE" / "databaserelease2" / "dmos_realigned.mat").rename(root / "LIVE" / "dmos_realigned.mat")
    shutil.copytree(made / "pipal", root / "pipal")
    for part in ("Distortion_1", "Distortion_2"):
        zipped(root / "pipal" / part, root / "pipal" / f"{part}.zip", inside=part)
        shutil.rmtree(root / "pipal" / part)
    (root / "pipal" / "Train_Ref").rename(root / "pipal" / "x")  # unpacked into a folder of its own name
    (root / "pipal" / "Train_Ref").mkdir()
    (root / "pipal" / "x").rename(root / "pipal" / "Train_Ref" / "Train_Ref")
    for archive, part, inside in (("twoafc_val", "2afc/val", "val"), ("jnd", "jnd", "jnd")):
        with tarfile.open(root / f"{archive}.tar.gz", "w:gz") as packed:
            packed.add(made / "bapps" / part, inside)
    (root / "tid2013.rar").write_bytes(b"Rar!")
    before = listing(root)
    finding = find_databases(root)
    assert sorted(finding.databases) == ["bapps", "csiq", "kadid10k", "live", "pipal"]
    sealed = root / "tid2013.rar"
    assert finding.remarks == [f"{sealed} is an archive that is not read here: unpack it, then run again."]
    for name, pairs in {"kadid10k": 18, "csiq": 18, "live": 45, "pipal": 18}.items():
        folder = open_database(finding.databases[name], cache)
        assert len(load_dataset(name, folder, allow_missing=True)) == pairs
    folder = open_database(finding.databases["bapps"], cache)
    assert (len(bapps.load_2afc(folder)), len(bapps.load_jnd(folder))) == (12, 4)
    assert listing(root) == before
    # A second run unpacks nothing, one that was stopped goes on with what is lacking.
    kadid = open_database(finding.databases["kadid10k"], cache)
    lost, kept = kadid / "images" / "I01.png", kadid / "images" / "I02.png"
    lost.unlink()
    stamp = kept.stat().st_mtime_ns
    assert open_database(finding.databases["kadid10k"], cache) == kadid
    assert not lost.exists()
    (kadid / "images.complete").unlink()
    open_database(finding.databases["kadid10k"], cache)
    assert lost.is_file()
    assert kept.stat().st_mtime_ns == stamp


@pytest.mark.parametrize("name", ["tid2008", "bapps"])
def test_a_benchmark_of_one_database_finds_it_too(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "data" / "IQA"
    for other in (name, "tid2013"):
        TREES[other](root / other.upper())
    (root / "csiq.rar").write_bytes(b"Rar!")  # is another's, and not what is missing

    def bench(place: Path, *more: str) -> str:
        options = ["--metrics", "psnr", "--cache", str(tmp_path / "cache"), "--quiet", *more]
        assert main(["bench", name, "--root", str(place), *options]) == 0
        return capsys.readouterr().err

    more = () if name == "bapps" else ("--allow-missing",)
    assert (
        bench(tmp_path / "data", *more) == f"invariant-lpips bench {name}: {name} in {root / name.upper()}\n"
    )
    assert bench(root / name.upper(), *more) == ""
    if name == "tid2008":
        zipped(root / "TID2008", root / "tid2008.zip", inside="tid2008")
        shutil.rmtree(root / "TID2008")
        assert f"tid2008 in {root / 'tid2008.zip'}" in bench(tmp_path / "data", *more)


@pytest.mark.parametrize("name", ["kadid10k", "bapps", "csv"])
def test_a_root_that_is_nowhere_is_told_as_such(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "nowhere"
    assert main(["bench", name, "--root", str(root), "--metrics", "psnr"]) == 2
    said, obtain = capsys.readouterr().err.splitlines()
    assert said == f"invariant-lpips bench {name}: {name} was to be read from {root}, which does not exist"
    assert obtain == how_to_obtain(name)


def test_a_part_that_is_nowhere_is_named_and_a_complete_copy_is_taken(tmp_path: Path) -> None:
    kadid_tree(tmp_path / "part")
    shutil.rmtree(tmp_path / "part" / "images")
    assert find_databases(tmp_path).databases["kadid10k"].missing == ("images",)
    kadid_tree(tmp_path / "whole" / "kadid10k")
    kadid_tree(tmp_path / "whole" / "again")
    finding = find_databases(tmp_path)
    assert finding.databases["kadid10k"].root == tmp_path / "whole" / "again"
    assert [remark for remark in finding.remarks if "is also in" in remark] == [
        f"kadid10k is also in {tmp_path / 'whole' / 'kadid10k'}: {tmp_path / 'whole' / 'again'} was taken."
    ]
    with pytest.raises(FileNotFoundError, match="is no folder"):
        find_databases(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["../outside.csv", "/outside.csv", "a/../../outside.csv", "c:\\outside.csv"])
def test_members_that_point_outside_are_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr(name, b"x")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = 1
        tar.addfile(entry, io.BytesIO(b"x"))
    for archive in ("a.zip", "a.tar"):
        with pytest.raises(ValueError, match="no plain file within it"):
            unpack(tmp_path / archive, "", tmp_path / "cache" / "deep" / "a")
    assert not list(tmp_path.rglob("outside*"))


def test_links_and_damaged_archives_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "link.tar", "w") as tar:
        entry = tarfile.TarInfo("images")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc"
        tar.addfile(entry)
    with pytest.raises(ValueError, match="no plain file within it"):
        unpack(tmp_path / "link.tar", "", tmp_path / "out")
    (tmp_path / "kadid10k.zip").write_bytes(b"PK\x03\x04 and no more")
    finding = find_databases(tmp_path)
    assert finding.databases == {}
    assert "kadid10k.zip cannot be unpacked" in finding.remarks[0]


def test_what_was_unpacked_is_taken_before_its_archive(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for name in ("csiq", "bapps", "kadid10k"):
        TREES[name](root / "deep" / "er" / name)
    csiq = root / "deep" / "er" / "csiq"
    zipped(csiq / "src_imgs", csiq / "SRC_IMGS.ZIP")  # of letters that come before those of the folder
    with tarfile.open(root / "jnd.tar", "w") as packed:
        packed.add(root / "deep" / "er" / "bapps" / "jnd", "jnd")
    zipped(root / "deep" / "er" / "kadid10k", root / "kadid10k.zip", inside="kadid10k")
    (root / "twoafc_train.tar.gz").write_bytes(b"nothing here reads it, so it is not even listed")
    finding = find_databases(root)
    for name in ("csiq", "bapps", "kadid10k"):
        assert finding.databases[name].root == root / "deep" / "er" / name
    assert finding.remarks == [
        f"kadid10k is also in {root / 'kadid10k.zip'}: {root / 'deep' / 'er' / 'kadid10k'} was taken."
    ]


def test_folders_that_only_sound_like_a_database_are_none(tmp_path: Path) -> None:
    for name in ("label", "ref", "dist"):  # of somebody's segmentation
        (tmp_path / "cells" / name).mkdir(parents=True)
        (tmp_path / "cells" / name / "a.png").touch()
    (tmp_path / "study" / "jnd" / "subjects").mkdir(parents=True)
    assert find_databases(tmp_path).databases == {}


def test_other_letter_case_and_folders_called_as_parts(tmp_path: Path) -> None:
    tid_tree(tmp_path / "JPEG" / "Images" / "TID2013")
    tree = tmp_path / "JPEG" / "Images" / "TID2013"
    (tree / "reference_images").rename(tree / "x")
    (tree / "Reference_Images").mkdir()
    (tree / "x").rename(tree / "Reference_Images" / "REFERENCE_IMAGES")
    (tree / "distorted_images").rename(tree / "Distorted_images")
    (tmp_path / "__MACOSX" / "distorted_images").mkdir(parents=True)
    kadid_tree(tmp_path / "made" / "images" / "kadid10k")
    zipped(tmp_path / "made", tmp_path / "my pictures.zip")
    shutil.rmtree(tmp_path / "made")
    databases = find_databases(tmp_path).databases
    folder = open_database(databases["tid2013"], tmp_path / "cache")
    assert len(load_dataset("tid2013", folder, allow_missing=True)) == 27
    folder = open_database(databases["kadid10k"], tmp_path / "cache")
    assert len(load_dataset("kadid10k", folder, allow_missing=True)) == 18


def test_what_cannot_be_looked_into_is_said_and_costs_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kadid_tree(tmp_path / "b")
    (tmp_path / "a").mkdir()
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "back").symlink_to(tmp_path, target_is_directory=True)
    own = os.scandir

    def scandir(folder: str | Path) -> object:
        if Path(folder).name == "a":
            raise OSError(5, "Input/output error", str(folder))
        return own(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    finding = find_databases(tmp_path)
    assert finding.databases["kadid10k"].root == tmp_path / "b"
    assert finding.remarks == [f"{tmp_path / 'a'} was not searched: Input/output error."]
    with pytest.raises(OSError, match="Input/output error"):
        find_databases(tmp_path / "a")


def test_a_member_whose_bytes_are_damaged_is_a_sentence(tmp_path: Path) -> None:
    archive = tmp_path / "kadid10k.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("images/a.png", b"x" * 1000)
    content = bytearray(archive.read_bytes())
    start = 30 + len("images/a.png")
    content[start : start + 4] = b"\xff\xff\xff\xff"  # no deflate stream begins so
    archive.write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot be unpacked .*: unpack it by hand, or fetch it again"):
        unpack(archive, "images", tmp_path / "cache" / "images")
    assert not list((tmp_path / "cache").rglob("*.png"))
