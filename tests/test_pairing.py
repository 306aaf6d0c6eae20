"""Which pictures are compared with which: names that belong together, patterns, and tables as people write them."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from invariant_lpips.pictures import by_pattern, from_csv, two_folders
from invariant_lpips.pictures.matching import Pattern, match


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def matched(left: list[str], right: list[str]) -> set[tuple[str, str]]:
    return {(a.as_posix(), b.as_posix()) for a, b in match(map(Path, left), map(Path, right))}


def names(pairing: object) -> list[tuple[str, str]]:
    return [(pair.reference.name, pair.distorted.name) for pair in pairing.pairs]  # type: ignore[attr-defined]


# names ----------------------------------------------------------------------------------------------------


def test_accents_written_in_two_ways_are_one_name(tmp_path: Path) -> None:
    composed, apart = (unicodedata.normalize(form, "café.png") for form in ("NFC", "NFD"))
    assert composed != apart
    pairing = two_folders(touch(tmp_path / "linux", composed), touch(tmp_path / "mac", apart))
    assert names(pairing) == [(composed, apart)]
    table = tmp_path / "pairs.csv"
    table.write_text(f"reference,distorted\nlinux/{apart},mac/{composed}\n", encoding="utf-8")
    [pair] = from_csv(table).pairs
    assert pair.reference.exists()
    assert pair.distorted.exists()


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (["kodim01.png"], ["kodim01.png.jpg"], {("kodim01.png", "kodim01.png.jpg")}),
        (["kodim01.png.jpg"], ["kodim01.webp"], {("kodim01.png.jpg", "kodim01.webp")}),
        (["f1.png", "f10.png"], ["f01.png", "f10.png"], {("f1.png", "f01.png"), ("f10.png", "f10.png")}),
        (["s2/f7.png"], ["s02/f0007.jpg"], {("s2/f7.png", "s02/f0007.jpg")}),
        (["f100.png"], ["f1.png"], set()),
        (["scale1.05.png"], ["scale1.5.png"], set()),
        (["f1.png"], ["f01.png", "f001.png"], set()),  # which one is not clear
        (["a.png", "a.png.jpg"], ["a.png.webp"], {("a.png.jpg", "a.png.webp")}),
        (["v1.2.png"], ["v1.3.png"], set()),  # .2 and .3 are no suffixes of pictures
    ],
)
def test_names_that_belong_together(
    left: list[str], right: list[str], expected: set[tuple[str, str]]
) -> None:
    assert matched(left, right) == expected
    assert matched(right, left) == {(b, a) for a, b in expected}


# patterns -------------------------------------------------------------------------------------------------


def test_patterns_pick_pairs_in_one_folder(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{k}_{what}.png" for k in (1, 2, 10) for what in ("real_A", "real_B", "fake_B")))
    (tmp_path / "2_fake_B.png").unlink()
    pairing = by_pattern([tmp_path], ("{}_real_B", "{}_fake_B"))
    assert names(pairing) == [("1_real_B.png", "1_fake_B.png"), ("10_real_B.png", "10_fake_B.png")]
    assert [path.name for path in pairing.unmatched] == ["2_real_B.png"]
    assert [(item.path.name, item.missed) for item in pairing.skipped] == [
        (f"{k}_real_A.png", False) for k in (1, 2, 10)
    ]


def test_patterns_pick_pairs_in_two_folders(tmp_path: Path) -> None:
    gt, out = touch(tmp_path / "gt", "img_7.png", "sub/img_7.png"), touch(tmp_path / "out", "007x4.jpg")
    assert names(by_pattern([gt, out], ("img_{}", "{}x4"))) == [("img_7.png", "007x4.jpg")]
    assert names(by_pattern([gt, out], ("img_{}.png", "{}x4.jpg"))) == [("img_7.png", "007x4.jpg")]


def test_the_pattern_that_fixes_more_letters_is_meant(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "a_fake.png", "b.png", "b_fake.png")
    expected = [("a.png", "a_fake.png"), ("b.png", "b_fake.png")]
    assert names(by_pattern([tmp_path], ("{}", "{}_fake"))) == expected
    assert names(by_pattern([tmp_path], ("{}_fake", "{}"))) == [(b, a) for a, b in expected]


def test_patterns_and_suffixes(tmp_path: Path) -> None:
    touch(tmp_path, "k.png", "k.png.jpg")
    assert names(by_pattern([tmp_path], ("{}.png", "{}.png.jpg"))) == [("k.png", "k.png.jpg")]
    assert Pattern("{}").common(Path("a/k.png")) == Path("a/k")
    assert Pattern("k{}").common(Path("k.png")) is None, "{} stands for something"


@pytest.mark.parametrize(
    ("patterns", "said"),
    [
        (("real", "fake"), "with {} once"),
        (("{}/{}", "{}"), "with {} once"),
        (("{}_x", "{}_y"), "no two names agree .*: none in the first"),
        (("{}_a", "{}_a"), "fits both patterns"),
        (("{}_a", "{}_b"), "does not tell .*_a.jpg from .*_a.png"),
    ],
)
def test_patterns_that_pick_nothing_clear(tmp_path: Path, patterns: tuple[str, str], said: str) -> None:
    touch(tmp_path, "1_a.png", "1_a.jpg", "1_b.png")
    with pytest.raises(ValueError, match=said):
        by_pattern([tmp_path], patterns)


# tables ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "reference, distorted\na.png, b c.png\n",
        "Reference,Distorted\na.png,b c.png\n",
        " REFERENCE ;distorted ;mos\na.png ; b c.png;1,5\n",
        "reference\tdistorted\r\na.png\tb c.png\r\n",
        'reference, distorted\n"a.png", "b c.png"\n',
    ],
)
def test_tables_as_people_write_them(tmp_path: Path, text: str) -> None:
    table = tmp_path / "pairs.csv"
    table.write_bytes(text.encode())
    [pair] = from_csv(table).pairs
    assert (pair.reference, pair.distorted) == (tmp_path / "a.png", tmp_path / "b c.png")


def test_a_quoted_name_keeps_its_blanks_and_commas(tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text('reference,distorted\n" a;1.png","b, c.png"\n')
    [pair] = from_csv(table).pairs
    assert (pair.reference.name, pair.distorted.name) == (" a;1.png", "b, c.png")


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text("reference,distorted,Distorted\na.png,b.png,c.png\n")
    with pytest.raises(ValueError, match="2 columns are called distorted"):
        from_csv(table)


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="this system names no pipes")
def test_a_table_from_a_pipe_names_pictures_from_here() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"reference,distorted\ngt/a.png,out/a.png\n")
    os.close(writing)
    [pair] = from_csv(Path(f"/dev/fd/{reading}")).pairs
    os.close(reading)
    assert (pair.reference, pair.distorted) == (Path("gt/a.png"), Path("out/a.png"))
