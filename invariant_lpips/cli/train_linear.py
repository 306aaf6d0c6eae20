"""`invariant-lpips train linear`: a head's linear weights, from people's scores, with k-fold figures and a card."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from invariant_lpips.cli.devices import check_device
from invariant_lpips.cli.metric_options import known_poolings
from invariant_lpips.cli.start_up import load_torch
from invariant_lpips.datasets import DATASETS

#: Those of :mod:`invariant_lpips.training.strengths`, and what its `FitSettings` take from the command line.
LOSSES = ("pearson", "ranking")
FIT = ("loss", "steps", "lr", "batch_size", "decay", "seed")

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    default = argparse.SUPPRESS  # so that `FitSettings` supplies what the command line leaves out
    parser.add_argument("--dataset", required=True, help=f"{', '.join(DATASETS)}, or 2afc (BAPPS)")
    parser.add_argument("--root", required=True, type=Path, help="the database's folder (csv: the table)")
    parser.add_argument("--label", help="what to call the scores in the card (default: the database's name)")
    parser.add_argument("--allow-missing", action="store_true", help="use the pictures that are there")
    parser.add_argument("--split", default="train", help="of 2afc: train or val (train)")
    parser.add_argument(
        "--types",
        help="kinds of distortion to use, by code; numbers may be ranges: 1-11,14,16-24 (default: all)",
    )
    parser.add_argument(
        "--head", action="append", help="head to train; may be given several times (default: regional)"
    )
    parser.add_argument(
        "--net",
        default="vgg",
        help="vgg, alex, squeeze, pixels, or a tuned classifier: its run, folder or file",
    )
    parser.add_argument(
        "--pooling", choices=known_poolings(), help="default max; a tuned classifier keeps its own"
    )
    parser.add_argument("--device", default="cpu", help="where the network runs: cpu (default), cuda, mps")
    parser.add_argument(
        "--loss",
        default=default,
        choices=LOSSES,
        help="correlation with the scores, or their order (pearson)",
    )
    parser.add_argument("--steps", type=int, default=default, metavar="N", help="of Adam (600)")
    parser.add_argument("--lr", type=float, default=default, help="first step size of Adam (0.02)")
    parser.add_argument(
        "--batch-size", type=int, default=default, metavar="N", help="pairs a step; 0 takes all (0)"
    )
    parser.add_argument(
        "--decay", type=float, default=default, help="pull of the weights to equal shares (0.003)"
    )
    parser.add_argument(
        "--folds", type=int, default=5, metavar="K", help="parts of the references, each held out once (5)"
    )
    parser.add_argument("--seed", type=int, default=default, help="of the batches (0)")
    parser.add_argument(
        "--cache", type=Path, help="keep the features of each reference here; a rerun goes on"
    )
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes that compute features (1)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(),
        help="folder for NET[-tuned]-HEAD[-POOLING].safetensors and its card (here)",
    )


def run(args: argparse.Namespace) -> int:
    """Learn the weights; say what was written and measured on stdout, how far it is on stderr."""
    check_device(args.device)
    load_torch()
    from invariant_lpips.training.linear import TrainLinearSettings, train_linear
    from invariant_lpips.training.strengths import FitSettings

    fit = FitSettings(**{name: value for name, value in vars(args).items() if name in FIT})
    settings = TrainLinearSettings(
        dataset=args.dataset,
        root=args.root,
        heads=tuple(args.head or ["regional"]),
        net=args.net,
        pooling=args.pooling,
        types=args.types,
        split=args.split,
        allow_missing=args.allow_missing,
        label=args.label,
        fit=fit,
        folds=args.folds,
        device=args.device,
        cache=args.cache,
        workers=args.workers,
        out=args.out,
    )
    for trained in train_linear(settings, say=lambda line: print(line, file=sys.stderr)):
        print(f"{trained.path}\t{trained.sha256}")
        for figure, value in trained.figures.items():
            print(f"{trained.head}\t{figure}\t{value}")
        if trained.warning is not None:
            print(f"{trained.head}: {trained.warning}", file=sys.stderr)
    return 0
