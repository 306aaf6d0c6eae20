"""Learning a head's linear weights from people's scores, from the database to the file: `train_linear`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from invariant_lpips.datasets import DATASETS, RatedPairs, load_dataset, select_pairs
from invariant_lpips.datasets.bapps import load_2afc
from invariant_lpips.files.provenance import provenance
from invariant_lpips.metric import InvariantLPIPS
from invariant_lpips.registry import ENTRIES, linear_name
from invariant_lpips.registry.identity import OWN
from invariant_lpips.statistics.correlations import krcc, plcc, srcc, two_afc_score
from invariant_lpips.training.card import JUST_NOTICEABLE, write_card, write_weights
from invariant_lpips.training.components import collect_components
from invariant_lpips.training.strengths import (
    FitSettings,
    cross_validate,
    distances,
    fit_all,
    folds_by_reference,
)
from invariant_lpips.training.threshold import Threshold, fit_threshold
from invariant_lpips.training.two_afc import as_pairs, fit_choices

__all__ = ["TrainLinearSettings", "TrainedHead", "train_linear"]

Say = Callable[[str], None]


@dataclass(frozen=True)
class TrainLinearSettings:
    """What to learn from, for which heads, and where to write the weights.

    Attributes:
        dataset: a key of :data:`invariant_lpips.datasets.DATASETS`, or `2afc` (BAPPS).
        root: the database's folder (csv: the table).
        heads: names of heads that read the same taps; they share one run of the trunk.
        net: `vgg`, `alex`, `squeeze`, `pixels`, or a tuned classifier: its run, folder or file.
        pooling: of the trunk; None for a tuned classifier's own, and `max` for the others.
        types: kinds of distortion to use, as :func:`invariant_lpips.datasets.select_pairs` takes them; None for all.
        split: of 2afc: `train` or `val`.
        allow_missing: use the pictures that are there.
        label: what to call the scores in the card; None for the database's name.
        fit: how to fit; its seed also draws the folds.
        folds: k of k-fold by reference.
        device: where the trunk runs.
        cache: folder that keeps the components of each reference, so that a rerun goes on; None keeps nothing.
        workers: processes that run the trunk.
        out: folder for NET[-tuned]-HEAD[-POOLING].safetensors and its card.
    """

    dataset: str
    root: Path
    heads: tuple[str, ...] = ("regional",)
    net: str = "vgg"
    pooling: str | None = None
    types: str | None = None
    split: str = "train"
    allow_missing: bool = False
    label: str | None = None
    fit: FitSettings = field(default_factory=FitSettings)
    folds: int = 5
    device: str = "cpu"
    cache: Path | None = None
    workers: int = 1
    out: Path = field(default_factory=Path)

    @property
    def on_tid(self) -> bool:
        """Whether the scores are TID's, from which the bundled weights and the just noticeable distance come."""
        return self.dataset.startswith("tid")

    def metric(self, head: str, weights: str | None) -> InvariantLPIPS:
        """The metric that reads this trunk with `head`."""
        return InvariantLPIPS(self.net, head, self.pooling, weights=weights)


@dataclass(frozen=True)
class TrainedHead:
    """One head's learned weights, as they were written.

    Attributes:
        head: its name.
        path: the file of weights; its card lies beside it, with the suffix .md.
        sha256: of the file.
        figures: what was measured, by name, as the card has it.
        warning: what to say if references left out are ranked worse than without learning; None if they aren't.
    """

    head: str
    path: Path
    sha256: str
    figures: Mapping[str, str]
    warning: str | None


@dataclass(frozen=True)
class _Learned:
    """Strengths (K,), what they measured, and the calibration of `jnd`, if the scores allow one."""

    strengths: NDArray[np.float64]
    figures: dict[str, str]
    warning: str | None
    threshold: Threshold | None = None


def train_linear(settings: TrainLinearSettings, *, say: Say = lambda line: None) -> tuple[TrainedHead, ...]:
    """Learn the linear weights of heads from people's scores, and write each head's weights and card.

    The components of all pairs are collected in one run of the trunk; then each head is cross-validated by
    reference and fitted on all pairs for the median of the folds' stopping steps (2AFC: on all folds but one,
    which chooses the step). The same settings give the same files to the last bit.

    Args:
        settings: what to learn from, and how.
        say: takes a sentence on how far it is.

    Returns:
        What was written, head by head.

    Raises:
        ValueError: no such database, head, net or type of distortion, or too few references for the folds.
        DatasetError: the database is not as published.

    Example:
        A csv of pairs (:mod:`invariant_lpips.datasets.csv_pairs`), three folds of its references::

            from pathlib import Path
            from invariant_lpips.training import TrainLinearSettings, train_linear
            settings = TrainLinearSettings("csv", Path("pairs.csv"), heads=("gap",), folds=3, out=Path("weights"))
            (trained,) = train_linear(settings)
            InvariantLPIPS(head="gap", weights=trained.path)
    """
    if settings.dataset not in (*DATASETS, "2afc"):
        raise ValueError(
            f"Option --dataset must be one of {', '.join(DATASETS)} or 2afc (BAPPS), but is {settings.dataset!r}."
        )
    choices = load_2afc(settings.root, split=settings.split) if settings.dataset == "2afc" else ()
    if choices:
        pairs = as_pairs(choices)
    else:
        pairs = load_dataset(settings.dataset, settings.root, allow_missing=settings.allow_missing)
    pairs = select_pairs(pairs, types=settings.types)
    least, references = 2 if choices else 3, len(pairs.references)
    if not least <= settings.folds <= references:
        raise ValueError(
            f"Option --folds must be between {least} (one judges, one chooses the step, one is fitted) and "
            f"the {references} references, but is {settings.folds}."
        )
    # The metric of each head before anything was learned.
    units = [settings.metric(head, "unit") for head in dict.fromkeys(settings.heads)]
    components = collect_components(
        pairs,
        settings.heads,
        net=settings.net,
        pooling=settings.pooling,
        device=settings.device,
        cache=settings.cache,
        workers=settings.workers,
    )
    judge = np.array([choice.judge for choice in choices], dtype=np.float64)
    trained = []
    for unit in units:
        found = components[unit.head.name]
        if choices:
            learned = _from_choices(unit, found, judge, pairs, settings)
        else:
            say(f"{unit.head.name}: {settings.folds}-fold cross-validation by reference")
            learned = _from_scores(unit, found, pairs, settings)
        trained.append(_write(unit, learned, pairs, settings))
    return tuple(trained)


def _from_choices(
    unit: InvariantLPIPS,
    components: NDArray[np.float32],
    judge: NDArray[np.float64],
    pairs: RatedPairs,
    settings: TrainLinearSettings,
) -> _Learned:
    """Fit one head to 2AFC choices, one fold of references choosing the step."""
    root, n = unit.head.euclidean, len(judge)
    held_out = folds_by_reference(pairs.reference_ids[:n], settings.folds, settings.fit.seed) == 0
    fitted = fit_choices(components, judge, settings.fit, root=root, held_out=held_out)

    def agreement(strengths: NDArray[np.float64], chosen: NDArray[np.bool_]) -> float:
        d = distances(components, strengths, root=root)
        return two_afc_score(d[:n][chosen], d[n:][chosen], judge[chosen])

    learned = agreement(fitted.strengths, held_out)
    figures = {
        "2AFC on the choices that picked the stopping step": f"{learned:.4f}",
        "2AFC on the fitted choices": f"{agreement(fitted.strengths, ~held_out):.4f}",
        "stopping step": str(fitted.step),
    }
    unlearned = agreement(_strengths(unit), held_out)
    return _Learned(fitted.strengths, figures, warning("2AFC", learned, unlearned))


def _from_scores(
    unit: InvariantLPIPS, components: NDArray[np.float32], pairs: RatedPairs, settings: TrainLinearSettings
) -> _Learned:
    """Cross-validate one head on scores, fit it on all of them, and calibrate it if they are TID's."""
    root = unit.head.euclidean
    scores, references = pairs.scores, pairs.reference_ids
    quality = scores if pairs.higher_is_better else -scores
    validation = cross_validate(
        components, quality, references, settings.fit, root=root, folds=settings.folds
    )
    fitted = fit_all(components, quality, validation, settings.fit, root=root)
    strengths, threshold = fitted.strengths, None
    if settings.on_tid:
        # One positive factor is free: it puts the just noticeable distance at JUST_NOTICEABLE.
        d0 = fit_threshold(distances(components, strengths, root=root), scores, references, draws=1).d0
        factor = JUST_NOTICEABLE / d0
        strengths = strengths * (factor**2 if root else factor)
        threshold = fit_threshold(distances(components, strengths, root=root), scores, references)

    def trained_srcc(strengths: NDArray[np.float64]) -> float:
        return -srcc(distances(components, strengths, root=root), quality)

    predictions = validation.predictions
    left_out, unlearned = srcc(predictions, quality), trained_srcc(_strengths(unit))
    figures = {
        f"SRCC, references left out ({settings.folds} folds)": f"{left_out:.4f}",
        "PLCC, references left out": f"{plcc(predictions, quality):.4f}",
        "KRCC, references left out": f"{krcc(predictions, quality):.4f}",
        "SRCC on the training pairs": f"{trained_srcc(strengths):.4f}",
        "stopping step of each fold, and of the shipped fit": (
            f"{', '.join(map(str, validation.steps))}; {fitted.step}"
        ),
        "SRCC of unit weights": f"{unlearned:.4f}",
    }
    # The bundled weights did learn from TID, whose two editions share references.
    if not settings.on_tid and linear_name(unit.identity.trunk, unit.head.name) in ENTRIES:
        bundled = settings.metric(unit.head.name, None)
        figures["SRCC of the bundled weights"] = f"{trained_srcc(_strengths(bundled)):.4f}"
    return _Learned(strengths, figures, warning("SRCC", left_out, unlearned), threshold)


def warning(measure: str, left_out: float, unit: float) -> str | None:
    """What to say of weights that rank references left out worse than no learning does; None if they don't.

    Example:
        >>> warning("SRCC", 0.537, 0.901)
        'worse than unit weights on pictures left out (SRCC 0.537 against 0.901): use weights="unit"'
        >>> warning("SRCC", 0.95, 0.901)
    """
    if left_out >= unit:
        return None
    return (
        f"worse than unit weights on pictures left out ({measure} {left_out:.3f} against {unit:.3f}): "
        f'use weights="unit"'
    )


def _strengths(metric: InvariantLPIPS) -> NDArray[np.float64]:
    """The strengths behind a metric's linear weights, which enter a Euclidean distance as their squares."""
    weight: NDArray[np.float64] = metric.head.weight.numpy().astype(np.float64)
    return np.square(weight) if metric.head.euclidean else weight


def _write(
    unit: InvariantLPIPS, learned: _Learned, pairs: RatedPairs, settings: TrainLinearSettings
) -> TrainedHead:
    """Write one head's weights and card."""
    weight = np.sqrt(learned.strengths) if unit.head.euclidean else learned.strengths
    head, pooling, name = unit.head.name, unit.net.pooling, unit.net.architecture.name
    who = unit.identity
    call = f'InvariantLPIPS(net="{unit.net_name}", head="{head}"'
    if who.trunk == OWN:
        name = f"{name}-tuned"
        call = f'InvariantLPIPS(net=CLASSIFIER, head="{head}", weights=FILE'
    path = settings.out / f"{linear_name(name, head, pooling)}.safetensors"
    sha256 = write_weights(
        path, weight, head=head, trunk=who.trunk_hash, threshold=learned.threshold, pooling=pooling
    )
    versions = provenance()["versions"]
    facts = {
        "head": head,
        "call": call + (")" if pooling == "max" else f', pooling="{pooling}")'),
        "net": name,
        "trunk": who.trunk_hash,
        "weights": len(weight),
        "database": settings.label or settings.dataset,
        "pairs": len(pairs),
        "references": len(pairs.references),
        "distortions": settings.types or "all",
        "command": command(settings, head, pooling, tuned=who.trunk == OWN),
        "sha256": sha256,
        "versions": ", ".join(
            f"{package} {versions[package]}" for package in ("invariant-lpips", "torch", "numpy")
        ),
    }
    write_card(path, facts, learned.figures, learned.threshold)
    return TrainedHead(head, path, sha256, learned.figures, learned.warning)


def command(settings: TrainLinearSettings, head: str, pooling: str, *, tuned: bool) -> str:
    """The command that makes this head's file, with the folders of this machine left out.

    Example:
        >>> command(TrainLinearSettings("csv", Path("pairs.csv")), "gap", "max", tuned=False)  # doctest: +ELLIPSIS
        'invariant-lpips train linear --dataset csv --root DIR --head gap --net vgg --pooling max --loss pearson ...'
    """
    fit = settings.fit
    words = [
        "invariant-lpips",
        "train",
        "linear",
        "--dataset",
        settings.dataset,
        "--root",
        "DIR",
        "--head",
        head,
    ]
    words += ["--allow-missing"] if settings.allow_missing else []
    options = {
        "label": settings.label or None,
        "split": settings.split if settings.dataset == "2afc" else None,
        "types": settings.types,
        "net": "CLASSIFIER" if tuned else settings.net,
        "pooling": pooling,
        "loss": fit.loss,
        "steps": fit.steps,
        "lr": fit.lr,
        "batch-size": fit.batch_size,
        "decay": fit.decay,
        "folds": settings.folds,
        "seed": fit.seed,
    }
    for option, value in options.items():
        if value is not None:
            words += [f"--{option}", str(value)]
    return shlex.join(words)
