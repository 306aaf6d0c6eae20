"""Everything that decides the result of training a classifier, checked."""

from __future__ import annotations

from dataclasses import dataclass

from invariant_lpips.classifier import HEADS
from invariant_lpips.training.backbone_engine import PRECISIONS

#: The paper's L2 terms, by head.
PAPER_L2 = {"flatten": 1e-4, "multi-gap": 1e-4}


@dataclass(frozen=True)
class BackboneConfig:
    """Everything that decides the result of a run.

    Attributes:
        data: folder of pictures; see :mod:`invariant_lpips.datasets.folders`.
        head, image_size, pooling, padding: of the classifier.
        class_list: file that selects classes; None for all.
        fractions, split_seed: of the split, where the tree has none.
        tune: how many convolution blocks of the trunk to train: 0 none, 5 all of VGG-16.
        init: a classifier to start from (name or path); None for the bundled trunk and a fresh layer.
        epochs: at most this many; patience: stop after so many without a better validation accuracy.
        batch_size: pictures per step, over all processes.
        lr, trunk_lr: step of Adam for the linear layer and for the trunk.
        l2: factor of the sum of squared weights; None for the paper's of this head.
        shift: move training pictures by up to so many pixels; flip: mirror half of them.
        consistency: weight of the symmetric Kullback-Leibler divergence between the predictions for two
            shifted views of each picture; needs `shift`.
        precision: `no`, `bf16` or `fp16` (mixed); channels_last: memory layout of the trunk.
        seed: of the first weights, the order of the pictures and their shifts.
    """

    data: str
    head: str = "multi-gap"
    image_size: int = 256
    pooling: str = "max"
    padding: str | None = None
    class_list: str | None = None
    fractions: tuple[float, float] = (0.15, 0.15)
    split_seed: int = 0
    tune: int = 0
    init: str | None = None
    epochs: int = 500
    patience: int = 25
    batch_size: int = 32
    lr: float = 1e-3
    trunk_lr: float = 1e-5
    l2: float | None = None
    shift: int = 0
    flip: bool = False
    consistency: float = 0.0
    precision: str = "no"
    channels_last: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.head not in HEADS:
            raise ValueError(f"Argument `head` must be one of {', '.join(HEADS)}, but got {self.head!r}.")
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"Argument `precision` must be one of {', '.join(PRECISIONS)}, but got {self.precision!r}."
            )
        for name in ("epochs", "patience", "batch_size", "lr", "trunk_lr"):
            if not getattr(self, name) > 0:
                raise ValueError(f"Argument `{name}` must be above 0, but got {getattr(self, name)!r}.")
        for name in ("shift", "consistency", "tune"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"Argument `{name}` must not be negative, but got {getattr(self, name)!r}.")
        if self.consistency and not self.shift:
            raise ValueError(
                "Argument `consistency` needs `shift` > 0: two views must differ to be compared."
            )

    @property
    def cacheable(self) -> bool:
        """Whether the trunk sees the same pictures in every epoch, so that it need run only once."""
        return not (self.tune or self.shift or self.flip)

    @property
    def weight_decay(self) -> float:
        """The factor of the L2 term."""
        return PAPER_L2.get(self.head, 0.0) if self.l2 is None else self.l2
