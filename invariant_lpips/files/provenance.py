"""Where a result comes from: the command, the versions and the machine, written into every result file."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from invariant_lpips._version import __version__
from invariant_lpips.files.writing import replacing

__all__ = ["provenance", "write_result"]

PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "pillow",
    "lpips",
    "DISTS_pytorch",
    "stlpips_pytorch",
    "piq",
    "torchmetrics",
    "scikit-image",
    "ssimulacra2",
    "flip-evaluator",
    "cvvdp",
)


def provenance(command: str | None = None) -> dict[str, Any]:
    """What a result file says about its making.

    Args:
        command: the command line; None takes that of this process.

    Returns:
        command, date (UTC), versions of this package, Python and the packages used, and machine (system,
        processor, cores, threads, GPU).
    """
    versions = {"invariant-lpips": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "command": command or this_command(),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "versions": versions,
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "processor": processor(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        },
    }


def this_command() -> str:
    """The command line of this process, without the folder of the program."""
    program = Path(sys.argv[0])
    words = ["python", "-m", program.parent.name] if program.name == "__main__.py" else [program.name]
    return shlex.join([*words, *sys.argv[1:]])


def write_result(
    path: str | os.PathLike[str], content: Mapping[str, Any], *, command: str | None = None
) -> dict[str, Any]:
    """Write a result as JSON, where it comes from first; the file is complete or absent.

    Args:
        path: file to write; its folder is made.
        content: what was measured. What it says itself of command, date, versions or machine stands.
        command: as :func:`provenance` takes it.

    Returns:
        What was written.

    Raises:
        OSError: the file cannot be written; the message says why and what to do.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     list(write_result(Path(folder) / "r.json", {"srcc": 0.9}, command="bench raid"))
        ['command', 'date', 'versions', 'machine', 'srcc']
    """
    result = {**provenance(command), **content}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result


def processor() -> str:
    """The name of the processor, as the system tells it."""
    table = Path("/proc/cpuinfo")
    if table.is_file():
        for line in table.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
