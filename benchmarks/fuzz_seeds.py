"""What the fuzzer starts from, and how it damages it: see `fuzz.py`."""

from __future__ import annotations

import io
import json
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from invariant_lpips.files.safetensors import safetensors_bytes

Seeds = dict[str, bytes]
SIZE = (20, 24)


def encoded(picture: Image.Image, form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def deep_png(channels: int, colour_type: int) -> bytes:
    """A 16-bit PNG, which Pillow does not write in colour."""
    values = np.random.default_rng(channels).integers(0, 65536, (*SIZE, channels)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    header = struct.pack(">IIBBBBB", SIZE[1], SIZE[0], 16, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, data) for kind, data in chunks)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def image_seeds() -> Seeds:
    """Small pictures in every format, mode and compression that is read."""
    noise = np.random.default_rng(0).integers(0, 256, (*SIZE, 4), dtype=np.uint8)
    ramp = np.add.outer(np.arange(SIZE[0]), np.arange(SIZE[1])).astype(np.uint8)[..., None] * np.uint8(5)
    rgba = Image.fromarray((noise // 4 + ramp // 2).astype(np.uint8))
    rgb, grey = rgba.convert("RGB"), rgba.convert("L")
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "turned"
    grey16 = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    frames = {"save_all": True, "append_images": [rgb.rotate(180)]}
    seeds: Seeds = {}
    for form in ("PNG", "TIFF", "WEBP", "GIF", "BMP", "PPM", "JPEG"):
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK"):
            try:
                seeds[f"{form} {mode}"] = encoded(rgba.convert(mode), form)
            except (OSError, KeyError, ValueError):
                continue
    for k in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "tiff_sgilog"):
        try:
            seeds[f"TIFF {k}"] = encoded(rgb, "TIFF", compression=k)
        except (OSError, ValueError):
            continue
    seeds |= {
        "TIFF group4": encoded(grey.convert("1"), "TIFF", compression="group4"),
        "TIFF 16 bit": encoded(grey16, "TIFF"),
        "TIFF float": encoded(Image.fromarray(np.asarray(grey, dtype=np.float32) / 255), "TIFF"),
        "TIFF int32": encoded(Image.fromarray(np.asarray(grey, dtype=np.int32)), "TIFF"),
        "TIFF pages": encoded(rgb, "TIFF", **frames),
        "PNG 16 bit grey": encoded(grey16, "PNG"),
        "PNG 16 bit grey and alpha": deep_png(2, 4),
        "PNG 16 bit colour": deep_png(3, 2),
        "PNG 16 bit colour and alpha": deep_png(4, 6),
        "PNG transparent palette": encoded(rgb.quantize(16), "PNG", transparency=3),
        "PNG transparent key": encoded(rgb, "PNG", transparency=(1, 2, 3)),
        "PNG with Exif": encoded(rgb, "PNG", exif=exif),
        "PNG frames": encoded(rgb, "PNG", **frames),
        "GIF frames": encoded(rgb, "GIF", **frames),
        "GIF transparent": encoded(rgb.quantize(16), "GIF", transparency=3),
        "JPEG progressive": encoded(rgb, "JPEG", progressive=True, quality=85),
        "JPEG with Exif": encoded(rgb, "JPEG", exif=exif),
        "JPEG 4:4:4": encoded(rgb, "JPEG", subsampling=0, quality=95),
        "WEBP lossless": encoded(rgba, "WEBP", lossless=True),
        "WEBP frames": encoded(rgba, "WEBP", **frames),
        "WEBP with Exif": encoded(rgb, "WEBP", exif=exif),
        "PGM 16 bit": b"P5 24 20 65535\n" + np.asarray(grey16).astype(">u2").tobytes(),
        "PPM text": b"P3 2 2 255\n" + b" ".join(b"%d" % v for v in range(12)),
        "PGM text": b"P2 2 2 100\n1 2 3 4",
        "PPM of few levels": b"P6 3 2 7\n" + bytes(range(8)) + bytes(10),
    }
    return seeds


def weights_seeds() -> Seeds:
    """Linear weights of a head, with calibration, and a few tensors of every type."""
    generator = torch.Generator().manual_seed(0)
    fields = ("a", "b", "d0", "low", "high", "bootstrap_low", "bootstrap_high")
    calibration = {"jnd": json.dumps(dict.fromkeys(fields, 0.5))}
    mixed = {
        str(dtype): torch.randn(2, 3, generator=generator).to(dtype)
        for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    }
    linear = {f"lin{k}.weight": torch.rand(1, 3, 1, 1, generator=generator) for k in range(5)}
    return {
        "head": safetensors_bytes({"weight": torch.rand(8, generator=generator)}, calibration),
        "mixed": safetensors_bytes({**mixed, "empty": torch.empty(0, 3), "scalar": torch.tensor(1.0)}),
        "linear": safetensors_bytes(linear, {"config": json.dumps({"format": "none"})}),
    }


def published_seeds() -> Seeds:
    """State dicts as torch.save writes them."""
    state = {f"lin{k}.model.1.weight": torch.rand(1, 3, 1, 1) for k in range(3)}
    seeds = {}
    for zipped in (True, False):
        for protocol in (2, 4):
            file = io.BytesIO()
            torch.save(state, file, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
            seeds[f"zip={zipped} protocol={protocol}"] = file.getvalue()
    return seeds


def table_seeds() -> Seeds:
    return {
        "pairs": b"reference,distorted\na.png,b.png\nc/d.png,e f.png\n",
        "rated": b"# higher_is_better: false\nreference,distorted,score,reference_id,distortion,level\n"
        b'a.png,b.png,3.5,a,blur,1\n"a,1.png",b.png,-2e3,,,\n',
        "bom": "\ufeffreference,distorted,score\nä.png,ö.png,1\n".encode(),
        "semicolons": b"reference;distorted\na;b\n",
    }


def index_seeds(folder: Path) -> Seeds:
    """Index files of six pictures in every format, by suffix."""
    from invariant_lpips import InvariantLPIPS
    from invariant_lpips.indexing import Reading
    from invariant_lpips.indexing.files import WRITERS, Contents
    from invariant_lpips.indexing.settings import settings_for

    metric = InvariantLPIPS("alex", "gap", weights="unit")
    settings = settings_for(metric, Reading(), batch_size=1, tile=None, pictures="0" * 64)
    rows = torch.rand(6, 8, generator=torch.Generator().manual_seed(0))
    names = [f"{k}.png" for k in range(6)]
    seeds = {}
    for suffix, write in WRITERS.items():
        file = folder / f"seed{suffix}"
        write(Contents(settings, names, [("7.png", "is no picture")], (), 8, [rows]), file)
        seeds[suffix[1:]] = file.read_bytes()
    return seeds


INTERESTING = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF)
WORDS = (
    *(b"\0", b'"', b",", b"\n", b"\r", b"\r\n", b"-", b"null", b"NaN", b"nan", b"inf", b"1e999", b"\xff\xfe"),
    *(
        b"../../../../etc/passwd",
        b"=cmd|' /C calc'!A0",
        b"\xf0\x9f\x92\xa5",
        b"\\u0000",
        b"\x80\x02cos\nsystem\n",
    ),
    *(b"[" * 3000, b'{"a":' * 3000, b"A" * 140_000, b"1" * 5000, b"__import__('os').system('x')"),
)


def mutated(data: bytes, others: Sequence[bytes], random_: random.Random) -> bytes:
    """One to six random changes: bits, bytes, numbers, cuts, repeats, splices and words that mean trouble."""
    result = bytearray(data)
    for _ in range(random_.choice((1, 1, 1, 2, 3, 6))):
        if not result:
            break
        place = random_.randrange(len(result))
        end = min(len(result), place + random_.choice((1, 2, 4, 16, 64)))
        kind = random_.randrange(10)
        if kind == 0:
            result[place] ^= 1 << random_.randrange(8)
        elif kind == 1:
            result[place] = random_.randrange(256)
        elif kind in (2, 3):
            width = random_.choice((1, 2, 4, 8))
            number = (random_.choice(INTERESTING) % 256**width).to_bytes(width, "little")
            result[place : place + width] = number[:: random_.choice((1, -1))]
        elif kind == 4:
            del result[place:end]
        elif kind == 5:
            result[place:place] = result[place:end] * random_.choice((1, 1, 2, 50))
        elif kind == 6:
            result[place:end] = random_.randbytes(end - place)
        elif kind == 7:
            other = random_.choice(others)
            start = random_.randrange(len(other)) if other else 0
            result[place:end] = other[start : start + random_.choice((4, 16, 64, 1000))]
        elif kind == 8:
            result[place:place] = random_.choice(WORDS)
        else:
            del result[place:]
    return bytes(result)


def mended_png(data: bytes) -> bytes:
    """The same chunks with right checksums, so that damage reaches what lies behind them."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return data
    result, place = bytearray(data[:8]), 8
    while place + 12 <= len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        if place + 12 + length > len(data):
            break
        result += png_chunk(data[place + 4 : place + 8], data[place + 8 : place + 8 + length])
        place += 12 + length
    return bytes(result + data[place:])


def mended_length(data: bytes) -> bytes:
    """A safetensors file whose first eight bytes fit the header up to its last brace again."""
    end = data.rfind(b"}", 8)
    return data if end < 0 else (end - 7).to_bytes(8, "little") + data[8:]


def mutated_json(value: Any, random_: random.Random) -> Any:
    """One value anywhere in a JSON document replaced, removed or added."""
    odd: list[Callable[[], Any]] = [
        lambda: None,
        lambda: random_.choice((0, -1, 1, 2**31, 2**63, 10**30, 1e308, float("nan"), float("inf"), True)),
        lambda: random_.choice(("", "os.system", "../../x", "vgg", "alex", "squeeze", "polyphase", "flatten", "\0")),
        lambda: [value] * 3,
        lambda: {"__class__": "os.system", "hash": 1},
        lambda: json.loads("[" * 400 + "]" * 400),
        lambda: [16384, 16384],
        lambda: ["a"] * 1000,
    ]  # fmt: skip
    if isinstance(value, dict) and value and random_.random() < 0.9:
        key = random_.choice(list(value))
        changed = dict(value)
        action = random_.randrange(5)
        if action == 0:
            del changed[key]
        elif action == 1:
            changed[random_.choice(("extra", "__init__", "", "hash"))] = random_.choice(odd)()
        elif action == 2:
            changed[key] = mutated_json(value[key], random_)
        else:
            changed[key] = random_.choice(odd)()
        return changed
    if isinstance(value, list) and value and random_.random() < 0.5:
        place = random_.randrange(len(value))
        return [*value[:place], mutated_json(value[place], random_), *value[place + 1 :]]
    return random_.choice(odd)()


def mutated_nested(text: str, random_: random.Random) -> str:
    """JSON that holds JSON in strings, damaged at any depth."""
    value = json.loads(text)
    inner = [key for key in value if isinstance(value[key], str) and value[key].startswith("{")]
    if inner and random_.random() < 0.7:
        key = random_.choice(inner)
        return json.dumps({**value, key: mutated_nested(value[key], random_)})
    return json.dumps(mutated_json(value, random_))


def mutated_header(data: bytes, random_: random.Random) -> bytes:
    """A safetensors file with damage in what its header says; the tensors stay."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    if "about" in header["__metadata__"] and random_.random() < 0.5:
        header["__metadata__"]["about"] = mutated_nested(header["__metadata__"]["about"], random_)
    else:
        header = mutated_json(header, random_)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def mutated_npz(data: bytes, random_: random.Random) -> bytes:
    """An archive of arrays with one of them of another type, shape or content, or packed in another way."""
    with np.load(io.BytesIO(data)) as archive:
        arrays: dict[str, Any] = dict(archive)
    rows, names = arrays["embeddings"], arrays["paths"]
    changes: dict[str, list[Any]] = {
        "embeddings": [
            *(rows.astype(kind) for kind in ("<f8", "<f2", ">f4", "<i4", "<c8", "S4", bool)),
            *(np.asfortranarray(rows), rows[0], rows[None], rows[:0], rows[:, :0], rows[:3], np.array(1.0)),
            *(rows * np.nan, np.where(rows > 0.5, np.inf, rows), np.array([None, {}], dtype=object)),
        ],
        "paths": [names[:-1], names[:, None], names[0], np.arange(6), names.astype("S"), np.zeros(6), rows],
        "about": [np.array(mutated_nested(str(arrays["about"]), random_)), np.zeros(3), np.array(["{}"] * 2)],
    }
    name = random_.choice(list(changes))
    arrays[name] = random_.choice(changes[name])
    if random_.random() < 0.1:
        del arrays[name]
    stream = io.BytesIO()
    (np.savez_compressed if random_.random() < 0.2 else np.savez)(stream, **arrays)
    return stream.getvalue()


def saved_models(folder: Path) -> Seeds:
    """`config.json` of a classifier and of a metric, whose tensors are left in `folder`."""
    from invariant_lpips import InvariantLPIPS
    from invariant_lpips.classifier import GAPClassifier

    torch.manual_seed(0)
    seeds = {}
    classifier = GAPClassifier("multi-gap", 3, 64, net="alex", classes=["a", "b", "c"])
    for name, model in (
        ("classifier", classifier),
        ("metric", InvariantLPIPS("alex", "gap", weights="unit")),
    ):
        model.save_pretrained(folder / name)
        seeds[name] = (folder / name / "config.json").read_bytes()
    return seeds
