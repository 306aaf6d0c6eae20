"""Descent on a head's strengths: what every way of learning linear weights shares.

The strengths multiply a pair's components (:mod:`invariant_lpips.training.components`). They are exponentials of
the free parameters, so no distance can turn negative however long one trains, and start from values that give
each component the same share of the squared distance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LOSSES = ("pearson", "ranking")


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
        >>> import numpy as np
        >>> distances(np.array([[1.0, 3.0]], dtype=np.float32), np.array([1.0, 1.0]), root=True)
        array([2.])
    """
    import numpy as np

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
    import numpy as np

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
