"""Fitting a head's strengths, k-fold by reference: descent, losses, folds.

The strengths multiply a pair's components (:mod:`invariant_lpips.training.components`). They are exponentials of
the free parameters, so no distance can turn negative however long one trains, and start from values that give
each component the same share of the squared distance. Losses on mean opinion scores:

- `pearson`: the correlation of distance and quality (arXiv:2604.27870), over batches or the whole set;
- `ranking`: mean log(1 + exp(-s)) over pairs of a batch, s the difference of distances along the difference
  of scores, in units of the distances' deviation (RankNet, Burges et al. 2005).

Training stops at the step that ranks held-out references best.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import Tensor


def pearson_loss(distance: Tensor, quality: Tensor) -> Tensor:
    """Pearson correlation of distance and quality, in [-1, 1]; the best value is -1.

    Example:
        >>> pearson_loss(torch.tensor([0.0, 1.0, 2.0]), torch.tensor([3.0, 2.0, 1.0])).item()
        -1.0
    """
    d, q = distance - distance.mean(), quality - quality.mean()
    return (d * q).sum() / (d.square().sum() * q.square().sum()).sqrt().clamp_min(1e-12)


def ranking_loss(distance: Tensor, quality: Tensor) -> Tensor:
    """RankNet's logistic loss over all pairs with unequal scores; 0 when far better ranks far nearer."""
    scale = distance.std().clamp_min(1e-12)
    gap = (distance.unsqueeze(1) - distance) / scale
    better = quality.unsqueeze(1) < quality  # row is worse than column: its distance should be larger
    return torch.nn.functional.softplus(-gap[better]).mean()


LOSSES = {"pearson": pearson_loss, "ranking": ranking_loss}


@dataclass(frozen=True)
class FitSettings:
    """How to fit.

    Attributes:
        loss: `pearson` or `ranking`.
        steps: Adam steps; the learning rate falls to 0 along a cosine.
        lr: Adam's learning rate for the logarithms of the strengths.
        batch_size: pairs a step; 0 takes all of them.
        decay: weight of the mean square of the log-strengths (pulls towards equal shares).
        check_every: steps between looks at the held-out references.
        seed: of the batches.
    """

    loss: str = "pearson"
    steps: int = 600
    lr: float = 0.02
    batch_size: int = 0
    decay: float = 0.003
    check_every: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise ValueError(f"Argument `loss` must be one of {', '.join(LOSSES)}, but got {self.loss!r}.")
        if self.steps < 1 or self.lr <= 0 or self.batch_size < 0 or self.batch_size in (1, 2):
            raise ValueError(
                "Arguments `steps` and `lr` must be positive and `batch_size` 0 (all) or at least 3, but got "
                f"{self.steps}, {self.lr} and {self.batch_size}."
            )


@dataclass(frozen=True)
class Fit:
    """Fitted strengths (K,), >= 0, and the step they were taken at."""

    strengths: NDArray[np.float64]
    step: int


def distances(
    components: NDArray[np.float32], strengths: NDArray[np.float64], *, root: bool
) -> NDArray[np.float64]:
    """Distances (N,) of pairs from their components (N, K) and the strengths (K,); root for Euclidean heads.

    Example:
        >>> distances(np.array([[1.0, 3.0]], dtype=np.float32), np.array([1.0, 1.0]), root=True)
        array([2.])
    """
    squared = components.astype(np.float64) @ strengths
    return np.sqrt(squared) if root else squared


def descend(
    components: NDArray[np.float32],
    items: int,
    loss: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor],
    settings: FitSettings,
    *,
    root: bool,
    held_out: Callable[[NDArray[np.float64]], float] | None = None,
    stop_at: int | None = None,
) -> Fit:
    """Minimise a loss of distances over the strengths.

    Args:
        components: (N, K), float32, >= 0.
        items: how many things a batch is drawn from (pairs, or triplets).
        loss: called with a function (row numbers -> distances) and the batch's items.
        settings: how to fit; `settings.loss` is the caller's affair.
        root: distances are roots (Euclidean heads).
        held_out: score of given strengths on data held out, higher is better; the best step is kept.
            Without it the last step is.
        stop_at: end at this step of the schedule laid out for `settings.steps`.

    Returns:
        Strengths that reproduce the distance up to one positive factor.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    z = torch.from_numpy(np.ascontiguousarray(components))
    mean = z.mean(0).double()
    live = mean > 0  # a component that never differs can't be learned, and must not divide by 0
    safe = mean.where(live, torch.ones_like(mean))
    start = torch.where(live, 1 / safe, torch.zeros_like(mean)) / live.sum()
    shares = z * start.float()
    logs = torch.zeros(z.shape[1], requires_grad=True)

    def distance(rows: Tensor) -> Tensor:
        squared = (shares if len(rows) == len(shares) else shares[rows]) @ logs.exp()
        return (squared + 1e-8).sqrt() if root else squared

    optimiser = torch.optim.Adam([logs], lr=settings.lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.steps)
    last = stop_at or settings.steps
    best, best_score, best_step = logs.detach().clone(), -np.inf, last
    everything = torch.arange(items)
    for step in range(1, last + 1):
        batch = everything
        if settings.batch_size:
            batch = torch.randint(items, (settings.batch_size,), generator=generator)
        objective = loss(distance, batch) + settings.decay * logs.square().mean()
        optimiser.zero_grad()
        objective.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if held_out is not None and (step % settings.check_every == 0 or step == last):
            score = held_out((logs.detach().double().exp() * start).numpy())
            if score > best_score:
                best, best_score, best_step = logs.detach().clone(), score, step
    if held_out is None:
        best = logs.detach()
    return Fit((best.double().exp() * start).numpy(), best_step)


@dataclass(frozen=True)
class CrossValidation:
    """What k-fold by reference gave: a prediction for every pair by weights that never saw its reference.

    Attributes:
        predictions: (N,) scores predicted from distances by the line fitted on the other folds.
        steps: the stopping step of each fold.
    """

    predictions: NDArray[np.float64]
    steps: tuple[int, ...]


def fit(
    components: NDArray[np.float32],
    quality: NDArray[np.float64],
    settings: FitSettings,
    *,
    root: bool,
    held_out: tuple[NDArray[np.float32], NDArray[np.float64]] | None = None,
    stop_at: int | None = None,
) -> Fit:
    """Fit the strengths of one head.

    Args:
        components: (N, K), float32, >= 0.
        quality: (N,) scores, higher is better.
        settings: how to fit.
        root: distances are roots (Euclidean heads).
        held_out: components and quality of other references; the step that ranks them best is kept. Without
            them the last step is.
        stop_at: end at this step of the schedule laid out for `settings.steps`.

    Returns:
        Strengths that reproduce the distance up to one positive factor.
    """
    if components.shape[0] != quality.shape[0] or components.shape[0] < 3:
        raise ValueError(
            f"Components and scores must be given for the same three pairs or more, but got {components.shape[0]} "
            f"and {quality.shape[0]}."
        )
    target = torch.from_numpy(quality).float()
    measure = LOSSES[settings.loss]

    def rank(strengths: NDArray[np.float64]) -> float:
        assert held_out is not None
        return -float(spearmanr(distances(held_out[0], strengths, root=root), held_out[1])[0])

    return descend(
        components,
        len(target),
        lambda distance, batch: measure(distance(batch), target[batch]),
        settings,
        root=root,
        held_out=rank if held_out is not None else None,
        stop_at=stop_at,
    )


def folds_by_reference(references: Sequence[str], folds: int, seed: int) -> NDArray[np.int64]:
    """A fold for every pair such that pairs of one reference share theirs.

    Example:
        >>> folds_by_reference(["a", "a", "b", "c"], 3, 0).tolist()
        [1, 1, 2, 0]
    """
    names = sorted(set(references))
    if not 2 <= folds <= len(names):
        raise ValueError(
            f"Argument `folds` must be between 2 and the {len(names)} references, but got {folds}."
        )
    order = np.random.default_rng(seed).permutation(len(names))
    fold = {names[name]: place % folds for place, name in enumerate(order)}
    return np.array([fold[reference] for reference in references], dtype=np.int64)


def cross_validate(
    components: NDArray[np.float32],
    quality: NDArray[np.float64],
    references: Sequence[str],
    settings: FitSettings,
    *,
    root: bool,
    folds: int = 5,
) -> CrossValidation:
    """K-fold by reference, early stopping included: nothing of a left-out reference guides its own score.

    For each fold the next one chooses the stopping step, then all folds but the left-out one are fitted
    for that many steps.
    """
    fold = folds_by_reference(references, folds, settings.seed)
    predictions = np.empty(len(quality))
    steps = []
    for k in range(folds):
        left_out, chooser = fold == k, fold == (k + 1) % folds
        inner = ~left_out & ~chooser
        chosen = fit(
            components[inner],
            quality[inner],
            settings,
            root=root,
            held_out=(components[chooser], quality[chooser]),
        )
        steps.append(chosen.step)
        final = fit(components[~left_out], quality[~left_out], settings, root=root, stop_at=chosen.step)
        d = distances(components, final.strengths, root=root)
        slope, intercept = np.polyfit(d[~left_out], quality[~left_out], 1)
        predictions[left_out] = slope * d[left_out] + intercept
    return CrossValidation(predictions, tuple(steps))


def fit_all(
    components: NDArray[np.float32],
    quality: NDArray[np.float64],
    validation: CrossValidation,
    settings: FitSettings,
    *,
    root: bool,
) -> Fit:
    """The weights to ship: fitted on every pair for the median of the folds' stopping steps."""
    stop_at = round(statistics.median(validation.steps))
    return fit(components, quality, settings, root=root, stop_at=stop_at)
