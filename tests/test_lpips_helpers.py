"""lpips' helper functions against lpips 0.1.4 itself, number for number."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import invariant_lpips as il
from invariant_lpips import inputs
from invariant_lpips.lpips_compat import array_distances, arrays, judgements, ranking

lpips = pytest.importorskip("lpips")

RANDOM = np.random.default_rng(0)
PICTURE = RANDOM.integers(0, 256, (16, 20, 3), dtype=np.uint8)
OTHER = RANDOM.integers(0, 256, (16, 20, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "name",
    [
        "im2tensor",
        "tensor2im",
        "load_image",
        "tensor2np",
        "np2tensor",
        "tensor2vec",
        "l2",
        "psnr",
        "dssim",
        "voc_ap",
        "score_2afc_dataset",
        "score_jnd_dataset",
        "BCERankingLoss",
        "Dist2LogitLayer",
        "NetLinLayer",
        "ScalingLayer",
        "normalize_tensor",
        "spatial_average",
        "upsample",
        "LPIPS",
    ],
)
def test_reachable_under_lpips_names(name: str) -> None:
    assert hasattr(lpips, name)
    assert callable(getattr(il, name))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int32])
@pytest.mark.parametrize("arguments", [{}, {"cent": 0.0, "factor": 255.0}])
def test_im2tensor(dtype: Any, arguments: dict[str, float]) -> None:
    ours = arrays.im2tensor(PICTURE.astype(dtype), **arguments)
    theirs = lpips.im2tensor(PICTURE.astype(dtype), **arguments)
    assert ours.dtype == theirs.dtype
    assert torch.equal(ours, theirs)


def test_im2tensor_names_the_shape_it_wants() -> None:
    with pytest.raises(ValueError, match=r"must have shape \(H, W, C\), but got \(16, 20\)"):
        arrays.im2tensor(PICTURE[..., 0])


def test_im2tensor_of_what_is_no_picture_in_0_to_255(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "_already_warned", set())
    unit = (PICTURE / 255).astype(np.float32)
    with pytest.warns(UserWarning, match="got float32 up to 1, which is nearly black"):
        assert torch.equal(arrays.im2tensor(unit), lpips.im2tensor(unit))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        arrays.im2tensor(unit)  # said once
        monkeypatch.setattr(inputs, "_already_warned", set())
        arrays.im2tensor(unit, factor=0.5)
        arrays.im2tensor(np.zeros((4, 4, 3)))
        arrays.im2tensor(np.ones((4, 4, 3), np.uint8))
    for other in (Image.fromarray(PICTURE), PICTURE.tolist(), torch.zeros(4, 4, 3)):
        with pytest.raises(TypeError, match=r"must be an array \(H, W, C\) in \[0, 255\], but got"):
            arrays.im2tensor(other)  # type: ignore[arg-type]


@pytest.mark.parametrize("imtype", [np.uint8, np.int32, np.float32])
def test_tensor2im_truncates_and_wraps_as_lpips(imtype: Any) -> None:
    tensor = torch.linspace(-1.5, 2.5, 2 * 3 * 16 * 20).view(2, 3, 16, 20).half()
    ours, theirs = arrays.tensor2im(tensor, imtype), lpips.tensor2im(tensor, imtype)
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


def test_tensor2im_defaults() -> None:
    tensor = lpips.im2tensor(PICTURE)
    np.testing.assert_array_equal(arrays.tensor2im(tensor), lpips.tensor2im(tensor))
    np.testing.assert_array_equal(
        arrays.tensor2im(tensor, cent=0.5, factor=100), lpips.tensor2im(tensor, cent=0.5, factor=100)
    )
    assert (arrays.tensor2im(tensor) != PICTURE).any(), "lpips' round trip loses levels, and so does this one"


def test_plain_conversions() -> None:
    tensor = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    np.testing.assert_array_equal(arrays.tensor2np(tensor), lpips.tensor2np(tensor))
    np.testing.assert_array_equal(arrays.tensor2vec(tensor), lpips.tensor2vec(tensor))
    array = RANDOM.standard_normal((4, 5, 3))
    assert torch.equal(arrays.np2tensor(array), lpips.np2tensor(array))


def test_conversions_take_tensors_with_a_gradient() -> None:
    tensor = torch.zeros(1, 3, 4, 5, requires_grad=True)
    assert arrays.tensor2np(tensor).shape == (4, 5, 3)
    assert arrays.tensor2vec(tensor).shape == (1, 3)


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
@pytest.mark.parametrize("scale", [255.0, 100.0])
def test_array_distances(dtype: Any, scale: float) -> None:
    a, b = PICTURE.astype(dtype), OTHER.astype(dtype)
    assert array_distances.l2(a, b, range=scale) == lpips.l2(a, b, range=scale)
    assert array_distances.psnr(a, b, peak=scale) == lpips.psnr(a, b, peak=scale)


@pytest.mark.filterwarnings("error")
def test_psnr_of_equal_pictures_is_infinite() -> None:
    assert array_distances.psnr(PICTURE, PICTURE) == np.inf


def test_dssim_is_what_lpips_means() -> None:
    metrics = pytest.importorskip("skimage.metrics")
    # lpips' own call, skimage.measure.compare_ssim(..., multichannel=True), is gone: channel by channel then
    similarity = np.mean(
        [metrics.structural_similarity(PICTURE[..., c], OTHER[..., c], data_range=255.0) for c in range(3)]
    )
    assert array_distances.dssim(PICTURE, OTHER) == pytest.approx((1 - similarity) / 2, rel=1e-12)
    assert array_distances.dssim(PICTURE, PICTURE) == 0


@pytest.mark.parametrize("use_07_metric", [False, True])
def test_voc_ap(use_07_metric: bool) -> None:
    for count in (1, 2, 10, 100):
        recall = np.sort(RANDOM.random(count))
        precision = RANDOM.random(count)
        ours = judgements.voc_ap(recall, precision, use_07_metric)
        assert ours == pytest.approx(lpips.voc_ap(recall, precision, use_07_metric), rel=1e-12)


class Loader:
    """As lpips' own data loaders: batches come from `load_data()`."""

    def __init__(self, batches: list[dict[str, torch.Tensor]]) -> None:
        self.batches = batches

    def load_data(self) -> Iterator[dict[str, torch.Tensor]]:
        return iter(self.batches)


def distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a - b).abs().mean((1, 2, 3))


@pytest.fixture
def loader() -> Loader:
    generator = torch.Generator().manual_seed(0)
    batches = []
    for size in (5, 5, 3):
        batch = {key: torch.rand(size, 3, 4, 4, generator=generator) for key in ("ref", "p0", "p1")}
        batch["p1"][0] = batch["p0"][0]  # a tie
        batch["judge"] = torch.rand(size, 1, 1, 1, generator=generator)
        batch["same"] = torch.randint(0, 4, (size, 1, 1, 1), generator=generator) / 3
        batches.append(batch)
    return Loader(batches)


@pytest.mark.parametrize("name", ["score_2afc_dataset", "score_jnd_dataset"])
def test_judgement_scores(loader: Loader, name: str) -> None:
    score, details = getattr(judgements, name)(loader, distance, name="test")
    their_score, their_details = getattr(lpips, name)(loader, distance, name="test")
    assert score == pytest.approx(their_score, rel=1e-12)
    assert details.keys() == their_details.keys()
    for key in details:
        np.testing.assert_array_equal(details[key], their_details[key])


@pytest.mark.parametrize("name", ["score_2afc_dataset", "score_jnd_dataset"])
def test_judgement_scores_take_any_loader_and_metric(loader: Loader, name: str) -> None:
    score = getattr(judgements, name)
    plain = score(loader, distance)[0]
    assert score(loader.batches, lambda a, b: distance(a, b).view(-1, 1, 1, 1))[0] == plain


def test_ranking_loss_and_its_gradient() -> None:
    torch.manual_seed(0)
    ours, theirs = ranking.BCERankingLoss(chn_mid=8), lpips.BCERankingLoss(chn_mid=8)
    ours.load_state_dict(theirs.state_dict())
    d0, d1 = torch.rand(6, 1, 1, 1), torch.rand(6, 1, 1, 1)
    judge = torch.rand(6, 1, 1, 1) * 2 - 1
    loss, their_loss = ours(d0, d1, judge), theirs(d0, d1, judge)
    assert torch.equal(loss, their_loss)
    assert torch.equal(ours.logit, theirs.logit)
    loss.backward()
    their_loss.backward()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad)


@pytest.mark.parametrize("use_sigmoid", [False, True])
def test_dist2logit(use_sigmoid: bool) -> None:
    ours, theirs = ranking.Dist2LogitLayer(16, use_sigmoid), lpips.Dist2LogitLayer(16, use_sigmoid)
    ours.load_state_dict(theirs.state_dict())
    d0, d1 = torch.rand(2, 1, 3, 4), torch.rand(2, 1, 3, 4)
    assert torch.equal(ours(d0, d1, eps=0.3), theirs(d0, d1, eps=0.3))


def test_load_image_reads_rgb(tmp_path: Path) -> None:
    for suffix in ("png", "bmp", "tif", "ppm"):
        Image.fromarray(PICTURE).save(tmp_path / f"picture.{suffix}")
        loaded = arrays.load_image(str(tmp_path / f"picture.{suffix}"))
        assert loaded.dtype == np.uint8
        np.testing.assert_array_equal(loaded, PICTURE)


@pytest.mark.parametrize("maximum", [1, 15, 100, 1023])
def test_load_image_of_other_maxima(tmp_path: Path, maximum: int) -> None:
    levels = np.arange(maximum + 1)
    body = levels.astype(np.uint8 if maximum < 256 else ">u2").tobytes()
    (tmp_path / "a.pgm").write_bytes(b"P5 %d 1 %d\n" % (maximum + 1, maximum) + body)
    assert np.abs(arrays.load_image(tmp_path / "a.pgm")[0, :, 0] - levels * (255 / maximum)).max() < 1


def test_load_image_of_a_missing_file(tmp_path: Path) -> None:
    for suffix in ("png", "dng"):  # lpips: TypeError: 'NoneType' object is not subscriptable
        with pytest.raises(FileNotFoundError, match="there is no such file"):
            arrays.load_image(tmp_path / f"nowhere.{suffix}")


def test_load_image_is_opencv_s(tmp_path: Path) -> None:
    pytest.importorskip("cv2", reason="lpips.load_image needs opencv-python, which lpips does not declare")
    pictures = {
        "colour.png": Image.fromarray(PICTURE),
        "colour.jpg": Image.fromarray(PICTURE),
        "grey.png": Image.fromarray(PICTURE[..., 0]),
        "deep.png": Image.fromarray(PICTURE[..., 0].astype(np.uint16) * 257),
        "palette.png": Image.fromarray(PICTURE).quantize(8),
        "alpha.png": Image.fromarray(np.concatenate([PICTURE, OTHER[..., :1]], axis=2)),
    }
    for name, picture in pictures.items():
        picture.save(tmp_path / name)
        ours, theirs = arrays.load_image(str(tmp_path / name)), lpips.load_image(str(tmp_path / name))
        np.testing.assert_array_equal(ours, theirs, err_msg=name)
