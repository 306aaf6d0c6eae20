"""How active each tap of a network is over photographs: `Tap.typical` in `invariant_lpips/trunks/architectures.py`.

    python benchmarks/typical_activations.py alex

Means over the four photographs that come with scikit-image (astronaut, chelsea, coffee, rocket), each photograph
counting alike. The head `regional` bends its logarithm there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import skimage.data
import torch

from invariant_lpips import InvariantLPIPS
from invariant_lpips.heads import default_taps

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")


@torch.inference_mode()
def typical_activations(net: str, taps: Sequence[str]) -> dict[str, float]:
    """Mean activation of each tap."""
    metric = InvariantLPIPS(net, "gap", weights="unit")
    sums = dict.fromkeys(taps, 0.0)
    for name in PHOTOGRAPHS:
        picture = torch.from_numpy(getattr(skimage.data, name)()).permute(2, 0, 1).unsqueeze(0)
        scaled = metric.scaling_layer(picture.float() / 127.5 - 1)
        means = metric.net.reduce(scaled, taps, lambda tap, features: features.mean().item())
        for tap, mean in zip(taps, means, strict=True):
            sums[tap] += mean / len(PHOTOGRAPHS)
    return sums


if __name__ == "__main__":
    for net in sys.argv[1:]:
        for tap, mean in typical_activations(net, default_taps(net)).items():
            print(f"{net} {tap}: {mean:.4f}")
