"""The metric as a loss: a noisy photograph becomes clean again by gradient descent on its pixels.

    python examples/denoise.py                          # writes denoise.png: noisy, restored, original
    python examples/denoise.py --head gap --steps 200

Where a network would be trained, the picture itself is the parameter here, so that what the loss rewards can
be seen. Three lines are all that a training loop of your own needs:

    metric = InvariantLPIPS()                           # frozen: no gradient ever reaches its weights
    reference = metric.reference(target)                # the target is read once, without a graph
    loss = metric(prediction, reference).mean()         # (N, 1, 1, 1) to a number
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from torch import Tensor

from invariant_lpips import InvariantLPIPS
from invariant_lpips.images import write_image


def photograph(size: int) -> Tensor:
    """The middle of scikit-image's photograph of a cat, (1, 3, size, size) in [-1, 1]."""
    from skimage.data import chelsea

    image = torch.from_numpy(chelsea().copy()).permute(2, 0, 1)[None] / 127.5 - 1
    top, left = (image.shape[-2] - size) // 2, (image.shape[-1] - size) // 2
    return image[..., top : top + size, left : left + size]


def psnr(x: Tensor, y: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of two images in [-1, 1]."""
    return -10 * math.log10((x - y).square().mean().item() / 4)


def restore(metric: InvariantLPIPS, noisy: Tensor, target: Tensor, steps: int, rate: float) -> Tensor:
    """Walk from `noisy` towards what the metric can't tell from `target`; prints the way."""
    reference = metric.reference(target)
    image = noisy.clone().requires_grad_()
    optimizer = torch.optim.Adam([image], lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    print("step  distance     PSNR")
    for step in range(steps + 1):
        loss = metric(image, reference)
        assert isinstance(loss, Tensor)
        if step % max(1, steps // 10) == 0:
            # .item(): keeping the tensor itself would keep its graph.
            print(f"{step:4}  {loss.item():8.4f}  {psnr(image.detach(), target):5.2f} dB")
        if step == steps:
            break
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            image.clamp_(-1, 1)
    return image.detach()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--net", default="vgg", help="trunk of the metric")
    parser.add_argument("--head", default="default", help="head of the metric")
    parser.add_argument("--weights", help="linear weights: a path, or `unit`")
    parser.add_argument("--size", type=int, default=160, help="side of the picture in pixels")
    parser.add_argument("--sigma", type=float, default=25, help="standard deviation of the noise, of 255")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rate", type=float, default=0.03, help="step of Adam")
    parser.add_argument("--out", type=Path, default=Path("denoise.png"))
    args = parser.parse_args(argv)

    metric = InvariantLPIPS(args.net, args.head, weights=args.weights)
    print(metric.describe())
    target = photograph(args.size)
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(0))
    noisy = (target + noise * args.sigma / 127.5).clamp(-1, 1)
    restored = restore(metric, noisy, target, args.steps, args.rate)
    write_image(torch.cat([noisy, restored, target], dim=-1), args.out)
    change = f"PSNR {psnr(noisy, target):.2f} -> {psnr(restored, target):.2f} dB"
    print(f"{args.out}: noisy, restored, original; {change}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
