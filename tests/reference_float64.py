"""The metrics written a second time, from their formulas, in plain numpy and float64.

Nothing of the package is used but the numbers in its weights files. Convolutions are sums over shifted copies,
norms, means and roots are what their definitions say: slow, and short enough to be checked by reading.

- scaling and LPIPS: Zhang et al. 2018, arXiv:1801.03924, and the published constants of version 0.1;
- GAP and GAP + maps: Alabau-Bosque et al. 2026, arXiv:2604.27870;
- regional: the docstring of `invariant_lpips.heads.Regional`;
- VGG-16, AlexNet: Simonyan & Zisserman 2015 (configuration D), Krizhevsky 2014, as torchvision publishes them;
- blur: Zhang 2019, arXiv:1904.11486; polyphase: Chaman & Dokmanic 2021, arXiv:2011.14214.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from safetensors.numpy import load_file

Array = NDArray[np.float64]
Taps = dict[str, Array]

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
VGG = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")
# AlexNet: (kernel, stride, padding) of a convolution with ReLU, or "M" for a 3x3 maximum at stride 2.
ALEX = ((11, 4, 2), "M", (5, 1, 2), "M", (3, 1, 1), (3, 1, 1), (3, 1, 1))
REGIONAL_SCALES = (1.0813, 1.8379, 2.052, 0.6896, 0.2334)
REGIONAL_STRIDES = (2, 4, 8, 16, 32)


@functools.cache
def parameters(name: str) -> dict[str, Array]:
    """The numbers of a bundled file."""
    return {
        key: value.astype(np.float64) for key, value in load_file(WEIGHTS / f"{name}.safetensors").items()
    }


def scaled(x: Array) -> Array:
    """(C, H, W) in [-1, 1] as the trunk reads it."""
    return (x - np.array(SHIFT)[:, None, None]) / np.array(SCALE)[:, None, None]


def convolved(x: Array, weight: Array, bias: Array, stride: int, pad: int, circular: bool) -> Array:
    """(c, H, W) to (C, h, w): a cross-correlation, zeros or the opposite edge beyond the border; then ReLU."""
    kernel = weight.shape[-1]
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)), mode="wrap" if circular else "constant")
    height, width = ((side - kernel) // stride + 1 for side in x.shape[1:])
    result = np.zeros((weight.shape[0], height, width))
    for i in range(kernel):
        for j in range(kernel):
            shifted = x[:, i : i + stride * height : stride, j : j + stride * width : stride]
            result += np.tensordot(weight[:, :, i, j], shifted, axes=1)
    return np.maximum(result + bias[:, None, None], 0)


def dense_maximum(x: Array, circular: bool) -> Array:
    beyond = np.pad(x, ((0, 0), (0, 1), (0, 1)), mode="wrap" if circular else "edge")
    return sliding_window_view(beyond, (2, 2), axis=(1, 2)).max((-2, -1))


def pooled(x: Array, pooling: str, circular: bool, kernel: int = 2) -> Array:
    """(C, H, W) halved."""
    if pooling == "max":
        return sliding_window_view(x, (kernel, kernel), axis=(1, 2))[:, ::2, ::2].max((-2, -1))
    dense = dense_maximum(x, circular)
    height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    if pooling == "blur":
        padded = np.pad(dense, ((0, 0), (1, 1), (1, 1)), mode="wrap" if circular else "edge")
        binomial = np.outer((1, 2, 1), (1, 2, 1)) / 16
        smooth = (sliding_window_view(padded, (3, 3), axis=(1, 2)) * binomial).sum((-2, -1))
        return smooth[:, :height:2, :width:2]
    rows, columns = (phases_of(length) for length in x.shape[1:])
    phases = [dense[:, row][:, :, column] for row in rows for column in columns]
    return max(phases, key=lambda phase: float((phase**2).sum()))


def phases_of(length: int) -> list[NDArray[np.intp]]:
    """Every second sample of an axis: two phases, or one walk of two rounds where the length is odd."""
    if length % 2:
        return [np.arange(0, 2 * length, 2) % length]
    return [np.arange(start, length, 2) for start in (0, 1)]


def vgg_taps(x: Array, pooling: str = "max", circular: bool = False) -> Taps:
    """relu1_2 ... relu5_3 and pool1 ... pool5 of a scaled (3, H, W) image."""
    held = parameters("vgg16")
    taps: Taps = {}
    index, block, within = 0, 1, 0
    for layer in VGG:
        if layer == "M":
            x = pooled(x, pooling, circular)
            taps[f"pool{block}"] = x
            index, block, within = index + 1, block + 1, 0
        else:
            weight, bias = held[f"features.{index}.weight"], held[f"features.{index}.bias"]
            x = convolved(x, weight, bias, 1, 1, circular)
            within += 1
            taps[f"relu{block}_{within}"] = x
            index += 2
    return taps


def alex_taps(x: Array) -> Taps:
    """relu1 ... relu5 of a scaled (3, H, W) image."""
    held = parameters("alexnet")
    taps: Taps = {}
    index = 0
    for layer in ALEX:
        if layer == "M":
            x = pooled(x, "max", False, kernel=3)
            index += 1
        else:
            _, stride, pad = layer
            weight, bias = held[f"features.{index}.weight"], held[f"features.{index}.bias"]
            x = convolved(x, weight, bias, stride, pad, False)  # type: ignore[arg-type]
            taps[f"relu{len(taps) + 1}"] = x
            index += 2
    return taps


LPIPS_TAPS = {
    "vgg": ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3"),
    "alex": ("relu1", "relu2", "relu3", "relu4", "relu5"),
}
POOLS = ("pool1", "pool2", "pool3", "pool4", "pool5")


def unit(f: Array, eps: float) -> Array:
    return f / (np.sqrt((f**2).sum(0, keepdims=True)) + eps)


def lpips_layers(fx: Taps, fy: Taps, net: str) -> list[float]:
    """What the five layers add to stock LPIPS 0.1, from the taps of two images."""
    held = parameters(f"lpips-{net}-v0.1")
    layers = []
    for k, tap in enumerate(LPIPS_TAPS[net]):
        squared = (unit(fx[tap], 1e-10) - unit(fy[tap], 1e-10)) ** 2
        layers.append(float(np.tensordot(held[f"lin{k}.weight"][0, :, 0, 0], squared, axes=1).mean()))
    return layers


def head_layers(fx: Taps, fy: Taps, size: tuple[int, ...], head: str, weight: Array) -> list[float]:
    """r_1 ... r_5 of a head, from the taps of two images of `size`. d = sqrt(sum r), for `spatial` d = sum r."""
    parts: list[float] = []  # weighted sums of squares, tap by tap
    counts: list[int] = []
    for k, tap in enumerate(POOLS):
        a, b = fx[tap], fy[tap]
        channels = a.shape[0]
        if head == "gap":
            w, weight = weight[:channels], weight[channels:]
            parts.append(float(((w * (a.mean((1, 2)) - b.mean((1, 2)))) ** 2).sum()))
            counts.append(channels)
        elif head == "spatial":
            w, weight = weight[:channels], weight[channels:]
            parts.append(float(np.tensordot(w, (unit(a, 1e-6) - unit(b, 1e-6)) ** 2, axes=1).mean()))
        elif head == "gap-spatial":
            (w, v), weight = np.split(weight[: 2 * channels], 2), weight[2 * channels :]
            a, b = (f / (np.sqrt((f**2).sum((1, 2), keepdims=True)) + 1e-6) for f in (a, b))
            means = (w * (a.mean((1, 2)) - b.mean((1, 2)))) ** 2
            maps = (v[:, None, None] * (a - b)) ** 2
            parts.append(float(means.sum() + maps.sum()))
            counts.append(channels * (1 + a[0].size))
        elif head == "regional":
            statistics = 2 if 4 * REGIONAL_STRIDES[k] <= 64 else 1
            sides: Any = [regional_statistics(f, size, k)[:statistics] for f in (a, b)]
            total = 0.0
            for p, q in zip(*sides, strict=True):
                w, weight = weight[:channels], weight[channels:]
                total += float((w**2 * ((p - q) ** 2).mean((1, 2))).sum())
            parts.append(total)
            counts.append(statistics * channels)
    return [part / sum(counts) for part in parts] if counts else parts


def regional_statistics(f: Array, size: tuple[int, ...], k: int) -> tuple[Array, Array]:
    """Mean and deviation of log(1 + f / s) in soft windows of 64 pixels: two (C, P, Q)."""
    g = np.log(1 + f / REGIONAL_SCALES[k])
    rows, columns = (
        windows(cells, min(cells, max(1, int(2 * pixels / 64 + 0.5))))
        for cells, pixels in zip(f.shape[1:], size, strict=True)
    )
    mean = np.einsum("pi,cij,qj->cpq", rows, g, columns)
    square = np.einsum("pi,cij,qj->cpq", rows, g**2, columns)
    return mean, np.sqrt(np.maximum(square - mean**2, 0) + 1e-4)


def windows(cells: int, count: int) -> Array:
    """`count` triangles over `cells`, centres cells / count apart, feet on the neighbours' centres; rows sum to 1."""
    if count == 1:
        return np.full((1, cells), 1 / cells)
    spacing = cells / count
    table = np.array(
        [
            [max(0.0, 1 - abs(i + 0.5 - (n + 0.5) * spacing) / spacing) for i in range(cells)]
            for n in range(count)
        ]
    )
    return table / table.sum(1, keepdims=True)


def split(metric: str) -> tuple[str, str]:
    """(head, pooling) of HEAD or HEAD-POOLING."""
    pooling = next((name for name in ("blur", "polyphase") if metric.endswith(f"-{name}")), "max")
    return metric.removesuffix(f"-{pooling}"), pooling


def taps_of(x: Array, metric: str) -> Taps:
    """The taps of a (3, H, W) image in [-1, 1] by `lpips-vgg`, `lpips-alex`, HEAD or HEAD-POOLING."""
    if metric == "lpips-alex":
        return alex_taps(scaled(x))
    pooling = split(metric)[1]
    return vgg_taps(scaled(x), pooling, circular=pooling == "polyphase")


def layers(fx: Taps, fy: Taps, size: tuple[int, ...], metric: str) -> list[float]:
    """What each tap adds to d (`lpips-*`, `spatial`) or d^2, with the bundled weights."""
    if metric.startswith("lpips-"):
        return lpips_layers(fx, fy, metric.removeprefix("lpips-"))
    head, pooling = split(metric)
    own = f"vgg16-{head}-{pooling}"  # weights fitted with that pooling, where there are any
    name = own if (WEIGHTS / f"{own}.safetensors").is_file() else f"vgg16-{head}"
    return head_layers(fx, fy, size, head, parameters(name)["weight"])


def distance(x: Array, y: Array, metric: str) -> float:
    """The distance of two (3, H, W) images in [-1, 1]."""
    total = sum(layers(taps_of(x, metric), taps_of(y, metric), x.shape[1:], metric))
    return total if metric.startswith(("lpips-", "spatial")) else float(np.sqrt(total))
