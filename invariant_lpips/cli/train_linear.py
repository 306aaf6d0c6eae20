"""`invariant-lpips train linear`: a head's linear weights, from people's scores, with k-fold figures and a card."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invariant_lpips.training.strengths import LOSSES, FitSettings
from invariant_lpips.trunks.pooling import POOLINGS

if TYPE_CHECKING:
    from invariant_lpips.datasets.bapps import TwoAFC
    from invariant_lpips.datasets.pairs import RatedPairs
    from invariant_lpips.metric import InvariantLPIPS
    from invariant_lpips.training.threshold import Threshold


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    default = FitSettings()
    parser.add_argument(
        "--dataset", required=True, help="tid2013, tid2008, kadid10k, csv, ..., or 2afc (BAPPS)"
    )
    parser.add_argument("--root", required=True, type=Path, help="the database's folder (csv: the table)")
    parser.add_argument("--label", help="what to call the scores in the card (default: the database's name)")
    parser.add_argument("--allow-missing", action="store_true", help="use the pictures that are there")
    parser.add_argument("--split", default="train", help="of 2afc: train or val")
    parser.add_argument(
        "--types",
        help="kinds of distortion to use, by code; numbers may be ranges: 1-11,14,16-24 (default: all)",
    )
    parser.add_argument(
        "--head", action="append", help="head to train; may be given several times (default: regional)"
    )
    parser.add_argument(
        "--net", default="vgg", help="vgg, alex, squeeze, or a tuned classifier: its run, folder or file"
    )
    parser.add_argument(
        "--pooling", default="max", choices=POOLINGS, help="default max; a tuned classifier keeps its own"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--loss", default=default.loss, choices=LOSSES)
    parser.add_argument("--steps", type=int, default=default.steps)
    parser.add_argument("--lr", type=float, default=default.lr)
    parser.add_argument(
        "--batch-size", type=int, default=default.batch_size, help="pairs a step; 0 takes all"
    )
    parser.add_argument(
        "--decay", type=float, default=default.decay, help="pull of the weights to equal shares"
    )
    parser.add_argument("--folds", type=int, default=5, help="k-fold by reference")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--cache", type=Path, help="keep the features of each reference here; a rerun goes on"
    )
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(),
        help="folder for NET[-tuned]-HEAD[-POOLING].safetensors and its card",
    )


def run(args: argparse.Namespace) -> int:
    """Collect the components once, cross-validate, fit on everything and write weights and card."""
    from invariant_lpips.datasets import load_dataset
    from invariant_lpips.datasets.bapps import load_2afc
    from invariant_lpips.datasets.selection import select_pairs
    from invariant_lpips.metric import InvariantLPIPS
    from invariant_lpips.training.components import collect_components
    from invariant_lpips.training.two_afc import as_pairs

    settings = FitSettings(
        args.loss, args.steps, args.lr, args.batch_size, args.decay, FitSettings().check_every, args.seed
    )
    choices: tuple[TwoAFC, ...] = ()
    if args.dataset == "2afc":
        choices = load_2afc(args.root, split=args.split)
        pairs = as_pairs(choices)
    else:
        pairs = load_dataset(args.dataset, args.root, allow_missing=args.allow_missing)
    pairs = select_pairs(pairs, types=args.types)
    least, references = 2 if choices else 3, len(pairs.references)
    if not least <= args.folds <= references:
        raise ValueError(
            f"Option --folds must be between {least} (one judges, one chooses the step, one is fitted) and "
            f"the {references} references, but is {args.folds}."
        )
    heads = tuple(args.head or ["regional"])
    # The metric of each head before anything was learned.
    units = {head: InvariantLPIPS(args.net, head, args.pooling, weights="unit") for head in heads}
    components = collect_components(
        pairs,
        heads,
        net=args.net,
        pooling=args.pooling,
        device=args.device,
        cache=args.cache,
        workers=args.workers,
    )
    for head, unit in units.items():
        if choices:
            train_on_choices(
                unit, components[head], pairs, [choice.judge for choice in choices], settings, args
            )
        else:
            train_on_scores(unit, components[head], pairs, settings, args)
    return 0


def train_on_choices(
    unit: InvariantLPIPS,
    components: Any,
    pairs: RatedPairs,
    judge: Sequence[float],
    settings: FitSettings,
    args: argparse.Namespace,
) -> None:
    """Fit one head to 2AFC choices, one fold of references choosing the step."""
    import numpy as np

    from invariant_lpips.training.linear import folds_by_reference
    from invariant_lpips.training.strengths import distances
    from invariant_lpips.training.two_afc import agreement, fit_choices

    root = unit.head.euclidean
    judged = np.array(judge, dtype=np.float64)
    n = len(judged)
    held_out = folds_by_reference(pairs.reference_ids[:n], args.folds, settings.seed) == 0
    fitted = fit_choices(components, judged, settings, root=root, held_out=held_out)
    d = distances(components, fitted.strengths, root=root)
    kept = ~held_out
    figures = {
        "2AFC on the choices that picked the stopping step": (
            f"{agreement(d[:n][held_out], d[n:][held_out], judged[held_out]):.4f}"
        ),
        "2AFC on the fitted choices": f"{agreement(d[:n][kept], d[n:][kept], judged[kept]):.4f}",
        "stopping step": str(fitted.step),
    }
    write_head(unit, fitted.strengths, None, figures, pairs, args)
    plain = distances(components, untrained(unit, args)["unit weights"], root=root)
    learned, unlearned = (agreement(e[:n][held_out], e[n:][held_out], judged[held_out]) for e in (d, plain))
    if sentence := warning("2AFC", learned, unlearned):
        print(f"{unit.head.name}: {sentence}", file=sys.stderr)


def train_on_scores(
    unit: InvariantLPIPS, components: Any, pairs: Any, settings: FitSettings, args: argparse.Namespace
) -> None:
    """Cross-validate and fit one head; write its weights and card; print its figures on stdout."""
    from invariant_lpips.statistics.correlations import krcc, plcc, srcc
    from invariant_lpips.training.card import JUST_NOTICEABLE
    from invariant_lpips.training.linear import cross_validate, fit_all
    from invariant_lpips.training.strengths import distances
    from invariant_lpips.training.threshold import fit_threshold

    root = unit.head.euclidean
    scores, references = pairs.scores, pairs.reference_ids
    quality = scores if pairs.higher_is_better else -scores
    print(f"{unit.head.name}: {args.folds}-fold cross-validation by reference", file=sys.stderr)
    validation = cross_validate(components, quality, references, settings, root=root, folds=args.folds)
    fitted = fit_all(components, quality, validation, settings, root=root)
    strengths, threshold = fitted.strengths, None
    if args.dataset.startswith("tid"):
        # One positive factor is free: it puts the just noticeable distance at JUST_NOTICEABLE.
        d0 = fit_threshold(distances(components, strengths, root=root), scores, references, draws=1).d0
        factor = JUST_NOTICEABLE / d0
        strengths = strengths * (factor**2 if root else factor)
        threshold = fit_threshold(distances(components, strengths, root=root), scores, references)
    predictions, training = validation.predictions, distances(components, strengths, root=root)
    figures = {
        f"SRCC, references left out ({args.folds} folds)": f"{srcc(predictions, quality):.4f}",
        "PLCC, references left out": f"{plcc(predictions, quality):.4f}",
        "KRCC, references left out": f"{krcc(predictions, quality):.4f}",
        "SRCC on the training pairs": f"{-srcc(training, quality):.4f}",
        "stopping step of each fold, and of the shipped fit": (
            f"{', '.join(map(str, validation.steps))}; {fitted.step}"
        ),
    }
    others = {
        name: -srcc(distances(components, strengths, root=root), quality)
        for name, strengths in untrained(unit, args).items()
    }
    figures |= {f"SRCC of {name}": f"{value:.4f}" for name, value in others.items()}
    write_head(unit, strengths, threshold, figures, pairs, args)
    if sentence := warning("SRCC", srcc(predictions, quality), others["unit weights"]):
        print(f"{unit.head.name}: {sentence}", file=sys.stderr)


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


def untrained(unit: InvariantLPIPS, args: argparse.Namespace) -> dict[str, Any]:
    """Strengths that did not learn from these scores: what training has to beat to be worth it."""
    import numpy as np

    from invariant_lpips.metric import InvariantLPIPS
    from invariant_lpips.registry import ENTRIES, linear_name

    found, head = {"unit weights": unit}, unit.head.name
    # The bundled weights did learn from TID, whose two editions share references.
    if not args.dataset.startswith("tid") and linear_name(unit.identity.trunk, head) in ENTRIES:
        found["the bundled weights"] = InvariantLPIPS(args.net, head, args.pooling)
    weights = {name: metric.head.weight.numpy().astype(np.float64) for name, metric in found.items()}
    return {name: np.square(weight) if unit.head.euclidean else weight for name, weight in weights.items()}


def write_head(
    unit: InvariantLPIPS,
    strengths: Any,
    threshold: Threshold | None,
    figures: Mapping[str, str],
    pairs: RatedPairs,
    args: argparse.Namespace,
) -> None:
    """Write one head's weights and card, and print its figures on stdout."""
    import numpy as np

    from invariant_lpips.files.provenance import provenance
    from invariant_lpips.registry import linear_name
    from invariant_lpips.registry.identity import OWN
    from invariant_lpips.training import card

    weight = np.sqrt(strengths) if unit.head.euclidean else strengths
    head, pooling, name = unit.head.name, unit.net.pooling, unit.net.architecture.name
    who = unit.identity
    call = f'InvariantLPIPS(net="{unit.net_name}", head="{head}"'
    tuned = who.trunk == OWN
    if tuned:
        name = f"{name}-tuned"
        call = f'InvariantLPIPS(net=CLASSIFIER, head="{head}", weights=FILE'
    path = args.out / f"{linear_name(name, head, pooling)}.safetensors"
    sha256 = card.write_weights(
        path, weight, head=head, trunk=who.trunk_hash, threshold=threshold, pooling=pooling
    )
    versions = provenance()["versions"]
    facts = {
        "head": head,
        "call": call + (")" if pooling == "max" else f', pooling="{pooling}")'),
        "net": name,
        "trunk": who.trunk_hash,
        "weights": len(weight),
        "database": args.label or args.dataset,
        "pairs": len(pairs),
        "references": len(set(pairs.reference_ids)),
        "distortions": args.types or "all",
        "command": command(args, head, tuned=tuned),
        "sha256": sha256,
        "versions": ", ".join(
            f"{package} {versions[package]}" for package in ("invariant-lpips", "torch", "numpy")
        ),
    }
    card.write_card(path, facts, figures, threshold)
    print(f"{path}\t{sha256}")
    for figure, value in figures.items():
        print(f"{head}\t{figure}\t{value}")


def command(args: argparse.Namespace, head: str, *, tuned: bool) -> str:
    """The command that makes this head's file, with the folders of this machine left out."""
    words = ["invariant-lpips", "train", "linear", "--dataset", args.dataset, "--root", "DIR", "--head", head]
    words += ["--allow-missing"] if args.allow_missing else []
    words += ["--label", args.label] if args.label else []
    for option in (
        "split",
        "types",
        "net",
        "pooling",
        "loss",
        "steps",
        "lr",
        "batch_size",
        "decay",
        "folds",
        "seed",
    ):
        value = "CLASSIFIER" if tuned and option == "net" else getattr(args, option)
        if value is not None and (option != "split" or args.dataset == "2afc"):
            words += [f"--{option.replace('_', '-')}", str(value)]
    return shlex.join(words)
