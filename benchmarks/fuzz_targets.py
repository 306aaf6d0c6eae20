"""What `fuzz.py` damages: each kind of file, what damage it takes, and what reading it means."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import fuzz_seeds as seeds
import torch

MAX_PIXELS = 1_000_000


class Target:
    """One kind of file: what to start from, how to damage it and what reading it means."""

    #: Errors that a user is promised.
    documented: tuple[type[Exception], ...] = (ValueError,)
    one_sentence = True

    def __init__(self, folder: Path, pictures: Path | None = None) -> None:
        self.folder, self.pictures = folder, pictures
        self.seeds: seeds.Seeds = self.make_seeds()
        self.names = sorted(self.seeds)

    def make_seeds(self) -> seeds.Seeds:
        raise NotImplementedError

    def damage(self, data: bytes, random_: random.Random) -> bytes:
        return seeds.mutated(data, list(self.seeds.values()), random_)

    def read(self, name: str, data: bytes) -> int:
        """Read it as a user would, and return how many pixels it holds (0 where there are none)."""
        raise NotImplementedError

    def claimed_pixels(self, data: bytes) -> int:
        """How many pixels a refused file says it has."""
        return 0


class ImageFiles(Target):
    def make_seeds(self) -> seeds.Seeds:
        if self.pictures is None:
            return seeds.image_seeds()
        return {file.name: file.read_bytes() for file in sorted(self.pictures.iterdir()) if file.is_file()}

    def damage(self, data: bytes, random_: random.Random) -> bytes:
        damaged = super().damage(data, random_)
        return seeds.mended_png(damaged) if random_.random() < 0.7 else damaged

    def read(self, name: str, data: bytes) -> int:
        from invariant_lpips import read_image
        from invariant_lpips.datasets.verification import picture_problem
        from invariant_lpips.indexing.sources import Pictures, first_of_another_size

        path = self.folder / "picture"
        path.write_bytes(data)
        first_of_another_size(Pictures(self.folder, ("picture",)))
        picture_problem(path)
        image = read_image(path, max_pixels=MAX_PIXELS)
        assert image.dtype == torch.float32, image.dtype
        assert image.shape[:2] == (1, 3), image.shape
        assert bool(((image >= -1) & (image <= 1)).all()), "values outside [-1, 1]"
        return image[0, 0].numel()

    def claimed_pixels(self, data: bytes) -> int:
        from PIL import Image

        try:
            with Image.open(self.folder / "picture") as image:
                return min(image.width * image.height, MAX_PIXELS)
        except Exception:
            return 0


class WeightFiles(Target):
    def make_seeds(self) -> seeds.Seeds:
        return seeds.weights_seeds()

    def damage(self, data: bytes, random_: random.Random) -> bytes:
        damaged = super().damage(data, random_)
        return seeds.mended_length(damaged) if random_.random() < 0.5 else damaged

    def read(self, name: str, data: bytes) -> int:
        from invariant_lpips.registry import load_metadata, load_weights
        from invariant_lpips.registry.linear import read_calibration, read_pooling
        from invariant_lpips.registry.saved_classifier import is_classifier

        path = self.folder / "mine.safetensors"
        path.write_bytes(data)
        is_classifier(path)
        tensors = load_weights(path)
        assert all(bool(tensor.isfinite().all()) for tensor in tensors.values())
        metadata = load_metadata(path)
        read_pooling(metadata, path)
        calibration = read_calibration(metadata, path)
        assert calibration is None or calibration["d0"] > 0
        return 0


class PublishedFiles(Target):
    def make_seeds(self) -> seeds.Seeds:
        return seeds.published_seeds()

    def read(self, name: str, data: bytes) -> int:
        from invariant_lpips.files.pickles import read_tensors

        tensors = read_tensors(data)
        assert all(isinstance(tensor, torch.Tensor) for tensor in tensors.values())
        return 0


class ConfigFiles(Target):
    documented = (ValueError, FileNotFoundError)

    def make_seeds(self) -> seeds.Seeds:
        return seeds.saved_models(self.folder)

    def damage(self, data: bytes, random_: random.Random) -> bytes:
        if random_.random() < 0.3:
            return super().damage(data, random_)
        return json.dumps(seeds.mutated_json(json.loads(data), random_)).encode()

    def read(self, name: str, data: bytes) -> int:
        from invariant_lpips import InvariantLPIPS
        from invariant_lpips.classifier import GAPClassifier

        (self.folder / name / "config.json").write_bytes(data)
        (GAPClassifier if name == "classifier" else InvariantLPIPS).from_pretrained(self.folder / name)
        return self.claimed_pixels(data)

    def claimed_pixels(self, data: bytes) -> int:
        return 4_000_000  # a network may be built to be compared with


class Tables(Target):
    one_sentence = False  # DatasetError lists everything it found

    def make_seeds(self) -> seeds.Seeds:
        return seeds.table_seeds()

    def read(self, name: str, data: bytes) -> int:
        from invariant_lpips.datasets import load_dataset
        from invariant_lpips.pictures.pairing import from_csv

        path = self.folder / "pairs.csv"
        path.write_bytes(data)
        problems = []
        for reader in (from_csv, lambda table: load_dataset("csv", table, verify=False)):
            try:
                result = reader(path)
            except ValueError as error:
                problems.append(error)
            else:
                assert len(result.pairs) > 0
        if len(problems) == 2:
            raise problems[0]
        return 0


class IndexFiles(Target):
    documented = (ValueError, FileNotFoundError)

    def make_seeds(self) -> seeds.Seeds:
        return seeds.index_seeds(self.folder)

    def damage(self, data: bytes, random_: random.Random) -> bytes:
        kind = random_.random()
        if kind < 0.4:
            return super().damage(data, random_)
        if data[:2] == b"PK":
            return seeds.mutated_npz(data, random_)
        return seeds.mutated_header(data, random_) if data[8:9] == b"{" else super().damage(data, random_)

    def read(self, name: str, data: bytes) -> int:
        from invariant_lpips.indexing import nearest, open_index

        path = self.folder / f"mine.{name}"
        path.write_bytes(data)
        index = open_index(path)
        rows = torch.cat([block for _, block in index.blocks()])
        assert rows.shape == (len(index.paths), index.columns), rows.shape
        assert bool(rows.isfinite().all())
        assert all(isinstance(word, str) for words in ([*index.paths], *index.problems) for word in words)
        assert bool(nearest(index, rows[:1], 2).distances.isfinite().all())
        metric_of_index(index)
        return self.claimed_pixels(data)

    def claimed_pixels(self, data: bytes) -> int:
        return 4_000_000  # the metric of the index is built


def metric_of_index(index: Any) -> None:
    """What `invariant-lpips search` does before it looks at its first picture."""
    from invariant_lpips.cli.index_options import metric_of
    from invariant_lpips.cli.metric_options import MetricChoice

    metric_of(index, MetricChoice())


TARGETS: dict[str, type[Target]] = {
    "image": ImageFiles,
    "weights": WeightFiles,
    "published": PublishedFiles,
    "config": ConfigFiles,
    "table": Tables,
    "index": IndexFiles,
}
