"""Other people's metrics behind the benchmarks' call, each from its own package, with nothing fetched.

Where a package asks torchvision for a pretrained trunk, its own construction runs with an untrained one and
our bundled copy of torchvision's parameters is put in (stored in float16, see the model card of the trunk:
distances move by less than 0.1 %). The packages' formulas are theirs, called as their own examples call them.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from invariant_lpips.evaluation.scorers import EmbeddingScorer, FunctionScorer, Scorer

__all__ = ["dists", "lpips_original", "ms_ssim", "psnr", "ssim", "ssim_rgb", "st_lpips"]

PSNR_CEILING_MSE = 1e-10  # equal pictures count 100 dB in place of infinity, which no correlation takes


def missing(package: str, error: ImportError, metric: str) -> ImportError:
    """The error for a metric whose package (or something it needs) is not installed."""
    return ImportError(
        f"Metric {metric} needs {package} ({error}): run `pip install 'invariant-lpips[bench]'`."
    )


def version(package: str) -> str:
    """Package and version, as descriptions name it."""
    return f"{package} {importlib.metadata.version(package)}"


def psnr(name: str, device: str) -> Scorer:
    """Peak signal-to-noise ratio in dB over all three channels of R'G'B' in [0, 1], at most 100."""

    def score(reference: Tensor, distorted: Tensor) -> Tensor:
        mse = (reference.double() - distorted.double()).square().mean(dim=(1, 2, 3))
        return -10 * torch.log10(mse.clamp_min(PSNR_CEILING_MSE))

    return FunctionScorer(name, "PSNR over RGB, at most 100 dB", score, higher_is_better=True)


def luma(pictures: Tensor) -> Tensor:
    """Luma of BT.601 on 0 .. 255, rounded, as MATLAB's rgb2gray gives it to the original SSIM: (N, H, W)."""
    weights = torch.tensor([0.2989, 0.5870, 0.1140], dtype=torch.float64, device=pictures.device)
    return (torch.einsum("nchw,c->nhw", pictures.double(), weights) * 255).round()


def ssim(name: str, device: str) -> Scorer:
    """SSIM of Wang et al. 2004 on luma at full resolution: 11x11 Gaussian of 1.5, population covariance."""
    try:
        from skimage.metrics import structural_similarity
    except ImportError as error:
        raise missing("scikit-image", error, name) from error

    def score(reference: Tensor, distorted: Tensor) -> Tensor:
        values = [
            structural_similarity(
                x.numpy(),
                y.numpy(),
                data_range=255,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
            for x, y in zip(luma(reference).cpu(), luma(distorted).cpu(), strict=True)
        ]
        return torch.tensor(values, dtype=torch.float64)

    description = f"SSIM of luma, no downsampling ({version('scikit-image')})"
    return FunctionScorer(name, description, score, higher_is_better=True)


def ssim_rgb(name: str, device: str) -> Scorer:
    """SSIM averaged over R, G, B after downsampling to about 256 px (piq's default)."""
    try:
        import piq
    except ImportError as error:
        raise missing("piq", error, name) from error

    def score(reference: Tensor, distorted: Tensor) -> Any:
        return piq.ssim(distorted, reference, data_range=1.0, reduction="none", downsample=True)

    description = f"SSIM over RGB, downsampled ({version('piq')})"
    return FunctionScorer(name, description, score, higher_is_better=True)


def ms_ssim(name: str, device: str) -> Scorer:
    """Multi-scale SSIM over R, G, B; pictures of at least 161 px."""
    try:
        import piq
    except ImportError as error:
        raise missing("piq", error, name) from error

    def score(reference: Tensor, distorted: Tensor) -> Any:
        return piq.multi_scale_ssim(distorted, reference, data_range=1.0, reduction="none")

    return FunctionScorer(name, f"MS-SSIM over RGB ({version('piq')})", score, higher_is_better=True)


@contextlib.contextmanager
def untrained_torchvision() -> Iterator[None]:
    """While this lasts, torchvision's vgg16 and alexnet are built untrained whatever weights are asked for.

    The packages below ask for ``pretrained=True`` in their constructors; every parameter they get this way is
    overwritten afterwards, so nothing of the random start remains.
    """
    from torchvision import models

    originals = {name: getattr(models, name) for name in ("vgg16", "alexnet", "squeezenet1_1")}

    def untrained(original: Any) -> Any:
        return lambda *args, **options: original(weights=None)

    try:
        for name, original in originals.items():
            setattr(models, name, untrained(original))
        yield
    finally:
        for name, original in originals.items():
            setattr(models, name, original)


def fill_trunk(module: nn.Module, trunk: str, parts: str) -> None:
    """Copy our bundled trunk into the network of a peer that keeps torchvision's layer numbers.

    Args:
        module: the peer's network, with parameters such as ``net.slice2.5.weight`` for ``features.5.weight``.
        trunk: name of the trunk in our registry.
        parts: what its groups of layers are called before their number ("net.slice").

    Raises:
        RuntimeError: a parameter of the trunk has no counterpart of the same shape.
    """
    from invariant_lpips.registry import load_weights

    state = load_weights(trunk)
    targets = {
        key.removeprefix(parts).partition(".")[2]: parameter
        for key, parameter in module.named_parameters()
        if key.startswith(parts)
    }
    for key, value in state.items():
        target = targets.pop(key.removeprefix("features."), None)
        if target is None or target.shape != value.shape:
            raise RuntimeError(
                f"The package's network has no parameter for {trunk} {key}; its version is unknown to us."
            )
        with torch.no_grad():
            target.copy_(value)
    if targets:
        raise RuntimeError(f"Trunk {trunk} leaves {sorted(targets)} of the package's network untrained.")


def dists(name: str, device: str) -> Scorer:
    """DISTS of Ding et al. 2020; ``dists`` resizes to 256 px as its paper does, ``dists-full`` does not."""
    try:
        with untrained_torchvision():
            from DISTS_pytorch import DISTS

            model = DISTS()
    except ImportError as error:
        raise missing("DISTS_pytorch", error, name) from error
    fill_trunk(model, "vgg16", "stage")
    model = model.to(device).eval()
    full = name == "dists-full"

    def embed(pictures: Tensor) -> list[Tensor]:
        features: list[Tensor] = model.forward_once(pictures if full else shorter_side_256(pictures))
        return features

    def distance(reference: list[Tensor], distorted: list[Tensor]) -> Tensor:
        # Their forward calls forward_once on both sides; handed features, it must take them as they are.
        model.forward_once = lambda features: features
        try:
            result: Tensor = model(reference, distorted)
        finally:
            del model.forward_once
        return result

    from invariant_lpips.registry import weights_hash

    size = "full resolution" if full else "shorter side 256"
    description = f"DISTS, {size} ({version('DISTS_pytorch')}, trunk {weights_hash('vgg16')})"
    return EmbeddingScorer(name, description, embed, distance)


def shorter_side_256(pictures: Tensor) -> Tensor:
    """(N, 3, H, W) resized so that the shorter side is 256, larger pictures only; antialiased bilinear."""
    height, width = pictures.shape[-2:]
    shorter = min(height, width)
    if shorter <= 256:
        return pictures
    size = (256, int(256 * width / height)) if height == shorter else (int(256 * height / width), 256)
    return nn.functional.interpolate(
        pictures, size=size, mode="bilinear", align_corners=False, antialias=True
    )


def st_lpips(name: str, net: str, device: str) -> Scorer:
    """Shift-tolerant LPIPS of Ghildyal and Liu 2022 (stlpips_pytorch); its wheel holds all its parameters."""
    try:
        from stlpips_pytorch import stlpips

        with untrained_torchvision():
            model = stlpips.LPIPS(net=net, variant="shift_tolerant", verbose=False).to(device).eval()
    except ImportError as error:
        raise missing("stlpips_pytorch, IPython and torchsummary", error, name) from error

    def score(reference: Tensor, distorted: Tensor) -> Any:
        return model(reference, distorted, normalize=True)

    return FunctionScorer(name, f"ST-LPIPS {net} ({version('stlpips_pytorch')})", score)


def lpips_original(name: str, net: str, device: str) -> Scorer:
    """LPIPS from the lpips package itself, its trunk filled from our registry."""
    try:
        import lpips
    except ImportError as error:
        raise missing("lpips", error, name) from error
    from invariant_lpips.registry import weights_hash

    trunk = {"vgg": "vgg16", "alex": "alexnet", "squeeze": "squeezenet1_1"}.get(net)
    if trunk is None:
        raise ValueError(f"Metric {name!r} must end in vgg, alex or squeeze.")
    model = lpips.LPIPS(net=net, pnet_rand=True, verbose=False).to(device).eval()
    fill_trunk(model, trunk, "net.slice")

    def score(reference: Tensor, distorted: Tensor) -> Any:
        return model(reference, distorted, normalize=True)

    return FunctionScorer(name, f"LPIPS {net} ({version('lpips')}, trunk {weights_hash(trunk)})", score)
