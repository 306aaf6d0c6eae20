"""PyTorch's files of tensors (`.pth`) read without running pickle.

A `.pth` file holds a pickle: a program for a small stack machine, which in Python's hands may call anything.
lpips' linear weights and torchvision's trunks come as such files, so the few instructions that a state dict
needs are carried out here, on plain values: it can become a dict of names and float tensors, and nothing else
can happen. What it may build is bounded by the size of the file. Both of torch's layouts are read: the zip
archive of torch 1.6 and later, and the sequence of pickles before it.
"""

from __future__ import annotations

import io
import math
import pickletools
import zipfile
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_STORAGES = {
    "torch FloatStorage": torch.float32,
    "torch DoubleStorage": torch.float64,
    "torch HalfStorage": torch.float16,
    "torch BFloat16Storage": torch.bfloat16,
}
_DICT, _PARAMETER = "collections OrderedDict", "torch._utils _rebuild_parameter"
_TENSOR = ("torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_tensor")  # the second before torch 0.4
_MAX_DIMENSIONS = 16
_MOST_INSTRUCTIONS = 200_000  # some 40 make a tensor; as many as these take a third of a second


class _Storage(NamedTuple):
    """A run of numbers that lies outside the pickle."""

    dtype: torch.dtype
    key: str
    numel: int


class _View(NamedTuple):
    """A tensor still to be cut from its storage."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class _Refused(Exception):
    """Why the file is not a plain state dict; the message is the end of a sentence."""


def read_tensors(data: bytes, prefix: str = "") -> dict[str, Tensor]:
    """The tensors of a state dict whose names begin with `prefix`, from the bytes of a `.pth` file.

    Raises:
        ValueError: the file is damaged, or holds anything but a dict of float tensors.

    Example:
        >>> file = io.BytesIO()
        >>> torch.save({"lin0.model.1.weight": torch.ones(1, 2, 1, 1)}, file)
        >>> read_tensors(file.getvalue())["lin0.model.1.weight"].flatten()
        tensor([1., 1.])
    """
    try:
        read = _from_zip if data[:4] == b"PK\x03\x04" else _from_sequence
        return read(data, prefix)
    except _Refused as reason:
        raise ValueError(f"it is no plain file of float tensors: {reason}") from None
    except Exception as error:  # a damaged file can make zipfile and pickletools raise almost anything
        raise ValueError(f"it is damaged ({type(error).__name__})") from None


def _from_zip(data: bytes, prefix: str) -> dict[str, Tensor]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}

        def read(name: str) -> bytes:
            entry = entries.get(name)
            if entry is None or entry.compress_type != zipfile.ZIP_STORED or entry.file_size > len(data):
                raise _Refused(f"its part {name[:80]!r} is missing or compressed")
            return archive.read(entry)

        programs = [name for name in entries if name.endswith("/data.pkl")]
        if len(programs) != 1:
            raise _Refused("it has no single data.pkl")
        folder = programs[0].removesuffix("data.pkl")
        if f"{folder}byteorder" in entries and read(f"{folder}byteorder") != b"little":
            raise _Refused("its numbers are big-endian")
        value = _Machine(io.BytesIO(read(programs[0]))).run()
        views = _views(value, prefix)
        return _tensors(views, lambda storage: read(f"{folder}data/{storage.key}"), len(data))


def _from_sequence(data: bytes, prefix: str) -> dict[str, Tensor]:
    stream = io.BytesIO(data)
    magic, protocol, system, value, keys = (_Machine(stream).run() for _ in range(5))
    if magic != _LEGACY_MAGIC or protocol != 1001:
        raise _Refused("it does not begin as torch's files do")
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise _Refused("its numbers are big-endian")
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise _Refused("its list of storages is not one of names")
    # The storages lie one after the other, each behind its count; how wide a number is, the pickle says.
    widths = {view.storage.key: view.storage.dtype.itemsize for view in _views(value).values()}
    parts: dict[str, memoryview] = {}
    place = stream.tell()
    for key in keys:
        length = int.from_bytes(data[place : place + 8], "little") * widths.get(key, 0)
        if key not in widths or length > len(data):
            raise _Refused("its storages are not those that its tensors name")
        parts[key] = memoryview(data)[place + 8 : place + 8 + length]
        place += 8 + length
    return _tensors(_views(value, prefix), lambda storage: parts[storage.key], len(data))


def _views(value: object, prefix: str = "") -> dict[str, _View]:
    if not isinstance(value, dict):
        raise _Refused("it holds no dict of tensors")
    for name, view in value.items():
        if not isinstance(view, _View):
            raise _Refused(f"its entry {name[:80]!r} is no float tensor")
    return {name: view for name, view in value.items() if name.startswith(prefix)}


def _tensors(
    views: dict[str, _View], read: Callable[[_Storage], bytes | memoryview], limit: int
) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    held: dict[_Storage, Tensor] = {}
    total = 0
    for name, view in views.items():
        if view.storage not in held:
            content = read(view.storage)
            total += len(content)
            if len(content) != view.storage.numel * view.storage.dtype.itemsize or total > limit:
                raise _Refused(f"the numbers of {name[:80]!r} are cut short or too many")
            held[view.storage] = (
                torch.frombuffer(bytearray(content), dtype=view.storage.dtype)
                if content
                else torch.empty(0, dtype=view.storage.dtype)
            )
        numel = math.prod(view.size)
        reach = view.offset + sum((n - 1) * step for n, step in zip(view.size, view.stride, strict=True))
        if numel > view.storage.numel or (numel > 0 and reach >= view.storage.numel):
            raise _Refused(f"tensor {name[:80]!r} reaches beyond its numbers")
        tensors[name] = held[view.storage].as_strided(view.size, view.stride, view.offset if numel else 0)
    return tensors


class _Machine:
    """The instructions of pickle that a state dict is written with; see `pickletools` for their meaning."""

    def __init__(self, stream: io.BytesIO) -> None:
        self.stream = stream
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks under each mark
        self.memo: dict[int, Any] = {}
        self.filled = 0

    def run(self) -> Any:
        """Run to the end of one pickle and return what it built."""
        for count, (opcode, argument, _) in enumerate(pickletools.genops(self.stream)):
            if opcode.name == "STOP":
                return self.stack.pop()
            if count > _MOST_INSTRUCTIONS:
                raise _Refused("it has too many tensors, or none")
            step = _STEPS.get(opcode.name)
            if step is None:
                raise _Refused(f"it uses the pickle instruction {opcode.name}")
            step(self, argument)
        raise _Refused("its pickle has no end")

    def pop_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.below.pop()
        return items

    def mark(self, _: Any) -> None:
        self.below.append(self.stack)
        self.stack = []

    def put(self, place: Any) -> None:
        self.memo[len(self.memo) if place is None else place] = self.stack[-1]

    def tuple_of_marked(self, _: Any) -> None:
        items = self.pop_mark()
        self.stack.append(tuple(items))

    def tuple_of(self, count: int) -> None:
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def named_on_stack(self, _: Any) -> None:
        match self.stack[-2:]:
            case [str(module), str(name)]:  # anything else: writing a nested tuple out may take forever
                del self.stack[-2:]
                self.named(f"{module} {name}")
            case _:
                raise _Refused("it asks for something without a name")

    def named(self, name: str) -> None:
        if name not in _STORAGES and name not in (_DICT, _PARAMETER, *_TENSOR):
            raise _Refused(f"it asks for {name.replace(' ', '.')[:80]}")
        self.stack.append(_Named(name))

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise _Refused("it appends to something that is no list")
        target += items

    def set_items(self, items: list[Any]) -> None:
        target, keys = self.stack[-1], items[::2]
        # Only names: the hash of a nested tuple may take forever.
        if not isinstance(target, dict) or len(items) % 2 or not all(isinstance(key, str) for key in keys):
            raise _Refused("it fills something that is no dict of names")
        target.update(zip(keys, items[1::2], strict=True))

    def build(self, _: Any) -> None:
        self.stack.pop()  # what a state dict carries beside its tensors: versions of modules
        if not isinstance(self.stack[-1], dict):
            raise _Refused("it changes something that is no dict")

    def storage(self, _: Any) -> None:
        match self.stack.pop():
            case ("storage", _Named(name), str(key), str(), int(numel), *rest) if (
                name in _STORAGES and numel >= 0 and rest in ([], [None])
            ):
                self.stack.append(_Storage(_STORAGES[name], key, numel))
            case _:
                raise _Refused("it names numbers that are no storage of floats")

    def reduce(self, _: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        match (function, arguments):
            case (_Named(name), () | ([*_],)) if name == _DICT:
                # Python 2 hands over all [name, tensor] at once, Python 3 fills an empty dict.
                pairs = arguments[0] if arguments else []
                self.filled += len(pairs)  # the same list may be handed over again and again
                if self.filled > _MOST_INSTRUCTIONS:
                    raise _Refused("it has too many tensors, or none")
                if not all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in pairs):
                    raise _Refused("it fills a dict with something that is no pair")
                self.stack.append({})
                self.set_items([part for pair in pairs for part in pair])
            case (_Named(name), (_View() as view, bool(), *_)) if name == _PARAMETER:
                self.stack.append(view)
            case (_Named(name), (_Storage() as storage, int(offset), tuple(size), tuple(stride), *_)) if (
                name in _TENSOR and offset >= 0 and _lengths(size) and _lengths(stride)
            ):
                if len(size) != len(stride):
                    raise _Refused("it holds a tensor with more lengths than strides")
                self.stack.append(_View(storage, offset, size, stride))
            case _:
                raise _Refused("it calls something in a way that no state dict does")


class _Named:
    """One of the few names a pickle may mention; it is never looked up."""

    __match_args__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


def _lengths(numbers: tuple[Any, ...]) -> bool:
    return len(numbers) <= _MAX_DIMENSIONS and all(isinstance(n, int) and 0 <= n < 2**40 for n in numbers)


_Step = Callable[[_Machine, Any], None]


def _constant(value: Callable[[], Any]) -> _Step:
    return lambda machine, _: machine.stack.append(value())


def _push(machine: _Machine, argument: Any) -> None:
    machine.stack.append(argument)


_STEPS: dict[str, _Step] = {
    "PROTO": lambda machine, _: None,
    "FRAME": lambda machine, _: None,
    "MARK": _Machine.mark,
    "NONE": _constant(lambda: None),
    "NEWTRUE": _constant(lambda: True),
    "NEWFALSE": _constant(lambda: False),
    "EMPTY_DICT": _constant(dict),
    "EMPTY_LIST": _constant(list),
    "EMPTY_TUPLE": _constant(tuple),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1"), _push),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE", "SHORT_BINSTRING"), _push),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine.put),
    **dict.fromkeys(
        ("BINGET", "LONG_BINGET"), lambda machine, place: machine.stack.append(machine.memo[place])
    ),
    "TUPLE": _Machine.tuple_of_marked,
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "GLOBAL": _Machine.named,
    "STACK_GLOBAL": _Machine.named_on_stack,
    "APPEND": lambda machine, _: machine.extend([machine.stack.pop()]),
    "APPENDS": lambda machine, _: machine.extend(machine.pop_mark()),
    "SETITEM": lambda machine, _: machine.set_items([machine.stack.pop(-2), machine.stack.pop()]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_mark()),
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.storage,
    "REDUCE": _Machine.reduce,
}
