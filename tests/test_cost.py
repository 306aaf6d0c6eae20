"""benchmarks/cost.py and benchmarks/agreement_cost.py: a metric is timed beside lpips, and drawn by its name alone."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


def test_costs_are_shares_of_lpips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("lpips", reason="the lpips package is not installed")
    monkeypatch.syspath_prepend(BENCHMARKS)
    cost = importlib.import_module("cost")
    monkeypatch.setattr(cost, "BASELINE", "lpips:alex")
    out = tmp_path / "cost.json"
    monkeypatch.setitem(sys.modules, "pycvvdp", None)
    cost.main(["--metrics", "psnr,cvvdp", "--side", "64", "--rounds", "1", "--out", str(out)])
    report = json.loads(out.read_text())
    assert list(report["metrics"]) == ["lpips:alex", "psnr"]
    assert report["metrics"]["lpips:alex"]["share"] == 1
    psnr = report["metrics"]["psnr"]
    assert psnr["share"] == pytest.approx(psnr["rounds"][0] / report["metrics"]["lpips:alex"]["rounds"][0])
    assert "invariant-lpips[cvvdp]" in report["missing"]["cvvdp"]


def test_a_new_row_is_drawn_without_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    monkeypatch.syspath_prepend(BENCHMARKS)
    script = importlib.import_module("agreement_cost")
    monkeypatch.setattr(script, "ROOT", tmp_path)
    close = (("default", 0.87), ("blur", 0.86))  # the bar of the one would strike through the other's label
    monkeypatch.setattr(script, "RESULTS", tmp_path)
    crowd = {f"{name}{left}": srcc - 0.1 * bool(left) for name, srcc in close for left in ("", script.UNSEEN)}
    reports = {
        "tid2013": {"new": 0.9, "new, types left out": 0.8, "untimed": 0.6, **crowd},
        "tid2013_nets": {"net": 0.7},
        "tid2013_peers": {"vsi": 0.75},
        "tid2013_peers_slow": {"vsi": 0.7, "some": 0.5},
    }
    for file, rows in reports.items():
        metrics = {name: {"srcc": srcc} for name, srcc in rows.items()}
        (tmp_path / f"{file}.json").write_text(json.dumps({"metrics": metrics}))
    cost = {
        name: {"share": share}
        for name, share in (("new", 0.02), ("vsi", 0.1), ("some", 0.5), ("default", 0.8), ("blur", 0.9))
    }
    (tmp_path / "cost.json").write_text(json.dumps({"metrics": cost}))
    (tmp_path / "cost_nets.json").write_text(json.dumps({"metrics": {"net": {"share": 0.3}}}))
    (tmp_path / "cost_motion.json").write_text(json.dumps({"metrics": {"new+motion": {"share": 0.04}}}))
    drawn = []
    monkeypatch.setattr(script, "save", lambda figure, *_, **__: drawn.append(figure))
    script.main()
    (axes,) = drawn[0].axes
    dots = {
        (float(line.get_xdata()[0]), float(line.get_ydata()[0])): line.get_markerfacecolor()
        for line in axes.lines
        if line.get_marker() == "o"
    }
    assert set(dots) == {
        (0.02, 0.9),
        (0.04, 0.9),
        (0.1, 0.75),
        (0.3, 0.7),
        (0.5, 0.5),
        (0.8, 0.87),
        (0.9, 0.86),
    }
    assert [dot for dot, face in dots.items() if face == "white"] == [(0.04, 0.9)]  # with motion
    assert sorted(text.get_text() for text in axes.texts) == ["NET", "SOME", "VSI", "blur", "default", "new"]
    drawn[0].canvas.draw()
    bar = axes.transData.transform((0.8, 0.8))[0]
    for text in axes.texts:
        extent = text.get_window_extent()
        assert not extent.x0 < bar < extent.x1, text.get_text()


def test_rows_of_the_figure_of_agreement_are_in_its_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    script = importlib.import_module("agreement")
    agreement, ladder = script.metrics(script.AGREEMENT), script.metrics(script.LADDER)
    for of_tid, of_ladder in script.ROWS.values():
        assert agreement[of_tid]["srcc"]
        assert ladder[of_ladder]["summary"]["ladder_29"]
    recommended, _ = script.ROWS["regional-32, alex, motion"]
    assert agreement[recommended]["srcc"] == max(
        agreement[of_tid]["srcc"] for of_tid, _ in script.ROWS.values()
    )
