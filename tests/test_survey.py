"""`bench all` on small trees of all eight databases: one page, one JSON, resumed, compared, failures kept apart."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from invariant_lpips.cli import main
from invariant_lpips.datasets import raid
from invariant_lpips.datasets.finding import NAMES
from invariant_lpips.evaluation import rated
from invariant_lpips.evaluation.metrics import METRICS
from invariant_lpips.evaluation.peers import PEERS, Peer
from invariant_lpips.evaluation.scorers import FunctionScorer
from invariant_lpips.evaluation.survey import SurveyBench, run
from invariant_lpips.evaluation.survey.charts import cost, intervals, scatter, ticks
from invariant_lpips.evaluation.survey.page import missing
from invariant_lpips.evaluation.survey.published import PUBLISHED, SOURCES, published_value
from tests.rated_trees import TREES, kadid_tree, raid_tree


class Page(HTMLParser):
    """What stands on a page, and whether its elements are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.captions, self.labels, self.loads, self.ids, self.links = 0, 0, [], set(), set()
        self.tables, self.drawings = 0, 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.open += [] if tag in ("meta", "wbr") else [tag]
        self.tables += tag == "table"
        self.captions += tag == "caption"
        self.drawings += tag == "svg"
        self.labels += tag == "svg" and bool(given.get("aria-label")) and given.get("role") == "img"
        self.loads += [tag] if tag in ("script", "link", "img", "iframe") or "src" in given else []
        self.ids |= {given["id"]} if "id" in given else set()
        self.links |= {(given.get("href") or "")[1:]} if (given.get("href") or "").startswith("#") else set()

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """`<circle .../>` closes itself."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def bench(root: Path, out: Path, *options: str, metrics: str = "gap+pixels,psnr") -> int:
    settings = ["--metrics", metrics, "--allow-missing", "--resamples", "20", "--quiet"]
    places = ["--root", str(root), "--out", str(out), "--cache", str(out.parent / "cache")]
    return main(["bench", "all", *places, *settings, *options])


def written(out: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((out / "report.json").read_text())
    return report


def test_all_eight_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, out = tmp_path / "data", tmp_path / "out"
    for name, tree in TREES.items():
        tree(root / "IQA" / name)
    kadid = root / "IQA" / "kadid10k"  # one of them in its archive
    with zipfile.ZipFile(root / "kadid10k.zip", "w") as packed:
        for path in kadid.rglob("*.*"):
            packed.write(path, f"kadid10k/{path.relative_to(kadid).as_posix()}")
    shutil.rmtree(kadid)
    assert bench(root, out) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("metric      kadid10k")
    assert "the page is" in printed.err
    assert "in part: kadid10k: 18 of 10,125 judgements" in printed.out
    report = written(out)
    assert set(report["databases"]) == set(NAMES)
    assert (report["not_found"], report["problems"], report["left_out"]) == ({}, {}, {})
    for name, database in report["databases"].items():
        assert not database["complete"]
        if name != "bapps":
            assert database["metrics"]["psnr"]["srcc"] > 0.8  # the noise grows as the scores say
            assert database["metrics"]["psnr"]["computed"] == database["pairs"]
    assert report["databases"]["bapps"]["metrics"]["psnr"]["2afc"]["mean"] == 0.75
    assert report["databases"]["tid2008"]["learned"] == ["gap+pixels"]
    beside = report["databases"]["kadid10k"]["published"]["psnr"]
    assert (beside["value"], beside["source"], beside["flagged"]) == (0.6757, "piq", True)
    assert report["metrics"]["psnr"]["milliseconds"] < report["metrics"]["gap+pixels"]["milliseconds"]

    text = (out / "report.html").read_text()
    page = Page(text)
    assert page.open == []
    assert page.loads == []  # one file that needs nothing else
    assert page.tables == page.captions > 15
    assert page.drawings == page.labels > 20
    assert page.links == page.ids & page.links
    assert {*NAMES, "glance", "published", "missing", "made"} <= page.ids
    assert "prefers-color-scheme:dark" in text
    assert '<a href="#kadid10k">KADID-10k‡</a>' in text
    assert "‡ 18 of 10,125 judgements of KADID-10k, 27 of 3,000" in text
    parts = dict(zip(NAMES, text.split("<section ")[-len(NAMES) - 2 : -2], strict=True))
    assert "SRCC, published" in parts["kadid10k"]
    assert "published</th>" not in parts["raid"]  # nobody published any of these
    assert "There in part: KADID-10k, TID2013" in text
    mean = f"{sum(d['metrics']['gap+pixels']['srcc'] for n, d in report['databases'].items() if n != 'bapps') / 7:.3f}"
    assert f"<td>{mean}†</td>" in text  # it holds figures that are no test
    assert "No database here is complete" in text
    assert text.count("<td><b>0.750</b></td>") == 2  # of a tie on BAPPS, both lead

    # A second run computes nothing, and is compared with the first.
    assert bench(root, out, "--compare", str(out / "report.json")) == 0
    assert "0 of 32 figures changed" in capsys.readouterr().out
    again = written(out)
    assert all(
        e["computed"] == 0 for d in again["databases"].values() for e in d["metrics"].values() if "srcc" in e
    )
    assert again["databases"]["bapps"]["metrics"] == report["databases"]["bapps"]["metrics"]
    assert "All 32 figures are those of" in (out / "report.html").read_text()


def test_what_fails_costs_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def large_only(reference: Tensor, distorted: Tensor) -> Tensor:
        if distorted.shape[-1] < 100:
            raise ValueError("Pictures must be larger.")
        return (reference - distorted).abs().mean((1, 2, 3))

    build = lambda name, device: FunctionScorer(name, "for large pictures", large_only)  # noqa: E731
    monkeypatch.setitem(PEERS, "large", Peer(build, "nothing"))
    root, out = tmp_path / "data", tmp_path / "out"
    kadid_tree(root / "<kadid>")
    raid_tree(root / "raid")
    (root / "raid" / "responses.csv").write_text("nothing,of,this\n")
    (root / "tid2013.rar").write_bytes(b"Rar!")
    assert bench(root, out, metrics="psnr,large") == 1
    report = written(out)
    assert list(report["databases"]["kadid10k"]["metrics"]) == ["psnr"]
    assert report["databases"]["kadid10k"]["left_out"] == {"large": "Pictures must be larger."}
    assert "has no column distorted" in report["problems"]["raid"]
    assert "tid2013.rar (about 0.9 GB)" in report["not_found"]["tid2013"]
    assert report["remarks"] == [
        f"{root / 'tid2013.rar'} is an archive that is not read here: unpack it, then run again."
    ]
    text = (out / "report.html").read_text()
    assert Page(text).open == []
    assert "<kadid>" not in text  # names of folders are text, not marks
    printed = capsys.readouterr()
    assert "problems: raid: raid under" in printed.out
    assert "left out on kadid10k: large" in printed.out


def test_nothing_but_an_incomplete_copy_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kadid_tree(tmp_path / "data")
    places = ["--root", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    assert main(["bench", "all", *places, "--metrics", "psnr", "--no-cache"]) == 1
    printed, said = capsys.readouterr()
    assert printed.startswith("problems: kadid10k: kadid10k under")  # no table of nothing
    assert "--allow-missing" in printed
    assert "kadid10k could not be run; why is said at the end" in said
    assert (printed + said).count("is not complete") == 1
    assert "1 metric on 0 databases, 0 judgements" in (tmp_path / "out" / "report.html").read_text()


def test_what_cannot_be_meant_is_refused_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(tmp_path / "nowhere", tmp_path / "out") == 2
    assert "is no folder" in capsys.readouterr().err
    (tmp_path / "data").mkdir()
    assert bench(tmp_path / "data", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "No database lies below" in said
    assert "kadid10k.zip" in said
    kadid_tree(tmp_path / "data")
    assert bench(tmp_path / "data", tmp_path / "out", metrics="nothing") == 2
    assert bench(tmp_path / "data", tmp_path / "out", "--databases", "kadid") == 2
    assert "but got kadid" in capsys.readouterr().err
    hollow = {"benchmark": "all", "databases": {"kadid10k": {"metrics": {"psnr": {"srcc": 0.5}}}}}
    (tmp_path / "hollow.json").write_text(json.dumps(hollow))  # seen before the work, not after it
    assert bench(tmp_path / "data", tmp_path / "out", "--compare", str(tmp_path / "hollow.json")) == 2
    assert "must hold each metric's figures and description" in capsys.readouterr().err
    (tmp_path / "other.json").write_text('{"databases": {}}')
    assert bench(tmp_path / "data", tmp_path / "out", "--compare", str(tmp_path / "other.json")) == 2
    assert "must be report.json of `bench all`" in capsys.readouterr().err


def test_a_change_is_shown_with_what_may_explain_it(tmp_path: Path) -> None:
    kadid_tree(tmp_path / "data")
    settings = {"root": tmp_path / "data", "metrics": ("psnr",), "allow_missing": True, "resamples": 0}
    first = run(SurveyBench(out=tmp_path / "first", **settings))
    changed = json.loads((tmp_path / "first" / "report.json").read_text())
    entry = changed["databases"]["kadid10k"]["metrics"]["psnr"]
    entry["srcc"] -= 0.1
    entry["description"] = "another"
    (tmp_path / "earlier.json").write_text(json.dumps(changed))
    report = run(SurveyBench(out=tmp_path / "second", compare=tmp_path / "earlier.json", **settings))
    rows = {row["figure"]: row for row in report["compared"]["changes"]}
    assert rows["SRCC"]["change"] == pytest.approx(0.1)
    assert (rows["SRCC"]["changed"], rows["PLCC"]["changed"]) == (True, False)
    assert rows["SRCC"]["because"] == ["another version or other weights of the metric"]
    assert first["databases"]["kadid10k"]["metrics"]["psnr"]["srcc"] == rows["SRCC"]["now"]
    assert "+0.1000" in (tmp_path / "second" / "report.html").read_text()


def test_download_fetches_what_may_be_fetched_into_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetched(repository: str, root: Path, **options: Any) -> Path:
        assert repository == raid.HUB_REPOSITORY
        raid_tree(root)
        return root

    monkeypatch.setattr(raid, "download_from_hub", fetched)
    assert bench(tmp_path / "data", tmp_path / "out", "--download", metrics="psnr") == 0
    report = written(tmp_path / "out")
    assert list(report["databases"]) == ["raid"]
    assert report["databases"]["raid"]["where"] == str(tmp_path / "data" / "raid")
    assert len(report["not_found"]) == 7


def test_published_values_name_metrics_and_sources_that_there_are() -> None:
    for database, values in PUBLISHED.items():
        assert database in NAMES
        for metric, value in values.items():
            assert metric in METRICS
            assert value.source in SOURCES
            assert 0 < value.value < 1
    assert published_value("raid", "psnr") is None


def test_an_interrupted_run_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rated, "measure", stopped)
    kadid_tree(tmp_path / "data")
    assert bench(tmp_path / "data", tmp_path / "out", metrics="psnr") == 130
    said = f"interrupted; scores are kept in {tmp_path / 'cache'}, and the same command goes on from there"
    assert said in capsys.readouterr().err


def test_what_was_missing_is_of_this_run() -> None:
    nothing: dict[str, Any] = {"not_found": {}, "problems": {}, "left_out": {}, "remarks": []}
    whole = {"complete": True, "left_out": {}}
    assert (
        "Nothing: every database and every metric asked for"
        in missing({**nothing, "databases": {"csiq": whole}})[0]
    )
    part = {"complete": False, "left_out": {"large": "Pictures must be <larger>."}}
    found = "".join(missing({**nothing, "databases": {"csiq": part}}))
    assert "Nothing" not in found
    assert "large on CSIQ: Pictures must be &lt;larger&gt;." in found
    assert "There in part: CSIQ." in found


def test_a_metric_has_one_colour_in_all_drawings() -> None:
    drawn = cost("t", {"psnr": (1.0, 0.6)}, x_label="ms", y_label="SRCC", colours={"gap": "s0", "psnr": "s1"})
    assert 'class="mark s1"' in drawn


def test_names_in_the_drawing_of_cost_do_not_overlap() -> None:
    names = [f"metric-{k}" for k in range(9)]
    crowd = {name: (10.0 + 0.1 * k, 0.70 + 0.001 * k) for k, name in enumerate(names)}
    drawn = cost("t", crowd, x_label="ms", y_label="SRCC", colours=dict.fromkeys(names, "s0"))
    places = [
        (float(x), float(y)) for x, y in re.findall(r'<text x="([\d.]+)" y="([\d.]+)"[^>]*>metric-\d', drawn)
    ]
    assert len(places) == len(names)
    for k, (x, y) in enumerate(places):
        assert 0 <= x < 340 - 50
        assert all(abs(y - b) > 11 or abs(x - a) > 6.2 * 8 for a, b in places[:k])


LONG = "gap+pixels=weights/fitted_on_my_own_scores-of-november.safetensors"


@pytest.mark.parametrize(
    "drawing",
    [
        intervals("t", [(LONG, 0.7, (0.6, 0.8), None, "s0"), ("psnr", 0.6, None, 0.5, "s1")], "SRCC"),
        cost(
            "t",
            {LONG: (10.0, 0.7), "psnr": (10.1, 0.7)},
            x_label="",
            y_label="",
            colours={LONG: "", "psnr": ""},
        ),
        scatter("t", [(0, 1), (1, 2)], [(0, 1)], x_label=f"{LONG} (SRCC 0.7)", y_label="", colour="s0"),
    ],
    ids=["intervals", "cost", "scatter"],
)
def test_a_long_name_is_whole_and_within_its_drawing(drawing: str) -> None:
    texts = re.findall(
        r'<text x="([\d.]+)" y="([\d.]+)"(?: text-anchor="(\w+)")?[^>]*>([^<]+)</text>', drawing
    )
    assert LONG in "".join(text for *_, text in texts)
    height = float(re.findall(r'viewBox="0 0 340 (\d+)"', drawing)[0])
    for x, y, anchor, text in texts:
        start = float(x) - {"": 0, "middle": 0.5, "end": 1}[anchor] * 6.7 * len(text)
        assert 0 <= start <= start + 6.7 * len(text) <= 340, text
        assert 0 < float(y) < height


def test_ticks_are_round_and_few() -> None:
    assert ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(-3.0, 47.0) == [0, 10, 20, 30, 40]
    assert ticks(5.0, 5.0) == [5.0]
