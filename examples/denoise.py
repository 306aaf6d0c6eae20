"""The metric as a loss: a small network learns from one photograph to denoise another that it has never seen.

    python examples/denoise.py                 # a minute or two on a CPU; writes denoise.png
    python examples/denoise.py --net alex --head regional-32
    python examples/denoise.py --net alex --stock    # lpips' distance in its place, to compare with

Printed are the loss on the photograph it learns from, and distance and PSNR of the other one; at last, what metrics
that were not followed say of it. The picture shows that other one noisy, denoised and as it was. What a training loop
of your own needs are three lines:

    metric = InvariantLPIPS()                           # frozen: no optimiser can change it
    reference = metric.reference(target)                # a target that stays is read once, without a graph
    loss = metric(prediction, reference).mean()         # (N, 1, 1, 1) to a number
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from torch import Tensor, nn

from invariant_lpips import LPIPS, InvariantLPIPS
from invariant_lpips.evaluation.metrics import resolve_metric
from invariant_lpips.pictures.images import write_image

JUDGES = ("vsi", "dists-full", "lpips-vgg", "lpips-alex")


def photographs(size: int) -> tuple[Tensor, Tensor]:
    """The middle of two of scikit-image's photographs, each (1, 3, size, size) in [-1, 1]."""
    from skimage.data import astronaut, chelsea

    crops = []
    for picture in (astronaut(), chelsea()):
        image = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None] / 127.5 - 1
        top, left = (image.shape[-2] - size) // 2, (image.shape[-1] - size) // 2
        crops.append(image[..., top : top + size, left : left + size])
    return crops[0], crops[1]


class Denoiser(nn.Module):
    """Five convolutions that predict the noise; at first they predict none."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 5, padding=2), nn.ReLU()]
        for _ in range(3):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
        last = nn.Conv2d(width, 3, 3, padding=1)
        nn.init.zeros_(last.weight)
        self.noise = nn.Sequential(*layers, last)

    def forward(self, x: Tensor) -> Tensor:
        noise: Tensor = self.noise(x)
        return x - noise


def psnr(x: Tensor, y: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of two images in [-1, 1]."""
    return -10 * math.log10((x - y).square().mean().item() / 4)


def judged(image: Tensor, original: Tensor) -> str:
    """What the judges whose packages are installed say."""
    said = []
    for name in JUDGES:
        try:
            judge = resolve_metric(name)
        except ImportError:
            continue
        with torch.no_grad():
            said.append(f"{name} {judge((original + 1) / 2, (image.clamp(-1, 1) + 1) / 2).item():.4f}")
    return ", ".join(said)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--net", default="vgg", help="trunk of the metric")
    parser.add_argument("--head", default="default", help="head of the metric")
    parser.add_argument("--weights", help="linear weights of the metric: a path, or `unit`")
    parser.add_argument("--stock", action="store_true", help="follow lpips' own distance on that trunk")
    parser.add_argument("--size", type=int, default=128, help="side of the photographs in pixels")
    parser.add_argument("--sigma", type=float, default=25, help="standard deviation of the noise, of 255")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--rate", type=float, default=0.003, help="largest step of Adam")
    parser.add_argument("--pixels", type=float, default=5, help="weight of the pixels beside the distance")
    parser.add_argument("--seed", type=int, default=0, help="of the network and of the noise")
    parser.add_argument("--out", type=Path, default=Path("denoise.png"))
    args = parser.parse_args(argv)

    # Predictions may leave the range a little while they are learned, so values aren't checked.
    metric: InvariantLPIPS | LPIPS
    if args.stock:
        metric = LPIPS(net=args.net, verbose=False, checks="never")
    else:
        metric = InvariantLPIPS(args.net, args.head, weights=args.weights, checks="never")
    print(metric.describe())
    torch.manual_seed(args.seed)
    target, unseen = photographs(args.size)

    def noisy(image: Tensor) -> Tensor:
        return image + torch.randn_like(image) * args.sigma / 127.5

    reference = metric.reference(target) if isinstance(metric, InvariantLPIPS) else target
    unseen_noisy = noisy(unseen)
    denoiser = Denoiser()
    optimizer = torch.optim.Adam(denoiser.parameters(), lr=args.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.rate, total_steps=max(2, args.steps))

    def parts(prediction: Tensor) -> Tensor:
        """The two parts of the loss: what people see, and the pixels."""
        distance = metric(prediction, reference)
        assert isinstance(distance, Tensor)
        return torch.stack([distance.mean(), (prediction - target).abs().mean()])

    # Each part counts as a share of what it is for the noisy picture, so the weights sum to the first loss, 1.
    with torch.no_grad():
        weight = torch.tensor([1.0, args.pixels]) / (1 + args.pixels) / parts(noisy(target))

    def report(step: int, loss: float) -> Tensor:
        with torch.no_grad():
            denoised: Tensor = denoiser(unseen_noisy)
            distance = metric(denoised, unseen)
            assert isinstance(distance, Tensor)
        print(f"{step:4}  {loss:6.3f}  {distance.item():8.4f}  {psnr(denoised, unseen):6.2f} dB", flush=True)
        return denoised

    print("step    loss  distance       PSNR")
    report(0, 1.0)
    for step in range(1, args.steps + 1):
        loss = (parts(denoiser(noisy(target))) * weight).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % max(1, args.steps // 10) == 0 or step == args.steps:
            # .item(): a loss that is kept keeps its graph.
            denoised = report(step, loss.item())
    print(f"noisy: {judged(unseen_noisy, unseen)}\ndenoised: {judged(denoised, unseen)}")
    write_image(torch.cat([unseen_noisy, denoised, unseen], dim=-1), args.out)
    print(f"{args.out}: noisy, denoised, original")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
