"""Other people's metrics, each built in one place, from its own package, with nothing fetched.

All take two (N, 3, H, W) batches in [0, 1] and give N numbers; whatever range, size or luma a package wants is made
in its builder. Where a package asks torchvision for a pretrained trunk, its own construction runs with an untrained
one and our bundled copy of torchvision's parameters is put in (stored in float16, see the model card of the trunk:
distances move by less than 0.1 %). The packages' formulas are theirs, called as their own examples call them.

To add a peer, write its builder and add its line to :data:`PEERS`: `bench` then knows it by that name. What each does
that one might not expect (ranges, sizes, order of arguments) stands in docs/peer-suites.md.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn

from invariant_lpips.evaluation.scorers import EmbeddingScorer, FunctionScorer, Scorer
from invariant_lpips.registry import load_weights, weights_hash

__all__ = ["PEERS", "Peer", "fill_trunk", "peer", "untrained_torchvision"]

PSNR_CEILING_MSE = 1e-10  # equal pictures count 100 dB in place of infinity, which no correlation takes
SSIMULACRA2_SIDE = 225  # halved five times, rounded up, this is 8 px, below which the package stops


class Peer(NamedTuple):
    """How a metric comes to be.

    Attributes:
        build: from the name it was asked for by and a device to the metric.
        needs: what must be installed, as the error about its absence says it.
        extra: of this package, which installs it.
    """

    build: Callable[[str, str], Scorer]
    needs: str
    extra: str = "bench"


def peer(name: str, device: str = "cpu") -> Scorer:
    """The metric called `name` in :data:`PEERS`, on a device.

    Its `score` may be differentiated where the package's own formula may; calling it takes no gradient.

    Raises:
        ImportError: its package is not installed; the message says what to run.
        KeyError: there is no such peer.

    Example:
        >>> black, grey = torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), 0.5)
        >>> round(peer("psnr")(black, grey).item(), 4)
        6.0206
    """
    found = PEERS[name]
    try:
        return found.build(name, device)
    except ImportError as error:
        raise ImportError(
            f"Metric {name} needs {found.needs} ({error}): run `pip install 'invariant-lpips[{found.extra}]'`."
        ) from error


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
    from skimage.metrics import structural_similarity

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


def piq_measure(
    function: str, words: str, *, higher_is_better: bool = True, **options: Any
) -> Callable[[str, str], Scorer]:
    """A formula of piq on R'G'B' in [0, 1], the distorted picture first: MDSI is not symmetric, and asks for this."""

    def build(name: str, device: str) -> Scorer:
        import piq

        measure = getattr(piq, function)

        def score(reference: Tensor, distorted: Tensor) -> Any:
            return measure(distorted, reference, data_range=1.0, reduction="none", **options)

        description = f"{words} ({version('piq')})"
        return FunctionScorer(name, description, score, higher_is_better=higher_is_better)

    return build


def ssimulacra2(name: str, device: str) -> Scorer:
    """SSIMULACRA 2 from the ssimulacra2 package, which reads files: pictures go to it as 8-bit sRGB, in memory.

    Below 225 px it has fewer than six scales and puts the weights of one scale on another (below 8 px it gives any
    pair 100, "lossless"), so smaller pictures are refused. Not symmetric: the reference is its first picture.
    """
    from ssimulacra2 import compute_ssimulacra2

    def score(reference: Tensor, distorted: Tensor) -> Tensor:
        if min(distorted.shape[-2:]) < SSIMULACRA2_SIDE:
            raise ValueError(
                f"Metric {name} needs pictures of at least {SSIMULACRA2_SIDE} px a side for its six scales, but got "
                f"{distorted.shape[-1]}x{distorted.shape[-2]}."
            )
        values = [
            compute_ssimulacra2(as_file(x), as_file(y)) for x, y in zip(reference, distorted, strict=True)
        ]
        return torch.tensor(values, dtype=torch.float64)

    return FunctionScorer(name, f"SSIMULACRA 2 ({version('ssimulacra2')})", score, higher_is_better=True)


def as_file(picture: Tensor) -> io.BytesIO:
    """A (3, H, W) picture in [0, 1] as a file in memory: 8 bits, uncompressed."""
    levels = (picture * 255).round().clamp(0, 255).to("cpu", torch.uint8)
    file = io.BytesIO()
    Image.fromarray(levels.permute(1, 2, 0).numpy()).save(file, "BMP")
    file.seek(0)
    return file


def flip(name: str, device: str) -> Scorer:
    """Mean of the map of LDR-FLIP (Andersson et al. 2020) at 67 pixels per degree, its package's default."""
    import flip_evaluator

    def score(reference: Tensor, distorted: Tensor) -> Tensor:
        values = [
            flip_evaluator.evaluate(rows_of(x), rows_of(y), "LDR", applyMagma=False)[1]
            for x, y in zip(reference, distorted, strict=True)
        ]
        return torch.tensor(values, dtype=torch.float64)

    return FunctionScorer(name, f"LDR-FLIP, 67 pixels per degree ({version('flip-evaluator')})", score)


def rows_of(picture: Tensor) -> Any:
    """A (3, H, W) picture as an array (H, W, 3)."""
    return picture.permute(1, 2, 0).contiguous().cpu().numpy()


def cvvdp(display: str) -> Callable[[str, str], Scorer]:
    """ColorVideoVDP (Mantiuk et al. 2024) in JOD, 10 for equal pictures, on one of its displays, which it names.

    Not symmetric; its call takes the distorted picture first.
    """

    def build(name: str, device: str) -> Scorer:
        import pycvvdp

        model = pycvvdp.cvvdp(display_name=display, device=torch.device(device))

        def score(reference: Tensor, distorted: Tensor) -> Any:
            return model.predict(distorted, reference, dim_order="BCHW")[0]

        seen = model.get_info_string().strip('"')
        return FunctionScorer(
            name, f"{seen} ({version('cvvdp')})", score, higher_is_better=True, one_by_one=True
        )

    return build


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
    from DISTS_pytorch import DISTS

    with untrained_torchvision():
        model = DISTS()
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


def st_lpips(net: str) -> Callable[[str, str], Scorer]:
    """Shift-tolerant LPIPS of Ghildyal and Liu 2022 (stlpips_pytorch); its wheel holds all its parameters."""

    def build(name: str, device: str) -> Scorer:
        from stlpips_pytorch import stlpips

        with untrained_torchvision():
            model = stlpips.LPIPS(net=net, variant="shift_tolerant", verbose=False)
        # As lpips' own parameters are; its trunk is left trainable.
        model = model.to(device).eval().requires_grad_(False)

        def score(reference: Tensor, distorted: Tensor) -> Any:
            return model(reference, distorted, normalize=True)

        return FunctionScorer(name, f"ST-LPIPS {net} ({version('stlpips_pytorch')})", score)

    return build


def lpips(net: str) -> Callable[[str, str], Scorer]:
    """LPIPS from the lpips package itself, its trunk filled from our registry."""
    trunk = {"vgg": "vgg16", "alex": "alexnet", "squeeze": "squeezenet1_1"}[net]

    def build(name: str, device: str) -> Scorer:
        import lpips

        model = lpips.LPIPS(net=net, pnet_rand=True, verbose=False).to(device).eval()
        fill_trunk(model, trunk, "net.slice")

        def score(reference: Tensor, distorted: Tensor) -> Any:
            return model(reference, distorted, normalize=True)

        return FunctionScorer(name, f"LPIPS {net} ({version('lpips')}, trunk {weights_hash(trunk)})", score)

    return build


def torchmetrics_lpips(name: str, device: str) -> Scorer:
    """LPIPS of torchmetrics: its network alone, as the Metric around it keeps sums and checks its input's range."""
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    with untrained_torchvision():
        model = LearnedPerceptualImagePatchSimilarity(net_type="vgg", normalize=True)
    fill_trunk(model.net, "vgg16", "net.slice")
    network = model.net.to(device).eval()

    def score(reference: Tensor, distorted: Tensor) -> Any:
        return network(reference, distorted, normalize=True)

    description = f"LPIPS vgg ({version('torchmetrics')}, trunk {weights_hash('vgg16')})"
    return FunctionScorer(name, description, score)


def piq_lpips(name: str, device: str) -> Scorer:
    """LPIPS of piq, which takes [0, 1] as it is; the linear weights that it would fetch are ours."""
    import piq

    with untrained_piq():
        model = piq.LPIPS(reduction="none")
    fill_trunk(nn.ModuleDict({"features0": model.model}), "vgg16", "features")
    model = model.to(device).eval()

    def score(reference: Tensor, distorted: Tensor) -> Any:
        return model(reference, distorted)

    description = f"LPIPS vgg ({version('piq')}, trunk {weights_hash('vgg16')})"
    return FunctionScorer(name, description, score)


@contextlib.contextmanager
def untrained_piq() -> Iterator[None]:
    """While this lasts, piq builds its network untrained, and takes the linear weights that we carry."""
    import piq.perceptual

    hub: Any = torch.hub
    linear = load_weights("lpips-vgg-v0.1")
    vgg16, download = piq.perceptual.vgg16, hub.load_state_dict_from_url
    with untrained_torchvision():
        from torchvision import models

        piq.perceptual.vgg16 = models.vgg16
        hub.load_state_dict_from_url = lambda *_, **__: [linear[f"lin{k}.weight"] for k in range(5)]
        try:
            yield
        finally:
            piq.perceptual.vgg16, hub.load_state_dict_from_url = vgg16, download


_ST_LPIPS = "stlpips_pytorch, IPython and torchsummary"

PEERS: dict[str, Peer] = {
    "psnr": Peer(psnr, "nothing"),
    "ssim": Peer(ssim, "scikit-image"),
    "ssim-rgb": Peer(piq_measure("ssim", "SSIM over RGB, downsampled", downsample=True), "piq"),
    "ms-ssim": Peer(piq_measure("multi_scale_ssim", "MS-SSIM over RGB"), "piq"),
    "vsi": Peer(piq_measure("vsi", "VSI"), "piq"),
    "fsimc": Peer(piq_measure("fsim", "FSIMc", chromatic=True), "piq"),
    "haarpsi": Peer(piq_measure("haarpsi", "HaarPSI"), "piq"),
    "dss": Peer(piq_measure("dss", "DSS of luma"), "piq"),
    "mdsi": Peer(piq_measure("mdsi", "MDSI", higher_is_better=False), "piq"),
    "gmsd": Peer(piq_measure("gmsd", "GMSD of luma", higher_is_better=False), "piq"),
    "ssimulacra2": Peer(ssimulacra2, "ssimulacra2", "ssimulacra2"),
    "flip": Peer(flip, "flip-evaluator", "flip"),
    "cvvdp": Peer(cvvdp("standard_4k"), "cvvdp", "cvvdp"),
    "cvvdp-fhd": Peer(cvvdp("standard_fhd"), "cvvdp", "cvvdp"),
    "dists": Peer(dists, "DISTS_pytorch"),
    "dists-full": Peer(dists, "DISTS_pytorch"),
    "st-lpips": Peer(st_lpips("alex"), _ST_LPIPS),
    "st-lpips-alex": Peer(st_lpips("alex"), _ST_LPIPS),
    "st-lpips-vgg": Peer(st_lpips("vgg"), _ST_LPIPS),
    "lpips:vgg": Peer(lpips("vgg"), "lpips"),
    "lpips:alex": Peer(lpips("alex"), "lpips"),
    "lpips:squeeze": Peer(lpips("squeeze"), "lpips"),
    "torchmetrics:vgg": Peer(torchmetrics_lpips, "torchmetrics"),
    "piq:vgg": Peer(piq_lpips, "piq"),
}
"""Name -> how the metric is made."""
