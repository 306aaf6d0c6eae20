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


def default_taps(net: str) -> tuple[str, ...]:
    """The paper's taps where the trunk has them (pool1 ... pool5 of VGG-16), lpips' otherwise."""
    architecture = ARCHITECTURES[net]
    return POOL_TAPS if POOL_TAPS[0] in architecture.taps else architecture.lpips_taps
