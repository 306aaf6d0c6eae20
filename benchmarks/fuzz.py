#!/usr/bin/env python3
"""Damaged files of every kind this package reads: each must give a right answer or a documented error.

    python benchmarks/fuzz.py --target image --count 50000 --seed 1
    python benchmarks/fuzz.py --target image --pictures DIR     # starting from pictures of your own
    python benchmarks/fuzz.py --count 10000 --seed 2 -o benchmarks/results/fuzz.json    # every target

Targets: `image` (PNG, JPEG, TIFF, WebP, GIF, BMP, PPM through `read_image`), `weights` (.safetensors), `published`
(.pth), `config` (saved classifiers and metrics), `table` (csv of pairs), `index` (what `embed` writes and `search`
reads). Input k of a seed is the same on every machine, so a failure is looked at again with `--first k --show`.

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

import torch
from fuzz_targets import TARGETS, Target

LIMIT_SECONDS = 10.0
#: What reading may take beyond what the process holds: so much for itself, so much a byte and a pixel.
OVERHEAD, BYTES_PER_FILE_BYTE, BYTES_PER_PIXEL = 24 << 20, 40, 64
SHOWN_FAILURES = 20


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


def work(kind: str, pictures: Path | None, seed: int, indices: Sequence[int], connection: Connection) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        target = TARGETS[kind](Path(folder), pictures)
        connection.send(("ready", 0, ""))
        for index in indices:
            name, data = input_of(target, seed, index)
            outcome, why = judge(target, name, data)
            connection.send((outcome, index, f"{name}: {why}" if outcome == "FAILED" else ""))
    connection.send(("done", 0, ""))


def run(
    kind: str, pictures: Path | None, seed: int, first: int, count: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Read `count` inputs in worker processes; a worker that dies or hangs costs one input."""
    outcomes: collections.Counter[str] = collections.Counter()
    failures: list[dict[str, Any]] = []
    index, end, start = first, first + count, time.monotonic()
    context = multiprocessing.get_context("spawn")
    while index < end:
        receiver, sender = context.Pipe(duplex=False)
        worker = context.Process(target=work, args=(kind, pictures, seed, range(index, end), sender))
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
        "target": kind if pictures is None else f"{kind} of {len(list(pictures.iterdir()))} other files",
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
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="files to start from (target image)")
    parser.add_argument("--show", action="store_true", help="read in this process, with its traceback")
    parser.add_argument("-o", "--out", type=Path, help="add the results to this file")
    args = parser.parse_args()
    if args.show:
        with tempfile.TemporaryDirectory() as folder:
            target = TARGETS[args.target](Path(folder), args.pictures)
            name, data = input_of(target, args.seed, args.first)
            print(name, len(data), data[:300])
            print(target.read(name, data))
        return
    runs = [
        run(kind, args.pictures, args.seed, args.first, args.count, lambda text: print(text, file=sys.stderr))
        for kind in args.target.split(",")
    ]
    print(json.dumps([{k: v for k, v in each.items() if k != "failures"} for each in runs]))
    if args.out:
        record(args.out, runs)
    raise SystemExit(any(each["FAILED"] for each in runs))


def record(path: Path, runs: list[dict[str, Any]]) -> None:
    """Add runs to a result file; a run of the same seed and range replaces the one before."""
    from invariant_lpips.files.provenance import write_result

    def key(each: dict[str, Any]) -> tuple[Any, ...]:
        return each["target"], each["seed"], each["first"], each["inputs"]

    known = json.loads(path.read_text())["runs"] if path.is_file() else []
    kept = {key(each): each for each in [*known, *runs]}
    ordered = [kept[place] for place in sorted(kept)]
    totals: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for each in ordered:
        totals[each["target"]].update({name: each[name] for name in ("inputs", "read", "refused", "FAILED")})
    result = {
        "limits": {
            "seconds": LIMIT_SECONDS,
            "memory": f"{OVERHEAD >> 20} MiB + {BYTES_PER_FILE_BYTE} B per byte of the file "
            f"+ {BYTES_PER_PIXEL} B per pixel",
        },
        "totals": {kind: dict(counts) for kind, counts in totals.items()},
        "runs": ordered,
    }
    write_result(path, result)


if __name__ == "__main__":
    main()
