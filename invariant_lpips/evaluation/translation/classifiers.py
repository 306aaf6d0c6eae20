"""The classifier half of the translation benchmark: accuracy, relative loss and consistency under moves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from invariant_lpips.classifier import HEADS, GAPClassifier, count_parameters
from invariant_lpips.datasets import digits, folders
from invariant_lpips.datasets.folders import LabelledImages, load_picture
from invariant_lpips.evaluation.translation.residuals import comb_spectrum
from invariant_lpips.evaluation.translation.robustness import (
    Move,
    answers,
    by_trunk,
    interval_of_loss,
    protocol,
    summary,
)
from invariant_lpips.pictures.moves import circular_shift
from invariant_lpips.training import BackboneConfig, train_backbone

__all__ = ["by_head", "combs", "digits_by_canvas", "judge", "load_classifiers"]

Wrap = Callable[[Iterable[Any], str], Iterable[Any]]


def load_classifiers(paths: Sequence[Path]) -> tuple[dict[str, GAPClassifier], dict[str, Path]]:
    """Classifiers from folders that `train backbone` wrote (the run's or its `model`), or files.

    Returns:
        Name -> classifier, and name -> folder of its run for those that have one.

    Raises:
        ValueError: two have the same name, or their classes differ.
    """
    models: dict[str, GAPClassifier] = {}
    runs: dict[str, Path] = {}
    for path in paths:
        inner = path / "model" if (path / "model" / "config.json").is_file() else path
        name = inner.parent.name if inner.name == "model" else inner.stem
        if name in models:
            raise ValueError(f"Classifiers must have names of their own, but two are called {name!r}.")
        models[name] = GAPClassifier.from_pretrained(inner)
        if (inner.parent / "result.json").is_file() and inner.name == "model":
            runs[name] = inner.parent
    if len({model.classes for model in models.values()}) > 1:
        raise ValueError("Classifiers judged together must have the same classes, but these differ.")
    return models, runs


def configurations(models: Mapping[str, GAPClassifier], runs: Mapping[str, Path]) -> dict[str, list[str]]:
    """Row -> names of the classifiers that are seeds of one configuration, as their runs' `config.json` say.

    A classifier without a run is a row of its own: how it was trained is not known. A row is called after its
    head, and after its first run too where several configurations have that head.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for name, model in models.items():
        groups.setdefault((model.head_name, configuration(runs.get(name)) or name), []).append(name)
    heads = [head for head, _ in groups]
    return {
        head if heads.count(head) == 1 else f"{head} ({names[0]}{' ...' if len(names) > 1 else ''})": names
        for (head, _), names in groups.items()
    }


def configuration(run: Path | None) -> str | None:
    """What seeds of one configuration share: options but the seed, pictures (wherever they lie) and first trunk."""
    if run is None:
        return None
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    options = {
        key: value
        for key, value in config["options"].items()
        if key not in ("seed", "data", "class_list", "init")
    }
    return json.dumps([options, config["classes"], config["pictures"], config["trunk"]], sort_keys=True)


def trained_parameters(model: GAPClassifier, run: Path | None) -> int | None:
    """How many parameters training changed, as the run says; None for a tuned trunk whose run is not there."""
    if run is not None:
        return int(json.loads((run / "result.json").read_text(encoding="utf-8"))["trainable_parameters"])
    return None if model.config()["trunk"]["name"] == "tuned" else count_parameters(model.linear)


def part_of(data: Path, part: str, classes: Sequence[str] | None, per_class: int | None) -> LabelledImages:
    """Pictures of one part of a tree, in the classes of the classifiers; the first `per_class` of each."""
    tree = folders.load(data, classes=classes)
    images: LabelledImages = getattr(tree, part)
    if not len(images):
        raise ValueError(f"{data} must have pictures in its part {part!r}, but has none.")
    return images if per_class is None else images.first_of_each_class(per_class)


def judge(
    models: Mapping[str, GAPClassifier],
    images: LabelledImages,
    moves: Sequence[Move],
    store: Path,
    *,
    runs: Mapping[str, Path] | None = None,
    device: str = "cpu",
    wrap: Wrap = lambda steps, what: steps,
) -> dict[str, Any]:
    """Every classifier's summary, and those of seeds of one configuration put together.

    Args:
        models: name -> classifier.
        images: to move; moves: how.
        store: folder in which answers are kept.
        runs: name -> folder of the run that trained it; see :func:`configurations`.
    """
    table = answers(models, images, moves, store, device=device, wrap=lambda steps: wrap(steps, "batches"))
    names = list(models)
    shifts = [i for i, move in enumerate(moves) if move.kind == "shift"]
    correct = (table == np.asarray(images.labels)[:, None, None])[:, shifts]
    runs = runs or {}
    rows = configurations(models, runs)
    intervals = interval_of_loss(correct, [[names.index(name) for name in each] for each in rows.values()])
    each = summary(table, images.labels, moves, names)
    together = by_head(each, rows)
    for (row, members), interval in zip(rows.items(), intervals, strict=True):
        together[row]["shift"]["mean_relative_loss_95"] = list(interval)
        model = models[members[0]]
        together[row]["trainable_parameters"] = trained_parameters(model, runs.get(members[0]))
        together[row]["all_parameters"] = count_parameters(model)
    sizes = sorted({side for model in models.values() for side in model.image_size})
    return {
        "pictures": len(images),
        "image_sizes": sizes,
        "moves": len(moves),
        "heads": together,
        "classifiers": each,
    }


def combs(
    models: Mapping[str, GAPClassifier],
    images: LabelledImages,
    shifts: int = 64,
    *,
    runs: Mapping[str, Path] | None = None,
    device: str = "cpu",
    batch_size: int = 8,
    wrap: Wrap = lambda steps, what: steps,
) -> dict[str, Any]:
    """How far each head's prediction drifts when a picture goes round the circle, and the drift's spectrum.

    Circular shifts bring nothing new into the picture, so whatever drifts is the network's doing. The drift is
    the share of the predicted probability that has gone to other classes: half the sum of absolute differences
    of the softmax, 0 (same prediction) to 1.

    Args:
        models: name -> classifier; seeds of one configuration are averaged.
        images: pictures to move.
        shifts: 0 .. shifts - 1 pixels along dx.
        runs: name -> folder of the run that trained it; see :func:`configurations`.

    Returns:
        Row -> mean drift at each shift, and its :func:`comb_spectrum`.
    """
    rows = configurations(models, runs or {})
    row_of = {name: row for row, names in rows.items() for name in names}
    lines: dict[str, list[torch.Tensor]] = {}
    for group in by_trunk(models).values():
        trunk = next(iter(group.values()))
        for model in group.values():
            model.to(device).eval()
        for index in wrap(range(len(images)), "circular shifts"):
            picture = load_picture(images.file(index), trunk.image_size)[None].to(device)
            predicted: dict[str, list[torch.Tensor]] = {name: [] for name in group}
            with torch.inference_mode():
                for first in range(0, shifts, batch_size):
                    moves = range(first, min(first + batch_size, shifts))
                    readouts = trunk.readouts(torch.cat([circular_shift(picture, dx, 0) for dx in moves]))
                    for name, model in group.items():
                        logits = model.linear(model.select(*readouts))
                        predicted[name].append(logits.double().softmax(1).cpu())
            for name in group:
                probabilities = torch.cat(predicted[name])
                gone = (probabilities - probabilities[0]).abs().sum(1) / 2
                lines.setdefault(row_of[name], []).append(gone)
    drift = {row: torch.stack(lines[row]).mean(0) for row in rows}
    return {
        row: {"drift": line.tolist(), "spectrum": comb_spectrum(line), "pictures": len(images)}
        for row, line in drift.items()
    }


def by_head(
    each: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, Any]]:
    """Means over the classifiers of each group, with the standard deviation of the accuracy at rest."""
    result: dict[str, dict[str, Any]] = {}
    for head, names in groups.items():
        rest = [each[name]["accuracy"] for name in names]
        entry: dict[str, Any] = {
            "classifiers": list(names),
            "accuracy": float(np.mean(rest)),
            "accuracy_deviation": float(np.std(rest, ddof=1)) if len(rest) > 1 else 0.0,
        }
        for kind in ("shift", "rotation", "zoom"):
            if kind in each[names[0]]:
                entry[kind] = {
                    key: float(np.mean([each[name][kind][key] for name in names]))
                    for key in each[names[0]][kind]
                }
                losses = [each[name][kind]["mean_relative_loss"] for name in names]
                entry[kind]["relative_loss_of_each"] = losses
        rows = zip(*(each[name]["by_move"] for name in names), strict=True)
        entry["by_move"] = [
            {
                **row[0],
                "accuracy": float(np.mean([one["accuracy"] for one in row])),
                "consistency": float(np.mean([one["consistency"] for one in row])),
            }
            for row in rows
        ]
        result[head] = entry
    return result


def digits_by_canvas(
    work: Path,
    *,
    canvases: Sequence[int],
    per_class: tuple[int, int, int],
    heads: Sequence[str] = tuple(HEADS),
    seeds: Sequence[int] = (0,),
    tune_epochs: int = 0,
    tune_lr: float = 1e-4,
    tuned_canvases: Sequence[int] = (128,),
    steps_outward: int = 2,
    mnist: Path | None = None,
    device: str = "cpu",
    wrap: Wrap = lambda steps, what: steps,
) -> dict[str, Any]:
    """Train heads on centred digits only, then move the digits: what was learned at one place only?

    Args:
        work: folder for pictures, features and runs; what is there is used.
        canvases: sides in pixels; their largest shifts are those of :data:`digits.CANVASES`.
        per_class: pictures of each digit in train, val and test.
        heads: to train.
        seeds: of training.
        tune_epochs: also tune the whole trunk, at the centre only, for so many epochs; 0 leaves it out.
        tune_lr: Adam's step for the trunk, large enough to change it in few epochs.
        tuned_canvases: on these of the canvases. At 56 px the last map is one cell, so `flatten` and `final-gap`
            read the same; it takes more to tell them apart.
        steps_outward: shifts per side along each axis of the grid.
        mnist: folder of MNIST's files; None for scikit-learn's digits.

    Returns:
        Canvas -> `frozen` and `tuned` -> as :func:`judge`.
    """
    result: dict[str, Any] = {}
    for side in canvases:
        tree = digits.write_tree(work / f"digits-{side}", side, per_class=per_class, mnist=mnist)
        reach = digits.CANVASES.get(side, (side - digits.SIDE) // 2)
        moves = protocol(reach=reach, step=-(-reach // steps_outward), shifts_only=True)
        images = folders.load(tree).test
        for kind in ("frozen", "tuned") if tune_epochs and side in tuned_canvases else ("frozen",):
            tuning: dict[str, Any] = {"tune": 5, "epochs": tune_epochs, "trunk_lr": tune_lr}
            options = tuning if kind == "tuned" else {}
            models, runs = {}, {}
            for head in heads:
                for seed in seeds:
                    run = work / "runs" / f"{side}-{kind}-{head}-{seed}"
                    config = BackboneConfig(str(tree), head=head, image_size=side, seed=seed, **options)
                    train_backbone(config, run, cache=work / "features", device=device, wrap=wrap)
                    models[run.name] = GAPClassifier.from_pretrained(run / "model")
                    runs[run.name] = run
            judged = judge(models, images, moves, work / "answers", runs=runs, device=device, wrap=wrap)
            result.setdefault(str(side), {"reach": reach})[kind] = judged
    return result
