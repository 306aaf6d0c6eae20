#!/usr/bin/env python3
"""kill -9 at random moments, a full disk, a read-only disk, two processes on one output: is anything lost?

    python benchmarks/interruptions.py --kills 25 -o benchmarks/results/interruptions.json
    python benchmarks/interruptions.py --kills 3 --jobs embed,compare

Jobs: `download` (weights, from a Hub on this machine), `embed` (a folder), `compare` (two folders to csv), `matrix` and
`duplicates` (of a folder), `linear` (training linear weights), `backbone` (training a classifier, with --classes DIR on
pictures of your own). Each runs once undisturbed; what it wrote is what every other run must end with, byte for byte.
A job runs in a fork of this process, so that it is killed at its work and not at its imports. Needs Linux or macOS.

kills       A job is started and killed after a random share of its time, up to three times, then left to finish.
            After each kill every result that is there must be whole: the new one or the one from before.
full disk   The job writes to a small file system (tmpfs; without the right to mount one, a limit on the size of
            files) with some room left. It must end with one sentence that names the file and says what to do, and
            leave whole results; with room, finish.
read-only   The same on a file system that can't be written to.
two         Two processes do the same job at once: each must finish or say in a sentence that the other is at it.

Exit status 1 if anything was lost. The table goes to stdout.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_TOKEN": "hf_right"}
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from invariant_lpips import InvariantLPIPS, registry, write_image
from invariant_lpips.cli import COMMANDS
from invariant_lpips.cli import main as command
from invariant_lpips.files.provenance import write_result
from invariant_lpips.files.safetensors import safetensors_bytes
from invariant_lpips.registry import download as hub
from invariant_lpips.training import BackboneConfig, train_backbone
from tests.hub_server import Hub, serving

DISK_BYTES = 2 << 20
ROOM = (0, 30_000, 120_000)  # bytes left on it
SMALL = ["--net", "alex", "--head", "gap", "--weights", "unit"]
REPOSITORY = "someone/something"
WEIGHTS = safetensors_bytes({"features.0.weight": torch.arange(200_000.0)})


class Failure(Exception):
    """Something was lost, torn or not said."""


class Job:
    """A piece of work that writes `results` into a folder."""

    results: tuple[str, ...]
    growing: tuple[str, ...] = ()  # written anew with a line more now and then

    def __init__(self, inputs: Path) -> None:
        self.inputs = inputs

    def work(self, folder: Path) -> int:
        raise NotImplementedError

    def before(self, folder: Path) -> None:
        """What lies in the folder before the job: nothing, or results of an earlier one."""

    def found(self, folder: Path) -> dict[str, bytes]:
        return {name: (folder / name).read_bytes() for name in self.results if (folder / name).is_file()}


class Download(Job):
    results = ("file",)
    server: Hub

    def work(self, folder: Path) -> int:
        os.environ.update({"HF_ENDPOINT": self.server.endpoint, hub.REPO_VARIABLE: REPOSITORY})
        digest = hashlib.sha256(WEIGHTS).hexdigest()
        registry.ENTRIES["tiny"] = registry.Entry("tiny.safetensors", digest, "Apache-2.0", "for tests")
        registry.weights_path("tiny", access=hub.Access(cache_dir=folder))
        return 0

    def found(self, folder: Path) -> dict[str, bytes]:
        held = list(folder.glob("models--*/snapshots/*/tiny.safetensors"))
        return {"file": held[0].read_bytes()} if held else {}


class Embed(Job):
    results = ("index.npz",)

    def work(self, folder: Path) -> int:
        return command(
            ["embed", str(self.inputs / "a"), "--out", str(folder / "index.npz"), *SMALL, "--workers", "0"]
        )


class Compare(Job):
    results = ("table.csv",)

    def before(self, folder: Path) -> None:
        (folder / "table.csv").write_text("of an earlier run\n")

    def work(self, folder: Path) -> int:
        pair = [str(self.inputs / "a"), str(self.inputs / "b")]
        return command(["compare", *pair, "-o", str(folder / "table.csv"), *SMALL, "--quiet"])


class Matrix(Job):
    results = ("matrix.npz",)

    def work(self, folder: Path) -> int:
        out = ["-o", str(folder / "matrix.npz"), "--workers", "0"]
        return command(["matrix", str(self.inputs / "a"), *out, *SMALL, "--quiet"])


class Duplicates(Job):
    results = ("groups.csv",)

    def work(self, folder: Path) -> int:
        out = ["-o", str(folder / "groups.csv"), "--below", "1", "--workers", "0"]
        return command(["duplicates", str(self.inputs / "b"), *out, *SMALL, "--quiet"])


class Linear(Job):
    results = ("alexnet-gap.safetensors", "alexnet-gap.md")

    def work(self, folder: Path) -> int:
        options = [
            "--dataset",
            "csv",
            "--root",
            str(self.inputs / "pairs.csv"),
            "--net",
            "alex",
            "--head",
            "gap",
        ]
        options += ["--folds", "3", "--steps", "20", "--cache", str(folder / "cache"), "--out", str(folder)]
        return command(["train", "linear", *options])


class Backbone(Job):
    results = ("log.csv", "result.json", "model/model.safetensors", "model/config.json")
    growing = ("log.csv",)
    classes: Path | None = None

    def work(self, folder: Path) -> int:
        config = BackboneConfig(
            data=str(self.classes or self.inputs / "classes"),
            head="gap-flatten",
            image_size=32,
            epochs=3,
            batch_size=4,
        )
        train_backbone(config, folder, cache=folder / "features", device="cpu", checkpoint_seconds=0)
        return 0


JOBS: dict[str, type[Job]] = {
    "download": Download,
    "embed": Embed,
    "compare": Compare,
    "matrix": Matrix,
    "duplicates": Duplicates,
    "linear": Linear,
    "backbone": Backbone,
}


def make_inputs(folder: Path) -> None:
    """Noise pictures: two folders, a csv of rated pairs, a tree of classes."""
    generator = torch.Generator().manual_seed(0)

    def picture(path: Path, level: float) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = torch.rand(1, 3, 40, 40, generator=generator) - 0.5
        write_image((noise * level).clamp(-1, 1), path)

    rows = ["reference,distorted,score"]
    for k in range(24):
        picture(folder / "a" / f"{k:02}.png", 1.0)
        picture(folder / "b" / f"{k:02}.png", 0.2 + k / 12)
        rows.append(f"a/{k // 6 * 6:02}.png,b/{k:02}.png,{k % 7}")
    (folder / "pairs.csv").write_text("\n".join(rows) + "\n")
    for part, count in (("train", 6), ("val", 3), ("test", 2)):
        for label in range(3):
            for k in range(count):
                picture(folder / "classes" / part / f"class {label}" / f"{k}.png", 0.3 + label * 0.8)


def warm_up() -> None:
    """Import and build here what every fork would: it is to be killed at its work."""
    for name in (command_module for command_module, _ in COMMANDS.values()):
        importlib.import_module(name)
    metric = InvariantLPIPS("alex", "gap", weights="unit")
    metric.embed(torch.zeros(1, 3, 40, 40))
    metric.describe()


def start(work: Callable[[], int], said: Path) -> int:
    """Fork and do it there; its words go to the file `said`. Returns the process id."""
    process = os.fork()
    if process:
        return process
    status = 70
    try:
        stream = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(stream, 1)
        os.dup2(stream, 2)
        try:
            status = work()
        except (OSError, ValueError, SystemExit) as error:  # what Python's callers would see
            status = 1
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.stdout.flush()
    finally:
        os._exit(status)


def ended(process: int) -> int:
    """The exit status, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def check(job: Job, folder: Path, expected: dict[str, bytes], earlier: dict[str, bytes]) -> None:
    for name, data in job.found(folder).items():
        part = name in job.growing and expected[name].startswith(data) and data.endswith(b"\n")
        if data not in (expected[name], earlier.get(name)) and not part:
            raise Failure(f"{name} is torn: {len(data)} bytes of {len(expected[name])}")


def finish(job: Job, folder: Path, expected: dict[str, bytes], said: Path) -> None:
    status = ended(start(lambda: job.work(folder), said))
    if status != 0 or job.found(folder) != expected:
        raise Failure(f"a rerun ended with {status} and other results; it said: {said.read_text()[-500:]}")


def sentence(said: Path, *words: str) -> str:
    """The last words of a job that gave up; Failure if they are a traceback, or `words` are missing."""
    text = said.read_text(errors="replace")
    lines = [line for line in text.replace("\r", "\n").splitlines() if line.strip()]
    if "Traceback" in text or not lines or not all(word in lines[-1] for word in words):
        raise Failure(f"it gave up with: {text[-500:] or 'nothing'}")
    return lines[-1]


def kills(job: Job, expected: dict[str, bytes], seconds: float, count: int, place: Path) -> dict[str, int]:
    random_ = random.Random(f"{type(job).__name__}/{count}")
    seen = {"kills": 0, "too late": 0, "results there after a kill": 0, "reruns": 0}
    for trial in range(count):
        folder = place / f"kill-{trial}"
        folder.mkdir()
        job.before(folder)
        earlier = job.found(folder)
        for _ in range(random_.randint(1, 3)):
            process = start(lambda folder=folder: job.work(folder), place / "said")
            time.sleep(random_.random() * seconds)
            os.kill(process, signal.SIGKILL)
            struck = ended(process) == -signal.SIGKILL
            seen["kills" if struck else "too late"] += 1
            check(job, folder, expected, earlier)
            seen["results there after a kill"] += struck and job.found(folder).items() != earlier.items()
            seen["reruns"] += 1
        finish(job, folder, expected, place / "said")
        shutil.rmtree(folder)
    return seen


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[bool]:
    """A file system of DISK_BYTES at `place`; False where that is not permitted."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(place)], check=True)


def full_disk(job: Job, expected: dict[str, bytes], place: Path) -> dict[str, Any]:
    gave_up = finished = 0
    words = ""
    with small_disk(place / "disk") as mounted:
        for room in ROOM:
            folder = place / "disk" / "out"
            folder.mkdir()
            job.before(folder)
            earlier = job.found(folder)
            filler = place / "disk" / "filler"

            def limited(folder: Path = folder, room: int = room) -> int:
                if not mounted:
                    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                    resource.setrlimit(resource.RLIMIT_FSIZE, (max(room, 1),) * 2)
                return job.work(folder)

            if mounted:
                free = shutil.disk_usage(place / "disk").free
                filler.write_bytes(bytes(max(0, free - room)))
            status = ended(start(limited, place / "said"))
            check(job, folder, expected, earlier)
            if status > 0:
                gave_up += 1
                if mounted or room > 1000:  # a limit on the size of files cuts short what it says, too
                    words = sentence(
                        place / "said", str(folder), "make room" if mounted else "raise the limit"
                    )
            elif status == 0 and job.found(folder) == expected:
                finished += 1
            else:
                raise Failure(
                    f"with {room} bytes left it ended with {status}: {(place / 'said').read_text()[-500:]}"
                )
            filler.unlink(missing_ok=True)
            finish(job, folder, expected, place / "said")
            shutil.rmtree(folder)
    way = f"tmpfs of {DISK_BYTES >> 20} MiB" if mounted else "RLIMIT_FSIZE"
    return {
        "way": way,
        "room, bytes": ROOM,
        "gave up": gave_up,
        "finished": finished,
        "said": plain(words, place),
    }


def read_only(job: Job, expected: dict[str, bytes], place: Path) -> dict[str, Any]:
    with small_disk(place / "disk-ro") as mounted:
        if not mounted:
            return {"way": "not run: no right to mount"}
        folder = place / "disk-ro" / "out"
        folder.mkdir()
        job.before(folder)
        earlier = job.found(folder)
        subprocess.run(["mount", "-o", "remount,ro", str(place / "disk-ro")], check=True)
        status = ended(start(lambda: job.work(folder), place / "said"))
        if status <= 0 or job.found(folder) != earlier:
            raise Failure(f"on a read-only disk it ended with {status}")
        words = sentence(place / "said", str(folder), "can be written to")
        subprocess.run(["mount", "-o", "remount,rw", str(place / "disk-ro")], check=True)
        finish(job, folder, expected, place / "said")
        result: dict[str, Any] = {"way": "tmpfs", "said": plain(words, place)}
        if isinstance(job, Download):  # what the cache holds must serve all the same
            subprocess.run(["mount", "-o", "remount,ro", str(place / "disk-ro")], check=True)
            finish(job, folder, expected, place / "said")
            result["a file that is there"] = "is used"
        return result


def two(job: Job, expected: dict[str, bytes], place: Path, count: int) -> dict[str, int]:
    seen = {"runs": count, "both finished": 0, "one said that the other is at it": 0}
    for trial in range(count):
        folder = place / f"two-{trial}"
        folder.mkdir()
        job.before(folder)
        said = [place / f"said-{k}" for k in range(2)]
        statuses = [ended(p) for p in [start(lambda: job.work(folder), each) for each in said]]  # noqa: B023
        for status, words in zip(statuses, said, strict=True):
            if status < 0 or (status > 0 and not sentence(words)):
                raise Failure(f"one of two ended with {status}")
        if statuses.count(0) == 0:
            raise Failure(f"neither of two finished: {[sentence(words) for words in said]}")
        seen["both finished" if statuses == [0, 0] else "one said that the other is at it"] += 1
        if job.found(folder) != expected:
            raise Failure("two at once wrote something else")
        finish(job, folder, expected, place / "said")
        shutil.rmtree(folder)
    return seen


def plain(words: str, place: Path) -> str:
    return words.replace(str(place), "DIR")[:300]


def examine(job: Job, count: int, place: Path) -> dict[str, Any]:
    undisturbed = place / "undisturbed"
    undisturbed.mkdir(parents=True)
    begun = time.monotonic()
    status = ended(start(lambda: job.work(undisturbed), place / "said"))
    seconds = time.monotonic() - begun
    expected = job.found(undisturbed)
    if status != 0 or expected.keys() != set(job.results):
        raise Failure(f"undisturbed it ended with {status}: {(place / 'said').read_text()[-500:]}")
    finish(job, undisturbed, expected, place / "said")
    return {
        "seconds undisturbed": round(seconds, 2),
        "kill -9": kills(job, expected, seconds, count, place),
        "full disk": full_disk(job, expected, place),
        "read-only disk": read_only(job, expected, place),
        "two processes": two(job, expected, place, max(1, count // 5)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=25, help="times each job is started anew and killed")
    parser.add_argument("--jobs", default=",".join(JOBS), help="names, separated by commas")
    parser.add_argument(
        "-o", "--out", type=Path, help="write the results (JSON) beside those of other jobs in it"
    )
    parser.add_argument("--classes", type=Path, help="train/, val/ and test/ of pictures for `backbone`")
    args = parser.parse_args()
    Backbone.classes = args.classes
    torch.set_num_threads(1)
    result: dict[str, Any] = {}
    lost = False
    with tempfile.TemporaryDirectory() as folder, serving() as server:
        make_inputs(Path(folder) / "in")
        warm_up()
        server.put(REPOSITORY, {"tiny.safetensors": WEIGHTS})
        server.pause = 0.01
        Download.server = server
        for name in args.jobs.split(","):
            try:
                result[name] = examine(JOBS[name](Path(folder) / "in"), args.kills, Path(folder) / name)
            except Failure as failure:
                result[name] = {"FAILED": str(failure)}
                lost = True
            print(f"{name}: {json.dumps(result[name])}", flush=True)
    if args.out:
        known = json.loads(args.out.read_text())["jobs"] if args.out.is_file() else {}
        write_result(args.out, {"jobs": {**known, **result}})
    raise SystemExit(lost)


if __name__ == "__main__":
    main()
