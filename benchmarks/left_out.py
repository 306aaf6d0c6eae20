"""Learned heads on TID2013 without what they learned from, beside metrics that learned nothing from it.

    python benchmarks/left_out.py --root TREE --cache COMPONENTS --scores SCORES --out benchmarks/results/tid2013.json

Each head is fitted five times as `invariant-lpips train linear` fits it. A pair's value comes from the fit that saw
neither its reference ("NAME") nor, in a second round, any pair of its type of distortion ("NAME, types left out": the
references are then the same). The report has the form of `invariant-lpips bench tid2013`: intervals and paired tests
over references, types, levels.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from invariant_lpips.datasets import load_dataset
from invariant_lpips.datasets.pairs import RatedPairs, select_pairs
from invariant_lpips.datasets.tid import DISTORTIONS
from invariant_lpips.evaluation.rated.report import build_report, text_table
from invariant_lpips.evaluation.runner import Scores, score_pairs
from invariant_lpips.files.provenance import write_result
from invariant_lpips.heads import make_head
from invariant_lpips.training.components import collect_components
from invariant_lpips.training.strengths import FitSettings, cross_validate

TYPES = "1-11,14,16-24"
#: Net, pooling, and heads whose components are read in one pass, as in docs/heads.md: `train linear` shares its cache.
HEADS = (
    ("vgg", "max", ("gap", "spatial", "gap-spatial", "regional")),
    ("vgg", "blur", ("regional", "gap")),
    ("alex", "max", ("gap", "regional")),
    ("alex", "max", ("regional-32",)),
    ("alex", "blur", ("gap", "regional")),
    ("pixels", "max", ("gap", "regional")),
    ("pixels", "max", ("regional-32",)),
)
PEERS = "psnr,ssim,ssim-rgb,lpips-alex,lpips-vgg,dists,st-lpips-alex"


def left_out(
    pairs: RatedPairs, net: str, pooling: str, heads: Sequence[str], cache: Path | None
) -> list[Scores]:
    """Predicted scores of the heads of one net and pooling, references left out and types left out."""
    types = [pair.distortion for pair in pairs]
    found = []
    components_of = collect_components(pairs, heads, net=net, pooling=pooling, cache=cache)
    for head, components in components_of.items():
        root = make_head(head, net).euclidean
        for groups, suffix in ((pairs.reference_ids, ""), (types, ", types left out")):
            validation = cross_validate(components, pairs.scores, groups, FitSettings(), root=root)
            options = [option for option in (net, pooling) if option not in ("vgg", "max")]
            name = "+".join([head, *options]) + suffix
            by = "type" if suffix else "reference"
            description = f"net {net}, head {head}, pooling {pooling}, 5 folds by {by}"
            found.append(Scores(name, description, True, validation.predictions, len(pairs), 0.0))
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Fit, score, and write the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, required=True, help="TID2013, or its resynthesis")
    parser.add_argument("--cache", type=Path, help="components, as `train linear --cache` keeps them")
    parser.add_argument("--scores", type=Path, help="scores of the peers, as `bench --cache` keeps them")
    parser.add_argument("--label", default="TID2013 (resynthesised)")
    parser.add_argument("--peers", default=PEERS, help="other metrics (default: %(default)s)")
    nets = sorted({net for net, _, _ in HEADS})
    parser.add_argument("--nets", default=",".join(nets), help="networks (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="JSON to write")
    args = parser.parse_args(argv)
    pairs = select_pairs(load_dataset("tid2013", args.root, verify=False, allow_missing=True), types=TYPES)
    results = [
        scores
        for net, pooling, heads in HEADS
        if net in args.nets.split(",")
        for scores in left_out(pairs, net, pooling, heads, args.cache)
    ]
    results += [score_pairs(pairs, name, cache=args.scores) for name in args.peers.split(",") if name]
    report = build_report(dataclasses.replace(pairs, name=args.label), results, names=DISTORTIONS)
    write_result(args.out, report)
    print(text_table(report), end="")


if __name__ == "__main__":
    main()
