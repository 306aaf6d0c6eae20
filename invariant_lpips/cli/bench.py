"""`invariant-lpips bench NAME ...`: run one of the package's benchmarks.

A benchmark is a script in the repository's folder ``benchmarks`` (in the wheel:
``invariant_lpips/_benchmarks``) with ``main(argv) -> int``. To add one, write the script and add its line to
:data:`BENCHES`.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

# name -> (script, arguments put before the user's, one line of help)
BENCHES: dict[str, tuple[str, tuple[str, ...], str]] = {
    "kadid10k": ("kadid10k", (), "agreement with people on KADID-10k"),
    "tid2013": ("tid", ("tid2013",), "agreement with people on TID2013"),
    "tid2008": ("tid", ("tid2008",), "agreement with people on TID2008"),
    "raid": ("raid", (), "rotation, translation, scaling and noise against people's responses (RAID)"),
    "bapps": ("bapps", (), "2AFC and JND of BAPPS, lpips' own benchmark"),
    "csv": ("pairs", ("csv",), "your own rated pairs in a csv file"),
    "csiq": ("pairs", ("csiq",), "agreement with people on CSIQ"),
    "live": ("pairs", ("live",), "agreement with people on LIVE"),
    "pipal": ("pairs", ("pipal",), "agreement with people on PIPAL"),
    "ladder": (
        "ladder",
        (),
        "displacements against noise, ordered by detection thresholds, on any photographs",
    ),
    "translation": ("translation", (), "classifiers and metrics under shifts, turns and zooms"),
    "speed": ("speed", (), "time and memory beside lpips, torchmetrics, piq, ST-LPIPS and DISTS"),
    "resynthesis": ("resynthesis", (), "how near TID2013 (resynthesised) comes to the published PSNRs"),
    "ablation": ("ablation", (), "which statistics of the trunk agree with people"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """A name, and whatever the benchmark itself takes."""
    width = max(len(name) for name in BENCHES)
    listing = "\n".join(f"  {name.ljust(width)}  {line}" for name, (_, _, line) in BENCHES.items())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"benchmarks:\n{listing}\n\n`invariant-lpips bench NAME --help` says what each takes."
    parser.add_argument("name", choices=sorted(BENCHES), metavar="NAME", help="which benchmark")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what the benchmark takes")


def run(args: argparse.Namespace) -> int:
    """Run the benchmark's script with the remaining arguments and return its exit status."""
    script, first, _ = BENCHES[args.name]
    status: int = load_script(script).main([*first, *args.arguments]) or 0
    return status


def load_script(name: str) -> ModuleType:
    """The benchmark script `name` as a module, from the package or the checkout.

    Raises:
        FileNotFoundError: the script is in neither place.
    """
    package = Path(__file__).parent.parent
    for folder in (package / "_benchmarks", package.parent / "benchmarks"):
        path = folder / f"{name}.py"
        specification = importlib.util.spec_from_file_location(f"invariant_lpips_bench_{name}", path)
        if path.is_file() and specification is not None and specification.loader is not None:
            module = importlib.util.module_from_spec(specification)
            sys.modules[specification.name] = module  # dataclasses and pickling look modules up by name
            specification.loader.exec_module(module)
            return module
    raise FileNotFoundError(
        f"Benchmark script {name}.py is neither in the package nor in a checkout: install the package again."
    )
