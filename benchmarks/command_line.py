#!/usr/bin/env python3
"""CPU time of commands from the shell, of this checkout beside another.

    git worktree add /tmp/before COMMIT
    python benchmarks/command_line.py --before /tmp/before -o benchmarks/results/command_line.json

Commands take turns, those of the two checkouts one after the other; reported is the median of user and system seconds
of the whole process, with one thread. `torch` is what importing it takes. Folders hold pairs of JPEG pictures of
256 px, cut from a photograph of scikit-image and stored at two qualities; for VGG-16 there are a fifth of them.
"""

from __future__ import annotations

import argparse
import compileall
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from invariant_lpips.files.provenance import write_result

HERE = Path(__file__).resolve().parents[1]
COMMANDS = {
    "torch": None,
    "--help": ["--help"],
    "weights list": ["weights", "list"],
    "a wrong option": ["compare", "reference/0.jpg", "distorted/0.jpg", "--pooling", "none"],
    "a missing file": ["compare", "reference/0.jpg", "nowhere.png"],
    "compare": ["compare", "reference/0.jpg", "distorted/0.jpg"],
    "compare --net alex": ["compare", "reference/0.jpg", "distorted/0.jpg", "--net", "alex"],
    "compare --net pixels": ["compare", "reference/0.jpg", "distorted/0.jpg", "--net", "pixels"],
    "compare --map": ["compare", "reference/0.jpg", "distorted/0.jpg", "--map", "maps"],
    "folders": ["compare", "reference", "distorted", "-o", "folders.csv"],
    "folders --net alex": ["compare", "reference", "distorted", "--net", "alex", "-o", "folders.csv"],
    "folders --net pixels": ["compare", "reference", "distorted", "--net", "pixels", "-o", "folders.csv"],
    "-d --net alex": ["compare", "-d", "reference", "--net", "alex", "-o", "folders.csv"],
}


def write_pairs(folder: Path, count: int, side: int = 256) -> None:
    import numpy as np
    from PIL import Image
    from skimage import data

    photograph = data.astronaut()
    rng = np.random.default_rng(0)
    for name in ("reference", "distorted"):
        (folder / name).mkdir()
    for k in range(count):
        top, left = rng.integers(0, 512 - side + 1, 2)
        picture = Image.fromarray(photograph[top : top + side, left : left + side])
        picture.save(folder / "reference" / f"{k}.jpg", quality=95)
        picture.save(folder / "distorted" / f"{k}.jpg", quality=30)


def seconds(command: Sequence[str] | None, checkout: Path, folder: Path) -> float:
    """User and system seconds of one command, run in `folder` by the package in `checkout`."""
    program = ["-c", "import torch"] if command is None else ["-m", "invariant_lpips", *command]
    before = os.times()
    subprocess.run(
        [sys.executable, *program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=False,  # two of the commands are refused
    )
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path, help="another checkout")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=100, help="in the two folders (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=list(COMMANDS), metavar="COMMAND")
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args(argv)
    checkouts = {"now": HERE} if options.before is None else {"before": options.before, "now": HERE}
    for checkout in checkouts.values():
        compileall.compile_dir(checkout / "invariant_lpips", quiet=1)  # as pip does
    taken: dict[str, dict[str, list[float]]] = {
        name: {which: [] for which in checkouts} for name in options.only
    }
    for _ in range(options.rounds):
        for name in options.only:
            for which, checkout in checkouts.items():
                with tempfile.TemporaryDirectory() as place:
                    count = options.pairs if name.startswith(("folders", "-d")) else 1
                    write_pairs(Path(place), max(1, count // 5) if name == "folders" else count)
                    taken[name][which].append(seconds(COMMANDS[name], checkout.resolve(), Path(place)))
    rows: dict[str, Any] = {}
    for name, sides in taken.items():
        rows[name] = {which: statistics.median(values) for which, values in sides.items()}
        if "before" in rows[name]:
            rows[name]["ratio"] = rows[name]["now"] / rows[name]["before"]
        print(
            f"{name:24}", "  ".join(f"{which} {value:.3f}" for which, value in rows[name].items()), flush=True
        )
    if options.out:
        write_result(
            options.out, {"pairs": options.pairs, "rounds": options.rounds, "seconds": rows, "all": taken}
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
