"""Fitting a head's linear weights to mean opinion scores, k-fold by reference.

- `pearson`: the correlation of distance and quality (arXiv:2604.27870), over batches or the whole set;
- `ranking`: mean log(1 + exp(-s)) over pairs of a batch, s the difference of distances along the difference
  of scores, in units of the distances' deviation (RankNet, Burges et al. 2005).

Training stops at the step that ranks held-out references best.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from invariant_lpips.training.strengths import Fit, FitSettings, descend, distances

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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
    from scipy.stats import spearmanr

    if components.shape[0] != quality.shape[0] or components.shape[0] < 3:
        raise ValueError(
            f"Components and scores must be given for the same three pairs or more, but got {components.shape[0]} "
            f"and {quality.shape[0]}."
        )
    target = torch.from_numpy(quality).float()
    measure = LOSS[settings.loss]

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
    import numpy as np

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
    import numpy as np

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


LOSS = {"pearson": pearson_loss, "ranking": ranking_loss}
