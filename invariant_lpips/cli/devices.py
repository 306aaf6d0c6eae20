"""Where a metric runs, as `--device` names it: refused without torch where that can be, and with it else."""

from __future__ import annotations

import ctypes
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

#: The kinds of devices that PyTorch has names for; packages may add others.
KINDS = (
    *("cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia"),
    *("xla", "lazy", "vulkan", "mps", "meta", "hpu", "mtia", "privateuseone"),
)

#: Of Linux: without one of these files no driver of NVIDIA's (a server's, WSL's, a Jetson's) or AMD's runs.
DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/nvmap", "/dev/kfd")


def check_device(device: str) -> None:
    """Refuse what names no device, and CUDA where there is surely none, without torch; the rest :func:`device_of` does.

    Raises:
        ValueError: what was expected and what came.
    """
    if not re.fullmatch(r"[a-z]+(:\d+)?", device) or not _is_known(device.partition(":")[0]):
        raise ValueError(f"--device must be cpu, cuda, cuda:N or mps, but got {device!r}")
    if device.partition(":")[0] == "cuda" and "torch" not in sys.modules and _surely_no_cuda():
        _refuse_cuda()


def device_of(device: str) -> torch.device:
    """The device; ValueError where there is none of its name, or none here."""
    import torch

    check_device(device)
    try:
        found = torch.device(device)
    except RuntimeError:
        raise ValueError(f"--device must be cpu, cuda, cuda:N or mps, but got {device!r}") from None
    if found.type == "cuda" and not torch.cuda.is_available():
        _refuse_cuda()
    return found


def _refuse_cuda() -> None:
    raise ValueError("--device cuda: PyTorch finds no CUDA device here; use --device cpu")


def _is_known(kind: str) -> bool:
    return kind in KINDS or bool(metadata.entry_points(group="torch.backends"))


def _surely_no_cuda() -> bool:
    """Whether there is neither a driver's file nor CUDA's library, which what reaches a far GPU stands in for."""
    if sys.platform != "linux" or any(Path(driver).exists() for driver in DRIVERS):
        return False
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return True
    return False
