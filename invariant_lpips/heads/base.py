"""What all heads share: from summaries of activations to a distance, an embedding or a map.

A head sees one tap at a time. It keeps a `summary` of each activation, and gives for two summaries their
`components`: one non-negative number per learned weight. The rest is the same for every head:

    r_l = sum_k strength_k components_k / divisor      (one number per tap: `retPerLayer`)
    d   = sqrt(sum_l r_l)  for Euclidean heads, with strength = weight^2 and divisor = sum_l count_l;
    d   = sum_l r_l        for `spatial`, with strength = weight and divisor = 1.

So a head is linear in its strengths, which is why they can be fitted to people's scores in seconds, and a
Euclidean head has an embedding with d = ||embed(x) - embed(y)||.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from invariant_lpips import functional as ILF
from invariant_lpips.trunks import ARCHITECTURES, Summary
from invariant_lpips.trunks.frozen_weights import Frozen

POOL_TAPS = ("pool1", "pool2", "pool3", "pool4", "pool5")


class Head(Frozen):
    """Base of all heads; see the module's docstring for the arithmetic they share."""

    name: ClassVar[str]
    #: d is a Euclidean distance between embeddings.
    euclidean: ClassVar[bool] = True
    #: The embedding's length doesn't depend on the image's size.
    sizeless: ClassVar[bool] = False
    #: Its trunk reads colour as coarsely as people see it (:mod:`invariant_lpips.trunks.chroma`).
    coarse_colour: ClassVar[bool] = False

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
        raise self._lacks("summary", "distance")

    def masked_summary(self, tap: str, features: Tensor, size: tuple[int, int], weight: Tensor) -> Summary:
        """:meth:`summary` of a part: `weight` (N or 1, 1, h, w) >= 0 of mean 1 says how much each position counts."""
        raise ValueError(
            f"Head {self.name!r} divides by whole maps and takes no mask; use head='regional', 'gap' or 'spatial'."
        )

    def components(self, tap: str, sx: Summary, sy: Summary) -> Tensor:
        """(N, K_l) non-negative differences, one per weight of this tap, before weighting."""
        raise self._lacks("components", "distance")

    def count(self, tap: str, summary: Summary) -> int:
        """How many squared differences this tap adds to the mean."""
        raise self._lacks("count", "distance")

    def vector(self, tap: str, summary: Summary) -> Tensor:
        """(N, M) with ||vector(x) - vector(y)||^2 = sum_k weight_k^2 components_k; Euclidean heads only."""
        raise self._lacks("vector", "embedding")

    def heat(self, tap: str, fx: Tensor, fy: Tensor, size: tuple[int, int]) -> Tensor:
        """(N, 1, H, W) whose mean over the picture is this tap's strength-weighted sum of components."""
        raise self._lacks("heat", "map")

    def sums(self, maps: MapSizes, size: tuple[int, int]) -> Sums:
        """What adds up the parts of maps of these sizes, of a picture of `size` pixels that is read in tiles.

        Raises:
            ValueError: the head's statistics aren't sums over positions.
        """
        raise ValueError(
            f"A picture can't be embedded in tiles with head={self.name!r}, which keeps or divides by whole maps; use "
            "head='gap' (constant memory) or head='regional' (its embedding grows with the picture)."
        )

    def _lacks(self, method: str, gives: str) -> NotImplementedError:
        return NotImplementedError(
            f"Head {self.name!r} has no {gives}: write its method `{method}`, as "
            f"invariant_lpips.heads.Head.{method} describes it."
        )

    def tap_weight(self, tap: str) -> Tensor:
        """The weights of one tap, at least float32."""
        (weight,) = self.held("weight")
        return ILF.full_precision(weight[self._slices[tap]])

    def strength(self, tap: str) -> Tensor:
        """What components are multiplied with: weight^2 for Euclidean heads, weight otherwise."""
        weight = self.tap_weight(tap)
        return weight.square() if self.euclidean else weight

    def layer(self, tap: str, sx: Summary, sy: Summary) -> Tensor:
        """(N,) strength-weighted sum of this tap's components."""
        return (self.components(tap, sx, sy) * self.strength(tap)).sum(1)

    def divisor(self, counts: Iterable[int]) -> int:
        """What the taps' sums are divided by: how many differences a root mean square goes over; 1 for a sum."""
        return sum(counts) if self.euclidean else 1

    def divisor_of(self, summaries: Sequence[Summary]) -> int:
        """The divisor of a whole picture, from what was kept of it."""
        return self.divisor(
            self.count(tap, summary) for tap, summary in zip(self.taps, summaries, strict=True)
        )

    def layers(self, x: Sequence[Summary], y: Sequence[Summary]) -> list[Tensor]:
        """r_l of two pictures, from what was kept of each: one (N,) a tap."""
        divisor = self.divisor_of(x)
        return [self.layer(tap, sx, sy) / divisor for tap, sx, sy in zip(self.taps, x, y, strict=True)]

    def shares(self, x: Sequence[Summary], y: Sequence[Summary]) -> Tensor:
        """(N, K) components of all taps over the divisor: d^2, or d where it is a sum, is `shares @ strengths`."""
        taps = zip(self.taps, x, y, strict=True)
        return torch.cat([self.components(tap, sx, sy) for tap, sx, sy in taps], dim=1) / self.divisor_of(x)

    def total(self, layers: Sequence[Tensor]) -> Tensor:
        """The distance from the taps' r_l."""
        total = torch.stack(list(layers)).sum(0)
        return ILF.safe_sqrt(total) if self.euclidean else total

    def embedding(self, summaries: Sequence[Summary]) -> Tensor:
        """(N, M), whose Euclidean distance is d, from what was kept of a picture; Euclidean heads only."""
        taps = zip(self.taps, summaries, strict=True)
        vector = torch.cat([self.vector(tap, summary) for tap, summary in taps], dim=1)
        # Not math.sqrt, which would fix the size in an exported graph.
        mean: Tensor = vector / self.divisor_of(summaries) ** 0.5
        return mean

    def extra_repr(self) -> str:
        return f"taps={','.join(self.taps)}, weights={self.weight.numel()}"

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Head:
        # `.half()` and its like reach a module here. Weights stay in float32 at least: they are few, enter sums in
        # float32, and the largest (291,308) would be infinite in float16.
        super()._apply(ILF.not_below_float32(fn), recurse)
        return self


class Contrast:
    """Two pictures of one size compared tap by tap, while a trunk runs on them.

    Args:
        head: what compares them.
        size: height and width of the pictures in pixels.
        maps: give maps of where they differ instead of numbers.
        both: with `maps`, give each pair's number before its map, in one row, since what a batch in parts gives is
            joined as one tensor: see :meth:`apart`.
        mask: (N or 1, 1, H, W) in [0, 1], how much each pixel counts; None: all alike.
    """

    def __init__(
        self,
        head: Head,
        size: tuple[int, int],
        *,
        maps: bool = False,
        both: bool = False,
        mask: Tensor | None = None,
    ) -> None:
        self.head, self.size, self.maps, self.both, self.mask = head, size, maps, both, mask
        self._counts: dict[str, int] = {}

    def keep(self, tap: str, features: Tensor) -> Summary:
        """What is kept of an activation until the other picture's is there."""
        if self.maps:
            return (features,)
        if self.mask is None:
            return self.head.summary(tap, features, self.size)
        weight = ILF.resize_area(self.mask, (features.shape[-2], features.shape[-1]))
        return self.head.masked_summary(tap, features, self.size, weight / weight.mean((2, 3), keepdim=True))

    def __call__(self, tap: str, x: Summary, y: Summary) -> Tensor:
        """(N,), (N, 1, H, W) or both in (N, 1 + H W): what this tap adds, not yet divided."""
        head = self.head
        if self.both:
            sx, sy = (head.summary(tap, features, self.size) for (features,) in (x, y))
            self._counts[tap] = head.count(tap, sx)
            number, heat = head.layer(tap, sx, sy), head.heat(tap, x[0], y[0], self.size)
            return torch.cat([number.to(heat.dtype).view(-1, 1), heat.flatten(1)], dim=1)
        if self.maps:
            self._counts[tap] = head.count(tap, head.summary(tap, x[0][:1], self.size))
            return head.heat(tap, x[0], y[0], self.size)
        self._counts[tap] = head.count(tap, x)
        return head.layer(tap, x, y)

    def layers(self, contrasts: Sequence[Tensor]) -> list[Tensor]:
        """r_l, once all taps were compared."""
        divisor = self.head.divisor(self._counts.values())
        return [contrast / divisor for contrast in contrasts]

    def apart(self, layers: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Of what :meth:`layers` gave of both: the numbers, (N,) each, and the maps, (N, 1, H, W) each."""
        return [layer[:, 0] for layer in layers], [layer[:, 1:].view(-1, 1, *self.size) for layer in layers]


#: tap -> (rows, columns) of its map over the whole picture.
MapSizes = Mapping[str, tuple[int, int]]


class Sums(Protocol):
    """Adds up the parts of each tap's map and gives the summary that the whole map would have had."""

    def add(self, tap: str, part: Tensor, top: int, left: int) -> None:
        """Add the positions (1, C, h, w) that begin at row `top` and column `left` of the whole map."""

    def summary(self, tap: str) -> Summary:
        """The summary of all that was added, as the head makes it of a whole map."""


def default_taps(net: str) -> tuple[str, ...]:
    """The paper's taps where the trunk has them (pool1 ... pool5 of VGG-16), lpips' otherwise."""
    architecture = ARCHITECTURES[net]
    return POOL_TAPS if POOL_TAPS[0] in architecture.taps else architecture.lpips_taps
