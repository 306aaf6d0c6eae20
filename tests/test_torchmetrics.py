"""The torchmetrics classes and functions: torchmetrics' checks of its own LPIPS, and users' complaints."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

torchmetrics = pytest.importorskip("torchmetrics", reason="pip install 'invariant-lpips[torchmetrics]'")

from invariant_lpips import LPIPS, InvariantLPIPS  # noqa: E402
from invariant_lpips.integrations.torchmetrics import (  # noqa: E402
    InvariantLPIPSMetric,
    LearnedPerceptualImagePatchSimilarity,
    clear_cached_networks,
    invariant_lpips,
    learned_perceptual_image_patch_similarity,
)

ROOT = Path(__file__).resolve().parent.parent


def images(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


X, Y = images(4, 2, 3, 48, 40, seed=1), images(4, 2, 3, 48, 40, seed=2)  # four batches of two


def ours(**kwargs: object) -> InvariantLPIPSMetric:
    return InvariantLPIPSMetric("alex", "gap", weights="unit", **kwargs)  # type: ignore[arg-type]


def stock(**kwargs: object) -> LearnedPerceptualImagePatchSimilarity:
    return LearnedPerceptualImagePatchSimilarity("alex", **kwargs)  # type: ignore[arg-type]


FACTORIES = pytest.mark.parametrize("make", [ours, stock])


def plain(make: object, x: Tensor, y: Tensor) -> Tensor:
    net = InvariantLPIPS("alex", "gap", weights="unit") if make is ours else LPIPS(net="alex", verbose=False)
    distances = net(x.flatten(0, -4), y.flatten(0, -4))
    assert isinstance(distances, Tensor)
    return distances.flatten()


@FACTORIES
@pytest.mark.parametrize("reduction", ["mean", "sum", "none", None])
def test_accumulates_what_the_plain_metric_gives(make, reduction):
    expected = plain(make, X, Y)
    expected = {"mean": expected.mean(), "sum": expected.sum()}.get(reduction, expected)
    updated, forwarded = make(reduction=reduction), make(reduction=reduction)
    for x, y in zip(X, Y, strict=True):
        updated.update(x, y)
        batch = forwarded(x, y)
        assert batch.shape == (() if reduction in ("mean", "sum") else (2,))
    for metric in (updated, forwarded):
        result = metric.compute()
        assert result.dtype == torch.float32
        torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-7)
        metric.reset()
        metric.update(X[0], X[0])
        assert not metric.compute().any()


@FACTORIES
def test_one_image_keeps_its_dimension(make):
    metric = make(reduction="none")
    assert metric(X[0][:1], Y[0][:1]).shape == (1,)
    for again in (metric, pickle.loads(pickle.dumps(metric))):
        assert again.compute().shape == (1,)
        assert again.compute().shape == (1,)  # from torchmetrics' cache


@pytest.mark.parametrize("net_type", ["alex", "vgg"])
@pytest.mark.parametrize("normalize", [False, True])
def test_stock_values_are_torchmetrics_values(net_type, normalize, monkeypatch):
    from torchmetrics.functional.image import lpips as theirs
    from torchvision.models import alexnet, vgg

    features = {"vgg16": lambda: vgg.make_layers(vgg.cfgs["D"]), "alexnet": lambda: alexnet().features}
    monkeypatch.setattr(theirs, "_get_tv_model_features", lambda net, pretrained: features[net]())
    reference = theirs._LPIPS(pretrained=True, net=net_type, pnet_rand=True)
    reference.net.load_state_dict(LPIPS(net=net_type, verbose=False).net.state_dict(), strict=False)
    x, y = images(2, 3, 64, 64, seed=3), images(2, 3, 64, 64, seed=4)
    if normalize:
        x, y = (x + 1) / 2, (y + 1) / 2
    with torch.no_grad():
        expected = reference(x, y, normalize=normalize).mean()
    metric = LearnedPerceptualImagePatchSimilarity(net_type, normalize=normalize)
    torch.testing.assert_close(metric(x, y), expected, rtol=0, atol=1e-4)
    function = learned_perceptual_image_patch_similarity(x, y, net_type, normalize=normalize)
    torch.testing.assert_close(function, expected, rtol=0, atol=1e-4)


def test_signature_and_attributes_are_torchmetrics():
    import inspect

    from torchmetrics.functional.image import learned_perceptual_image_patch_similarity as their_function
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity as Theirs

    for mine, theirs in (
        (LearnedPerceptualImagePatchSimilarity, Theirs),
        (learned_perceptual_image_patch_similarity, their_function),
    ):
        defaults = [
            {name: (p.kind, p.default) for name, p in inspect.signature(call).parameters.items()}
            for call in (mine, theirs)
        ]
        assert defaults[0] == defaults[1]
    for name in (
        "is_differentiable",
        "higher_is_better",
        "full_state_update",
        "plot_lower_bound",
        "plot_upper_bound",
        "feature_network",
    ):
        assert getattr(LearnedPerceptualImagePatchSimilarity, name) == getattr(Theirs, name)


@FACTORIES
def test_constants_and_pyiqa_names(make):
    metric = make()
    assert metric.lower_better is True
    assert metric.metric_mode == "FR"
    low, _ = (float(bound) for bound in metric.score_range.split(","))
    assert low == metric.plot_lower_bound == 0
    assert metric.higher_is_better is False
    with pytest.raises(RuntimeError, match="is_differentiable"):
        metric.is_differentiable = False
    assert hash(metric) != hash(make())
    assert metric.net.describe() in repr(metric)


@FACTORIES
def test_checkpoints_and_optimisers_see_no_network(make):
    parent = nn.Module()
    parent.metric = make()
    parent.train()
    parent.requires_grad_(True)
    parent.metric.update(X[0], Y[0])
    assert not parent.state_dict()
    assert not list(parent.parameters())
    assert not parent.metric.net.training
    assert not any(parameter.requires_grad for parameter in parent.metric.net.parameters())
    # A Lightning checkpoint written with torchmetrics' class holds its network.
    parent.load_state_dict(
        {"metric.net.slice1.0.weight": torch.zeros(1), "metric.net.lin0.model.1.weight": torch.zeros(1)}
    )
    with pytest.raises(RuntimeError, match="Unexpected"):
        parent.load_state_dict({"metric.other": torch.zeros(1)})


def test_states_are_saved_when_asked():
    metric = ours()
    metric.persistent(True)
    metric.update(X[0], Y[0])
    saved = metric.state_dict()
    assert saved.keys() == {"configuration", "sum_scores", "total"}
    resumed = ours()
    resumed.load_state_dict(saved)
    resumed.update(X[1], Y[1])
    metric.update(X[1], Y[1])
    assert torch.equal(resumed.compute(), metric.compute())


@FACTORIES
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_forward_has_a_gradient_and_states_have_no_graph(make, reduction):
    metric = make(reduction=reduction)
    x = X[0].clone().requires_grad_()
    value = metric(x, Y[0])
    assert value.requires_grad
    value.sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    metric.update(x, Y[0])
    kept = [metric._forward_cache]
    for state in metric.metric_state.values():
        kept += state if isinstance(state, list) else [state]
    assert kept
    assert not any(tensor.requires_grad for tensor in kept)
    assert not metric.compute().requires_grad


def test_functional_gradcheck():
    # relu and max pooling have kinks: a seed whose images keep clear of them at this step.
    x, y = images(1, 3, 32, 32, seed=5).double().requires_grad_(), images(1, 3, 32, 32, seed=6)
    for call in (
        lambda a, b: invariant_lpips(a, b, "alex", "gap", weights="unit"),
        lambda a, b: learned_perceptual_image_patch_similarity(a, b),
    ):
        assert call(x, y).dtype == torch.float64
        assert torch.autograd.gradcheck(call, (x, y.double()), eps=1e-7, atol=1e-5, fast_mode=True)


@FACTORIES
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(make, dtype):
    expected = plain(make, X[0], Y[0]).mean()
    half_images, half_network = make(), make()
    half_network.set_dtype(dtype)
    tolerance = 0.02 if dtype == torch.bfloat16 else 0.003
    for metric in (half_images, half_network):
        value = metric(X[0].to(dtype), Y[0].to(dtype))
        assert value.dtype == torch.float32
        assert abs(value - expected) < tolerance * expected
        assert metric.sum_scores.dtype == torch.float64
        assert metric.total.dtype == torch.int64
    assert dtype in {p.dtype for p in half_network.net.parameters()}  # linear weights stay in float32
    metric = make()
    metric.set_dtype(torch.float64)
    assert metric(X[0], Y[0]).dtype == torch.float64


def test_many_small_scores_do_not_get_lost():
    metric = ours(reduction="sum")
    metric.sum_scores += 2**25
    metric.update(X[0], Y[0])
    assert metric.sum_scores - 2**25 == pytest.approx(plain(ours, X[0], Y[0]).sum().item(), rel=1e-5)


@FACTORIES
def test_pickle_copy_and_clone(make):
    metric = make()
    metric.update(X[0], Y[0])
    for other in (pickle.loads(pickle.dumps(metric)), copy.deepcopy(metric), metric.clone()):
        assert other.net is not metric.net
        other.update(X[1], Y[1])
        assert other.compute() != metric.compute()
        torch.testing.assert_close(other.compute(), plain(make, X[:2], Y[:2]).mean(), rtol=1e-5, atol=0)


def test_moves_between_devices():
    metric = ours()
    metric.update(X[0], Y[0])
    metric.to("meta")
    assert metric.sum_scores.device.type == metric.net.scaling_layer.shift.device.type == "meta"
    assert metric.sum_scores.dtype == torch.float64
    if torch.cuda.is_available():
        metric = ours()
        metric.update(X[0], Y[0])
        metric.to("cuda")
        metric.update(X[1].cuda(), Y[1].cuda())
        torch.testing.assert_close(
            metric.compute().cpu(), plain(ours, X[:2], Y[:2]).mean(), rtol=1e-3, atol=0
        )


@pytest.mark.filterwarnings("ignore:.*none below 0")
def test_collection_shares_updates_only_between_equal_metrics():
    collection = torchmetrics.MetricCollection(
        {
            "gap": ours(),
            "gap sum": ours(reduction="sum"),
            "unit range": ours(normalize=True),
            "stock": stock(),
            "psnr": torchmetrics.image.PeakSignalNoiseRatio(data_range=2.0),
        }
    )
    x = X.abs()  # in both ranges
    collection.update(x[0], x[0])  # identical images: every sum is 0
    groups = sorted(sorted(group) for group in collection.compute_groups.values())
    assert groups == [["gap", "gap sum"], ["psnr"], ["stock"], ["unit range"]]
    collection.update(x[1], x[2])
    result = collection.compute()
    torch.testing.assert_close(result["gap"], plain(ours, x[1], x[2]).mean() / 2, rtol=1e-5, atol=0)
    torch.testing.assert_close(result["gap sum"], plain(ours, x[1], x[2]).sum(), rtol=1e-5, atol=0)
    torch.testing.assert_close(result["stock"], plain(stock, x[1], x[2]).mean() / 2, rtol=1e-5, atol=0)


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"Argument `net_type` must be one .*resnet"):
        LearnedPerceptualImagePatchSimilarity(net_type="resnet")
    with pytest.raises(ValueError, match=r"Argument `net_type` must be one .*resnet"):
        invariant_lpips(X[0], Y[0], net_type="resnet")
    with pytest.raises(ValueError, match=r"Argument `head` must be one .*best"):
        InvariantLPIPSMetric(head="best")
    for make in (ours, stock):
        with pytest.raises(ValueError, match=r"Argument `reduction` must be one .*median"):
            make(reduction="median")
        with pytest.raises(ValueError, match="Argument `normalize` must be a bool, but got 1"):
            make(normalize=1)


@pytest.mark.parametrize("named", [{"net_type": "pixels"}, {"net": "pixels"}], ids=["net_type", "net"])
def test_every_trunk_by_either_name(named):
    expected = InvariantLPIPS(net="pixels")(X[0], Y[0]).mean()
    assert InvariantLPIPSMetric(**named)(X[0], Y[0]) == pytest.approx(expected.item(), rel=1e-5)
    assert invariant_lpips(X[0], Y[0], **named) == pytest.approx(expected.item(), rel=1e-5)
    for make in (InvariantLPIPSMetric, lambda **both: invariant_lpips(X[0], Y[0], **both)):
        with pytest.raises(
            ValueError, match="`net_type` and `net` are one argument, but got alex and pixels"
        ):
            make(net_type="alex", net="pixels")


@FACTORIES
@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (images(1, 1, 32, 32), images(1, 3, 32, 32), "`img1` must have 3 channels"),
        (images(1, 3, 32, 32), images(1, 1, 32, 32), "`img2` must have 3 channels"),
        (images(3, 32, 32), images(3, 32, 32), "unsqueeze"),
        (4 * images(1, 3, 32, 32), images(1, 3, 32, 32), "got -3.999 to 3.999"),
        (images(1, 3, 32, 32), 255 * images(1, 3, 32, 32).abs(), "divide 8-bit values"),
        (images(1, 3, 32, 32) * float("nan"), images(1, 3, 32, 32), "NaN"),
        ("a.png", "b.png", "read_image"),
    ],
)
def test_wrong_images(make, x, y, said):
    metric = make()
    with pytest.raises(
        ValueError, match=f"(?s)Expected both input arguments to be normalized tensors .*{said}"
    ):
        metric(x, y)
    with pytest.raises(
        ValueError, match=f"(?s)Expected both input arguments to be normalized tensors .*{said}"
    ):
        metric.update(x, y)


def test_rounding_outside_the_range_passes():
    x = torch.full((1, 3, 32, 32), 1 + 1e-6)
    assert stock(normalize=True)(x, x) == 0


def test_functions_reuse_their_network(monkeypatch):
    built = []
    original = InvariantLPIPS.__init__

    def counting(self, *args, **kwargs):
        built.append(args)
        original(self, *args, **kwargs)

    monkeypatch.setattr(InvariantLPIPS, "__init__", counting)
    clear_cached_networks()
    call = {"net_type": "alex", "head": "gap", "weights": "unit"}
    with torch.inference_mode():
        first = invariant_lpips(X[0], Y[0], **call)
    second = invariant_lpips(X[0].clone().requires_grad_(), Y[0], **call)
    second.backward()  # a network built in inference mode could not
    assert first == second
    assert len(built) == 1
    each = invariant_lpips(X[0], Y[0], **call, reduction="none")
    assert each.shape == (2,)
    assert len(built) == 1
    assert invariant_lpips(X[0].half(), Y[0].half(), **call).dtype == torch.float32
    assert len(built) == 2
    clear_cached_networks()


@FACTORIES
def test_plot(make):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    metric = make()
    values = [metric(x, y) for x, y in zip(X[:2], Y[:2], strict=True)]
    for figure, _ in (metric.plot(), metric.plot(values)):
        matplotlib.pyplot.close(figure)


def test_two_processes(tmp_path):
    """Ranks hold different numbers of images, in one reduction none at all on rank 1."""
    script = tmp_path / "rank.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys, torch, torch.distributed as dist
            from invariant_lpips.integrations.torchmetrics import (
                InvariantLPIPSMetric, LearnedPerceptualImagePatchSimilarity)
            torch.set_num_threads(1)
            rank, store = int(sys.argv[1]), sys.argv[2]
            dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
            x, y = torch.load(store + ".images")
            mine = [[0, 2, 3], [1]][rank]
            def gap(**kwargs):
                return InvariantLPIPSMetric("alex", "gap", weights="unit", **kwargs)
            results = []
            for metric in (gap(), gap(reduction="sum"), gap(reduction="none"),
                           LearnedPerceptualImagePatchSimilarity()):
                for i in mine:
                    metric.update(x[i], y[i])
                results.append(metric.compute())
                own = metric.total if hasattr(metric, "total") else sum(map(len, metric.scores))
                assert own == 2 * len(mine), "unsynced after compute"
            step = gap(dist_sync_on_step=True)
            results.append(step(x[rank], y[rank]))
            for metric in (gap(), gap(reduction="none")):
                if rank == 0:
                    metric.update(x[0], y[0])
                results.append(metric.compute())
            torch.save(results, f"{store}.{rank}")
            dist.destroy_process_group()
            """
        )
    )
    store = tmp_path / "store"
    torch.save((X, Y), f"{store}.images")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", str(script)]
    ranks = [
        subprocess.Popen([*command, str(rank), str(store)], env=environment, cwd=tmp_path) for rank in (0, 1)
    ]
    try:
        assert [rank.wait(timeout=600) for rank in ranks] == [0, 0]
    finally:
        for rank in ranks:
            rank.kill()
    expected, lpips = plain(ours, X, Y), plain(stock, X, Y)
    order = [0, 1, 4, 5, 6, 7, 2, 3]
    for rank in (0, 1):
        mean, total, each, stock_mean, step, half_empty, half_empty_each = torch.load(f"{store}.{rank}")
        torch.testing.assert_close(mean, expected.mean(), rtol=1e-5, atol=0)
        torch.testing.assert_close(total, expected.sum(), rtol=1e-5, atol=0)
        torch.testing.assert_close(each, expected[order], rtol=1e-5, atol=0)
        torch.testing.assert_close(stock_mean, lpips.mean(), rtol=1e-5, atol=0)
        torch.testing.assert_close(step, expected[:4].mean(), rtol=1e-5, atol=0)
        torch.testing.assert_close(half_empty, expected[:2].mean(), rtol=1e-5, atol=0)
        torch.testing.assert_close(half_empty_each, expected[:2], rtol=1e-5, atol=0)


def test_without_torchmetrics_functions_work_and_classes_say_what_to_install(monkeypatch):
    import importlib.util

    from invariant_lpips.integrations import torchmetrics as installed

    monkeypatch.setitem(sys.modules, "torchmetrics", None)
    monkeypatch.setitem(sys.modules, "torchmetrics.metric", None)
    spec = importlib.util.spec_from_file_location("without_torchmetrics", installed.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.invariant_lpips(X[0], X[0], "alex", "gap", weights="unit") == 0
    with pytest.raises(ImportError, match=r"pip install 'invariant-lpips\[torchmetrics\]'"):
        module.InvariantLPIPSMetric("alex", "gap", weights="unit")
