"""What runs the steps: plain PyTorch in one process, or Hugging Face Accelerate.

Accelerate (`pip install 'invariant-lpips[train]'`) brings mixed precision and several GPUs:
`accelerate launch --num_processes 4 -m invariant_lpips train backbone ...`. A run on cached features is one
matrix product per step and needs neither, so it works without Accelerate installed.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

PRECISIONS = ("no", "bf16", "fp16")


class Engine(Protocol):
    """The few things that differ between one process and many."""

    device: torch.device
    processes: int
    rank: int

    def prepare(self, model: nn.Module, optimizer: Optimizer) -> tuple[nn.Module, Optimizer]:
        """Move and wrap both for this engine."""
        ...

    def backward(self, loss: Tensor) -> None:
        """Gradients of `loss`, scaled if the precision asks for it."""
        ...

    def total(self, values: Tensor) -> Tensor:
        """Sum over processes."""
        ...

    def wait(self) -> None:
        """Return when all processes are here."""
        ...

    def scaler_state(self) -> dict[str, Any]:
        """State of the loss scaler; empty without one."""
        ...

    def load_scaler(self, state: dict[str, Any]) -> None:
        """Put the state of the loss scaler back."""
        ...


class PlainEngine:
    """One process, full precision."""

    processes = 1
    rank = 0

    def __init__(self, device: str | torch.device) -> None:
        self.device = torch.device(device)

    def prepare(self, model: nn.Module, optimizer: Optimizer) -> tuple[nn.Module, Optimizer]:
        return model.to(self.device), optimizer

    def backward(self, loss: Tensor) -> None:
        loss.backward()  # type: ignore[no-untyped-call]

    def total(self, values: Tensor) -> Tensor:
        return values

    def wait(self) -> None:
        return None

    def scaler_state(self) -> dict[str, Any]:
        return {}

    def load_scaler(self, state: dict[str, Any]) -> None:
        return None


class AccelerateEngine:
    """As many processes and the precision that `accelerate launch` and the configuration ask for."""

    def __init__(self, precision: str, device: str | None) -> None:
        try:
            from accelerate import Accelerator
            from accelerate.state import AcceleratorState
        except ImportError as error:
            raise ImportError(
                "Training on pictures needs Accelerate: pip install 'invariant-lpips[train]'."
            ) from error
        # Its state outlives a run: a second one in the same notebook may want another precision.
        AcceleratorState._reset_state()
        self._accelerator: Any = Accelerator(mixed_precision=precision, cpu=device == "cpu")
        self.device = self._accelerator.device
        self.processes = int(self._accelerator.num_processes)
        self.rank = int(self._accelerator.process_index)

    def prepare(self, model: nn.Module, optimizer: Optimizer) -> tuple[nn.Module, Optimizer]:
        return cast("tuple[nn.Module, Optimizer]", self._accelerator.prepare(model, optimizer))

    def backward(self, loss: Tensor) -> None:
        self._accelerator.backward(loss)

    def total(self, values: Tensor) -> Tensor:
        return cast(Tensor, self._accelerator.reduce(values, reduction="sum"))

    def wait(self) -> None:
        self._accelerator.wait_for_everyone()

    def scaler_state(self) -> dict[str, Any]:
        scaler = self._accelerator.scaler
        return {} if scaler is None else dict(scaler.state_dict())

    def load_scaler(self, state: dict[str, Any]) -> None:
        if self._accelerator.scaler is not None and state:
            self._accelerator.scaler.load_state_dict(state)
