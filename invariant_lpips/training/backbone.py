"""Training a classifier on a folder of pictures: a frozen trunk with cached features, or a tuned one.

The recipe is the paper's (arXiv:2604.27870): Adam with step 1e-3, batches of 32, cross-entropy, an L2 term of
1e-4 on the weights of the `flatten` and `multi-gap` heads (Keras' convention: 1e-4 times the sum of squares,
added to the loss), stopping when the validation accuracy has not risen for 25 epochs, and keeping the best
epoch. Beyond it: random shifts, a term for consistency under shifts, and a tuned trunk.

A run is a folder::

    config.json     what reproduces the run: every option, versions, hashes of trunk and data
    log.csv         a row per epoch
    checkpoint.pt   where the run stands; running the same command again goes on from there
    model/          the classifier of the best epoch (`GAPClassifier.from_pretrained`)
    result.json     its accuracy on val and test

On one machine with the same number of threads, a run that was killed and run again gives the same bytes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from invariant_lpips._version import __version__
from invariant_lpips.classifier import GAPClassifier, count_parameters
from invariant_lpips.datasets import folders
from invariant_lpips.datasets.folders import LabelledImages
from invariant_lpips.pictures.folders import not_looked_at
from invariant_lpips.training.backbone_batches import (
    FeatureSource,
    PictureSource,
    Source,
    epoch_order,
    groups_of,
)
from invariant_lpips.training.backbone_config import BackboneConfig
from invariant_lpips.training.backbone_engine import AccelerateEngine, Engine, PlainEngine
from invariant_lpips.training.backbone_features import cached_features
from invariant_lpips.training.backbone_folder import (
    RECORD,
    RESULT,
    Checkpoint,
    TensorBoard,
    fingerprint,
    load_checkpoint,
    restore_rng,
    rng_state,
    save_checkpoint,
    write_json,
    write_log,
)

Wrap = Callable[[Iterable[Any], str], Iterable[Any]]
Say = Callable[[str], None]


def train_backbone(
    config: BackboneConfig,
    out: str | os.PathLike[str],
    *,
    cache: str | os.PathLike[str] | None = None,
    device: str | None = None,
    workers: int = 0,
    tensorboard: bool = False,
    checkpoint_seconds: float = 10.0,
    wrap: Wrap = lambda steps, what: steps,
    say: Say = lambda line: None,
) -> dict[str, Any]:
    """Train a classifier, or go on training it, and return what `result.json` says.

    Running it again with the same configuration and folder goes on where it was stopped; the folder then holds
    the classifier of the best epoch in `model/`, for `GAPClassifier.from_pretrained`, and the metric reads its
    trunk as `InvariantLPIPS(net=out)`.

    Args:
        config: what to train.
        out: folder of the run; an unfinished run of the same configuration in it goes on.
        cache: folder of the features of frozen trunks; None for `.features` beside `out`.
        device: `cpu`, `cuda` ...; None for the best there is.
        workers: processes that read pictures.
        tensorboard: log for TensorBoard too.
        checkpoint_seconds: how often to save, at a batch's end; no choice changes the result.
        wrap: (iterable, what it is) -> iterable, for progress bars.
        say: takes the sentence that says where a run goes on.

    Returns:
        `head`, `seed`, number of `classes`, `trainable_parameters`, `all_parameters`, `epochs`, `best_epoch`, and of
        each part that has pictures `val_loss`, `val_accuracy`, `test_loss`, `test_accuracy`.

    Raises:
        FileNotFoundError: there is no folder of pictures, or none of a class.
        ImportError: pictures that differ from epoch to epoch (tuning, shifts) need Accelerate, which isn't installed.
        ValueError: the folder holds a run of another configuration, or there is nothing to validate on.

    Example:
        A folder with `train/CLASS/*.png` and `val/CLASS/*.png`::

            from invariant_lpips.training import BackboneConfig, train_backbone
            result = train_backbone(BackboneConfig("pictures", head="final-gap", epochs=50), "runs/mine")
            result["val_accuracy"]
    """
    run = _Run(config, Path(out), cache, device, workers, wrap, say)
    history = run.train(checkpoint_seconds, tensorboard, wrap)
    return run.finish(history, wrap)


class _Run:
    def __init__(
        self,
        config: BackboneConfig,
        out: Path,
        cache: str | os.PathLike[str] | None,
        device: str | None,
        workers: int,
        wrap: Wrap,
        say: Say,
    ) -> None:
        self.config, self.out = config, out
        out.mkdir(parents=True, exist_ok=True)
        classes = (
            None if config.class_list is None else folders.read_class_list(config.class_list, config.data)
        )
        self.data = folders.load(
            config.data, classes=classes, fractions=config.fractions, seed=config.split_seed
        )
        if not len(self.data.val):
            raise ValueError(
                f"{config.data} must have pictures to validate on: a folder val, or fractions[0] > 0."
            )
        self.engine = _engine(config, device)
        torch.manual_seed(config.seed)
        self.classifier = _classifier(config, self.data.classes)
        self.decides = self._write_config(say)
        # With a dot, so that `runs/*` names runs only.
        self.sources = self._sources(cache if cache is not None else out.parent / ".features", workers, wrap)
        if config.channels_last:
            self.classifier.trunk.to(memory_format=torch.channels_last)
        self.classifier.to(self.engine.device)
        stepped: nn.Module = self.classifier.linear if config.cacheable else self.classifier
        groups = [{"params": list(self.classifier.linear.parameters()), "lr": config.lr}]
        if config.tune:
            groups.append(
                {
                    "params": [p for p in self.classifier.trunk.parameters() if p.requires_grad],
                    "lr": config.trunk_lr,
                }
            )
        self.model, self.optimizer = self.engine.prepare(stepped, torch.optim.Adam(groups))

    def train(self, checkpoint_seconds: float, tensorboard: bool, wrap: Wrap) -> list[dict[str, float]]:
        config, engine = self.config, self.engine
        state = load_checkpoint(self.out, self.decides)
        if state is None:
            state = Checkpoint(fingerprint(self.decides), model=self._tuned())
        self._restore(state)
        board = TensorBoard(self.out, state.epoch) if tensorboard and engine.rank == 0 else None
        saved = time.monotonic()
        while not state.finished:
            if not state.order:
                state.order = epoch_order(len(self.data.train), config.seed, state.epoch)
            groups = [self._share(group) for group in groups_of(state.order, config.batch_size)]
            groups = [group for group in groups if group]
            batches = self.sources["train"].batches(groups[state.step :], state.epoch)
            for inputs, labels in wrap(batches, f"epoch {state.epoch}"):
                loss, correct = self._step(inputs, labels)
                state.step += 1
                state.loss_sum += loss * len(labels)
                state.correct += correct
                state.seen += len(labels)
                if time.monotonic() - saved > checkpoint_seconds and engine.processes == 1:
                    self._save(state)
                    saved = time.monotonic()
            self._end_epoch(state, wrap)
            if board is not None:
                board.add(state.history[-1])
            if time.monotonic() - saved > checkpoint_seconds or state.finished or engine.processes > 1:
                self._save(state)
                saved = time.monotonic()
        self._load(state.best)
        return state.history

    def finish(self, history: list[dict[str, float]], wrap: Wrap) -> dict[str, Any]:
        """Score the best epoch, write model and result."""
        classifier = self.classifier
        result: dict[str, Any] = {
            "head": self.config.head,
            "seed": self.config.seed,
            "classes": len(self.data.classes),
            "trainable_parameters": count_parameters(classifier, trainable=True),
            "all_parameters": count_parameters(classifier),
            "epochs": len(history),
            "best_epoch": int(max(history, key=lambda row: (row["val_accuracy"], -row["epoch"]))["epoch"]),
        }
        for part in ("val", "test"):
            if len(self.sources[part]):
                loss, accuracy = self._evaluate(part, wrap)
                result |= {f"{part}_loss": loss, f"{part}_accuracy": accuracy}
        if self.engine.rank == 0:
            write_log(self.out, history)
            classifier.save_pretrained(self.out / "model")
            write_json(self.out / RESULT, result)
        self.engine.wait()
        return result

    def _step(self, inputs: Tensor, labels: Tensor) -> tuple[float, int]:
        config = self.config
        device = self.engine.device
        count, views = inputs.shape[:2]
        inputs = inputs.flatten(0, 1).to(device, non_blocking=True)
        labels = labels.to(device, non_blocking=True)
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        logits = self.model(inputs).float().view(count, views, -1)
        loss = F.cross_entropy(logits.flatten(0, 1), labels.repeat_interleave(views))
        total = loss
        if config.consistency:
            total = total + config.consistency * _disagreement(logits[:, 0], logits[:, 1])
        if config.weight_decay:
            total = total + config.weight_decay * self.classifier.linear.weight.square().sum()
        self.engine.backward(total)
        self.optimizer.step()
        return float(loss.detach()), int((logits[:, 0].argmax(1) == labels).sum())

    @torch.no_grad()
    def _evaluate(self, part: str, wrap: Wrap) -> tuple[float, float]:
        """(mean cross-entropy, accuracy) of a part, over all processes."""
        source, engine = self.sources[part], self.engine
        self.model.eval()
        sums = torch.zeros(3, dtype=torch.float64, device=engine.device)
        indices = list(range(engine.rank, len(source), engine.processes))
        batches = source.batches(groups_of(indices, 4 * self.config.batch_size), None)
        for inputs, labels in wrap(batches, part):
            logits = self.model(inputs[:, 0].to(engine.device)).float()
            labels = labels.to(engine.device)
            sums[0] += F.cross_entropy(logits, labels, reduction="sum")
            sums[1] += (logits.argmax(1) == labels).sum()
            sums[2] += len(labels)
        loss, correct, seen = engine.total(sums).tolist()
        return loss / seen, correct / seen

    def _end_epoch(self, state: Checkpoint, wrap: Wrap) -> None:
        sums = torch.tensor(
            [state.loss_sum, state.correct, state.seen], dtype=torch.float64, device=self.engine.device
        )
        loss_sum, correct, seen = self.engine.total(sums).tolist()
        loss, accuracy = self._evaluate("val", wrap)
        if better := accuracy > state.best_accuracy:
            state.best, state.best_epoch, state.best_accuracy = self._tuned(), state.epoch, accuracy
        row = {
            "epoch": state.epoch,
            "train_loss": loss_sum / seen,
            "train_accuracy": correct / seen,
            "val_loss": loss,
            "val_accuracy": accuracy,
            "best": int(better),
        }
        state.history.append(row)
        state.finished = (
            state.epoch >= self.config.epochs or state.epoch - state.best_epoch >= self.config.patience
        )
        state.epoch += 1
        state.step, state.order, state.loss_sum, state.correct, state.seen = 0, [], 0.0, 0, 0

    def _save(self, state: Checkpoint) -> None:
        state.model = self._tuned()
        state.optimizer = self.optimizer.state_dict()
        state.scaler = self.engine.scaler_state()
        state.rng = rng_state()
        if self.engine.rank == 0:
            save_checkpoint(state, self.out)
            write_log(self.out, state.history)
        self.engine.wait()

    def _restore(self, state: Checkpoint) -> None:
        self._load(state.model)
        if state.optimizer:
            self.optimizer.load_state_dict(state.optimizer)
        self.engine.load_scaler(state.scaler)
        restore_rng(state.rng)

    def _tuned(self) -> dict[str, Tensor]:
        """Copies of the parameters that training changes."""
        return {
            name: parameter.detach().cpu().clone()
            for name, parameter in self.classifier.named_parameters()
            if parameter.requires_grad
        }

    def _load(self, parameters: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, value in parameters.items():
                self.classifier.get_parameter(name).copy_(value)

    def _share(self, group: list[int]) -> list[int]:
        """This process's part of a batch; all parts are of one size, since gradients are averaged."""
        size = len(group) // self.engine.processes
        return group[self.engine.rank * size : (self.engine.rank + 1) * size]

    def _sources(self, cache: str | os.PathLike[str], workers: int, wrap: Wrap) -> dict[str, Source]:
        config, data = self.config, self.data
        parts = {"train": data.train, "val": data.val, "test": data.test}
        if config.cacheable:
            return {
                name: self._cached(images, cache, wrap, f"features of {name}")
                for name, images in parts.items()
            }
        size, views = self.classifier.image_size, 2 if config.consistency else 1
        plain: dict[str, Source] = {
            name: PictureSource(images, size, workers=workers) for name, images in parts.items()
        }
        plain["train"] = PictureSource(
            data.train,
            size,
            shift=config.shift,
            flip=config.flip,
            views=views,
            seed=config.seed,
            workers=workers,
        )
        return plain

    def _cached(self, images: LabelledImages, cache: str | os.PathLike[str], wrap: Wrap, what: str) -> Source:
        model = self.classifier
        features = cached_features(
            model, images, cache, device=self.engine.device, progress=lambda steps: wrap(steps, what)
        )
        return FeatureSource(model, images, features)

    def _write_config(self, say: Say) -> dict[str, Any]:
        """Say what happens and write config.json; returns what a checkpoint must share to be continued."""
        decides = {
            "options": asdict(self.config),
            "classes": list(self.data.classes),
            "pictures": {part: getattr(self.data, part).fingerprint() for part in ("train", "val", "test")},
            "trunk": self.classifier.config()["trunk"],
        }
        record = decides | {
            "versions": {"invariant-lpips": __version__, "torch": torch.__version__},
            "device": str(self.engine.device),
            "processes": self.engine.processes,
            "threads": torch.get_num_threads(),
        }
        # Refuses before anything of the other run is overwritten.
        checkpoint = load_checkpoint(self.out, decides)
        file = self.out / RECORD
        if checkpoint is None and file.is_file():
            say(f"{self.out} holds no checkpoint: starting anew")
        elif checkpoint is not None:
            say(f"{self.out}: {checkpoint.where()}")
        if self.data.skipped:
            say(f"{self.config.data}: {not_looked_at(self.data.skipped)}")
        if self.engine.rank == 0:
            write_json(file, record)
        return decides


def _engine(config: BackboneConfig, device: str | None) -> Engine:
    launched = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if config.cacheable and config.precision == "no" and not launched:
        return PlainEngine(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    return AccelerateEngine(config.precision, device)


def _classifier(config: BackboneConfig, classes: tuple[str, ...]) -> GAPClassifier:
    model = GAPClassifier(
        config.head, len(classes), config.image_size, config.pooling, config.padding, classes=classes
    )
    if config.init is not None:
        source = GAPClassifier.from_pretrained(config.init)
        model.trunk.load_features(source.trunk.features_state())
        if source.classes == model.classes and source.linear.weight.shape == model.linear.weight.shape:
            model.linear.load_state_dict(source.linear.state_dict())
    if config.tune:
        model.unfreeze(config.tune)
    return model


def _disagreement(a: Tensor, b: Tensor) -> Tensor:
    """Mean over the batch of (KL(p||q) + KL(q||p)) / 2 for the predictions p, q of two sets of logits."""
    log_p, log_q = F.log_softmax(a, 1), F.log_softmax(b, 1)
    return 0.5 * ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(1).mean()
