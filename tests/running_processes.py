"""Run by test_running.py as a program of its own: DataLoader workers, and two processes of DistributedDataParallel."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from invariant_lpips import InvariantLPIPS

torch.set_num_threads(1)
PICTURES = torch.rand(4, 3, 40, 40, generator=torch.Generator().manual_seed(0)) * 2 - 1


class Distances(Dataset[Tensor]):
    """Item k is the distance of picture k to the first, computed where the item is made."""

    def __init__(self) -> None:
        self.metric = InvariantLPIPS("alex", "gap", weights="unit")

    def __len__(self) -> int:
        return len(PICTURES)

    def __getitem__(self, k: int) -> Tensor:
        with torch.no_grad():
            return self.metric(PICTURES[:1], PICTURES[k : k + 1]).flatten()


class Model(nn.Module):
    """Something to train, with the metric as one of its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1)
        nn.init.eye_(self.layer.weight[:, :, 0, 0].data)
        self.metric = InvariantLPIPS("alex", "gap", weights="unit")

    def forward(self, x: Tensor) -> Tensor:
        return self.metric((0.5 * self.layer(x)).tanh(), x).mean()


def slope(model: nn.Module, x: Tensor) -> Tensor:
    model(x).backward()
    (gradient,) = (p.grad for name, p in model.named_parameters() if name.endswith("layer.weight"))
    assert gradient is not None
    return gradient


def process(rank: int, port: int, expected: Tensor) -> None:
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=2)
    torch.manual_seed(0)
    model = nn.parallel.DistributedDataParallel(Model())
    found = slope(model, PICTURES[2 * rank : 2 * rank + 2])
    assert (found - expected).norm() <= 1e-4 * expected.norm()
    assert all(p.grad is None for name, p in model.named_parameters() if "metric" in name)
    dist.destroy_process_group()


def main() -> None:
    expected = torch.stack([Distances()[k] for k in range(len(PICTURES))])
    for start in ("fork", "spawn"):
        if start in torch.multiprocessing.get_all_start_methods():
            loader = DataLoader(Distances(), batch_size=2, num_workers=1, multiprocessing_context=start)
            assert torch.equal(torch.cat(list(loader)), expected), start
            print(start)
    if dist.is_available() and dist.is_gloo_available():
        torch.manual_seed(0)
        whole = slope(Model(), PICTURES)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        torch.multiprocessing.spawn(process, (port, whole), nprocs=2)
        print("two processes")


if __name__ == "__main__":
    main()
