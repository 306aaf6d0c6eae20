"""Heads: what turns a trunk's activations into a distance.

A head sees one tap at a time. It keeps a `summary` of each activation, and gives for two summaries their
`components`: one non-negative number per learned weight. The rest is the same for every head:

    r_l = sum_k strength_k components_k / count        (one number per tap: `retPerLayer`)
    d   = sqrt(sum_l r_l)  for Euclidean heads, with strength = weight^2;   d = sum_l r_l  for `spatial`,
                                                                             with strength = weight.

So a head is linear in its strengths, which is why they can be fitted to people's scores in seconds, and a
Euclidean head has an embedding with d = ||embed(x) - embed(y)||.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from invariant_lpips import functional as ILF
from invariant_lpips.trunks import ARCHITECTURES, Summary
from invariant_lpips.windows import window_count, window_matrix, window_means

POOL_TAPS = ("pool1", "pool2", "pool3", "pool4", "pool5")


class Head(nn.Module):
    """Base of all heads; see the module's docstring for the arithmetic they share."""

    name: ClassVar[str]
    #: d is a Euclidean distance between embeddings.
    euclidean: ClassVar[bool] = True
    #: The embedding's length doesn't depend on the image's size.
    sizeless: ClassVar[bool] = False

    def __init__(self, net: str, taps: Sequence[str]) -> None:
        super().__init__()
        known = ARCHITECTURES[net].taps
        self.taps = tuple(taps)
        self.channels = {tap: known[tap].channels for tap in self.taps}
        sizes = [self.weights_per_channel(tap) * self.channels[tap] for tap in self.taps]
        ends = torch.tensor(sizes).cumsum(0).tolist()
        self._slices = {
            tap: slice(end - size, end) for tap, size, end in zip(self.taps, sizes, ends, strict=True)
        }
        # Frozen: a metric that an optimiser may change is no metric (negative distances, drifting scores).
        weight = torch.ones(sum(sizes), dtype=ILF.at_least_float32(torch.get_default_dtype()))
        self.weight = nn.Parameter(weight, requires_grad=False)

    def weights_per_channel(self, tap: str) -> int:
        """How many learned weights a channel of this tap has."""
        return 1

    def summary(self, tap: str, features: Tensor, size: tuple[int, int]) -> Summary:
        """What is kept of one activation (N, C, h, w) of images of `size`; batch first."""
        raise NotImplementedError

    def components(self, tap: str, sx: Summary, sy: Summary) -> Tensor:
        """(N, K_l) non-negative differences, one per weight of this tap, before weighting."""
        raise NotImplementedError

    def count(self, tap: str, summary: Summary) -> int:
        """How many squared differences this tap adds to the mean."""
        raise NotImplementedError

    def vector(self, tap: str, summary: Summary) -> Tensor:
        """(N, M) with ||vector(x) - vector(y)||^2 = sum_k weight_k^2 components_k; Euclidean heads only."""
        raise NotImplementedError

    def heat(self, tap: str, fx: Tensor, fy: Tensor, size: tuple[int, int]) -> Tensor:
        """(N, 1, H, W) whose mean over the picture is this tap's strength-weighted sum of components."""
        raise NotImplementedError

    def tap_weight(self, tap: str) -> Tensor:
        """The weights of one tap, at least float32."""
        return ILF.full_precision(self.weight[self._slices[tap]])

    def strength(self, tap: str) -> Tensor:
        """What components are multiplied with: weight^2 for Euclidean heads, weight otherwise."""
        weight = self.tap_weight(tap)
        return weight.square() if self.euclidean else weight

    def layer(self, tap: str, sx: Summary, sy: Summary) -> Tensor:
        """(N,) strength-weighted sum of this tap's components."""
        return (self.components(tap, sx, sy) * self.strength(tap)).sum(1)

    def total(self, layers: Sequence[Tensor]) -> Tensor:
        """The distance from the taps' r_l."""
        total = torch.stack(list(layers)).sum(0)
        return ILF.safe_sqrt(total) if self.euclidean else total

    def extra_repr(self) -> str:
        return f"taps={','.join(self.taps)}, weights={self.weight.numel()}"

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Head:
        # `.half()` and its like reach a module here. Weights stay in float32 at least: they are few, enter sums in
        # float32, and the largest (291,308) would be infinite in float16.
        def moved(x: Tensor) -> Tensor:
            result = fn(x)
            wanted = ILF.at_least_float32(result.dtype)
            return result if result.dtype == wanted else x.to(result.device, wanted)

        head: Head = super()._apply(moved, recurse)  # type: ignore[no-untyped-call]
        return head


class GAP(Head):
    """The paper's head: global averages of the pooled blocks (arXiv:2604.27870).

    d = sqrt(mean_c (w_c (g_c(x) - g_c(y)))^2), g_c the mean of channel c over the whole map; 1472 channels.
    """

    name = "gap"
    sizeless = True

    def __init__(self, net: str = "vgg", taps: Sequence[str] | None = None) -> None:
        super().__init__(net, taps or default_taps(net))

    def summary(self, tap: str, features: Tensor, size: tuple[int, int]) -> Summary:
        dtype = torch.float64 if features.dtype == torch.float64 else torch.float32
        return (features.mean((2, 3), dtype=dtype),)

    def components(self, tap: str, sx: Summary, sy: Summary) -> Tensor:
        return (sx[0] - sy[0]).square()

    def count(self, tap: str, summary: Summary) -> int:
        return self.channels[tap]

    def vector(self, tap: str, summary: Summary) -> Tensor:
        return summary[0] * self.tap_weight(tap)

    def heat(self, tap: str, fx: Tensor, fy: Tensor, size: tuple[int, int]) -> Tensor:
        # Exact: with D_c = g_c(x) - g_c(y), D_c^2 is the mean over positions of D_c (fx_c - fy_c).
        difference = ILF.full_precision(fx) - ILF.full_precision(fy)
        slope = difference.mean((2, 3), keepdim=True) * self.strength(tap).view(1, -1, 1, 1)
        return ILF.resize_area((slope * difference).sum(1, keepdim=True), size)


class Spatial(Head):
    """Retrained LPIPS, the paper's baseline: unit-normalised activations compared position by position.

    d = sum_l mean_p sum_c w_c (fx_cp/|fx_p| - fy_cp/|fy_p|)^2 at the pooled taps, eps 1e-6. Not a root, so not
    Euclidean: no embedding.
    """

    name = "spatial"
    euclidean = False
    eps = 1e-6

    def __init__(self, net: str = "vgg", taps: Sequence[str] | None = None) -> None:
        super().__init__(net, taps or default_taps(net))

    def summary(self, tap: str, features: Tensor, size: tuple[int, int]) -> Summary:
        return (ILF.unit_normalize(features, self.eps),)

    def components(self, tap: str, sx: Summary, sy: Summary) -> Tensor:
        return (sx[0] - sy[0]).square().mean((2, 3))

    def count(self, tap: str, summary: Summary) -> int:
        return 0

    def heat(self, tap: str, fx: Tensor, fy: Tensor, size: tuple[int, int]) -> Tensor:
        return ILF.resize_area(ILF.lpips_layer(fx, fy, self.strength(tap), self.eps), size)


class GAPSpatial(Head):
    """The paper's third variant: GAP and the maps themselves, both of maps divided by their spatial norm.

    Every channel map is divided by its L2 norm over positions (+1e-6); d is the root mean square over
    w * GAP of those maps together with v * the maps. The paper's source leaves its per-map weight layer open:
    here one weight per channel for each of the two parts.
    """

    name = "gap-spatial"
    eps = 1e-6

    def __init__(self, net: str = "vgg", taps: Sequence[str] | None = None) -> None:
        super().__init__(net, taps or default_taps(net))

    def weights_per_channel(self, tap: str) -> int:
        return 2

    def summary(self, tap: str, features: Tensor, size: tuple[int, int]) -> Summary:
        features = ILF.full_precision(features)
        length = ILF.nan_for_overflow(ILF.safe_sqrt(features.square().sum((2, 3), keepdim=True)))
        return (features / (length + self.eps),)

    def components(self, tap: str, sx: Summary, sy: Summary) -> Tensor:
        difference = sx[0] - sy[0]
        return torch.cat([difference.mean((2, 3)).square(), difference.square().sum((2, 3))], dim=1)

    def count(self, tap: str, summary: Summary) -> int:
        return self.channels[tap] * (1 + summary[0].shape[-2] * summary[0].shape[-1])

    def vector(self, tap: str, summary: Summary) -> Tensor:
        w, v = self.tap_weight(tap).chunk(2)
        return torch.cat([summary[0].mean((2, 3)) * w, (summary[0] * v.view(1, -1, 1, 1)).flatten(1)], dim=1)

    def heat(self, tap: str, fx: Tensor, fy: Tensor, size: tuple[int, int]) -> Tensor:
        difference = self.summary(tap, fx, size)[0] - self.summary(tap, fy, size)[0]
        w, v = (part.view(1, -1, 1, 1) for part in self.strength(tap).chunk(2))
        positions = difference.shape[-2] * difference.shape[-1]
        means = difference.mean((2, 3), keepdim=True)
        density = w * means * difference + v * difference.square() * positions
        return ILF.resize_area(density.sum(1, keepdim=True), size)


class Regional(Head):
    """Ours: mean and deviation of compressed channels in soft windows of 64 pixels.

    Between one position (LPIPS, which feels every shift) and the whole picture (GAP, which forgives any) lie
    statistics over regions: a small window feels a displacement, a large one forgives it, so the window's size
    says how much motion the metric tolerates. With g = log(1 + f / s_l), and m, sd its mean and deviation
    (sqrt(variance + 1e-4)) in a soft window of :mod:`invariant_lpips.windows`,

    d^2 = mean over statistics and channels of w^2 (mean over windows of (difference of m or sd)^2).

    Taps too coarse for a deviation within a window (pool5) give their mean only: 2432 weights. The embedding
    is the concatenation over windows, so its length depends on the image's size. How the size was chosen, and
    what lost against it: docs/heads.md.
    """

    name = "regional"
    #: Window size in pixels of the input.
    window: ClassVar[int] = 64
    #: s_l: the mean activation of each tap over photographs, so that the logarithm bends where activations are.
    typical: ClassVar[dict[str, float]] = {
        "pool1": 1.0813,
        "pool2": 1.8379,
        "pool3": 2.052,
        "pool4": 0.6896,
        "pool5": 0.2334,
    }
    variance_floor = 1e-4

    def __init__(self, net: str = "vgg", taps: Sequence[str] | None = None) -> None:
        if net != "vgg":
            raise ValueError(f"Head 'regional' is made for net='vgg', but got {net!r}; use head='gap'.")
        strides = {tap: ARCHITECTURES[net].taps[tap].stride for tap in taps or POOL_TAPS}
        self._statistics = {tap: 2 if 4 * stride <= self.window else 1 for tap, stride in strides.items()}
        super().__init__(net, taps or POOL_TAPS)

    def weights_per_channel(self, tap: str) -> int:
        return self._statistics[tap]

    def summary(self, tap: str, features: Tensor, size: tuple[int, int]) -> Summary:
        # One pass for 1 + f / s, and a logarithm whose kernel is ten times as fast as log1p's.
        one = torch.ones((), dtype=features.dtype, device=features.device)
        compressed = torch.add(one, ILF.full_precision(features), alpha=1 / self.typical[tap])
        # Without a graph one map serves for all three: a new one costs as much time as what is written to it.
        graph = compressed.requires_grad
        compressed = compressed.log() if graph else compressed.log_()
        # Never more windows than cells: then each cell is a window.
        height, width = features.shape[-2:]
        rows = window_matrix(height, min(height, window_count(size[0], self.window)), compressed)
        columns = window_matrix(width, min(width, window_count(size[1], self.window)), compressed)
        mean = window_means(compressed, rows, columns)
        if self._statistics[tap] == 1:
            return (mean,)
        squared = compressed.square() if graph else compressed.square_()
        variance = window_means(squared, rows, columns) - mean.square()
        return mean, (variance.clamp_min(0) + self.variance_floor).sqrt()

    def components(self, tap: str, sx: Summary, sy: Summary) -> Tensor:
        return torch.cat([(a - b).square().mean((2, 3)) for a, b in zip(sx, sy, strict=True)], dim=1)

    def count(self, tap: str, summary: Summary) -> int:
        return self._statistics[tap] * self.channels[tap]

    def vector(self, tap: str, summary: Summary) -> Tensor:
        statistics = torch.cat(summary, dim=1)
        windows = statistics.shape[-2] * statistics.shape[-1]
        weighted = (statistics * self.tap_weight(tap).view(1, -1, 1, 1)).flatten(1)
        # Not math.sqrt, which would fix the size in an exported graph.
        mean: Tensor = weighted / windows**0.5
        return mean

    def heat(self, tap: str, fx: Tensor, fy: Tensor, size: tuple[int, int]) -> Tensor:
        # Each window's part is spread over the pixels it covers, in proportion to their weight in it.
        sx, sy = self.summary(tap, fx, size), self.summary(tap, fy, size)
        squared = torch.cat([(a - b).square() for a, b in zip(sx, sy, strict=True)], dim=1)
        windows = (squared * self.strength(tap).view(1, -1, 1, 1)).sum(1, keepdim=True)
        height, width = windows.shape[-2:]
        rows = window_matrix(size[0], height, windows) * (size[0] / height)
        columns = window_matrix(size[1], width, windows) * (size[1] / width)
        spread: Tensor = rows.mT @ windows @ columns
        return spread


def default_taps(net: str) -> tuple[str, ...]:
    """The paper's taps where the trunk has them (pool1 ... pool5 of VGG-16), lpips' otherwise."""
    architecture = ARCHITECTURES[net]
    return POOL_TAPS if POOL_TAPS[0] in architecture.taps else architecture.lpips_taps


HEADS: dict[str, Callable[[str], Head]] = {head.name: head for head in (GAP, Spatial, GAPSpatial, Regional)}

#: The head of InvariantLPIPS(head="default") on each trunk.
DEFAULT_HEAD = {"vgg": "regional", "alex": "gap", "squeeze": "gap"}


def make_head(head: str, net: str) -> Head:
    """A head with unit weights by name.

    Raises:
        ValueError: the head is unknown.
    """
    name = DEFAULT_HEAD[net] if head == "default" else head
    if not isinstance(name, str) or name not in HEADS:
        known = ", ".join(repr(known) for known in ("default", *HEADS))
        raise ValueError(f"Argument `head` must be one of {known}, but got {head!r}.")
    return HEADS[name](net)
