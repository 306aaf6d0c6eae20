"""Readers of rated databases on tiny trees: what they load, and that one error lists all that is wrong."""

from __future__ import annotations

import hashlib
import importlib
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from invariant_lpips.datasets import DATASETS, DatasetError, find_database, load_dataset
from invariant_lpips.datasets.hub_download import hash_problem
from invariant_lpips.datasets.pipal import PICTURES_OF_A_KIND
from invariant_lpips.datasets.verification import picture_problem
from tests.rated_trees import xlsx


def save_picture(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def tid_tree(
    root: Path, *, references: int = 25, types: int = 24, levels: int = 5, suffix: str = ".bmp"
) -> Path:
    """A tree of one tiny picture hard-linked under all names, with mixed letter case."""
    source = save_picture(root / f"source{suffix}")
    lines = []
    for r in range(1, references + 1):
        link(source, root / "reference_images" / f"I{r:02d}{suffix.upper()}")
        for t in range(1, types + 1):
            for level in range(1, levels + 1):
                name = f"i{r:02d}_{t:02d}_{level}{suffix}"
                link(source, root / "distorted_images" / (name.upper() if t % 2 else name))
                lines.append(f"{9 - level - t / 100:.5f} I{r:02d}_{t:02d}_{level}.bmp")
    (root / "mos_with_names.txt").write_text("\n".join(lines) + "\n")
    return root


def link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.hardlink_to(source)


def kadid_tree(root: Path) -> Path:
    source = save_picture(root / "source.png")
    lines = ["dist_img,ref_img,dmos,var"]
    for r in range(1, 82):
        link(source, root / "images" / f"I{r:02d}.png")
        for t in range(1, 26):
            for level in range(1, 6):
                name = f"I{r:02d}_{t:02d}_{level:02d}.png"
                if r == 1:
                    link(source, root / "images" / name)
                lines.append(f"{name},I{r:02d}.png,{5 - 0.7 * level:.2f},0.5")
    (root / "dmos.csv").write_text("\r\n".join(lines) + "\r\n")
    return root


def test_tid2013_loads_complete_tree_in_any_letter_case(tmp_path: Path) -> None:
    pairs = load_dataset("tid2013", tid_tree(tmp_path))
    assert len(pairs) == 3000
    assert pairs.higher_is_better
    assert pairs.references == tuple(f"I{r:02d}" for r in range(1, 26))
    assert pairs.distortions == tuple(f"{t:02d}" for t in range(1, 25))
    assert pairs[0].score == pytest.approx(7.99)
    assert (pairs[0].reference_id, pairs[0].distortion, pairs[0].level) == ("I01", "01", 1.0)
    assert pairs.scores.shape == (3000,)
    assert len(pairs.select(lambda pair: pair.distortion == "16")) == 125


def test_tid2013_lists_every_problem_in_one_error(tmp_path: Path) -> None:
    root = tid_tree(tmp_path)
    (root / "reference_images" / "I25.BMP").unlink()
    (root / "distorted_images" / "i03_02_1.bmp").unlink()
    broken = root / "distorted_images" / "i04_02_3.bmp"
    content = broken.read_bytes()
    broken.unlink()  # the file is a hard link: cut off this name only
    broken.write_bytes(content[:-500])
    with (root / "mos_with_names.txt").open("a") as file:
        file.write("nonsense\n5.0 I01_01_1.bmp\n")
    with pytest.raises(DatasetError) as caught:
        load_dataset("tid2013", root)
    text = "\n".join(caught.value.problems)
    for part in ("I25.BMP is missing", "I03_02_1.bmp is missing", "i04_02_3.bmp is cut off", "line 3001"):
        assert part in text
    assert "a second time" in text
    assert len(caught.value.problems) == 5
    assert "tid2013.rar" in str(caught.value)


def test_tid2013_subset_of_png_needs_allow_missing(tmp_path: Path) -> None:
    root = tid_tree(tmp_path, references=2, types=3, suffix=".png")
    with pytest.raises(DatasetError, match="rates 30 pictures, but tid2013 has 3000") as caught:
        load_dataset("tid2013", root)
    assert "--allow-missing" in str(caught.value)
    assert len(load_dataset("tid2013", root, allow_missing=True)) == 30
    (root / "distorted_images" / "i01_02_3.png").unlink()
    assert len(load_dataset("tid2013", root, allow_missing=True)) == 29


def test_tid2008_knows_its_own_counts(tmp_path: Path) -> None:
    assert len(load_dataset("tid2008", tid_tree(tmp_path, types=17, levels=4))) == 1700


def test_missing_root_says_where_to_get_it(tmp_path: Path) -> None:
    for name in DATASETS:
        with pytest.raises(DatasetError, match="nowhere, which does not exist") as caught:
            load_dataset(name, tmp_path / "nowhere")
        assert find_database(name).obtain in str(caught.value)
        assert "--allow-missing" not in str(caught.value)  # nothing is there
    with pytest.raises(ValueError, match="kadid10k"):
        load_dataset("kadid", tmp_path)


def test_kadid_loads_what_is_there(tmp_path: Path) -> None:
    pairs = load_dataset("kadid10k", kadid_tree(tmp_path), allow_missing=True)
    assert len(pairs) == 125
    assert pairs.higher_is_better
    assert pairs.references == ("I01",)
    assert (pairs[7].distortion, pairs[7].level, pairs[7].score) == ("02", 3.0, pytest.approx(2.9))
    with pytest.raises(DatasetError) as caught:
        load_dataset("kadid10k", tmp_path)
    assert len(caught.value.problems) == 80 * 125
    assert "and 9980 more" in str(caught.value)


def test_kadid_refuses_scores_that_run_the_other_way(tmp_path: Path) -> None:
    root = kadid_tree(tmp_path)
    lines = (root / "dmos.csv").read_text().splitlines()
    turned = [lines[0]] + [
        ",".join([*line.split(",")[:2], f"{6 - float(line.split(',')[2]):.2f}", "0.5"]) for line in lines[1:]
    ]
    (root / "dmos.csv").write_text("\n".join(turned))
    with pytest.raises(DatasetError, match="must be higher for better"):
        load_dataset("kadid10k", root, allow_missing=True)


def test_csv_pairs_reads_direction_and_optional_columns(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png")
    save_picture(tmp_path / "b.png")
    table = tmp_path / "mine.csv"
    table.write_text("# higher_is_better: false\nreference,distorted,score,level\na.png,b.png,3.5,2\n")
    pairs = load_dataset("csv", table)
    assert not pairs.higher_is_better
    assert (pairs[0].score, pairs[0].level, pairs[0].reference_id, pairs[0].distortion) == (
        3.5,
        2.0,
        "a",
        "all",
    )
    table.write_text("reference,distorted,score\na.png,b.png,x\na.png,c.png,1\n")
    with pytest.raises(DatasetError) as caught:
        load_dataset("csv", table)
    assert [("line 2" in p, "c.png is missing" in p) for p in caught.value.problems] == [
        (True, False),
        (False, True),
    ]


def test_a_picture_rated_twice_is_a_problem_in_every_database(tmp_path: Path) -> None:
    save_picture(tmp_path / "Train_Ref" / "A0001.bmp")
    save_picture(tmp_path / "Train_Dist" / "A0001_03_07.bmp")
    (tmp_path / "Train_Label").mkdir()
    (tmp_path / "Train_Label" / "A0001.txt").write_text("A0001_03_07.bmp,1455.07\na0001_03_07.BMP,1455.08\n")
    with pytest.raises(DatasetError, match=r"A0001\.txt line 2 rates a0001_03_07\.BMP a second time"):
        load_dataset("pipal", tmp_path, allow_missing=True)


def test_csiq_reads_its_spreadsheet(tmp_path: Path) -> None:
    titles = ["image", "dst_idx", "dst_type", "dst_lev", "dmos_std", "dmos"]
    rows = [["1600", "1", "noise", "1", "0.061", "0.062"], ["1600", "5", "jpeg 2000", "3", "0.1", "0.5"]]
    xlsx(tmp_path / "csiq.DMOS.xlsx", [titles, *rows])
    save_picture(tmp_path / "src_imgs" / "1600.png")
    save_picture(tmp_path / "dst_imgs" / "awgn" / "1600.AWGN.1.png")
    save_picture(tmp_path / "dst_imgs" / "jpeg2000" / "1600.jpeg2000.3.png")
    pairs = load_dataset("csiq", tmp_path, allow_missing=True)
    assert [(p.distortion, p.level, p.score) for p in pairs] == [("awgn", 1.0, 0.062), ("jpeg2000", 3.0, 0.5)]
    assert not pairs.higher_is_better


def test_live_skips_undistorted_copies(tmp_path: Path) -> None:
    from scipy.io import savemat

    names = np.array([[f"ref{k % 3}.bmp" for k in range(982)]], dtype=object)
    savemat(tmp_path / "refnames_all.mat", {"refnames_all": names})
    originals = np.zeros((1, 982))
    originals[0, 1] = 1
    savemat(tmp_path / "dmos_realigned.mat", {"dmos_new": np.arange(982.0)[None], "orgs": originals})
    for k in range(3):
        save_picture(tmp_path / "refimgs" / f"ref{k}.bmp")
    for name in ("jp2k/img1.bmp", "jp2k/img2.bmp", "jpeg/img1.bmp"):
        save_picture(tmp_path / name)
    pairs = load_dataset("live", tmp_path, allow_missing=True)
    assert [(p.distortion, p.score, p.reference_id) for p in pairs] == [
        ("jp2k", 0.0, "ref0"),
        ("jpeg", 227.0, "ref2"),
    ]


def test_pipal_reads_labels(tmp_path: Path) -> None:
    save_picture(tmp_path / "Train_Ref" / "A0001.bmp")
    save_picture(tmp_path / "Train_Dist" / "A0001_03_07.bmp")
    (tmp_path / "Train_Label").mkdir()
    (tmp_path / "Train_Label" / "A0001.txt").write_text("A0001_03_07.bmp,1455.07\n")
    pairs = load_dataset("pipal", tmp_path, allow_missing=True)
    assert [(p.distortion, p.level, p.score) for p in pairs] == [("03", 7.0, 1455.07)]
    assert find_database("pipal").distortions["03"] == "GAN-based super-resolution"


def test_pipal_kinds_are_those_of_its_table_10() -> None:
    names = find_database("pipal").distortions
    assert list(names) == list(PICTURES_OF_A_KIND)
    assert sum(PICTURES_OF_A_KIND.values()) == 116
    # The paper's own counts: 24 outputs of GANs for each reference, 27 traditional distortions, 10 with another kernel.
    assert {names[code]: count for code, count in PICTURES_OF_A_KIND.items()} == {
        "traditional super-resolution": 12,
        "PSNR-oriented super-resolution": 16,
        "super-resolution with kernel mismatch": 10,
        "GAN-based super-resolution": 24,
        "denoising": 13,
        "super-resolution and denoising": 14,
        "traditional distortions": 27,
    }


def test_pipal_folders_have_several_names_and_are_named(tmp_path: Path) -> None:
    save_picture(tmp_path / "Train_Ref" / "A0001.bmp")
    (tmp_path / "Train_Label").mkdir()
    (tmp_path / "Train_Label" / "A0001.txt").write_text("A0001_03_07.bmp,1455.07\n")
    with pytest.raises(DatasetError, match=r"Train_Ref and .*Train_Dist, which is missing"):
        load_dataset("pipal", tmp_path, allow_missing=True)
    save_picture(tmp_path / "Train_Distort" / "A0001_03_07.bmp")
    assert len(load_dataset("pipal", tmp_path, allow_missing=True)) == 1
    with pytest.raises(DatasetError, match="rates 1 pictures of kind 03 of A0001, but PIPAL has 24"):
        load_dataset("pipal", tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".jpg"])
def test_cut_off_pictures_are_found(tmp_path: Path, suffix: str) -> None:
    path = save_picture(tmp_path / f"a{suffix}")
    assert picture_problem(path) is None
    path.write_bytes(path.read_bytes()[:-100])
    assert "cut off" in str(picture_problem(path))
    path.write_bytes(b"not a picture at all")
    assert "cannot be read" in str(picture_problem(path))
    path.write_bytes(b"")
    assert "empty" in str(picture_problem(path))


def test_hub_files_are_checked_by_hash(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"hello\n")
    assert hash_problem(path, sha256=None, blob_id="ce013625030ba8dba906f756967f9e9ca394464a") is None
    assert hash_problem(path, sha256=hashlib.sha256(b"hello\n").hexdigest(), blob_id=None) is None
    assert "lists 000" in str(hash_problem(path, sha256="0" * 64, blob_id=None))


def test_download_removes_what_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from invariant_lpips.datasets import raid

    good = types.SimpleNamespace(
        rfilename="responses.csv", blob_id="ce013625030ba8dba906f756967f9e9ca394464a", lfs=None
    )
    bad = types.SimpleNamespace(rfilename="imagenes_bd/a.png", blob_id="x", lfs={"sha256": "0" * 64})
    other = types.SimpleNamespace(rfilename="README.md", blob_id="y", lfs=None)

    class Api:
        def dataset_info(self, repository: str, **options: object) -> object:
            assert repository == "paudauo/Affine_Transformation_Database"
            return types.SimpleNamespace(sha="abc", siblings=[good, bad, other])

    def snapshot(repository: str, *, revision: str, local_dir: Path, **options: object) -> None:
        assert revision == "abc"
        (local_dir / "imagenes_bd").mkdir(parents=True)
        (local_dir / "responses.csv").write_bytes(b"hello\n")
        (local_dir / "imagenes_bd" / "a.png").write_bytes(b"broken")

    fake = types.SimpleNamespace(HfApi=Api, snapshot_download=snapshot)
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match=r"a\.png has hash"):
        raid.download(tmp_path / "raid")
    assert not (tmp_path / "raid" / "imagenes_bd" / "a.png").exists()
    assert (tmp_path / "raid" / "responses.csv").exists()
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match="pip install huggingface_hub"):
        raid.download(tmp_path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"dist_img,ref_img\n", "has no column dmos"),
        (b"dist_img,ref_img,dmos\n\xff\xfe,a,1\n", "is not in UTF-8"),
        (b'dist_img,ref_img,dmos\n"' + b"a" * 200_000, "is not a csv file"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_sentence(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "dmos.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=problem):
        load_dataset("kadid10k", tmp_path)


@pytest.mark.parametrize("name", ["csiq", "csv_pairs", "kadid10k", "live", "pipal", "raid"])
def test_a_module_loads_its_own_database(name: str, tmp_path: Path) -> None:
    module = importlib.import_module(f"invariant_lpips.datasets.{name}")
    with pytest.raises(DatasetError, match="nowhere"):
        module.load(tmp_path / "nowhere", verify=False)
