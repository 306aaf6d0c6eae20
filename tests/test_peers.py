"""Other people's metrics give what their packages give, called on files as their own documentation calls them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from invariant_lpips.evaluation.metrics import resolve_metric
from invariant_lpips.evaluation.peers import PEERS
from invariant_lpips.pictures.images import read_image

WIDTH, HEIGHT = 240, 226


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A picture and a noisy, darker copy of it, as files: what is fair to the reference is not to its copy."""
    folder = tmp_path_factory.mktemp("pair")
    random = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 15, 16, generator=random)
    reference = torch.nn.functional.interpolate(coarse, size=(HEIGHT, WIDTH), mode="bilinear")[0]
    noise = torch.randn(3, HEIGHT, WIDTH, generator=random)
    paths = folder / "reference.png", folder / "distorted.png"
    for path, picture in zip(paths, (reference, 0.9 * reference + 0.05 * noise), strict=True):
        levels = (picture.clamp(0, 1) * 255).round().byte()
        Image.fromarray(levels.permute(1, 2, 0).numpy()).save(path)
    return paths


def pixels(path: Path) -> np.ndarray:
    """A file as uint8 (H, W, 3)."""
    return np.array(Image.open(path))


def scored(name: str, files: tuple[Path, Path], batch: int = 1) -> torch.Tensor:
    """What `bench` says of the pair, or of a batch of it."""
    reference, distorted = ((read_image(path) + 1) / 2 for path in files)
    return resolve_metric(name)(reference, distorted.expand(batch, -1, -1, -1))


PIQ = {"vsi": "vsi", "fsimc": "fsim", "haarpsi": "haarpsi", "dss": "dss", "mdsi": "mdsi", "gmsd": "gmsd"}
PIQ |= {"ssim-rgb": "ssim", "ms-ssim": "multi_scale_ssim"}


@pytest.mark.parametrize("name", PIQ)
def test_measures_of_piq(name: str, files: tuple[Path, Path]) -> None:
    piq = pytest.importorskip("piq", reason="piq is not installed")
    # As its README: pictures as they are read, 0 .. 255, and their range said; the distorted one first.
    y, x = (torch.from_numpy(pixels(path)).permute(2, 0, 1)[None].float() for path in files)
    expected = getattr(piq, PIQ[name])(x, y, data_range=255)
    torch.testing.assert_close(scored(name, files, 2), expected.expand(2), rtol=1e-5, atol=1e-6)
    assert resolve_metric(name).higher_is_better is (name not in ("mdsi", "gmsd"))
    # Its classes for losses fall with quality whatever the measure does: 1 - similarity, or the distance.
    loss = {"fsimc": "FSIM", "haarpsi": "HaarPSI", "ms-ssim": "MultiScaleSSIM"}.get(name, PIQ[name].upper())
    loss_value = getattr(piq, f"{loss}Loss")(data_range=255)(x, y)
    torch.testing.assert_close(loss_value, expected if name in ("mdsi", "gmsd") else 1 - expected)


def test_ssimulacra2(files: tuple[Path, Path]) -> None:
    package = pytest.importorskip("ssimulacra2", reason="ssimulacra2 is not installed")
    reference, distorted = map(str, files)
    expected = package.compute_ssimulacra2(reference, distorted)
    assert scored("ssimulacra2", files, 2).tolist() == pytest.approx([expected] * 2, rel=1e-9)
    assert package.compute_ssimulacra2(distorted, reference) != pytest.approx(expected, abs=0.1)


def test_ssimulacra2_refuses_pictures_without_its_six_scales() -> None:
    package = pytest.importorskip("ssimulacra2", reason="ssimulacra2 is not installed")
    scorer = resolve_metric("ssimulacra2")
    black, white = torch.zeros(1, 3, 300, 7), torch.ones(1, 3, 300, 7)
    with pytest.raises(ValueError, match=r"at least 225 px a side .* got 7x300"):
        scorer(black, white)
    # What it would have said, and that 225 px are the first with six scales.
    from invariant_lpips.evaluation.peers import as_file

    assert package.compute_ssimulacra2(as_file(black[0]), as_file(white[0])) == 100
    from ssimulacra2.ssimulacra2 import downsample

    sides = {224: 224, 225: 225}
    for start in sides:
        for _ in range(5):
            picture = torch.zeros(sides[start], 8, 3).numpy()
            sides[start] = downsample(picture, 2, 2).shape[0]
    assert sides == {224: 7, 225: 8}


def test_flip(files: tuple[Path, Path]) -> None:
    package = pytest.importorskip("flip_evaluator", reason="flip-evaluator is not installed")
    _, expected, parameters = package.evaluate(*map(str, files), "LDR")
    assert scored("flip", files, 2).tolist() == pytest.approx([expected] * 2, rel=1e-5)
    assert parameters["ppd"] == pytest.approx(67, abs=0.1)
    assert not resolve_metric("flip").higher_is_better


@pytest.mark.parametrize(("name", "display"), [("cvvdp", "standard_4k"), ("cvvdp-fhd", "standard_fhd")])
def test_cvvdp(name: str, display: str, files: tuple[Path, Path]) -> None:
    package = pytest.importorskip("pycvvdp", reason="cvvdp is not installed")
    reference, distorted = map(pixels, files)  # its own load_image_as_array fetches a library for reading PNG
    model = package.cvvdp(display_name=display, device=torch.device("cpu"))
    expected, _ = model.predict(distorted, reference, dim_order="HWC")
    torch.testing.assert_close(scored(name, files, 2), expected.expand(2), rtol=1e-5, atol=1e-5)
    turned, _ = model.predict(reference, distorted, dim_order="HWC")
    assert abs(float(turned - expected)) > 1e-3
    assert f"({display})" in resolve_metric(name).describe()


def test_every_peer_says_what_installs_it() -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no tomllib")
    project = Path(__file__).parents[1] / "pyproject.toml"
    extras = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for name, peer in PEERS.items():
        needed = peer.needs.replace(",", " ").replace(" and ", " ").split()
        installed = " ".join(extras[peer.extra])
        assert all(package in installed for package in needed if package != "nothing"), name
