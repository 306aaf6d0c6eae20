"""What moved and what changed: `InvariantLPIPS(motion=...)`, its comparison, its price, its doors."""

from __future__ import annotations

import argparse
import copy
import csv
import io
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from invariant_lpips import Comparison, InvariantLPIPS, write_image
from invariant_lpips.cli import main
from invariant_lpips.cli.metric_options import add_metric_options
from invariant_lpips.integrations import export
from invariant_lpips.motion import MODELS
from invariant_lpips.motion.price import distance_of, visibility, with_motion
from invariant_lpips.pictures.heat_maps import with_arrows
from invariant_lpips.statistics.thresholds import ROTATION, TRANSLATION, ZOOM


@pytest.fixture(scope="module")
def metric() -> InvariantLPIPS:
    return InvariantLPIPS(motion="similarity")


@pytest.fixture(scope="module")
def plain() -> InvariantLPIPS:
    return InvariantLPIPS()


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest) -> tuple[Tensor, Tensor]:
    """A photograph, and what the camera saw after the content moved 6 px left and 4 px up."""
    data = pytest.importorskip("skimage.data")
    big = torch.from_numpy(data.astronaut().copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    return big[..., 100:228, 100:244], big[..., 104:232, 106:250]


def test_what_moved_is_undone_and_priced(metric, plain, pair):
    x, y = pair
    found = metric.compare(x, y)
    assert found.found.tolist() == [True]
    torch.testing.assert_close(
        found.shift[0], torch.tensor([-6.0, -4.0], dtype=torch.float64), atol=0.05, rtol=0
    )
    assert abs(found.rotation.item()) < 0.1
    assert abs(found.zoom.item() - 1) < 2e-3
    moved = math.hypot(6, 4) / (TRANSLATION * 29)
    assert found.motion.item() == pytest.approx(moved, rel=0.03)
    assert found.appearance < 0.1 * plain(x, y).flatten()
    # Half way, each goes 3 and 2 px: whole pixels, so that nothing is left of the motion but its price.
    assert visibility(found.distance, metric.jnd_fit).item() == pytest.approx(moved, rel=0.03)
    assert torch.equal(metric(x, y).flatten(), found.distance)
    torch.testing.assert_close(
        found.matrix[0, :, 2], torch.tensor([-6.0, -4.0], dtype=torch.float64), atol=0.2, rtol=0
    )
    assert "moved 6.0 px to the left and 4.0 px up" in str(found)
    assert found.overlap.item() == pytest.approx((1 - 6 / 144) * (1 - 4 / 128), abs=0.02)
    assert found.jnd() == metric.jnd(found.distance)


def test_the_two_ways_round_agree(metric, pair):
    x, y = pair
    there, back = metric.compare(x, y), metric.compare(y, x)
    torch.testing.assert_close(there.distance, back.distance, rtol=1e-5, atol=0)
    full = [
        torch.cat([c.matrix, torch.tensor([[[0.0, 0, 1]]], dtype=torch.float64)], 1)[0] for c in (there, back)
    ]
    torch.testing.assert_close(full[0] @ full[1], torch.eye(3, dtype=torch.float64), rtol=0, atol=1e-9)


def test_without_motion_the_number_is_the_plain_one(metric, plain, pair):
    x, _ = pair
    noisy = (x + 0.1 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))).clamp(-1, 1)
    unrelated = x.flip(-1).flip(-2)
    for other in (x, noisy, unrelated, -x):
        found = metric.compare(x, other)
        assert not found.found
        assert torch.equal(metric(x, other), plain(x, other))
        assert torch.equal(found.distance, found.appearance)
        assert found.motion == 0
        assert str(found).startswith("no motion found; looks ")


def test_a_batch_decides_pair_by_pair(metric, plain, pair):
    x, y = pair
    batch = metric.compare(torch.cat([x, x, y]), torch.cat([y, x, x]))
    assert batch.found.tolist() == [True, False, True]
    alone = torch.cat([metric.compare(a, b).distance for a, b in ((x, y), (x, x), (y, x))])
    torch.testing.assert_close(batch.distance, alone, rtol=1e-4, atol=1e-6)
    one_against_many = metric(x, torch.cat([y, x]))
    torch.testing.assert_close(one_against_many.flatten(), alone[:2], rtol=1e-4, atol=1e-6)
    assert len(batch[1:]) == 2
    assert [str(one).count("\n") for one in batch] == [0, 0, 0]
    assert torch.equal(batch[-1].distance, batch.distance[2:])


def test_a_notebook_shows_the_sentence(metric, pair):
    x, y = pair
    batch = metric.compare(torch.cat([x, x, x, y, x, x]), torch.cat([y, x, y, x, y, y]))
    assert isinstance(batch, Comparison)
    assert repr(batch[0]) == f"Comparison({batch[0]})"
    sentences = str(batch).splitlines()
    assert repr(batch[:2]) == f"Comparison(2 pairs\n  {sentences[0]}\n  {sentences[1]})"
    assert repr(batch).splitlines() == [
        "Comparison(6 pairs",
        *(f"  {line}" for line in sentences[:5]),
        "  ... and 1 more)",
    ]
    assert repr(batch[:0]) == "Comparison(0 pairs)"


def test_references_keep_what_motion_needs(metric, plain, pair):
    x, y = pair
    assert torch.equal(metric(x, metric.reference(y)), metric(x, y))
    assert torch.equal(metric(metric.reference(x), metric.reference(x)), torch.zeros(1, 1, 1, 1))
    with pytest.raises(ValueError, match="must hold its images where motion is measured"):
        metric(x, plain.reference(y))
    assert plain(x, metric.reference(y)) == plain(x, plain.reference(y))
    with pytest.raises(ValueError, match="same height and width"):
        metric(x, metric.reference(y[..., :100]))


def test_as_a_loss(metric, pair):
    x, y = pair
    for target in (y, metric.reference(y)):
        moving = x.clone().requires_grad_()
        metric(moving, target).sum().backward()
        assert moving.grad.isfinite().all()
        assert moving.grad.abs().sum() > 0
    equal = x.clone().requires_grad_()
    metric(equal, x).sum().backward()
    assert torch.equal(equal.grad, torch.zeros_like(equal))


def test_compiled_it_gives_the_same(metric, pair):
    x, y = pair
    compiled = torch.compile(metric, backend="eager")
    torch.testing.assert_close(compiled(x, y), metric(x, y))
    assert compiled(x, x) == 0


def test_maps_are_of_what_is_left(metric, pair):
    x, y = pair
    damaged = y.clone()
    damaged[..., 40:70, 60:90] = damaged[..., 40:70, 60:90].flip(-1)
    found, maps = metric.compare(x, damaged), metric.maps(x, damaged)
    assert found.found
    torch.testing.assert_close(maps.mean().sqrt(), found.appearance[0], rtol=1e-3, atol=0)
    assert maps[..., 35:75, 50:95].mean() > 5 * maps[..., 90:, :].abs().mean()
    spatial = InvariantLPIPS(motion="similarity", spatial=True)
    assert torch.equal(spatial(x, damaged), maps)


@pytest.mark.parametrize(
    ("model", "kept"), [("shift", (0.0, 1.0)), ("similarity", (-2.0, 1.02)), ("affine", (-2.0, 1.02))]
)
def test_models_measure_what_they_name(model, kept):
    data = pytest.importorskip("skimage.data")
    from invariant_lpips.pictures.moves import turn, zoom

    big = torch.from_numpy(data.astronaut().copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    middle = (..., slice(150, 342), slice(150, 342))
    moved = zoom(turn(big, 2.0), 1.02).clamp(-1, 1) if model != "shift" else big.roll((3, 5), (-2, -1))
    found = InvariantLPIPS(head="gap", motion=model).compare(big[middle], moved[middle])
    assert found.found
    assert found.rotation.item() == pytest.approx(kept[0], abs=0.1)
    assert found.zoom.item() == pytest.approx(kept[1], abs=3e-3)
    if model == "shift":
        torch.testing.assert_close(
            found.shift[0], torch.tensor([5.0, 3.0], dtype=torch.float64), atol=0.05, rtol=0
        )
    else:
        parts = [
            2 / ROTATION,
            math.log(1.02) / math.log(ZOOM),
            found.shift.norm().item() / (TRANSLATION * 29),
        ]
        assert found.motion.item() == pytest.approx(math.hypot(*parts), rel=0.05)


def test_parts_that_are_displaced_are_undone_and_priced(pair):
    data = pytest.importorskip("skimage.data")
    photo = torch.from_numpy(data.astronaut().copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    x = photo[..., 100:292, 100:292]
    lower = torch.cat(
        [photo[..., 100:196, 100:292], photo[..., 196:292, 97:289]], dim=-2
    )  # 3 px to the right
    metric = InvariantLPIPS(motion="local")
    found = metric.compare(x, lower)
    assert found.found
    assert found.field is not None
    assert found.field.shape == (1, 2, 5, 5)
    assert 1 < found.bend.item() < 3
    assert "parts displaced by" in str(found)
    assert found.motion.item() >= found.bend.item() / (TRANSLATION * 29)
    whole = InvariantLPIPS(motion="similarity").compare(x, lower)
    assert found.appearance.item() < 0.7 * whole.appearance.item()
    back = metric.compare(lower, x)
    assert torch.equal(back.field, -found.field)
    torch.testing.assert_close(back.distance, found.distance, rtol=1e-5, atol=0)
    assert metric.compare(x, x).distance.item() == 0
    assert with_arrows(x, found.moved).shape == x.shape


def test_the_command_offers_every_model():
    parser = argparse.ArgumentParser()
    add_metric_options(parser)
    for model in MODELS:
        assert parser.parse_args(["--motion", model]).motion == model


def test_price():
    calibration = {"b": 0.4, "d0": 0.1}
    distances = torch.linspace(0, 1, 101, dtype=torch.float64)
    seen = visibility(distances, calibration)
    assert seen[0] == 0
    assert seen[10] == 1
    assert (seen.diff() > 0).all()
    torch.testing.assert_close(distance_of(seen, calibration), distances)
    torch.testing.assert_close(
        with_motion(distances, torch.zeros_like(distances), calibration), distances, rtol=0, atol=0
    )
    assert (with_motion(distances, torch.ones_like(distances), calibration) > distances).all()
    for start in (0.0, 0.02, 0.1, 0.5):
        d = torch.tensor([start], dtype=torch.float64, requires_grad=True)
        for motion in (0.0, 0.5, 3.0):
            (slope,) = torch.autograd.grad(
                with_motion(d, torch.tensor([motion], dtype=torch.float64), calibration), d
            )
            assert slope.isfinite()
            assert 0 <= slope <= 1.0001


def test_a_metric_with_motion_has_no_embedding(metric, pair):
    x, _ = pair
    for call in (metric.embed, metric.pairwise):
        with pytest.raises(
            ValueError,
            match=rf"so a metric with motion='similarity' has no `{call.__name__}`; call the metric itself on pairs",
        ):
            call(x)
    with pytest.raises(ValueError, match="between two pictures"):
        metric.embed(x, tile=64)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"motion": "flow"},
            "`motion` must be None or one of shift, similarity, affine, local, but got 'flow'",
        ),
        ({"motion": 3}, "`motion` must be None or one of"),
        ({"motion": "shift", "pixels_per_degree": 0}, "`pixels_per_degree` must be a positive number"),
        ({"motion": "shift", "pixels_per_degree": math.nan}, "`pixels_per_degree` must be a positive number"),
        ({"motion": "shift", "pixels_per_degree": "29"}, "`pixels_per_degree` must be a positive number"),
        ({"motion": "shift", "weights": "unit"}, "carry no calibration to just noticeable differences"),
        ({"motion": "shift", "pooling": "polyphase"}, "calibrated to just noticeable differences with"),
    ],
)
def test_what_cannot_be_priced_is_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        InvariantLPIPS(**options)


def test_it_is_part_of_who_a_metric_is(metric, plain, tmp_path):
    assert "motion=similarity at 29 px per degree, invariant-lpips" in metric.describe()
    assert metric.identity.reads_like(plain.identity)
    assert not metric.identity.measures_like(plain.identity)
    other = InvariantLPIPS(motion="shift", pixels_per_degree=71)
    other.save_pretrained(tmp_path)
    back = InvariantLPIPS.from_pretrained(tmp_path)
    assert back.identity == other.identity
    assert (back.motion, back.pixels_per_degree) == ("shift", 71.0)
    assert InvariantLPIPS.from_pretrained(tmp_path, motion=None).identity == plain.identity
    assert copy.deepcopy(other).identity == other.identity


def test_export_says_why_not(metric):
    with pytest.raises(ValueError, match="motion"):
        export.to_program(metric, size=(64, 64))


def test_the_command(pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, y = pair
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    write_image(x, tmp_path / "a" / "1.png")
    write_image(y, tmp_path / "b" / "1.png")
    write_image(x, tmp_path / "a" / "2.png")
    write_image(x, tmp_path / "b" / "2.png")
    options = ["--motion", "similarity", "--quiet"]
    assert (
        main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), *options, "--map", str(tmp_path / "maps")])
        == 0
    )
    moved, still = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert list(moved)[2:] == [
        *(
            "distance",
            "appearance",
            "motion",
            "dx",
            "dy",
            "rotation",
            "zoom",
            "bend",
            "overlap",
            "confidence",
            "error",
        )
    ]
    assert float(moved["dx"]) == pytest.approx(-6, abs=0.05)
    assert float(moved["dy"]) == pytest.approx(-4, abs=0.05)
    assert float(still["distance"]) == float(still["motion"]) == 0
    assert len(list((tmp_path / "maps").glob("*.png"))) == 2
    one = [str(tmp_path / folder / "1.png") for folder in ("a", "b")]
    assert main(["compare", *one, *options, "--pixels-per-degree", "71"]) == 0
    out, err = capsys.readouterr()
    assert 0 < float(out) < float(moved["distance"])
    assert "moved 6.0 px to the left" in err
    assert main(["compare", *one, "--pixels-per-degree", "71"]) == 2
    assert "needs --motion" in capsys.readouterr().err
    assert main(["compare", *one, *options, "--pixels-per-degree", "0"]) == 2
    assert "must be a positive number" in capsys.readouterr().err
    assert main(["compare", *one, "--motion", "shift", "--metric", "lpips"]) == 2
    assert "--motion does not belong to --metric lpips" in capsys.readouterr().err


def test_torchmetrics_and_functions_take_it(metric, pair):
    torchmetrics = pytest.importorskip("invariant_lpips.integrations.torchmetrics")
    from invariant_lpips.integrations.functional import invariant_lpips

    x, y = pair
    expected = metric(x, y).item()
    assert torchmetrics.InvariantLPIPSMetric(motion="similarity")(x, y).item() == pytest.approx(
        expected, rel=1e-5
    )
    assert invariant_lpips(x, y, motion="similarity").item() == pytest.approx(expected, rel=1e-5)
    assert invariant_lpips(x, y, motion="similarity", pixels_per_degree=71).item() < expected


def test_benchmarks_know_it_by_name():
    from invariant_lpips.evaluation.metrics import resolve_metric

    assert "motion=similarity at 29 px per degree" in resolve_metric("default+motion").description
    assert "motion=similarity at 71 px per degree" in resolve_metric("gap+motion71").description
    with pytest.raises(ValueError, match="must read HEAD"):
        resolve_metric("gap+motions")


def test_motion_is_validated_where_it_is_set(metric):
    metric = copy.deepcopy(metric)
    with pytest.raises(
        ValueError,
        match="`motion` must be None or one of shift, similarity, affine, local, but got 'nonsense'",
    ):
        metric.motion = "nonsense"
    with pytest.raises(ValueError, match="`pixels_per_degree` must be a positive number"):
        metric.pixels_per_degree = -1
    assert (metric.motion, metric.pixels_per_degree) == ("similarity", 29.0)
    metric.motion, metric.pixels_per_degree = "shift", 71
    assert "motion=shift at 71 px per degree" in metric.describe()
    metric.motion = None
    assert "motion" not in metric.describe()
    unit = InvariantLPIPS("alex", "gap", weights="unit")
    with pytest.raises(ValueError, match="carry no calibration"):
        unit.motion = "shift"
    assert unit.motion is None


def test_pixels_per_degree_without_a_motion_are_refused(tmp_path):
    from invariant_lpips.integrations import torchmetrics

    for make in (InvariantLPIPS, torchmetrics.InvariantLPIPSMetric):
        with pytest.raises(
            ValueError, match=r"`pixels_per_degree` prices a motion and needs `motion`, but got 37"
        ):
            make(pixels_per_degree=37)
    InvariantLPIPS(motion="shift", pixels_per_degree=71).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="prices a motion and needs `motion`"):
        InvariantLPIPS.from_pretrained(tmp_path, motion=None, pixels_per_degree=37)
    assert InvariantLPIPS.from_pretrained(tmp_path, pixels_per_degree=37).pixels_per_degree == 37
