#!/usr/bin/env python3
"""Damaged files of every kind this package reads: each must give a right answer or a documented error.

    python benchmarks/fuzz.py --target image --count 50000 --seed 1
    python benchmarks/fuzz.py --count 10000 --seed 2 -o benchmarks/results/fuzz.json    # every target

Targets: `image` (PNG, JPEG, TIFF, WebP, GIF, BMP, PPM through `read_image`), `weights` (.safetensors), `published`
(.pth), `config` (saved classifiers and metrics), `table` (csv of pairs). Input k of a seed is the same on every
machine, so a failure is looked at again with `--first k --count 1 --show`.

A worker process reads the inputs one after the other; this process watches it. An input fails if it raises anything
but its documented errors, if their message isn't one sentence, if what is read is not finite and in range, if it
takes longer than LIMIT_SECONDS or more memory than `allowed_bytes`, or if it ends the process. Results of several
runs are added up in one file. Exit status 1 if anything failed.
"""

from __future__ import annotations

import argparse
import collections
import json
import multiprocessing
import random
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import fuzz_seeds as seeds
import torch

LIMIT_SECONDS = 10.0
MAX_PIXELS = 1_000_000
#: What reading may take beyond what the process holds: so much for itself, so much a byte and a pixel.
OVERHEAD, BYTES_PER_FILE_BYTE, BYTES_PER_PIXEL = 24 << 20, 40, 64
SHOWN_FAILURES = 20


class Target:
    """One kind of file: what to start from, how to damage it and what reading it means."""

    #: Errors that a user is promised.
    documented: tuple[type[Exception], ...] = (ValueError,)
    one_sentence = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
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
        return seeds.image_seeds()

    def damage(self, data: bytes, random_: random.Random) -> bytes:
        damaged = super().damage(data, random_)
        return seeds.mended_png(damaged) if random_.random() < 0.7 else damaged

    def read(self, name: str, data: bytes) -> int:
        from invariant_lpips import read_image

        path = self.folder / "picture"
        path.write_bytes(data)
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
        from invariant_lpips.calibration import read_calibration, read_pooling
        from invariant_lpips.classifier_files import is_classifier
        from invariant_lpips.registry import load_metadata, load_weights

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
        from invariant_lpips.torch_files import read_tensors

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
        from invariant_lpips.cli.pairing import from_csv
        from invariant_lpips.datasets import csv_pairs

        path = self.folder / "pairs.csv"
        path.write_bytes(data)
        problems = []
        for reader in (from_csv, lambda table: csv_pairs.load(table, verify=False)):
            try:
                result = reader(path)
            except ValueError as error:
                problems.append(error)
            else:
                assert len(result.pairs) > 0
        if len(problems) == 2:
            raise problems[0]
        return 0


TARGETS: dict[str, type[Target]] = {
    "image": ImageFiles,
    "weights": WeightFiles,
    "published": PublishedFiles,
    "config": ConfigFiles,
    "table": Tables,
}


def input_of(target: Target, seed: int, index: int) -> tuple[str, bytes]:
    """Input `index` of a seed: the name of what it was made from, and its bytes."""
    random_ = random.Random(f"{type(target).__name__}/{seed}/{index}")
    name = random_.choice(target.names)
    return name, target.damage(target.seeds[name], random_)


def judge(target: Target, name: str, data: bytes) -> tuple[str, str]:
    """("read" | "refused" | "FAILED", why)."""
    before = resident(reset=True)
    start = time.perf_counter()
    pixels = 0
    try:
        pixels = target.read(name, data)
        outcome, why = "read", ""
    except target.documented as error:
        outcome, why = "refused", str(error)
        if target.one_sentence and ("\n" in why.strip() or len(why) > 2000):
            return "FAILED", f"not one sentence: {why[:300]!r}"
        if error.__traceback__ is not None and not why:
            return "FAILED", f"{type(error).__name__} says nothing"
    except Exception as error:
        return "FAILED", f"{type(error).__name__}: {str(error)[:300]}"
    if (seconds := time.perf_counter() - start) > LIMIT_SECONDS:
        return "FAILED", f"took {seconds:.1f} s"
    used = resident() - before
    if used > allowed_bytes(len(data), 0) and used > allowed_bytes(
        len(data), max(pixels, target.claimed_pixels(data))
    ):
        return "FAILED", f"took {used >> 20} MiB for {len(data)} bytes and {pixels} pixels"
    return outcome, why


def allowed_bytes(file_bytes: int, pixels: int) -> int:
    return OVERHEAD + BYTES_PER_FILE_BYTE * file_bytes + BYTES_PER_PIXEL * pixels


def resident(*, reset: bool = False) -> int:
    """The most memory this process has held, or (reset) what it holds now, from where the most then counts."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        with open("/proc/self/status", "rb") as status:  # noqa: PTH123  (called for every input)
            text = status.read()
        return int(text.partition(b"VmHWM:")[2].split(None, 1)[0]) << 10
    except (OSError, ValueError, IndexError):
        return 0  # no Linux: memory is not watched


def work(kind: str, seed: int, indices: Sequence[int], connection: Connection) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        target = TARGETS[kind](Path(folder))
        connection.send(("ready", 0, ""))
        for index in indices:
            name, data = input_of(target, seed, index)
            outcome, why = judge(target, name, data)
            connection.send((outcome, index, f"{name}: {why}" if outcome == "FAILED" else ""))
    connection.send(("done", 0, ""))


def run(kind: str, seed: int, first: int, count: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Read `count` inputs in worker processes; a worker that dies or hangs costs one input."""
    outcomes: collections.Counter[str] = collections.Counter()
    failures: list[dict[str, Any]] = []
    index, end, start = first, first + count, time.monotonic()
    context = multiprocessing.get_context("spawn")
    while index < end:
        receiver, sender = context.Pipe(duplex=False)
        worker = context.Process(target=work, args=(kind, seed, range(index, end), sender))
        worker.start()
        sender.close()
        patience = 120.0  # the first answer waits for imports and seeds
        while True:
            problem = ""
            try:
                if not receiver.poll(patience):
                    problem = "hangs"
                else:
                    outcome, at, why = receiver.recv()
            except EOFError:
                worker.join()
                problem = f"ended the process (exit status {worker.exitcode})"
            if problem:
                outcome, at, why = "FAILED", index, problem
                worker.kill()
            if outcome == "done":
                break
            patience = LIMIT_SECONDS + 5
            if outcome == "ready":
                continue
            outcomes[outcome] += 1
            index = at + 1
            if outcome == "FAILED":
                failures.append({"index": at, "why": why})
                say(f"{kind} seed {seed} input {at}: {why}")
            if problem:
                break
        worker.join()
    seconds = round(time.monotonic() - start, 1)
    return {
        "target": kind,
        "seed": seed,
        "first": first,
        "inputs": count,
        **{key: outcomes[key] for key in ("read", "refused", "FAILED")},
        "failures": failures[:SHOWN_FAILURES],
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--target", default=",".join(TARGETS), help="names, separated by commas")
    parser.add_argument("--count", type=int, default=1000, help="inputs for each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--show", action="store_true", help="read in this process, with its traceback")
    parser.add_argument("-o", "--out", type=Path, help="add the results to this file")
    args = parser.parse_args()
    if args.show:
        with tempfile.TemporaryDirectory() as folder:
            target = TARGETS[args.target](Path(folder))
            name, data = input_of(target, args.seed, args.first)
            print(name, len(data), data[:300])
            print(target.read(name, data))
        return
    runs = [
        run(kind, args.seed, args.first, args.count, lambda text: print(text, file=sys.stderr))
        for kind in args.target.split(",")
    ]
    print(json.dumps([{k: v for k, v in each.items() if k != "failures"} for each in runs]))
    if args.out:
        record(args.out, runs)
    raise SystemExit(any(each["FAILED"] for each in runs))


def record(path: Path, runs: list[dict[str, Any]]) -> None:
    """Add runs to a result file; a run of the same seed and range replaces the one before."""
    from invariant_lpips.atomic_writing import replacing
    from invariant_lpips.evaluation.provenance import provenance

    def key(each: dict[str, Any]) -> tuple[Any, ...]:
        return each["target"], each["seed"], each["first"], each["inputs"]

    known = json.loads(path.read_text())["runs"] if path.is_file() else []
    kept = {key(each): each for each in [*known, *runs]}
    ordered = [kept[place] for place in sorted(kept)]
    totals: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for each in ordered:
        totals[each["target"]].update({name: each[name] for name in ("inputs", "read", "refused", "FAILED")})
    result = {
        "provenance": provenance(),
        "limits": {
            "seconds": LIMIT_SECONDS,
            "memory": f"{OVERHEAD >> 20} MiB + {BYTES_PER_FILE_BYTE} B per byte of the file "
            f"+ {BYTES_PER_PIXEL} B per pixel",
        },
        "totals": {kind: dict(counts) for kind, counts in totals.items()},
        "runs": ordered,
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
