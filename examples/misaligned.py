"""Targets that don't lie where they should: a network learns to sharpen from photographs that are up to 3 px off.

    python examples/misaligned.py              # some eight minutes on one core; writes misaligned.png
    python examples/misaligned.py --losses "LPIPS alex,alex regional-32"    # one minute

Burst photographs, two cameras, scans beside originals: the targets one has are often displaced a little, each by
another amount. A loss that compares place by place then asks for the average of all displacements, which is a
blur. Where the displacement of each pair is measured and undone before it is compared, what is asked for is
sharpness. The same small network learns from the same misaligned pairs with several losses, each with and without
motion, and is judged on an aligned photograph that it never saw. Of the judges, PSNR and VSI have no network, DISTS
and LPIPS-VGG share theirs with the losses on VGG-16, and LPIPS-Alex with those on AlexNet.

    metric = InvariantLPIPS("alex", "regional-32", motion="similarity")
    loss = metric(prediction, target).mean()      # gradients flow through what is left once the motion is undone

    x, y, _ = compensated(prediction, target, estimate_motion(prediction, target))
    loss = any_loss_of_yours(x, y)                # the same for any other loss, here stock LPIPS
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from invariant_lpips import LPIPS, InvariantLPIPS
from invariant_lpips.evaluation.metrics import resolve_metric
from invariant_lpips.files.provenance import write_result
from invariant_lpips.motion import compensated, estimate_motion
from invariant_lpips.pictures.images import write_image

FARTHEST = 3
JUDGES = ("psnr", "vsi", "dists-full", "lpips-vgg", "lpips-alex")
Loss = Callable[[Tensor, Tensor], Tensor]


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


def learn(loss: Loss, pictures: list[Tensor], steps: int, side: int, seed: int = 0) -> Sharpener:
    """The network after `steps` steps on misaligned pairs, the same ones for every loss."""
    torch.manual_seed(seed)
    network, generator = Sharpener(), torch.Generator().manual_seed(seed)
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


def stock(net: str) -> tuple[Loss, Loss]:
    """lpips' distance as it is, and once the motion is undone."""
    metric = LPIPS(net=net, verbose=False)
    return metric, lambda x, y: metric(*undone(x, y))


def ours(net: str, head: str) -> tuple[Loss, Loss]:
    """The distance of this package without motion and with it."""
    plain, moved = (
        InvariantLPIPS(net, head, motion=motion, checks="never") for motion in (None, "similarity")
    )
    return plain, moved


LOSSES: dict[str, Callable[[], tuple[Loss, Loss]]] = {
    "LPIPS vgg": lambda: stock("vgg"),
    "LPIPS alex": lambda: stock("alex"),
    "alex regional-32": lambda: ours("alex", "regional-32"),
    "vgg regional": lambda: ours("vgg", "regional"),
    "vgg spatial": lambda: ours("vgg", "spatial"),
}


def detail(x: Tensor) -> float:
    """Mean size of the Laplacian, in grey levels: how much fine detail a picture has."""
    grey = x.mean(1, keepdim=True)
    kernel = torch.tensor([[[[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]]])
    return 127.5 * F.conv2d(grey, kernel).abs().mean().item()


def judgements(original: Tensor) -> Callable[[Tensor], dict[str, float]]:
    """What says how near a picture comes to the original, in all judges whose packages are installed."""
    judges = {}
    for name in JUDGES:
        try:
            judges[name] = resolve_metric(name)
        except ImportError as error:
            print(error)

    @torch.no_grad()
    def judged(picture: Tensor) -> dict[str, float]:
        x, y = ((image + 1) / 2 for image in (original, picture))
        values = {name: judge(x, y).item() for name, judge in judges.items()}
        return {name: round(value, 4) for name, value in {**values, "detail": detail(picture)}.items()}

    return judged


def line(name: str, values: dict[str, float]) -> str:
    return f"{name:26}" + "".join(f"{value:12.4f}" for value in values.values())


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--losses", default=",".join(LOSSES), help="which to compare, with commas between")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--side", type=int, default=96)
    parser.add_argument("--seeds", type=int, default=1, help="how often, each time from another network")
    parser.add_argument("--out", type=Path, default=Path("misaligned.png"))
    parser.add_argument("--json", type=Path, help="keep the figures, with versions and machine, in this file")
    args = parser.parse_args(argv)
    pictures, unseen = photographs()
    given, judged = softened(unseen), judgements(unseen)
    losses = {
        name + suffix: loss
        for name in args.losses.split(",")
        for suffix, loss in zip(("", ", motion"), LOSSES[name](), strict=True)
    }
    known = {"the original": judged(unseen), "as given": judged(given)}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in losses}
    for seed in range(args.seeds):
        print(f"\n{f'learned with, seed {seed}':26}" + "".join(f"{judge:>12}" for judge in known["as given"]))
        for name, values in known.items():
            print(line(name, values))
        shown = []
        for name, loss in losses.items():
            network = learn(loss, pictures, args.steps, args.side, seed)
            with torch.no_grad():
                shown.append(network(given).clamp(-1, 1))
            found[name].append(judged(shown[-1]))
            print(line(name, found[name][-1]), flush=True)
        if seed == 0:
            rows = (torch.cat(row, dim=-1) for row in ([given, *shown[::2]], [unseen, *shown[1::2]]))
            write_image(torch.cat(list(rows), dim=-2), args.out)
            print(
                f"{args.out}: as given and the original; {args.losses}, above without motion, below with it"
            )
        if args.json:
            report = {"steps": args.steps, "side": args.side, "seeds": seed + 1, **known, "losses": found}
            write_result(args.json, report)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
