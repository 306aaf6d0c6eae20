"""Fitting a head's linear weights to two-alternative choices: which of two pictures is nearer to the reference?

The share of people who chose the second picture is modelled as sigmoid(d0 - d1), the scale of the distance being
free; the loss is the cross-entropy (a logistic choice model, Bradley & Terry 1952; lpips trains a small network
in its place).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from invariant_lpips.datasets.bapps import TwoAFC
from invariant_lpips.datasets.pairs import RatedPair, RatedPairs
from invariant_lpips.training.strengths import Fit, FitSettings, descend, distances

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def as_pairs(choices: Sequence[TwoAFC]) -> RatedPairs:
    """The choices as pairs for :func:`invariant_lpips.training.components.collect_components`.

    The first pictures come first, then the second ones in the same order; a reference is known by its path.
    """
    firsts = [pair_of(choice, second=False) for choice in choices]
    seconds = [pair_of(choice, second=True) for choice in choices]
    return RatedPairs("2afc", (*firsts, *seconds), higher_is_better=True)


def pair_of(choice: TwoAFC, *, second: bool) -> RatedPair:
    """One side of a choice; its score is the share of people who chose it."""
    reference = f"{choice.subset}-{choice.reference.stem}"
    share = choice.judge if second else 1 - choice.judge
    picture = choice.second if second else choice.first
    return RatedPair(choice.reference, picture, share, reference, choice.subset, float(second))


def agreement(d0: NDArray[np.float64], d1: NDArray[np.float64], judge: NDArray[np.float64]) -> float:
    """lpips' 2AFC score: the mean share of people who agree with the nearer picture, ties counting half.

    Example:
        >>> import numpy as np
        >>> agreement(np.array([1.0, 2.0]), np.array([2.0, 1.0]), np.array([0.0, 0.75]))
        0.875
    """
    from invariant_lpips.statistics.correlations import two_afc_score

    return float(two_afc_score(d0, d1, judge))


def fit_choices(
    components: NDArray[np.float32],
    judge: NDArray[np.float64],
    settings: FitSettings,
    *,
    root: bool,
    held_out: NDArray[np.bool_] | None = None,
) -> Fit:
    """Fit the strengths of one head to choices.

    Args:
        components: (2 N, K): the first pictures' rows, then the second pictures'.
        judge: (N,) share of people who chose the second picture, in [0, 1].
        settings: how to fit; the loss is always the cross-entropy.
        root: distances are roots (Euclidean heads).
        held_out: (N,) True for choices that pick the stopping step instead of being fitted.

    Returns:
        Strengths at the step of the best :func:`agreement` on the held-out choices (without them, the last).
    """
    import numpy as np

    n = len(judge)
    if components.shape[0] != 2 * n:
        raise ValueError(
            f"Components must hold two rows a choice, but got {components.shape[0]} rows for {n} choices."
        )
    fitted = np.ones(n, dtype=bool) if held_out is None else ~held_out
    rows = np.concatenate([np.flatnonzero(fitted), n + np.flatnonzero(fitted)])
    target = torch.from_numpy(judge[fitted]).float()
    count = len(target)

    def cross_entropy(distance: object, batch: torch.Tensor) -> torch.Tensor:
        assert callable(distance)
        both = distance(torch.cat([batch, batch + count]))
        return torch.nn.functional.binary_cross_entropy_with_logits(
            both[: len(batch)] - both[len(batch) :], target[batch]
        )

    def score(strengths: NDArray[np.float64]) -> float:
        assert held_out is not None
        chosen = np.flatnonzero(held_out)
        d0 = distances(components[chosen], strengths, root=root)
        return agreement(d0, distances(components[n + chosen], strengths, root=root), judge[chosen])

    return descend(
        components[rows],
        count,
        cross_entropy,
        settings,
        root=root,
        held_out=score if held_out is not None else None,
    )
