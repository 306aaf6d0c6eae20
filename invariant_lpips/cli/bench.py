"""`invariant-lpips bench NAME ...`: run one of the package's benchmarks.

Every database of :data:`invariant_lpips.datasets.DATASETS` has one; to add another, write a module with
``configure(parser, name)`` and ``run(args) -> int`` and add its line to :data:`BENCHES`. Experiments behind single
pages of the documentation are scripts in the repository's folder ``benchmarks`` and run from there.
"""

from __future__ import annotations

import argparse
import importlib
import runpy
from pathlib import Path

from invariant_lpips.cli.output import EXIT_STATUS, PROGRAM, Parser, sentence
from invariant_lpips.datasets import DATASETS

#: name -> (module, one line of help); of databases, those that say more than that people are agreed with.
BENCHES: dict[str, tuple[str, str]] = {
    "all": ("invariant_lpips.cli.bench_all", "every database under a folder, one page and one JSON"),
    **{
        name: ("invariant_lpips.cli.bench_rated", f"agreement with people on {name.upper()}")
        for name in DATASETS
    },
    "kadid10k": ("invariant_lpips.cli.bench_rated", "agreement with people on KADID-10k"),
    "raid": (
        "invariant_lpips.cli.bench_rated",
        "rotation, translation, scaling and noise against people's responses (RAID)",
    ),
    "csv": ("invariant_lpips.cli.bench_rated", "your own rated pairs in a csv file"),
    "bapps": ("invariant_lpips.cli.bench_bapps", "2AFC and JND of BAPPS, lpips' own benchmark"),
    "ladder": (
        "invariant_lpips.cli.bench_ladder",
        "displacements against noise, ordered by detection thresholds, on any photographs",
    ),
    "translation": (
        "invariant_lpips.cli.bench_translation",
        "classifiers and metrics under shifts, turns and zooms",
    ),
    "speed": (
        "invariant_lpips.cli.bench_speed",
        "time and memory beside lpips, torchmetrics, piq, ST-LPIPS and DISTS",
    ),
}

#: Experiments: scripts of the repository, name -> one line of help.
EXPERIMENTS = {
    "resynthesis": "how near TID2013 (resynthesised) comes to the published PSNRs",
    "ablation": "which statistics of the trunk agree with people",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """A name, and whatever the benchmark itself takes."""
    lines = {name: line for name, (_, line) in BENCHES.items()}
    lines |= {name: f"{line} (repository only)" for name, line in EXPERIMENTS.items()}
    width = max(len(name) for name in lines)
    listing = "\n".join(f"  {name.ljust(width)}  {line}" for name, line in lines.items())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"benchmarks:\n{listing}\n\n`invariant-lpips bench NAME --help` says what each takes."
    parser.add_argument("name", choices=sorted(lines), metavar="NAME", help="which benchmark")
    arguments = parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what the benchmark takes")
    arguments.required = False  # in the complaint that a name is missing


def run(args: argparse.Namespace) -> int:
    """Run the benchmark with the remaining arguments and return its exit status."""
    args.called = f"bench {args.name}"  # what goes wrong from here on is said of the benchmark
    if args.name in EXPERIMENTS:
        script = runpy.run_path(str(experiment(args.name)))
        return script["main"](args.arguments) or 0
    module_name, line = BENCHES[args.name]
    module = importlib.import_module(module_name)
    parser = Parser(prog=f"{PROGRAM} {args.called}", description=sentence(line), epilog=EXIT_STATUS)
    module.configure(parser, args.name)
    parsed = parser.parse_args(args.arguments)
    args.called = parsed.called  # with the part of `translation`
    status: int = module.run(parsed)
    return status


def experiment(name: str) -> Path:
    """The script of an experiment in the checkout that this package runs from.

    Raises:
        FileNotFoundError: it runs from an installed package, which has no experiments.
    """
    script = Path(__file__).resolve().parents[2] / "benchmarks" / f"{name}.py"
    if not script.is_file():
        raise FileNotFoundError(
            f"Experiment {name} does not come with the installed package: run benchmarks/{name}.py in a clone of the "
            "repository."
        )
    return script


def words(text: str) -> tuple[str, ...]:
    """The parts of a comma-separated list, without spaces around them and without empty ones."""
    return tuple(word.strip() for word in text.split(",") if word.strip())
