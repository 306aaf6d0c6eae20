"""RAID read as psychophysics: response curves, distances calibrated to JOD, scales from the raw trials.

RAID asks whether a metric agrees with people *between* kinds of change: is this rotation as visible as that
noise? Pooled rank correlation answers it in one number; the mean curves show where the exchange rate is
wrong. (A rank correlation within single curves shows nothing: every metric grows with the size of a change.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from invariant_lpips.datasets.pairs import RatedPairs
from invariant_lpips.datasets.raid import DISTORTIONS, LEVELS, STEP_SIZES, Trial, load_trials
from invariant_lpips.evaluation.metrics import resolve_metric
from invariant_lpips.evaluation.runner import Scores, read_unit
from invariant_lpips.evaluation.tables import aligned
from invariant_lpips.statistics.correlations import pearson, srcc
from invariant_lpips.statistics.mlds import JOD, DifferenceScale, fit_difference_scale
from invariant_lpips.statistics.psychophysics import Curve, fit_jod, mean_curve

Array = NDArray[np.float64]

__all__ = ["curves", "curves_of", "fit_trials", "raid_part", "raid_report", "raid_text", "scales_report"]

SCALES = ("free", "monotone")


def raid_part(
    pairs: RatedPairs,
    results: Sequence[Scores],
    device: str = "cpu",
    *,
    root: Path | None = None,
    scales: str | None = None,
) -> dict[str, Any]:
    """What RAID says of metrics that were scored on it; arguments as in :class:`.bench.RatedBench`."""
    if scales is not None and (scales not in SCALES or root is None):
        raise ValueError(f"Scales must be {' or '.join(SCALES)}, of trials under a root, but got {scales!r}.")
    picture = torch.linspace(0, 1, 3 * 192 * 192).view(1, 3, 192, 192).to(device)
    distances: dict[str, Array] = {}
    zeros: dict[str, float] = {}
    for result in results:
        distances[result.metric] = result.oriented(higher_is_better=False)
        equal = float(resolve_metric(result.metric, device)(picture, picture)[0])
        zeros[result.metric] = -equal if result.higher_is_better else equal
    noise = noise_sizes(pairs) if "gn" in pairs.distortions else None
    report = raid_report(pairs, distances, zeros=zeros, noise=noise)
    if scales is not None and root is not None:
        trials = load_trials(root)
        report["scales"] = scales_report(pairs, fit_trials(trials, monotone=scales == "monotone"))
    return report


def curves(pairs: RatedPairs, jod: Array, noise: Sequence[float] | None = None) -> tuple[Curve, ...]:
    """The mean curve of each transform: people's from ``pairs.scores / JOD``, or a metric's.

    Args:
        pairs: RAID's pairs.
        jod: a value for each of them, shape (N,).
        noise: physical size of each step of the noise (:func:`noise_sizes`); None leaves step numbers.
    """
    levels = np.array([pair.level for pair in pairs])
    codes = np.array([pair.distortion for pair in pairs])
    found = []
    for code in [code for code in DISTORTIONS if code in pairs.distortions]:
        mine = codes == code
        size, unit = STEP_SIZES.get(code, (1.0, "step"))
        sizes = size * np.unique(levels[mine])
        if code == "gn" and noise is not None:
            sizes, unit = np.asarray(noise, dtype=np.float64), "RMS difference, grey levels of 255"
        found.append(mean_curve(code, unit, sizes, levels[mine], jod[mine]))
    return tuple(found)


def noise_sizes(pairs: RatedPairs) -> list[float]:
    """RMS difference of the noisy pictures from their references, in grey levels, a mean per step."""
    noisy = pairs.select(lambda pair: pair.distortion == "gn")
    found: dict[float, list[float]] = {}
    for pair in noisy:
        difference = (read_unit(pair.reference) - read_unit(pair.distorted)) * 255
        found.setdefault(pair.level, []).append(float(difference.square().mean().sqrt()))
    return [float(np.mean(found[level])) for level in sorted(found)]


def raid_report(
    pairs: RatedPairs,
    distances: dict[str, Array],
    *,
    zeros: dict[str, float] | None = None,
    noise: Sequence[float] | None = None,
) -> dict[str, Any]:
    """What RAID says beyond the common report.

    Args:
        pairs: RAID's pairs.
        distances: metric -> its values, turned so that they rise with difference, shape (N,).
        zeros: metric -> its value for equal pictures, turned likewise; 0 where not given.
        noise: physical size of each step of the noise (:func:`noise_sizes`); None leaves step numbers.

    Returns:
        "human" (curves and the size of 1 JOD for each transform) and, for each metric, SRCC pooled and over
        mean points, SRCC per transform, its mean curves in JOD, the size of 1 JOD, and the RMSE of its
        calibrated distances in JOD.
    """
    truth = pairs.scores / JOD
    human = curves(pairs, truth, noise)
    points = np.concatenate([curve.jod[1:] for curve in human])
    report: dict[str, Any] = {"human": describe(human), "metrics": {}}
    for name, values in distances.items():
        calibration = fit_jod(values, truth, zero=(zeros or {}).get(name, 0.0))
        predicted = calibration.predict(values)
        own = curves(pairs, predicted, noise)
        raw = np.concatenate([curve.jod[1:] for curve in curves(pairs, values, noise)])
        report["metrics"][name] = {
            "srcc_pooled": srcc(values, pairs.scores),
            "srcc_mean_points": srcc(raw, points),
            "mean_points": len(points),
            "srcc_by_transform": {
                code: srcc(
                    values[[k for k, pair in enumerate(pairs) if pair.distortion == code]],
                    pairs.scores[[k for k, pair in enumerate(pairs) if pair.distortion == code]],
                )
                for code in pairs.distortions
            },
            "calibrated": {
                "rmse_jod": float(np.sqrt(np.mean((predicted - truth) ** 2))),
                "plcc": pearson(predicted, truth),
                "rmse_jod_mean_points": float(
                    np.sqrt(np.mean((np.concatenate([curve.jod[1:] for curve in own]) - points) ** 2))
                ),
            },
            **describe(own),
        }
    return report


def describe(found: Sequence[Curve]) -> dict[str, Any]:
    """Curves and the size of 1 JOD, as plain lists and numbers."""
    return {
        "curves": {
            curve.distortion: {"unit": curve.unit, "sizes": curve.sizes.tolist(), "jod": curve.jod.tolist()}
            for curve in found
        },
        "size_of_1_jod": {curve.distortion: curve.size_of(1.0) for curve in found},
    }


def fit_trials(
    trials: Sequence[Trial], levels: int = LEVELS, *, monotone: bool = False
) -> dict[tuple[str, str], DifferenceScale]:
    """A scale for each (transform, picture) of the raw trials, sorted by both.

    Args:
        trials: as :func:`invariant_lpips.datasets.raid.load_trials` reads them.
        levels: of each series, the undistorted picture included; series with fewer trials than that are left out.
        monotone: forbid scales to decrease.
    """
    series: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        series.setdefault((trial.distortion, trial.reference_id), []).append(trial)
    scales = {}
    for key in sorted(key for key, mine in series.items() if len(mine) >= levels):
        quadruplets = np.array([(*trial.first, *trial.second) for trial in series[key]]) - 1
        answers = np.array([trial.first_larger for trial in series[key]])
        scales[key] = fit_difference_scale(quadruplets, answers, levels, monotone=monotone)
    return scales


def scales_report(pairs: RatedPairs, scales: Mapping[tuple[str, str], DifferenceScale]) -> dict[str, Any]:
    """Fitted scales beside the published responses, by transform.

    Returns:
        Code of the transform -> "series" and "trials" that were fitted, "srcc" and "median_ratio" of the fitted
        responses with and over the published ones of the same pictures (None where there are fewer than two), and
        "pictures": name -> the scale in JOD at each level, its noise, and whether answers only bound that noise.
    """
    report: dict[str, Any] = {}
    for code in dict.fromkeys(code for code, _ in scales):
        mine = {picture: scale for (other, picture), scale in scales.items() if other == code}
        shared = [pair for pair in pairs if pair.distortion == code and pair.reference_id in mine]
        fitted = np.array([mine[pair.reference_id].response[int(pair.level)] for pair in shared])
        published = np.array([pair.score for pair in shared])
        positive = published > 0
        report[code] = {
            "series": len(mine),
            "trials": sum(scale.trials for scale in mine.values()),
            "srcc": srcc(fitted, published) if len(shared) > 1 else None,
            "median_ratio": float(np.median(fitted[positive] / published[positive]))
            if positive.any()
            else None,
            "pictures": {
                picture: {
                    "jod": scale.jod.tolist(),
                    "sigma": scale.sigma,
                    "noise_only_bounded": scale.at_bound,
                }
                for picture, scale in mine.items()
            },
        }
    return report


def raid_text(report: dict[str, Any]) -> str:
    """The RAID report for a terminal."""
    codes = list(report["human"]["size_of_1_jod"])
    rows = [["RAID, SRCC", "pooled", "mean points", *codes, "RMSE in JOD"]]
    for name, entry in report["metrics"].items():
        by_transform = [f"{entry['srcc_by_transform'][code]:.3f}" for code in codes]
        pooled, means = f"{entry['srcc_pooled']:.3f}", f"{entry['srcc_mean_points']:.3f}"
        rows.append([name, pooled, means, *by_transform, f"{entry['calibrated']['rmse_jod']:.2f}"])
    units = {code: report["human"]["curves"][code]["unit"] for code in codes}
    sizes = [["size of 1 JOD", *(f"{code} ({units[code]})" for code in codes)]]
    for name, entry in [("people", report["human"]), *report["metrics"].items()]:
        found = [entry["size_of_1_jod"][code] for code in codes]
        sizes.append([name, *("never" if size is None else f"{size:.3g}" for size in found)])
    parts = [aligned(rows), aligned(sizes)]
    if "scales" in report:
        fits = [
            ["scales from raw trials", "series", "trials", "SRCC with published", "median ratio to published"]
        ]
        for code, entry in report["scales"].items():
            figures = ["-" if entry[key] is None else f"{entry[key]:.3f}" for key in ("srcc", "median_ratio")]
            fits.append([code, str(entry["series"]), str(entry["trials"]), *figures])
        parts.append(aligned(fits))
    return "\n\n".join(parts) + "\n"


def curves_of(entry: dict[str, Any]) -> tuple[Curve, ...]:
    """The curves of a report, back from plain lists."""
    return tuple(
        Curve(code, curve["unit"], np.array(curve["sizes"]), np.array(curve["jod"]))
        for code, curve in entry["curves"].items()
    )
