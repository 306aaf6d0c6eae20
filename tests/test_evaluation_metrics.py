"""Metrics by name: each gives one number a pair, agrees with its own package, and fetches nothing."""

from __future__ import annotations

import math
import socket
import sys
from pathlib import Path

import pytest
import torch

from invariant_lpips.evaluation.metrics import METRICS, resolve_metric
from invariant_lpips.evaluation.scorers import EmbeddingScorer

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise RuntimeError("a metric tried to reach the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def pictures(side: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """A smooth reference and two distortions of it, the second the stronger, in [0, 1]."""
    random = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 8, 8, generator=random)
    reference = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")
    noise = torch.randn(2, 3, side, side, generator=random) * torch.tensor([0.02, 0.2]).view(2, 1, 1, 1)
    return reference, (reference + noise).clamp(0, 1)


PACKAGES = {"dists": "DISTS_pytorch", "st-lpips": "stlpips_pytorch", "lpips:": "lpips", "ssim": "skimage"}
PACKAGES |= {"torchmetrics:": "torchmetrics", "piq:": "piq", "flip": "flip_evaluator", "cvvdp": "pycvvdp"}
PACKAGES |= dict.fromkeys(("ssim-rgb", "ms-ssim", "vsi", "fsimc", "haarpsi", "dss", "mdsi", "gmsd"), "piq")
PACKAGES |= {"ssimulacra2": "ssimulacra2"}
SIDES = {"ms-ssim": 176, "ssimulacra2": 225}


@pytest.mark.parametrize("name", [*METRICS, "gap+unit", "gap+unit+polyphase"])
def test_each_metric_ranks_the_stronger_noise_worse(name: str) -> None:
    package = max((start for start in PACKAGES if name.startswith(start)), key=len, default=None)
    if package is not None:
        pytest.importorskip(PACKAGES[package], reason=f"{PACKAGES[package]} is not installed")
    reference, distorted = pictures(SIDES.get(name, 64))
    try:
        scorer = resolve_metric(name)
    except FileNotFoundError as error:  # the SqueezeNet trunk does not come with the package
        pytest.skip(str(error))
    scores = scorer(reference, distorted)
    assert scores.shape == (2,)
    assert bool(scores[0] > scores[1]) is scorer.higher_is_better
    assert scorer.describe()
    same = scorer(reference, reference)
    if not scorer.higher_is_better:
        assert float(same.abs().max()) < 1e-4
    if isinstance(scorer, EmbeddingScorer):
        split = [
            scorer.distance_embedded(scorer.embed(reference), scorer.embed(distorted[k : k + 1]), 1)
            for k in range(2)
        ]
        torch.testing.assert_close(torch.cat(split), scores, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_stock_scorer_equals_the_metric_and_the_lpips_package(net: str) -> None:
    pytest.importorskip("lpips", reason="the lpips package is not installed")
    from invariant_lpips.stock import LPIPS

    reference, distorted = pictures()
    ours = resolve_metric(f"lpips-{net}")(reference, distorted)
    theirs = resolve_metric(f"lpips:{net}")(reference, distorted)
    direct = LPIPS(net=net, verbose=False)(reference.expand_as(distorted), distorted, normalize=True)
    torch.testing.assert_close(ours, direct.flatten(), rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_dists_equals_its_own_forward() -> None:
    pytest.importorskip("DISTS_pytorch", reason="DISTS_pytorch is not installed")
    from DISTS_pytorch import DISTS

    from invariant_lpips.evaluation.peers import fill_trunk, untrained_torchvision

    with untrained_torchvision():
        model = DISTS()
    fill_trunk(model, "vgg16", "stage")
    reference, distorted = pictures()
    expected = model(reference.expand_as(distorted), distorted)
    for name in ("dists", "dists-full"):  # below 256 px nothing is resized
        torch.testing.assert_close(resolve_metric(name)(reference, distorted), expected, rtol=1e-5, atol=1e-6)


def test_torchvision_is_put_back() -> None:
    from torchvision import models

    from invariant_lpips.evaluation.peers import untrained_torchvision

    before = models.vgg16
    with untrained_torchvision():
        assert models.vgg16 is not before
        # Asked for pretrained parameters, it must not go and fetch them: no_network would object.
        assert models.vgg16(pretrained=True).features[0].weight.shape == (64, 3, 3, 3)
    assert models.vgg16 is before


def test_psnr_and_ssim_have_known_values() -> None:
    pytest.importorskip("skimage", reason="scikit-image is not installed")
    x = torch.zeros(1, 3, 32, 32)
    assert resolve_metric("psnr")(x, x + 0.1).item() == pytest.approx(20.0)
    assert resolve_metric("psnr")(x, x).item() == 100.0
    # Constant pictures: SSIM = (2 a b + C1) / (a^2 + b^2 + C1) with luma a, b in 0 .. 255.
    a, b, c1 = round(0.2 * 255 * 0.9999), round(0.4 * 255 * 0.9999), (0.01 * 255) ** 2
    expected = (2 * a * b + c1) / (a * a + b * b + c1)
    assert resolve_metric("ssim")(x + 0.2, x + 0.4).item() == pytest.approx(expected, rel=1e-6)


def test_any_callable_by_module_and_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "my_metrics_for_a_test.py"
    module.write_text(
        "def each(x, y):\n    return (x - y).abs().mean(dim=(1, 2, 3))\n"
        "def mean(x, y):\n    return -(x - y).abs().mean()\n"
        "not_callable = 3\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    reference, distorted = pictures()
    each = resolve_metric("my_metrics_for_a_test:each")
    mean = resolve_metric("my_metrics_for_a_test:mean:higher")
    assert not each.higher_is_better
    assert mean.higher_is_better
    torch.testing.assert_close(mean(reference, distorted), -each(reference, distorted))
    assert "my_metrics_for_a_test:each [" in each.describe()
    with pytest.raises(ValueError, match="needs a callable not_callable"):
        resolve_metric("my_metrics_for_a_test:not_callable")
    with pytest.raises(ValueError, match="module:function or module:function:higher"):
        resolve_metric("my_metrics_for_a_test:each:lower")
    with pytest.raises(ImportError, match="no_such_module_here"):
        resolve_metric("no_such_module_here:f")


def test_unknown_names_list_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"psnr, ssim.*gap.*but got 'lpips-vg'"):
        resolve_metric("lpips-vg")
    with pytest.raises(ValueError, match="holds 'avg'"):
        resolve_metric("gap+avg")
    with pytest.raises(ValueError, match="not there"):
        resolve_metric("gap=/nowhere/w.safetensors")
    monkeypatch.setitem(sys.modules, "piq", None)
    with pytest.raises(ImportError, match=r"pip install 'invariant-lpips\[bench\]'"):
        resolve_metric("ms-ssim")
    monkeypatch.setitem(sys.modules, "pycvvdp", None)
    with pytest.raises(ImportError, match=r"needs cvvdp .*pip install 'invariant-lpips\[cvvdp\]'"):
        resolve_metric("cvvdp")


def test_scores_must_be_one_a_pair() -> None:
    from invariant_lpips.evaluation.scorers import FunctionScorer

    scorer = FunctionScorer("mean", "mean", lambda x, y: (x - y).abs().mean())
    with pytest.raises(ValueError, match="one number for each of 2 pairs"):
        scorer(*pictures())
    assert math.isfinite(FunctionScorer("m", "m", scorer.function, one_by_one=True)(*pictures()).sum())


def test_bfloat16_is_asked_for_by_name_and_is_another_metric_to_the_cache() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand(2, 1, 3, 64, 64, generator=generator)
    full, half = resolve_metric("gap+pixels"), resolve_metric("gap+pixels+bf16")
    assert half.describe() == f"{full.describe()} in bfloat16"
    assert half(x, y).item() == pytest.approx(full(x, y).item(), rel=0.05)
    assert half(x, y).item() != full(x, y).item()
    with pytest.raises(ValueError, match="but holds 'half'"):
        resolve_metric("gap+pixels+half")
