"""The benchmark of a rated database as a command: load, select, score, report.

``invariant-lpips bench kadid10k|tid2013|tid2008|raid|csiq|live|pipal|csv`` and the scripts in ``benchmarks/``
all call :func:`main`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from invariant_lpips.datasets import find_database, load_dataset
from invariant_lpips.datasets.pairs import RatedPairs, select_pairs
from invariant_lpips.evaluation import figures
from invariant_lpips.evaluation.metrics import resolve_metric
from invariant_lpips.evaluation.rated.report import build_report, orient, text_table, write_report
from invariant_lpips.evaluation.runner import Scores, score_pairs
from invariant_lpips.evaluation.score_cache import default_cache_folder
from invariant_lpips.files.provenance import provenance
from invariant_lpips.files.writing import replacing
from invariant_lpips.statistics import psychophysics

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["main", "select_pairs"]

DEFAULT_METRICS = "default,gap,lpips-vgg,lpips-alex,ssim,psnr"


def configure(parser: argparse.ArgumentParser, dataset: str) -> None:
    """The options of a rated benchmark."""
    database = find_database(dataset)
    parser.add_argument(
        "--root", type=Path, required=True, help=f"where the database lies. {database.obtain}"
    )
    parser.add_argument(
        "--metrics", default=DEFAULT_METRICS, metavar="A,B,...", help="metrics by name (default: %(default)s)"
    )
    parser.add_argument(
        "--types", metavar="1-11,14", help="kinds of distortion by code; numbers may be ranges"
    )
    parser.add_argument("--levels", metavar="1,3,5", help="levels by number; ranges too")
    parser.add_argument("--references", metavar="I01,I02", help="references by name")
    parser.add_argument(
        "--allow-missing", action="store_true", help="score what is there of an incomplete copy"
    )
    parser.add_argument("--no-verify", action="store_true", help="do not look at every file first")
    parser.add_argument(
        "--label", help="what to call the database in the report, e.g. 'TID2013 (resynthesised)'"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write report.json, report.txt, csv, figures here"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report as this one JSON file")
    parser.add_argument("--no-figures", action="store_true", help="do not draw figures into --out")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="cached scores (default: the user's cache)")
    parser.add_argument("--no-cache", action="store_true", help="neither read nor write cached scores")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="threads of torch, divided between the processes")
    parser.add_argument("--batch-size", type=int, help="pictures at once (default: 1 on a CPU, 16 on a GPU)")
    parser.add_argument("--device", default="cpu", help="where deep metrics run (default: %(default)s)")
    parser.add_argument("--resamples", type=int, default=1000, help="of the bootstrap (default: %(default)s)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    if database.download is not None:
        parser.add_argument("--download", action="store_true", help="fetch the database into --root first")


def main(dataset: str, argv: Sequence[str] | None = None) -> int:
    """Run the benchmark of one database and return the exit status.

    The report goes to stdout, progress to stderr. Exit status 2 means wrong usage or an incomplete database.
    """
    summary = find_database(dataset).summary
    parser = argparse.ArgumentParser(prog=f"invariant-lpips bench {dataset}", description=summary)
    configure(parser, dataset)
    arguments = parser.parse_args(argv)
    try:
        report = run(dataset, arguments)
    except (ValueError, ImportError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(text_table(report), end="")
    if "raid" in report:
        print("\n" + psychophysics.raid_text(report["raid"]), end="")
    return 0


def run(dataset: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Load, score and report; files are written where the arguments say."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    names = [name.strip() for name in arguments.metrics.split(",") if name.strip()]
    if not names:
        raise ValueError("Option --metrics must name at least one metric.")
    database = find_database(dataset)
    if database.download is not None and arguments.download:
        database.download(arguments.root)
    pairs = load_dataset(
        dataset, arguments.root, verify=not arguments.no_verify, allow_missing=arguments.allow_missing
    )
    pairs = select_pairs(
        pairs, types=arguments.types, levels=arguments.levels, references=arguments.references
    )
    cache = None if arguments.no_cache else arguments.cache or default_cache_folder()
    results = [
        score_pairs(
            pairs,
            name,
            device=arguments.device,
            cache=cache,
            batch_size=arguments.batch_size,
            workers=arguments.workers,
            progress=not arguments.quiet,
        )
        for name in names
    ]
    if arguments.label:
        pairs = dataclasses.replace(pairs, name=arguments.label)
    report = build_report(pairs, results, names=database.distortions, resamples=arguments.resamples)
    if dataset == "raid":
        report["raid"] = raid_part(pairs, results, arguments.device)
    report = {**provenance(), **report}
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        with replacing(arguments.json) as temporary:
            temporary.write_text(json.dumps(report, indent=1) + "\n")
    if arguments.out:
        write_report(report, arguments.out)
        if not arguments.no_figures:
            draw(report, pairs, results, arguments.out)
    return report


def raid_part(pairs: RatedPairs, results: Sequence[Scores], device: str) -> dict[str, Any]:
    """Curves and JOD of RAID for each metric."""
    picture = torch.linspace(0, 1, 3 * 192 * 192).view(1, 3, 192, 192).to(device)
    distances: dict[str, NDArray[np.float64]] = {}
    zeros: dict[str, float] = {}
    for result in results:
        distances[result.metric] = orient(result, higher_is_better=False)
        equal = float(resolve_metric(result.metric, device)(picture, picture)[0])
        zeros[result.metric] = -equal if result.higher_is_better else equal
    noise = psychophysics.noise_sizes(pairs) if "gn" in pairs.distortions else None
    return psychophysics.raid_report(pairs, distances, zeros=zeros, noise=noise)


def draw(report: dict[str, Any], pairs: RatedPairs, results: Sequence[Scores], folder: Path) -> None:
    """All figures of a report."""
    for result in results:
        slug = result.metric.replace("/", "_").replace(":", "_")
        entry = report["metrics"][result.metric]
        figures.draw_scatter(folder / f"scatter_{slug}.png", pairs, result.values, entry, result.metric)
    if len(report["distortions"]) > 1:
        figures.draw_bars(folder / "by_distortion.png", report)
    if "raid" in report:
        metrics = {name: psychophysics.curves_of(entry) for name, entry in report["raid"]["metrics"].items()}
        figures.draw_curves(folder / "curves.png", psychophysics.curves_of(report["raid"]["human"]), metrics)
