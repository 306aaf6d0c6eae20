"""Fitting a head's linear weights to two-alternative choices: which of two pictures is nearer to the reference?

The share of people who chose the second picture is modelled as sigmoid(d0 - d1), the scale of the distance being
free; the loss is the cross-entropy (a logistic choice model, Bradley & Terry 1952; lpips trains a small network
in its place).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from invariant_lpips.datasets.bapps import TwoAFC
from invariant_lpips.datasets.pairs import RatedPair, RatedPairs
from invariant_lpips.statistics.correlations import two_afc_score
from invariant_lpips.training.strengths import Fit, FitSettings, descend, distances


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
        Strengths at the step of the best 2AFC score (lpips' own) on the held-out choices (without them, the last).
    """
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
        return two_afc_score(d0, distances(components[n + chosen], strengths, root=root), judge[chosen])

    return descend(
        components[rows],
        count,
        cross_entropy,
        settings,
        root=root,
        held_out=score if held_out is not None else None,
    )
