"""`invariant-lpips train linear`: a head's linear weights, from people's scores, with k-fold figures and a card."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from pathlib import Path
from typing import Any

from invariant_lpips.training.linear import LOSSES, FitSettings


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    default = FitSettings()
    parser.add_argument("--dataset", required=True, help="tid2013, tid2008, kadid10k, csv, ...")
    parser.add_argument("--root", required=True, type=Path, help="the database's folder (csv: the table)")
    parser.add_argument("--label", help="what to call the scores in the card (default: the database's name)")
    parser.add_argument("--allow-missing", action="store_true", help="use the pictures that are there")
    parser.add_argument("--types", help="distortions to use, as 1-11,14,16-24 (default: all)")
    parser.add_argument(
        "--head", action="append", help="head to train; may be given several times (default: regional)"
    )
    parser.add_argument("--net", default="vgg")
    parser.add_argument("--pooling", default="max", choices=("max", "blur", "polyphase"))
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
        "--out", type=Path, default=Path(), help="folder for NET-HEAD.safetensors and its card"
    )


def run(args: argparse.Namespace) -> int:
    """Collect the components once, cross-validate, fit on everything and write weights and card."""
    from invariant_lpips.datasets import load_dataset
    from invariant_lpips.training.components import collect_components

    settings = FitSettings(
        args.loss, args.steps, args.lr, args.batch_size, args.decay, FitSettings().check_every, args.seed
    )
    pairs = load_dataset(args.dataset, args.root, allow_missing=args.allow_missing)
    if args.types:
        wanted = numbers(args.types)
        pairs = pairs.select(lambda pair: int(pair.distortion) in wanted)
    if not len(pairs):
        raise ValueError(
            f"Database {args.dataset} at {args.root} must hold pairs of the chosen types, but has none."
        )
    heads = tuple(args.head or ["regional"])
    components = collect_components(
        pairs,
        heads,
        net=args.net,
        pooling=args.pooling,
        device=args.device,
        cache=args.cache,
        workers=args.workers,
    )
    for head in heads:
        train_head(head, components[head], pairs, settings, args)
    return 0


def train_head(
    head: str, components: Any, pairs: Any, settings: FitSettings, args: argparse.Namespace
) -> None:
    """Cross-validate and fit one head; write its weights and card; print its figures on stdout."""
    import numpy as np

    from invariant_lpips.evaluation.correlations import krcc, plcc, srcc
    from invariant_lpips.evaluation.provenance import provenance
    from invariant_lpips.heads import make_head
    from invariant_lpips.registry import weights_hash
    from invariant_lpips.training import card
    from invariant_lpips.training.linear import cross_validate, distances, fit_all
    from invariant_lpips.training.threshold import fit_threshold
    from invariant_lpips.trunks import ARCHITECTURES

    root = make_head(head, args.net).euclidean
    scores = pairs.scores
    quality = scores if pairs.higher_is_better else -scores
    references = pairs.reference_ids
    print(f"{head}: {args.folds}-fold cross-validation by reference", file=sys.stderr)
    validation = cross_validate(components, quality, references, settings, root=root, folds=args.folds)
    fitted = fit_all(components, quality, validation, settings, root=root)
    strengths = fitted.strengths
    threshold = None
    if args.dataset.startswith("tid"):
        # One positive factor is free: it puts the just noticeable distance at JUST_NOTICEABLE.
        d0 = fit_threshold(distances(components, strengths, root=root), scores, references, draws=1).d0
        factor = card.JUST_NOTICEABLE / d0
        strengths = strengths * (factor**2 if root else factor)
        threshold = fit_threshold(distances(components, strengths, root=root), scores, references)
    weight = np.sqrt(strengths) if root else strengths
    name = ARCHITECTURES[args.net].name
    path = args.out / f"{name}-{head}.safetensors"
    trunk = weights_hash(name)
    sha256 = card.write_weights(path, weight, head=head, trunk=trunk, threshold=threshold)
    predictions, training = validation.predictions, distances(components, strengths, root=root)
    figures = {
        f"SRCC, references left out ({args.folds} folds)": f"{srcc(predictions, quality):.4f}",
        "PLCC, references left out": f"{plcc(predictions, quality):.4f}",
        "KRCC, references left out": f"{krcc(predictions, quality):.4f}",
        "SRCC on the training pairs": f"{-srcc(training, quality):.4f}",
        "stopping step of each fold, and of the shipped fit": f"{', '.join(map(str, validation.steps))}; {fitted.step}",
    }
    versions = provenance()["versions"]
    facts = {
        "head": head,
        "net": name,
        "trunk": trunk,
        "weights": len(weight),
        "database": args.label or args.dataset,
        "pairs": len(pairs),
        "references": len(set(references)),
        "distortions": args.types or "all",
        "command": command(args, head),
        "sha256": sha256,
        "versions": ", ".join(
            f"{package} {versions[package]}" for package in ("invariant-lpips", "torch", "numpy")
        ),
    }
    card.write_card(path, facts, figures, threshold)
    print(f"{path}\t{sha256}")
    for figure, value in figures.items():
        print(f"{head}\t{figure}\t{value}")


def command(args: argparse.Namespace, head: str) -> str:
    """The command that makes this head's file, with the folders of this machine left out."""
    words = ["invariant-lpips", "train", "linear", "--dataset", args.dataset, "--root", "DIR", "--head", head]
    words += ["--allow-missing"] if args.allow_missing else []
    words += ["--label", args.label] if args.label else []
    for option in ("types", "net", "pooling", "loss", "steps", "lr", "batch_size", "decay", "folds", "seed"):
        value = getattr(args, option)
        if value is not None:
            words += [f"--{option.replace('_', '-')}", str(value)]
    return shlex.join(words)


def numbers(text: str) -> set[int]:
    """`1-3,7` as {1, 2, 3, 7}.

    Example:
        >>> sorted(numbers("1-3,7"))
        [1, 2, 3, 7]
    """
    if not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", text):
        raise ValueError(f"Option --types must look like 1-11,14,16-24, but got {text!r}.")
    chosen: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        chosen.update(range(int(first), int(last or first) + 1))
    return chosen
