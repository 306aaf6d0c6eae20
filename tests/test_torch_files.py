"""`.pth` files: what torch.save writes is read bit for bit, and nothing in such a file is ever executed."""

from __future__ import annotations

import io
import os
import pickle
import random
import time
import tracemalloc
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from invariant_lpips import LPIPS
from invariant_lpips.files.pickles import read_tensors


def saved(state, **options) -> bytes:
    file = io.BytesIO()
    torch.save(state, file, **options)
    return file.getvalue()


def plain_state() -> OrderedDict:
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4, track_running_stats=False))
    state = module.state_dict()  # carries `_metadata` beside its tensors
    state["parameter"] = torch.nn.Parameter(torch.randn(3, 4))
    state["shared storage"] = state["parameter"].detach()[1:]
    state["transposed"] = torch.randn(3, 4).t()
    state["channels last"] = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    state["scalar"] = torch.tensor(3.0)
    state["empty"] = torch.empty(0, 3)
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        state[str(dtype)] = torch.randn(5).to(dtype)
    return state


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_what_torch_writes_is_read(zipped, protocol):
    state = plain_state()
    data = saved(state, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    found = read_tensors(data)
    assert list(found) == list(state)
    for name, tensor in found.items():
        assert tensor.dtype == state[name].dtype
        assert torch.equal(tensor, state[name])


@pytest.mark.parametrize("zipped", [True, False])
def test_what_is_not_asked_for_is_left_in_the_file(zipped):
    state = {"features.0.weight": torch.randn(3), "classifier.weight": torch.randn(4, 5)}
    found = read_tensors(saved(state, _use_new_zipfile_serialization=zipped), "features.")
    assert list(found) == ["features.0.weight"]
    assert torch.equal(found["features.0.weight"], state["features.0.weight"])


def test_lpips_own_files_are_read_as_torch_reads_them():
    lpips = pytest.importorskip("lpips", reason="reads the files of the lpips package")
    files = sorted((Path(lpips.__file__).parent / "weights").rglob("*.pth"))
    assert len(files) == 6
    for path in files:
        found, expected = (
            read_tensors(path.read_bytes()),
            torch.load(path, map_location="cpu", weights_only=True),
        )
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in found)


class Calls:
    """Pickles to a call of `function` with `arguments`."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def zipped(program: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/data/0", bytes(16))
    return file.getvalue()


def hostile(folder: Path) -> dict[str, bytes]:
    target = str(folder / "exploded")
    bombs = {
        "mkdir": pickle.dumps(Calls(os.mkdir, target)),
        "mkdir, protocol 0": pickle.dumps(Calls(os.mkdir, target), protocol=0),
        "eval": pickle.dumps(Calls(eval, f"__import__('os').mkdir({target!r})")),
        "system": pickle.dumps(OrderedDict(weight=Calls(os.system, f"mkdir {target}"))),
        "storage's name": b"\x80\x02ctorch.storage\nFloatStorage.__reduce__\n.",
        "dotted name": b"\x80\x04\x8c\x05torch\x8c\x17_utils._import_dotted_name\x93.",
        "getattr": b"\x80\x02cbuiltins\ngetattr\n.",
        "extension": b"\x80\x02\x82\x01.",
        "instance": b"(ios\nsystem\n.",
        "new object": b"\x80\x02cos\nsystem\n)\x81.",
        "memo of 64 GiB": b"\x80\x02Nr\xff\xff\xff\x7f.",
        "string of 4 GiB": b"\x80\x02X\xff\xff\xff\x7fabc.",
        "endless tuple as key": b"\x80\x02}N" + b"q\x00h\x00\x86" * 60 + b"Ns.",
        "deep list": b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b".",
        "no end": b"\x80\x02}",
        "stack underflow": b"\x80\x02aaa.",
        "nothing": b"",
    }
    negative = (
        b"\x80\x02}X\x01\x00\x00\x00aq\x01ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage"
    )
    place = b"ctorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
    views = {
        "negative offset": b"J\xff\xff\xff\xff(K\x01t(K\x01t\x89}ts.",
        "beyond the storage": b"K\x03(K\x02t(K\x01t\x89}ts.",
        "a thousand million of one number": b"K\x00(J\x00\xca\x9a\x3bt(K\x00t\x89}ts.",
        "negative length": b"K\x00(J\xff\xff\xff\xfft(K\x01t\x89}ts.",
        "unequal lengths": b"K\x00(K\x01K\x01t(K\x01t\x89}ts.",
    }
    return {
        **{f"{name}, {form}": make(data) for name, data in bombs.items() for form, make in FORMS.items()},
        **{name: zipped(negative + place + view) for name, view in views.items()},
    }


def sequence(program: bytes) -> bytes:
    heads = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    return b"".join(pickle.dumps(head, protocol=2) for head in heads) + program + pickle.dumps([], protocol=2)


FORMS = {"zip": zipped, "sequence": sequence, "bare": bytes}


@pytest.mark.parametrize("name", list(hostile(Path())))
def test_hostile_files_are_refused_and_nothing_runs(name, tmp_path):
    data = hostile(tmp_path)[name]
    with pytest.raises(ValueError, match="it is"):
        read_tensors(data)
    (tmp_path / "w.pth").write_bytes(data)
    with pytest.raises(ValueError, match=r"must be a state dict as torch\.save writes it") as caught:
        LPIPS(pnet_rand=True, model_path=tmp_path / "w.pth")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "exploded").exists()


def test_what_is_no_state_dict_is_refused():
    for content in (
        [torch.ones(2)],
        {"n": 3},
        {"w": torch.arange(3)},
        {1: torch.ones(2)},
        torch.ones(2),
        {"w": torch.ones(2, dtype=torch.complex64)},
        {"w": {"w": torch.ones(2)}},
        {"w": torch.ones(2).to_sparse()},
    ):
        for form in (True, False):
            with pytest.raises(ValueError, match="no plain file of float tensors"):
                read_tensors(saved(content, _use_new_zipfile_serialization=form))


def pickled(program: bytes) -> bytes:
    """A .pth archive around a pickle written by hand."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + program + b".")
    return file.getvalue()


NAME = b"X\x10\x27\x00\x00" + b"s" * 10_000
BOMBS = {
    # A tuple of itself twice, 60 times, as the name of something: 2^60 items when written out.
    "nested name": b")q\x00" + b"h\x00h\x00\x86q\x00" * 60 + b"h\x00\x93",
    # 10,000 "pairs" that are one long string.
    "long pairs": b"ccollections\nOrderedDict\n" + NAME + b"q\x00](" + b"h\x00" * 10_000 + b"e\x85R",
    # One list of 50,000 pairs that becomes a dict 20,000 times.
    "again and again": b"ccollections\nOrderedDict\nq\x01X\x01\x00\x00\x00sN\x86q\x00]("
    + b"h\x00" * 50_000
    + b"e\x85q\x02R"
    + b"0h\x01h\x02R" * 20_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_small_files_that_would_grow_are_refused_at_once(name):
    start = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="no plain file of float tensors"):
            read_tensors(pickled(BOMBS[name]))
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()
    assert time.process_time() - start < 10


def test_compressed_archives_are_refused():
    # The only way a file could become larger than it is.
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}." + bytes(10_000_000))
    with pytest.raises(ValueError, match="missing or compressed"):
        read_tensors(file.getvalue())


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1e-3])
def test_linear_weights_that_give_no_distance_are_refused(bad, tmp_path):
    state = {f"lin{k}.model.1.weight": torch.ones(1, c, 1, 1) for k, c in enumerate((64, 192, 384, 256, 256))}
    state["lin3.model.1.weight"][0, 5] = bad
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"must lie in \[0, 1e\+15\], but some of lin3"):
        LPIPS(pnet_rand=True, model_path=tmp_path / "w.pth")


def test_mutated_files_give_tensors_or_a_value_error():
    generator = random.Random(0)
    originals = [saved(plain_state(), _use_new_zipfile_serialization=form) for form in (True, False)]
    outcomes = {"read": 0, "refused": 0}
    for _ in range(600):
        data = bytearray(generator.choice(originals))
        for _ in range(generator.randint(1, 3)):
            data[generator.randrange(len(data))] = generator.randrange(256)
        try:
            read_tensors(bytes(data))
        except ValueError:
            outcomes["refused"] += 1
        else:
            outcomes["read"] += 1
    assert min(outcomes.values()) > 30
