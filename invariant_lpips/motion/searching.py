"""The search from afar: turns and zooms of a small picture, and for each all shifts at once by correlation.

For every shift the correlation is that of what both pictures show there, divided by the energies of just that
(Padfield, Masked object registration in the Fourier domain, 2012; the bands have no mean to take off).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from invariant_lpips.motion.motion import exponential, similarity_generator, unit
from invariant_lpips.motion.sampling import inside, moved_grid, sampled

__all__ = ["candidates", "repeats"]

#: Short side of the searched picture, in pixels.
SEARCHED = 48
#: Degrees and logarithms of zooms that are tried.
TURNS = tuple(range(-24, 25, 4))
ZOOMS = tuple(math.log(1.22) * step / 3 for step in range(-3, 4))
#: The largest shift, as a share of each side.
SHIFT = 0.17
#: Turned and zoomed pictures to a transform, so that memory stays small.
AT_ONCE = 24


def candidates(x: Tensor, y: Tensor, size: tuple[int, int], model: str, count: int) -> tuple[Tensor, Tensor]:
    """The best `count` motions between bands (N, 1, h, w): (N, count, 2, 3) generators and (N, count) correlations.

    No two lie within the reach of refining of each other; where there are fewer, the last ones have correlation -1.
    """
    turned, zoomed = (TURNS, ZOOMS) if model != "shift" else ((0,), (0.0,))
    turn, zoom = torch.meshgrid(
        torch.deg2rad(torch.tensor(turned, dtype=torch.float64)),
        torch.tensor(zoomed, dtype=torch.float64),
        indexing="ij",
    )
    turn, zoom = turn.flatten(), zoom.flatten()
    still = torch.zeros_like(turn)
    generators = similarity_generator(zoom, turn, still, still)
    level = (x.shape[-2], x.shape[-1])
    reach = tuple(max(1, math.ceil(SHIFT * side)) for side in level)
    surfaces = torch.cat(
        [correlations(x, y, part, size, reach) for part in torch.split(generators, AT_ONCE)], dim=1
    )  # (N, motions, shifts down, shifts across)
    return distinct(surfaces, zoom, turn, reach, level, size, count)


def correlations(
    x: Tensor, y: Tensor, generators: Tensor, size: tuple[int, int], reach: tuple[int, ...]
) -> Tensor:
    """(N, M, 2 reach + 1, 2 reach + 1): x carried by each of M motions against y at every shift within reach."""
    level = (x.shape[-2], x.shape[-1])
    grid = moved_grid(exponential(-generators), level, size, x)
    seen = inside(grid, level).to(x.dtype).squeeze(1)
    moved = torch.stack([sampled(x, one.expand(len(x), -1, -1, -1))[:, 0] for one in torch.split(grid, 1)], 1)
    moved = moved * seen
    padded = [fast_length(side + far) for side, far in zip(level, reach, strict=True)]

    def transformed(maps: Tensor) -> Tensor:
        spectrum: Tensor = torch.fft.rfft2(maps, s=padded)
        return spectrum

    def correlated(first: Tensor, second: Tensor) -> Tensor:
        surface: Tensor = torch.fft.irfft2(first.conj() * second, s=padded)
        for axis, far in ((-2, reach[0]), (-1, reach[1])):
            length = surface.shape[axis]
            surface = torch.cat(
                [surface.narrow(axis, length - far, far), surface.narrow(axis, 0, far + 1)], axis
            )
        return surface

    product = correlated(transformed(moved), transformed(y))
    of_x = correlated(transformed(moved.square()), transformed(torch.ones_like(y)))
    of_y = correlated(transformed(seen), transformed(y.square()))
    # Where next to nothing is left of either, a correlation means nothing.
    floor = 0.1 * torch.minimum(x.square().sum((2, 3), keepdim=True), y.square().sum((2, 3), keepdim=True))
    return product / torch.maximum(of_x, floor + 1e-6).sqrt() / torch.maximum(of_y, floor + 1e-6).sqrt()


def fast_length(length: int) -> int:
    """The next length whose prime factors are 2, 3 and 5.

    Example:
        >>> fast_length(62)
        64
    """
    while True:
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 1


def distinct(
    surfaces: Tensor,
    zoom: Tensor,
    turn: Tensor,
    reach: tuple[int, ...],
    level: tuple[int, int],
    size: tuple[int, int],
    count: int,
) -> tuple[Tensor, Tensor]:
    """The greatest correlations whose motions differ by more than refining covers."""
    best, places = surfaces.flatten(2).topk(min(4, surfaces[0, 0].numel()), dim=2)
    best, places = best.cpu(), places.cpu()
    columns = 2 * reach[1] + 1
    pixel = size[1] / level[1] / unit(size)
    across = (places % columns - reach[1]).double() * pixel
    down = (places // columns - reach[0]).double() * pixel
    best, across, down = best.flatten(1), across.flatten(1), down.flatten(1)
    each = places.shape[2]
    zooms, turns = zoom.repeat_interleave(each), turn.repeat_interleave(each)
    generators, scores = [], []
    rows = torch.arange(len(best))
    for _ in range(count):
        score, place = best.max(1)
        chosen = (zooms[place], turns[place], across[rows, place], down[rows, place])
        generators.append(similarity_generator(*chosen))
        scores.append(score)
        far = (
            torch.maximum((across - chosen[2][:, None]).abs(), (down - chosen[3][:, None]).abs())
            > 3.5 * pixel
        )
        far |= (turns - chosen[1][:, None]).abs() > math.radians(6)
        far |= (zooms - chosen[0][:, None]).abs() > 0.1
        best = torch.where(far, best, -1.0)
    return torch.stack(generators, 1), torch.stack(scores, 1)


def repeats(x: Tensor) -> Tensor:
    """(N,): how like itself a band (N, 1, h, w) is, moved past its own main lobe; 1 for periodic pictures."""
    level = (x.shape[-2], x.shape[-1])
    reach = tuple(max(1, math.ceil(SHIFT * 1.5 * side)) for side in level)
    still = torch.zeros(1, 2, 3, dtype=torch.float64)
    surface = correlations(x, x, still, level, reach)
    # The main lobe falls off before anything that repeats rises again.
    highest = F.max_pool2d(surface, 3, 1, 1)
    down = torch.arange(-reach[0], reach[0] + 1, device=x.device).view(-1, 1)
    across = torch.arange(-reach[1], reach[1] + 1, device=x.device).view(1, -1)
    elsewhere = (down.square() + across.square()) > 4
    peaks = torch.where((surface == highest) & elsewhere, surface, 0.0)
    return peaks.amax((1, 2, 3))
