"""The metrics as torchmetrics has them: `update`, `compute`, `reset`, `forward`, `plot`, and functions.

    from invariant_lpips.integrations.torchmetrics import InvariantLPIPSMetric

    metric = InvariantLPIPSMetric(net_type="vgg", normalize=True)      # images in [0, 1]
    for prediction, target in loader:
        metric.update(prediction, target)
    print(metric.compute())

What differs from torchmetrics' own LPIPS, and why:

- scores are added up in float64 instead of kept in a list, so a rank sends two numbers (a list is kept for
  ``reduction="none"`` only, whose answer is one);
- no state holds a graph, whichever way it was updated;
- the network is not a submodule: no 59 MB in every checkpoint, no frozen parameters in an optimiser, nothing
  that a parent's `requires_grad_` or `train` reaches. `net.*` keys of older checkpoints are passed over;
- ``reduction="none"`` gives (N,) for N = 1 too;
- values a rounding outside the range pass (see :mod:`invariant_lpips.inputs`);
- the functions (:mod:`invariant_lpips.integrations.functional`) build their network once.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from invariant_lpips.integrations.functional import (
    INVARIANT_NET_TYPES,
    check_arguments,
    clear_cached_networks,
    invariant_lpips,
    learned_perceptual_image_patch_similarity,
    one_net,
    scores,
)
from invariant_lpips.metric import InvariantLPIPS
from invariant_lpips.stock import LPIPS

try:
    from torchmetrics.metric import Metric
except ImportError:  # the functions work all the same

    class Metric:  # type: ignore[no-redef]
        """Stands in for torchmetrics' class where that is not installed."""

        def __init__(self, **_: Any) -> None:
            raise ImportError(
                "Metric classes need torchmetrics, which is not installed: "
                "pip install 'invariant-lpips[torchmetrics]'."
            )


__all__ = [
    "InvariantLPIPSMetric",
    "LearnedPerceptualImagePatchSimilarity",
    "clear_cached_networks",
    "invariant_lpips",
    "learned_perceptual_image_patch_similarity",
]


class _DistanceMetric(Metric):  # type: ignore[misc]
    """What both metrics share: a frozen network, and the sum (or list) of its scores."""

    is_differentiable = True
    higher_is_better = False
    full_state_update = False
    plot_lower_bound = 0.0
    feature_network = "net"

    # The same facts under pyiqa's names.
    lower_better = True
    metric_mode = "FR"
    score_range: str

    net: LPIPS | InvariantLPIPS
    scores: list[Tensor]
    sum_scores: Tensor
    total: Tensor

    def __init__(
        self, net: LPIPS | InvariantLPIPS, reduction: str | None, normalize: bool, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        check_arguments(reduction, normalize)
        self.reduction = reduction
        self.normalize = normalize
        self.__dict__["net"] = net  # past nn.Module's registration: see the module's docstring
        # A MetricCollection lets metrics of equal states share one update. Two metrics that both began with
        # identical images (sum 0) are told apart by this.
        digest = hashlib.sha256(f"{net.describe()} {normalize}".encode()).digest()
        self.add_state("configuration", default=torch.tensor(list(digest[:8])), dist_reduce_fx="max")
        if self._keeps_scores:
            self.add_state("scores", default=[], dist_reduce_fx="cat")
        else:
            self.add_state(
                "sum_scores", default=torch.zeros((), dtype=_sum_dtype(self.device)), dist_reduce_fx="sum"
            )
            self.add_state("total", default=torch.tensor(0), dist_reduce_fx="sum")

    @property
    def _keeps_scores(self) -> bool:
        return self.reduction not in ("mean", "sum")

    def update(self, img1: Tensor, img2: Tensor) -> None:
        """Add the distances of two batches (N, 3, H, W).

        Raises:
            ValueError: the images are not what the metric expects; the message says what came.
        """
        batch = scores(self.net, img1, img2, self.normalize)
        if self._keeps_scores:
            self.scores.append(batch)
        else:
            self.sum_scores = self.sum_scores + batch.to(self.sum_scores.dtype).sum()
            self.total = self.total + batch.numel()

    def compute(self) -> Tensor:
        """Mean or sum over all images since the last reset, () float32; or their distances, (N,)."""
        if self._keeps_scores:
            # A synchronised list is one tensor already.
            return torch.cat(self.scores) if isinstance(self.scores, list) else self.scores
        result = self.sum_scores / self.total if self.reduction == "mean" else self.sum_scores
        return result if self.dtype == torch.float64 else result.float()

    def _wrap_compute(self, compute: Callable[..., Any]) -> Callable[..., Any]:
        # torchmetrics squeezes what compute() returns: the distances of one image would lose their dimension.
        squeezed = super()._wrap_compute(compute)

        @functools.wraps(squeezed)
        def unsqueezed(*args: Any, **kwargs: Any) -> Any:
            value = squeezed(*args, **kwargs)
            return value.reshape(-1) if self._keeps_scores else value

        return unsqueezed

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Distances of this batch, reduced and differentiable; they are added to the state as well."""
        value = super().forward(*args, **kwargs)
        # The caller's value may carry a graph. What the metric keeps may not: it would live for an epoch.
        self._forward_cache = value.detach()
        if self._keeps_scores and self.scores:
            self.scores[-1] = self.scores[-1].detach()
        return value

    def extra_repr(self) -> str:
        return f"{self.net.describe()}, reduction={self.reduction!r}, normalize={self.normalize}"

    def plot(self, val: Tensor | Sequence[Tensor] | None = None, ax: Any = None) -> Any:
        """Plot one value, or a sequence of them over steps; None plots `compute()`.

        Returns:
            matplotlib's figure and axes.
        """
        return self._plot(val, ax)

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = ()) -> nn.Module:
        super()._apply(fn, exclude_state=tuple(self._defaults))
        self.net._apply(fn)  # type: ignore[no-untyped-call]
        # States move with the metric and keep their precision: a float16 sum of scores stops at 2048.
        for name, default in self._defaults.items():
            if isinstance(default, Tensor):
                dtype = _sum_dtype(self.device) if default.is_floating_point() else default.dtype
                self._defaults[name] = default.to(self.device, dtype)
                setattr(self, name, getattr(self, name).to(self.device, dtype))
            elif isinstance(getattr(self, name), list):
                setattr(self, name, [score.to(self.device) for score in getattr(self, name)])
        module: nn.Module = self
        return module

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for key in [key for key in state_dict if key.startswith(f"{prefix}net.")]:
            del state_dict[key]
        super()._load_from_state_dict(state_dict, prefix, *args)


class InvariantLPIPSMetric(_DistanceMetric):
    """:class:`invariant_lpips.InvariantLPIPS` as a torchmetrics metric.

    Args:
        net_type: trunk: `vgg`, `alex`, `squeeze` (which has no learned weights) or `pixels`.
        head: `default`, or any head of :mod:`invariant_lpips.heads`.
        reduction: `mean` or `sum` over images, or `none` (= None) for one distance an image.
        normalize: images are in [0, 1] instead of [-1, 1].
        pooling, padding, weights, motion, pixels_per_degree: as for :class:`invariant_lpips.InvariantLPIPS`.
        net: `net_type` under the name that InvariantLPIPS has for it.
        kwargs: torchmetrics' own (`dist_sync_on_step`, `compute_on_cpu`, ...).

    Shape:
        img1, img2: (N, 3, H, W), any float dtype.
        returns: () for `mean` and `sum`, (N,) for `none`; float32, >= 0.

    Raises:
        ValueError: an argument is not one of its choices, or the images are not as expected.
        ImportError: torchmetrics is not installed.

    Example:
        >>> metric = InvariantLPIPSMetric("alex", "gap", weights="unit")
        >>> x = torch.linspace(-1, 1, 2 * 3 * 64 * 64).view(2, 3, 64, 64)
        >>> metric(x, x)
        tensor(0.)
        >>> round(metric(x, x.flip(0)).item(), 2)
        0.63
    """

    score_range = "0, inf"
    plot_upper_bound = None

    def __init__(
        self,
        net_type: Any = "vgg",
        head: str = "default",
        reduction: str | None = "mean",
        normalize: bool = False,
        *,
        pooling: str | None = None,
        padding: str | None = None,
        weights: str | Path | None = None,
        motion: str | None = None,
        pixels_per_degree: float | None = None,
        net: Any = None,
        **kwargs: Any,
    ) -> None:
        net_type = one_net(net_type, net)
        check_arguments(reduction, normalize, net_type, INVARIANT_NET_TYPES)
        network = InvariantLPIPS(
            net_type, head, pooling, padding, weights, motion=motion, pixels_per_degree=pixels_per_degree
        )
        super().__init__(network, reduction, normalize, **kwargs)


class LearnedPerceptualImagePatchSimilarity(_DistanceMetric):
    """Stock LPIPS, the drop-in for `torchmetrics.image.lpip.LearnedPerceptualImagePatchSimilarity`.

    Values are lpips 0.1.4's; torchmetrics has another epsilon under its root and is within 1e-4 of them.

    Args:
        net_type: `alex`, `vgg` or `squeeze`.
        reduction: `mean` or `sum` over images, or `none` (= None) for one distance an image.
        normalize: images are in [0, 1] instead of [-1, 1].
        kwargs: torchmetrics' own (`dist_sync_on_step`, `compute_on_cpu`, ...).

    Shape:
        img1, img2: (N, 3, H, W), any float dtype.
        returns: () for `mean` and `sum`, (N,) for `none`; float32, >= 0.

    Raises:
        ValueError: an argument is not one of its choices, or the images are not as expected.
        ImportError: torchmetrics is not installed.
    """

    score_range = "0, 1"
    plot_upper_bound = 1.0

    def __init__(
        self, net_type: str = "alex", reduction: str | None = "mean", normalize: bool = False, **kwargs: Any
    ) -> None:
        check_arguments(reduction, normalize, net_type)
        super().__init__(LPIPS(net=net_type, verbose=False), reduction, normalize, **kwargs)


def _sum_dtype(device: torch.device) -> torch.dtype:
    return torch.float32 if device.type == "mps" else torch.float64  # Apple's GPUs have no float64
