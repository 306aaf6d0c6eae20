"""Targets that don't lie where they should: a network learns to sharpen from photographs that are up to 3 px off.

    python examples/misaligned.py              # some minutes on two cores; writes misaligned.png

Burst photographs, two cameras, scans beside originals: the targets one has are often displaced a little, each by
another amount. A loss that compares place by place then asks for the average of all displacements, which is a
blur. Where the displacement of each pair is measured and undone before it is compared, what is asked for is
sharpness. The same small network learns from the same misaligned pairs with two losses, each with and without
motion, and is judged on an aligned photograph that it never saw.

    metric = InvariantLPIPS(head="spatial", motion="similarity")
    loss = metric(prediction, target).mean()      # gradients flow through what is left once the motion is undone

    x, y, _ = compensated(prediction, target, estimate_motion(prediction, target))
    loss = any_loss_of_yours(x, y)                # the same for any other loss, here stock LPIPS
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from invariant_lpips import LPIPS, InvariantLPIPS
from invariant_lpips.motion import compensated, estimate_motion
from invariant_lpips.pictures.images import write_image

FARTHEST = 3


def photographs() -> tuple[list[Tensor], Tensor]:
    """scikit-image's photographs to learn from, and the middle of another one to be judged on; in [-1, 1]."""
    from skimage import data

    def tensor(picture: object) -> Tensor:
        return torch.tensor(picture).permute(2, 0, 1)[None] / 127.5 - 1

    learn = [tensor(picture()) for picture in (data.astronaut, data.coffee, data.rocket)]
    return learn, tensor(data.chelsea())[..., 54:246, 130:322]


def softened(sharp: Tensor) -> Tensor:
    """Half as many pixels each way, brought back to size: what the network is given."""
    small = F.interpolate(sharp, scale_factor=0.5, mode="bicubic", antialias=True)
    return F.interpolate(small, size=sharp.shape[-2:], mode="bicubic").clamp(-1, 1)


class Sharpener(nn.Module):
    """Four convolutions that predict the missing detail; at first they predict none."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 5, padding=2), nn.ReLU()]
        for _ in range(2):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
        last = nn.Conv2d(width, 3, 3, padding=1)
        nn.init.zeros_(last.weight)
        self.detail = nn.Sequential(*layers, last)

    def forward(self, x: Tensor) -> Tensor:
        detail: Tensor = self.detail(x)
        return x + detail


def pairs(pictures: list[Tensor], side: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A soft crop of each photograph, and its sharp target, displaced by up to FARTHEST px each way."""

    def below(limit: int) -> int:
        return int(torch.randint(limit, (1,), generator=generator))

    soft, target = [], []
    for picture in pictures:
        top = FARTHEST + below(picture.shape[-2] - side - 2 * FARTHEST)
        left = FARTHEST + below(picture.shape[-1] - side - 2 * FARTHEST)
        dy, dx = (below(2 * FARTHEST + 1) - FARTHEST for _ in range(2))
        soft.append(softened(picture[..., top : top + side, left : left + side]))
        target.append(picture[..., top + dy : top + dy + side, left + dx : left + dx + side])
    return torch.cat(soft), torch.cat(target)


def learn(
    loss: Callable[[Tensor, Tensor], Tensor], pictures: list[Tensor], steps: int, side: int
) -> Sharpener:
    """The network after `steps` steps on misaligned pairs, the same ones for every loss."""
    torch.manual_seed(0)
    network, generator = Sharpener(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(steps):
        soft, target = pairs(pictures, side, generator)
        value = loss(network(soft).clamp(-1, 1), target).mean()
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return network


def undone(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Both batches with the motion between them undone."""
    x, y, _ = compensated(x, y, estimate_motion(x, y))
    return x.clamp(-1, 1), y.clamp(-1, 1)


def psnr(x: Tensor, y: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of two images in [-1, 1]."""
    return -10 * math.log10((x - y).square().mean().item() / 4)


def detail(x: Tensor) -> float:
    """Mean size of the Laplacian, in grey levels: how much fine detail a picture has."""
    grey = x.mean(1, keepdim=True)
    kernel = torch.tensor([[[[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]]])
    return 127.5 * F.conv2d(grey, kernel).abs().mean().item()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--side", type=int, default=96)
    parser.add_argument("--out", type=Path, default=Path("misaligned.png"))
    args = parser.parse_args(argv)
    pictures, unseen = photographs()
    given, judge = softened(unseen), LPIPS(net="alex", verbose=False)
    stock = LPIPS(net="vgg", verbose=False)
    losses: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "LPIPS vgg": stock,
        "LPIPS vgg, motion": lambda x, y: stock(*undone(x, y)),
        "spatial": InvariantLPIPS(head="spatial", checks="never"),
        "spatial, motion": InvariantLPIPS(head="spatial", motion="similarity", checks="never"),
    }
    shown, rows = [given], [("as given", given)]
    for name, loss in losses.items():
        network = learn(loss, pictures, args.steps, args.side)
        with torch.no_grad():
            shown.append(network(given).clamp(-1, 1))
        rows.append((name, shown[-1]))
    print(f"{'learned with':22}{'PSNR dB':>9}{'LPIPS-Alex':>12}{'detail':>8}")
    print(f"{'(the original)':43}{detail(unseen):8.2f}")
    for name, picture in rows:
        with torch.no_grad():
            distance = float(judge(picture, unseen))
        print(f"{name:22}{psnr(picture, unseen):9.2f}{distance:12.4f}{detail(picture):8.2f}")
    write_image(torch.cat([*shown, unseen], dim=-1), args.out)
    print(f"{args.out}: as given, {', '.join(losses)}, the original")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
