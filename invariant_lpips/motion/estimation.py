"""The motion between two pictures: found from afar, refined from coarse to fine, claimed only on good evidence."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, TypeVar

import torch
from torch import Tensor

from invariant_lpips.functional import full_precision, without_autocast
from invariant_lpips.motion.bands import band, luma, reduced
from invariant_lpips.motion.evidence import Evidence, evidence, furthest
from invariant_lpips.motion.motion import Motion, exponential
from invariant_lpips.motion.refining import BASES, half_way_bands, refined, standardised
from invariant_lpips.motion.sampling import inside, moved_grid, pairs_at_once
from invariant_lpips.motion.searching import SEARCHED, candidates, repeats

__all__ = ["estimate_motion"]

#: Short sides in pixels: of the finest level, of those that refining starts from, and where evidence is taken.
FINEST, COARSEST, JUDGED = 512, 96, 256
#: Below this side, in pixels, nothing is claimed: the band that is compared is wider.
SMALLEST = 16
#: Gauss-Newton steps at the coarsest level, at every finer one, and at those finer than `JUDGED`.
FIRST_STEPS, STEPS, LAST_STEPS = 7, 3, 2
#: Motions from the search that are refined.
RIVALS = 4
#: Pictures that match this well where they are, or next to it, are searched no further.
NEAR = 0.8

#: What a claim needs: see `Evidence`. Set on moved pairs of half of TID2013's photographs and of Caltech-101's test
#: half, and on TID2013's types 1 to 8 at two levels (benchmarks/motion.py measures the others).
LEAST_MATCH = 0.35
#: More of it where little speaks for a motion: in pictures with a side of less than SMALL pixels, whose blocks are few
#: pixels each, and for shifts, which any two bright spots may suggest.
LEAST_MATCH_SMALL, SMALL = 0.65, 96
LEAST_TEXTURED = 10
#: Either many blocks and some significance, or some blocks and much significance.
LEAST_BETTER, LEAST_SIGNIFICANCE = (0.75, 0.62), (40.0, 400.0)
LEAST_PIXELS = 0.1
#: Pixels of the level that is judged, or a share of its short side if that is less.
LARGEST_ERROR, LARGEST_SHARE = 0.5, 1 / 64
#: A second motion whose match is this share of the best one's leaves open which of them it was.
RIVAL = 0.92
#: Pictures that are this like themselves elsewhere match in several places.
REPEATED = 0.8


class _Level(NamedTuple):
    """The bands of both pictures at a size."""

    x: Tensor
    y: Tensor

    def of(self, pairs: Tensor) -> _Level:
        return _Level(self.x[pairs], self.y[pairs])

    @property
    def short(self) -> int:
        return min(self.x.shape[-2:])


P = ParamSpec("P")
R = TypeVar("R")


def outside_compiler(function: Callable[P, R]) -> Callable[P, R]:
    """`torch.compiler.disable`, which loads the compiler, as long as torch itself takes, once something is compiled."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        disable: Any = torch.compiler.disable
        chosen: Callable[P, R] = disable(function) if torch.compiler.is_compiling() else function
        return chosen(*args, **kwargs)

    return call


@outside_compiler
@torch.no_grad()
def estimate_motion(x: Tensor, y: Tensor, model: str = "similarity") -> Motion:
    """The motion that carries each picture of x to its partner in y.

    Args:
        x, y: (N, 3, H, W), floating point, in [-1, 1]; float16 and bfloat16 are raised to float32.
        model: `shift`, `similarity` (shift, turn and zoom) or `affine` (shear as well). Shifts to about 15 % of
            each side, turns to 24 degrees and zooms from .82 to 1.22 are found.

    Returns:
        The motions, on the device of x (on the CPU where that has no float64), without gradients. None is claimed
        for equal, flat, unrelated or periodic pictures. `estimate_motion(y, x)` is exactly the inverse.

    Raises:
        ValueError: `model` is unknown, or x and y are not batches of colour pictures of one shape.

    Example:
        >>> scene = torch.nn.functional.interpolate(torch.rand(1, 3, 12, 12), (120, 120), mode="bicubic") * 2 - 1
        >>> motion = estimate_motion(scene[..., 10:106, 10:106], scene[..., 7:103, 14:110])
        >>> motion.shift.round().tolist(), motion.found.item()
        ([[-4.0, 3.0]], True)
    """
    if model not in BASES:
        raise ValueError(f"Argument `model` must be one of {', '.join(BASES)}, but got {model!r}.")
    if x.shape != y.shape or x.dim() != 4 or x.shape[1] != 3:
        raise ValueError(
            "Arguments `x` and `y` must both have shape (N, 3, H, W), but got "
            f"{tuple(x.shape)} and {tuple(y.shape)}."
        )
    size = (x.shape[-2], x.shape[-1])
    motion = Motion.none(len(x), size)
    with without_autocast(x.device.type):
        x, y = full_precision(x), full_precision(y)
        differ, swapped = order(x, y)
        pairs = differ.nonzero().flatten()
        if len(pairs) and min(size) < SMALLEST:
            motion.confidence[pairs.cpu()] = 0.0
        elif len(pairs):
            for some in torch.split(pairs, pairs_at_once(x)):
                grey = luma(x[some]).float(), luma(y[some]).float()
                turned = swapped[some].view(-1, 1, 1, 1)
                first, second = torch.where(turned, grey[1], grey[0]), torch.where(turned, grey[0], grey[1])
                generator, found, confidence, overlap = claims(first, second, size, model)
                there = some.cpu()
                sign = torch.where(swapped[some].cpu(), -1.0, 1.0).double().view(-1, 1, 1)
                motion.generator[there] = generator * sign
                motion.found[there] = found
                motion.confidence[there] = confidence
                motion.overlap[there] = overlap
    return motion if x.device.type == "mps" else motion.to(x.device)


def order(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """(N,) bool each: which pairs differ at all, and which have the greater value first where they first differ."""
    x, y = x.flatten(1), y.flatten(1)
    other = x != y
    place = other.byte().argmax(1, keepdim=True)
    return other.any(1), (x.gather(1, place) > y.gather(1, place)).squeeze(1)


def claims(x: Tensor, y: Tensor, size: tuple[int, int], model: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Generator, found, confidence and overlap for pairs of luma (N, 1, H, W) that differ, on the CPU."""
    levels = pyramid(x, y)
    generator, rivalled = from_afar(levels[0], x, y, size, model)
    for level in levels[1:]:
        steps = STEPS if level.short <= JUDGED else LAST_STEPS
        generator = refined(level.x, level.y, generator, size, model, steps)
    judged = max((level for level in levels if level.short <= JUDGED), key=lambda level: level.short)
    proof = evidence(judged.x, judged.y, generator, size, model)
    found = speaks(proof, generator, size, model) & ~rivalled
    if found.any():
        moved = found.nonzero().flatten()
        found[moved] = repeats(judged.x[moved.to(x.device)]).cpu() < REPEATED
    generator = torch.where(found.view(-1, 1, 1), generator, 0.0)
    confidence = proof.match
    if not found.all():
        still = (~found).nonzero().flatten()
        in_place = judged.of(still.to(x.device))
        confidence[still] = evidence(in_place.x, in_place.y, generator[still], size, model).match
    confidence = confidence.clamp(0, 1)
    overlap = torch.where(found, shared(generator, size), 1.0)
    return generator, found, confidence, overlap


def shared(generator: Tensor, size: tuple[int, int]) -> Tensor:
    """(N,) float64: the share of the picture that both show, half way, on a grid of 64 x 64 places."""
    level = (64, 64)
    like = torch.zeros((), dtype=torch.float64)
    seen = torch.ones(len(generator), 1, *level, dtype=torch.bool)
    for share in (-0.5, 0.5):
        seen &= inside(moved_grid(exponential(generator * share), level, size, like), level, margin=0)
    return seen.double().mean((1, 2, 3))


def pyramid(x: Tensor, y: Tensor) -> list[_Level]:
    """The bands of both pictures, from coarse to fine."""
    levels: list[_Level] = []
    short = min(*x.shape[-2:], FINEST)
    while True:
        x, y = reduced(x, short), reduced(y, short)
        levels.append(_Level(band(x), band(y)))
        if short < COARSEST:
            return levels[::-1]
        short = round(short / 2)


def from_afar(
    coarsest: _Level, x: Tensor, y: Tensor, size: tuple[int, int], model: str
) -> tuple[Tensor, Tensor]:
    """The best motion at the coarsest level, and whether another one is about as good: (N, 2, 3) and (N,)."""
    first = "similarity" if model == "affine" else model
    still = torch.zeros(len(x), 1, 2, 3, dtype=torch.float64)
    generators, scores = ranked(coarsest, still, size, first)
    rivalled = torch.zeros(len(x), dtype=torch.bool)
    far = (scores[:, 0] < NEAR).nonzero().flatten()
    best = generators[:, 0]
    if len(far):
        there = far.to(x.device)
        small = [band(reduced(picture[there], SEARCHED)) for picture in (x, y)]
        starts, _ = candidates(small[0], small[1], size, first, RIVALS)
        more, more_scores = ranked(coarsest.of(there), starts, size, first)
        all_generators = torch.cat([generators[far], more], 1)
        all_scores = torch.cat([scores[far], more_scores], 1)
        top, place = all_scores.max(1)
        chosen = all_generators[torch.arange(len(far)), place]
        best[far] = chosen
        apart = furthest(all_generators - chosen.unsqueeze(1), size) > 4 * min(size) / coarsest.short
        rivalled[far] = (apart & (all_scores > RIVAL * top.unsqueeze(1))).any(1)
    return best, rivalled


def ranked(level: _Level, starts: Tensor, size: tuple[int, int], model: str) -> tuple[Tensor, Tensor]:
    """Starts (N, K, 2, 3) refined, and how well each matches: correlation times the root of the overlap."""
    each = starts.shape[1]
    x, y = (picture.repeat_interleave(each, 0) for picture in level)
    generator = refined(x, y, starts.flatten(0, 1), size, model, FIRST_STEPS)
    a, b, seen = half_way_bands(x, y, generator, size)
    _, _, correlation = standardised(a, b, seen)
    score = correlation * seen.mean((1, 2, 3)).sqrt()
    return generator.view(-1, each, 2, 3), score.cpu().double().view(-1, each)


def speaks(proof: Evidence, generator: Tensor, size: tuple[int, int], model: str) -> Tensor:
    """(N,) bool: whether the evidence is enough."""
    least_match = LEAST_MATCH_SMALL if min(size) < SMALL or model == "shift" else LEAST_MATCH
    significant = torch.zeros_like(proof.better, dtype=torch.bool)
    for better, significance in zip(LEAST_BETTER, LEAST_SIGNIFICANCE, strict=True):
        significant |= (proof.better > better) & (proof.significance > significance)
    return (
        significant
        & (proof.match > least_match)
        & (proof.textured >= LEAST_TEXTURED)
        & (proof.error < min(LARGEST_ERROR * max(1.0, min(size) / JUDGED), LARGEST_SHARE * min(size)))
        & (furthest(generator, size) > LEAST_PIXELS)
    )
