"""Pictures of pairs are decoded while the metric works, and go through the network once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import torch
from torch import Tensor

from invariant_lpips import InvariantLPIPS, write_image
from invariant_lpips.pictures import Pair, Pairing, compare, measuring, reading_ahead, within_folder
from invariant_lpips.pictures.measuring import Measuring


class Reading:
    """Says of each picture when it was read, and in which thread."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.threads: set[int] = set()
        self.changed = threading.Condition()

    def __call__(self, path: Path) -> Tensor:
        with self.changed:
            self.read.append(path.name)
            self.threads.add(threading.get_ident())
            self.changed.notify_all()
        if path.name == "bad":
            raise ValueError("it is bad")
        return torch.zeros(1, 3, 4, 4)

    def wait_for(self, name: str) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: name in self.read, timeout=10)


def pairs(*names: str) -> list[Pair]:
    return [Pair(Path(a), Path(b), label="") for a, b in (name.split("-") for name in names)]


def test_the_next_pictures_are_read_before_they_are_asked_for() -> None:
    reading = Reading()
    ahead = reading_ahead.read_ahead(reading, pairs("a-b", "c-d", "e-f", "g-h", "i-j"), ahead=2, threads=1)
    _, x, y = next(ahead)
    x(), y()
    assert reading.read == ["a", "b"], "how large they are is not known yet"
    next(ahead)
    assert reading.wait_for("h"), "two pairs wait behind the one that was taken"
    assert "i" not in reading.read
    assert threading.get_ident() not in reading.threads
    ahead.close()


def test_pictures_too_large_to_wait_are_not_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_ahead, "WAITING", 100)
    reading = Reading()
    for number, (_, x, y) in enumerate(
        reading_ahead.read_ahead(reading, pairs("a-b", "c-d", "e-f"), ahead=2, threads=2), 1
    ):
        x(), y()
        assert len(reading.read) == 2 * number


def test_each_fault_stays_with_its_pair_and_neighbours_share_a_picture() -> None:
    reading = Reading()
    known = Pair(Path("p"), Path("q"), label="", problem="line 3 has no picture")
    found = []
    for pair, x, y in reading_ahead.read_ahead(
        reading, [*pairs("a-b", "b-bad"), known, *pairs("c-c")], ahead=2, threads=2
    ):
        try:
            found.append((pair.reference.name, x() is y()))
        except ValueError as error:
            found.append((pair.reference.name, str(error)))
    assert found == [("a", False), ("b", "it is bad"), ("p", "line 3 has no picture"), ("c", True)]
    assert sorted(reading.read) == ["a", "b", "bad", "c"]


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frames")
    for number in range(5):
        picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(number)) * 2 - 1
        write_image(picture, folder / f"{number}.png")
    return folder


def distances(metric: InvariantLPIPS, pairing: Pairing) -> list[float | None]:
    return [outcome.distance for outcome in compare(metric, pairing)]


@pytest.mark.parametrize(("all_pairs", "remembered"), [(False, 2**20), (True, 2**20), (True, 1)])
def test_a_picture_of_several_pairs_goes_through_the_network_once(
    frames: Path, monkeypatch: pytest.MonkeyPatch, all_pairs: bool, remembered: int
) -> None:
    metric = InvariantLPIPS("alex", head="gap", weights="unit")
    pairing = within_folder(frames, all_pairs=all_pairs, limit=None)
    alone = [distances(metric, Pairing((pair,)))[0] for pair in pairing.pairs]
    read = metric.reference
    calls = 0

    def counting(x: Tensor) -> object:
        nonlocal calls
        calls += 1
        return read(x)

    monkeypatch.setattr(metric, "reference", counting)
    monkeypatch.setattr(measuring, "REMEMBERED", remembered)
    assert distances(metric, pairing) == alone, "bit for bit"
    assert calls == 5 if remembered > 1 else calls > 5


def test_nothing_is_kept_of_pictures_that_do_not_come_again(frames: Path) -> None:
    metric = InvariantLPIPS("alex", head="gap", weights="unit")
    work = Measuring(metric, lambda path: torch.zeros(1, 3, 64, 64))
    for _ in work(pairs("a-b", "c-d", "a-e")):
        assert set(work._read) <= {Path("a")}
    assert not work._read
    assert work._held == 0
