"""What each metric says about each copy, and the table of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from invariant_lpips.demo.copies import DAMAGE, DISPLACEMENT
from invariant_lpips.files.tables import csv_text
from invariant_lpips.metric import InvariantLPIPS
from invariant_lpips.statistics.thresholds import PIXELS_PER_DEGREE, multiples
from invariant_lpips.stock import LPIPS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Ours as the README recommends it, with the motion of each pair measured and undone, and the same without.
MOVING, PLAIN = "ours", "ours, motion off"
NETWORKS = (MOVING, PLAIN, "LPIPS alex", "LPIPS vgg")
COLUMNS = (*NETWORKS, "SSIM", "PSNR dB")
#: Whose maps are drawn.
MAPPED = (MOVING, "LPIPS alex")
#: What the brightest places of our maps differ by, in just noticeable ones.
BRIGHTEST_JND = 5
#: The metrics whose values can be put in proportion, 0 meaning no difference: the name of their column -> the values.
#: Means of squares are shown by their roots, so that all are distances on one scale.
DISTANCES = {
    MOVING: (MOVING, False),
    PLAIN: (PLAIN, False),
    "LPIPS alex, root": ("LPIPS alex", True),
    "LPIPS vgg, root": ("LPIPS vgg", True),
    "1 - SSIM, root": ("1 - SSIM", True),
    "mean square, root": ("mean square", True),
}

Table = dict[str, dict[str, float]]


class Metrics:
    """The networks of the demonstration, built once."""

    def __init__(self) -> None:
        self.networks: dict[str, Any] = {
            MOVING: InvariantLPIPS("alex", "regional-32", motion="similarity"),
            PLAIN: InvariantLPIPS("alex", "regional-32"),
            "LPIPS alex": LPIPS(net="alex", verbose=False),
            "LPIPS vgg": LPIPS(net="vgg", verbose=False),
        }

    def table(self, reference: NDArray[np.uint8], copies: Mapping[str, NDArray[np.uint8]]) -> Table:
        """copy -> metric -> value."""
        from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

        table: Table = {name: {} for name in copies}
        x, y = as_tensor([reference]), as_tensor(list(copies.values()))
        with torch.inference_mode():
            for metric, network in self.networks.items():
                for name, distance in zip(copies, network(x, y).flatten().tolist(), strict=True):
                    table[name][metric] = distance
        for name, copy in copies.items():
            ssim = structural_similarity(reference, copy, channel_axis=2, data_range=255)
            table[name] |= {
                "SSIM": float(ssim),
                "PSNR dB": float(peak_signal_noise_ratio(reference, copy, data_range=255)),
                "1 - SSIM": 1 - float(ssim),
                "mean square": float(mean_squared_error(reference, copy)),
            }
        return table

    def moved(self, reference: NDArray[np.uint8], copies: Mapping[str, NDArray[np.uint8]]) -> dict[str, str]:
        """copy -> what moved and what changed, in words."""
        found = self.networks[MOVING].compare(as_tensor([reference]), as_tensor(list(copies.values())))
        return dict(zip(copies, str(found).splitlines(), strict=True))

    def maps(
        self, metric: str, reference: NDArray[np.uint8], copies: Mapping[str, NDArray[np.uint8]]
    ) -> dict[str, Tensor]:
        """copy -> heat map (1, 1, H, W), its values in proportion to the distance."""
        network = self.networks[metric]
        x, y = as_tensor([reference]), as_tensor(list(copies.values()))
        with torch.inference_mode():
            heat = network.maps(x, y)
        heat = heat.sign() * heat.abs().sqrt()  # the map of each is one of squares
        return dict(zip(copies, heat.split(1), strict=True))

    def brightest(self, metric: str, heats: Mapping[str, Tensor]) -> tuple[float, str]:
        """The value that is drawn brightest in all maps of a metric, and how a key names it."""
        if metric in (MOVING, PLAIN):
            return BRIGHTEST_JND / self.networks[metric].jnd(torch.ones(())).item(), f"{BRIGHTEST_JND} JND"
        largest = max(float(heat.abs().amax()) for heat in heats.values())
        return largest, f"{largest:.1f}"

    def said(self, table: Table) -> dict[str, dict[str, str]]:
        """copy -> metric -> its distance as it is shown: in just noticeable ones too, or the root of squares."""
        return {
            name: {metric: self._shown(metric, row[metric]) for metric in NETWORKS}
            for name, row in table.items()
        }

    def _shown(self, metric: str, distance: float) -> str:
        if metric in (MOVING, PLAIN):
            return f"{distance:.2f} = {self.networks[metric].jnd(torch.tensor(distance)).item():.1f} JND"
        return f"{math.sqrt(distance):.2f}"


def as_tensor(pictures: Sequence[NDArray[np.uint8]]) -> Tensor:
    """uint8 (H, W, 3) pictures to one batch (N, 3, H, W) in [-1, 1]."""
    return torch.stack([torch.from_numpy(picture.copy()) for picture in pictures]).movedim(-1, 1) / 127.5 - 1


def mean(tables: Sequence[Table]) -> Table:
    """Mean over photographs."""
    first = tables[0]
    return {
        name: {
            metric: math.fsum(table[name][metric] for table in tables) / len(tables) for metric in first[name]
        }
        for name in first
    }


#: How many pixels a degree of visual angle is taken to have: as in the study that published the thresholds.
DENSITY = PIXELS_PER_DEGREE["the study"]

#: Each displacement in multiples of its published detection threshold.
THRESHOLDS = {
    name: multiples(kind, amount, DENSITY)
    for name, kind, amount in (
        ("shift\n4 px", "shift", 4),
        ("rotation\n2 degrees", "turn", 2),
        ("zoom\n2 %", "zoom", 1.02),
    )
}


def against_thresholds(means: Table, metric: Any) -> str:
    """What the metric's `jnd` says of the displaced copies, beside what people were found to need."""
    lines = [f"{'':22}{MOVING:>15}{PLAIN:>18}{'people':>10}"]
    for name, people in THRESHOLDS.items():
        moving, plain = (metric.jnd(torch.tensor(means[name][ours])).item() for ours in (MOVING, PLAIN))
        lines.append(f"{name.replace(chr(10), ' '):22}{moving:15.2f}{plain:18.2f}{people:10.2f}")
    return "\n".join(lines)


def shares(tables: Sequence[Table]) -> Table:
    """Each distance as a share of the same metric's distance to the noisy copy: mean over photographs."""
    noise = DAMAGE[0]

    def share(row: Mapping[str, float], table: Table, column: str) -> float:
        metric, squared = DISTANCES[column]
        ratio = row[metric] / table[noise][metric]
        return math.sqrt(ratio) if squared else ratio

    return mean(
        [
            {name: {column: share(row, table, column) for column in DISTANCES} for name, row in table.items()}
            for table in tables
        ]
    )


def as_text(table: Table, columns: Sequence[str], digits: int) -> str:
    """A table for a terminal: a row for each copy, damage first."""
    names = [*DAMAGE, "", *DISPLACEMENT]
    width = max(len(name) for name in names) + 2
    cell = max(len(column) for column in columns) + 2
    lines = ["".ljust(width) + "".join(column.rjust(cell) for column in columns)]
    for name in names:
        row = "".join(f"{table[name][column]:{cell}.{digits}f}" for column in columns) if name else ""
        lines.append(name.replace("\n", " ").ljust(width) + row)
    return "\n".join(line.rstrip() for line in lines)


def as_csv(tables: Mapping[str, Table]) -> str:
    """Every single value: photograph, copy, metric, value."""
    return csv_text(
        ["photograph", "copy", "metric", "value"],
        [
            [photograph, name.replace("\n", " "), metric, f"{row[metric]:.6g}"]
            for photograph, table in tables.items()
            for name, row in table.items()
            for metric in COLUMNS
        ],
    )
