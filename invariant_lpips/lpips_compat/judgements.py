"""How well a distance predicts human judgements of the BAPPS kind, with lpips 0.1.4's names and numbers.

Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", arXiv:1801.03924.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

Distance = Callable[[Tensor, Tensor], Any]


def score_2afc_dataset(
    data_loader: Any, func: Distance, name: str = ""
) -> tuple[float, dict[str, NDArray[Any]]]:
    """`lpips.score_2afc_dataset`: agreement of a distance with two-alternative forced choices, in [0, 1].

    Where the distance prefers p1, a triplet scores the share of people who preferred p1; where it prefers
    p0, the rest; a tie scores one half.

    Args:
        data_loader: an object with lpips' `load_data()`, or any iterable, of batches
            `{"ref", "p0", "p1": (N, 3, H, W), "judge": N values in [0, 1]}`.
        func: called as func(ref, p0); returns N distances in a tensor of any shape.
        name: label of the progress bar (on stderr).

    Returns:
        The mean score, and the arrays `d0s`, `d1s`, `gts` and `scores` of one value for each triplet.

    Example:
        >>> import torch
        >>> ref = torch.zeros(1, 3, 2, 2)
        >>> batches = [{"ref": ref, "p0": ref + 1, "p1": ref + 0.5, "judge": torch.tensor([0.75])}]
        >>> float(score_2afc_dataset(batches, lambda x, y: (x - y).abs().mean((1, 2, 3)))[0])
        0.75
    """
    d0s: list[float] = []
    d1s: list[float] = []
    gts: list[float] = []
    for batch in _batches(data_loader, name):
        d0s += _values(func(batch["ref"], batch["p0"]))
        d1s += _values(func(batch["ref"], batch["p1"]))
        gts += _values(batch["judge"])
    left, right, judged = np.array(d0s), np.array(d1s), np.array(gts)
    scores = (left < right) * (1.0 - judged) + (right < left) * judged + (left == right) * 0.5
    return np.mean(scores), {"d0s": left, "d1s": right, "gts": judged, "scores": scores}


def score_jnd_dataset(
    data_loader: Any, func: Distance, name: str = ""
) -> tuple[float, dict[str, NDArray[Any]]]:
    """`lpips.score_jnd_dataset`: average precision of a distance at finding the pairs people called same.

    Pairs are ranked by distance, nearest first; each counts as much as the share of people who called it
    same.

    Args:
        data_loader: as for :func:`score_2afc_dataset`, of `{"p0", "p1": (N, 3, H, W), "same": N values}`.
        func: called as func(p0, p1); returns N distances in a tensor of any shape.
        name: label of the progress bar (on stderr).

    Returns:
        The area under the precision-recall curve (:func:`voc_ap`), and the arrays `ds` and `sames`.

    Example:
        >>> import torch
        >>> p1 = torch.tensor([0.1, 0.9]).view(2, 1, 1, 1)
        >>> batches = [{"p0": torch.zeros(2, 1, 1, 1), "p1": p1, "same": torch.tensor([1.0, 0.0])}]
        >>> float(score_jnd_dataset(batches, lambda x, y: (x - y).abs().mean((1, 2, 3)))[0])
        1.0
    """
    distances: list[float] = []
    same: list[float] = []
    for batch in _batches(data_loader, name):
        distances += _values(func(batch["p0"], batch["p1"]))
        same += _values(batch["same"])
    ds, sames = np.array(distances), np.array(same)
    ranked = sames[np.argsort(ds)]
    true_positives = np.cumsum(ranked)
    false_positives = np.cumsum(1 - ranked)
    precision = true_positives / (true_positives + false_positives)
    recall = true_positives / np.sum(ranked)
    return voc_ap(recall, precision), {"ds": ds, "sames": sames}


def voc_ap(rec: NDArray[Any], prec: NDArray[Any], use_07_metric: bool = False) -> float:
    """`lpips.voc_ap`: average precision as in the Pascal VOC challenge.

    Args:
        rec, prec: recall (rising) and precision at each rank, two arrays of one length.
        use_07_metric: the 2007 rule, a mean over the recalls 0, .1, ..., 1, instead of the exact area under
            the precision envelope.

    Example:
        >>> import numpy as np
        >>> float(voc_ap(np.array([0.5, 1.0]), np.array([1.0, 0.5])))
        0.75
    """
    if use_07_metric:
        total = 0.0
        for threshold in np.arange(0.0, 1.1, 0.1):
            reached = prec[rec >= threshold]
            total += (np.max(reached) if reached.size else 0.0) / 11.0
        return total
    recall = np.concatenate(([0.0], rec, [1.0]))
    # The envelope: at each recall, the best precision at this or any higher one.
    envelope = np.maximum.accumulate(np.concatenate(([0.0], prec, [0.0]))[::-1])[::-1]
    area: float = np.sum(np.diff(recall) * envelope[1:])
    return area


def _batches(data_loader: Any, name: str) -> Iterable[Mapping[str, Any]]:
    source = data_loader.load_data() if hasattr(data_loader, "load_data") else data_loader
    batches: Iterable[Mapping[str, Any]] = tqdm(source, desc=name)
    return batches


def _values(result: Any) -> list[float]:
    values: list[float] = result.detach().cpu().numpy().flatten().tolist()
    return values
