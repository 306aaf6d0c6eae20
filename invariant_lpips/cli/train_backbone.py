"""`invariant-lpips train backbone --data DIR --out DIR`: train a GAP classifier; run it again to go on."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invariant_lpips.cli.devices import check_device
from invariant_lpips.cli.metric_options import CLASSIFIER_HEADS, known_poolings
from invariant_lpips.cli.scoring_options import set_threads
from invariant_lpips.cli.start_up import load_torch

if TYPE_CHECKING:
    from invariant_lpips.training.backbone_config import BackboneConfig

__all__ = ["configure", "run"]

#: Those of :mod:`invariant_lpips.training.backbone_engine` and :mod:`invariant_lpips.trunks.pooling`.
PRECISIONS = ("no", "bf16", "fp16")
PADDINGS = ("zeros", "circular")

EXAMPLES = """
examples:
  frozen trunk, features computed once and kept:
    invariant-lpips train backbone --data pictures --out runs/gap
  tuned trunk, one GPU:
    invariant-lpips train backbone --data pictures --out runs/tuned --tune 5 --precision bf16 --channels-last
  tuned trunk, four GPUs:
    accelerate launch --num_processes 4 -m invariant_lpips train backbone \\
      --data pictures --out runs/four --tune 5
  two processes on CPUs, which `accelerate launch` does not start:
    torchrun --nproc_per_node 2 -m invariant_lpips train backbone \\
      --data pictures --out runs/two --tune 5 --device cpu
  the same run once more:
    invariant-lpips train backbone --config runs/gap/config.json --out runs/again
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of a training run to `parser`."""
    parser.epilog = EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    unset = argparse.SUPPRESS  # so that --config supplies what the command line leaves out
    add = parser.add_argument
    add("--out", required=True, metavar="DIR", help="folder of the run; an unfinished run in it goes on")
    add("--config", metavar="FILE", help="config.json of an earlier run, to run again")
    add(
        "--data",
        default=unset,
        metavar="DIR",
        help="DIR/train/CLASS/*.jpg (and val, test), or DIR/CLASS/*.jpg",
    )
    add("--head", default=unset, choices=CLASSIFIER_HEADS, help="default multi-gap")
    add("--image-size", default=unset, type=int, metavar="PX", help="resize pictures to PX x PX; default 256")
    add("--pooling", default=unset, choices=known_poolings(), help="default max")
    add("--padding", default=unset, choices=PADDINGS, help="default: circular for polyphase, zeros otherwise")
    add("--class-list", default=unset, metavar="FILE", help="one class (folder) per line: the classes to use")
    add("--fractions", default=unset, type=float, nargs=2, metavar=("VAL", "TEST"), help="default .15 .15")
    add(
        "--split-seed",
        default=unset,
        type=int,
        help="of the split of a tree without train/val/test; default 0",
    )
    add("--tune", default=unset, type=int, metavar="N", help="train the last N of 5 blocks too; default 0")
    add("--init", default=unset, metavar="CLASSIFIER", help="name or path of a classifier to start from")
    add("--epochs", default=unset, type=int, help="at most; default 500")
    add("--patience", default=unset, type=int, help="epochs without a better validation accuracy; default 25")
    add("--batch-size", default=unset, type=int, help="over all processes; default 32")
    add("--lr", default=unset, type=float, help="of the linear layer; default 1e-3")
    add("--trunk-lr", default=unset, type=float, help="of the trunk; default 1e-5")
    add(
        "--l2", default=unset, type=float, help="default: the paper's, 1e-4 for flatten and multi-gap, else 0"
    )
    add("--shift", default=unset, type=int, metavar="PX", help="random shifts of up to PX; default 0")
    add("--flip", default=unset, action="store_true", help="mirror half of the pictures")
    add("--consistency", default=unset, type=float, help="weight of the shift-consistency term; default 0")
    add("--precision", default=unset, choices=PRECISIONS, help="mixed precision; default no")
    add("--channels-last", default=unset, action="store_true", help="memory layout that tensor cores prefer")
    add("--seed", default=unset, type=int, help="default 0")
    add("--cache", metavar="DIR", help="features of frozen trunks; default: `.features` beside --out")
    add("--device", help="cpu, cuda, ...; default: the best there is")
    add("--workers", type=int, default=0, help="processes that read pictures; default 0")
    add("--threads", type=int, help="threads of PyTorch on a CPU")
    add("--tensorboard", action="store_true", help="log for TensorBoard too (extra [train])")
    add("--quiet", action="store_true", help="no progress bars, no word on going on")


def run(args: argparse.Namespace) -> int:
    """Train and print the result as JSON."""
    if args.device is not None:
        check_device(args.device)
    load_torch()
    from invariant_lpips.training.backbone import train_backbone

    set_threads(args)
    first = os.environ.get("RANK", "0") == "0"  # of the processes of `accelerate launch` or `torchrun`
    loud = first and not args.quiet
    result = train_backbone(
        _config(args),
        args.out,
        cache=args.cache,
        device=args.device,
        workers=args.workers,
        tensorboard=args.tensorboard,
        wrap=_bar if loud else lambda steps, what: steps,
        say=_say if loud else lambda line: None,
    )
    if first:
        print(json.dumps(result | {"model": str(Path(args.out) / "model")}, indent=1))
    return 0


def _config(args: argparse.Namespace) -> BackboneConfig:
    """What the command line says, over what `--config` recorded."""
    from invariant_lpips.training.backbone_config import BackboneConfig
    from invariant_lpips.training.backbone_folder import RECORD

    names = {field.name for field in fields(BackboneConfig)}
    options: dict[str, Any] = {}
    if args.config:
        recorded = json.loads(Path(args.config).read_text(encoding="utf-8"))
        options = recorded.get("options", {}) if isinstance(recorded, dict) else {}
        if not options or options.keys() - names:
            raise ValueError(f"{args.config} must be the {RECORD} of a training run, but is not.")
    options |= {name: value for name, value in vars(args).items() if name in names}
    if "data" not in options:
        raise ValueError("the folder of pictures is missing: pass --data DIR, or --config FILE.")
    if "fractions" in options:
        options["fractions"] = tuple(options["fractions"])
    return BackboneConfig(**options)


def _bar(steps: Iterable[Any], what: str) -> Iterable[Any]:
    from tqdm import tqdm

    bar: Iterable[Any] = tqdm(steps, desc=what, leave=False, file=sys.stderr)
    return bar


def _say(line: str) -> None:
    print(line, file=sys.stderr)
