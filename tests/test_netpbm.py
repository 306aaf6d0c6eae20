"""PBM, PGM, PPM, PAM and PFM against the arrays that are written by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from invariant_lpips.pictures.folders import pictures_in
from invariant_lpips.pictures.images import read_image

MAXIMA = (1, 15, 100, 255, 256, 1023, 4095, 65535)


def expected(samples: NDArray[np.generic], maximum: float) -> torch.Tensor:
    colours = np.broadcast_to(samples[..., :3], (*samples.shape[:2], 3))
    scaled = (colours.astype(np.float64) / (maximum / 2) - 1).astype(np.float32)
    return torch.from_numpy(scaled.transpose(2, 0, 1)[None].copy())


def drawn(bands: int, maximum: int) -> NDArray[np.int64]:
    samples = np.random.default_rng(maximum + bands).integers(0, maximum + 1, (5, 7, bands))
    samples[0, 0], samples[4, 6] = 0, maximum
    return samples


def binary(samples: NDArray[np.int64], maximum: int) -> bytes:
    return samples.astype(np.uint8 if maximum < 256 else ">u2").tobytes()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize("maximum", MAXIMA)
def test_every_maximum(tmp_path: Path, bands: int, maximum: int) -> None:
    samples = drawn(bands, maximum)
    numbers = "\n".join(" ".join(map(str, row.ravel())) for row in samples)
    kinds = {1: ("P2", "P5", "GRAYSCALE"), 3: ("P3", "P6", "RGB")}[bands]
    header = f"# made by hand\n7 5\n{maximum}\n"
    about = f"WIDTH 7\n# by hand\nHEIGHT 5\nDEPTH {bands}\nMAXVAL {maximum}\nTUPLTYPE {kinds[2]}\nENDHDR\n"
    files = {
        "plain.pnm": f"{kinds[0]}\n{header}{numbers}\n".encode(),
        "binary.pnm": f"{kinds[1]} {header}".encode() + binary(samples, maximum),
        "any.pam": f"P7\n{about}".encode() + binary(samples, maximum),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        assert torch.equal(read_image(tmp_path / name), expected(samples, maximum)), name


def test_bitmaps(tmp_path: Path) -> None:
    samples = drawn(1, 1)
    (tmp_path / "plain.pbm").write_bytes(b"P1\n7 5\n" + b"".join(b"%d" % s for s in 1 - samples.ravel()))
    (tmp_path / "binary.pbm").write_bytes(
        b"P4\n7 5\n" + np.packbits(1 - samples[..., 0].astype(np.uint8), axis=1).tobytes()
    )
    for path in pictures_in(tmp_path):
        assert torch.equal(read_image(path), expected(samples, 1))


@pytest.mark.parametrize("maximum", [255, 1023])
@pytest.mark.parametrize(("kind", "bands"), [("RGB_ALPHA", 4), ("GRAYSCALE_ALPHA", 2)])
def test_opacity(tmp_path: Path, kind: str, bands: int, maximum: int) -> None:
    samples = drawn(bands, maximum)
    header = f"P7\nWIDTH 7\nHEIGHT 5\nDEPTH {bands}\nMAXVAL {maximum}\nTUPLTYPE {kind}\nENDHDR\n"
    path = tmp_path / "a.pam"
    path.write_bytes(header.encode() + binary(samples, maximum))
    assert torch.equal(read_image(path, alpha="drop"), expected(samples[..., :-1], maximum))
    opacity = samples[..., -1:] / maximum
    shown = expected(samples[..., :-1] * opacity, maximum)
    torch.testing.assert_close(read_image(path, alpha="black"), shown, rtol=0, atol=1e-6)
    path.write_bytes(header.replace(f"TUPLTYPE {kind}\n", "").encode() + binary(samples, maximum))
    if bands == 4:
        with pytest.raises(ValueError, match="it holds 4 bands and does not say which"):
            read_image(path)
        chosen = expected(samples[..., [2, 1, 0]], maximum)
        assert torch.equal(read_image(path, bands=(3, 2, 1)), chosen)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["Pf", "PF"])
def test_floats_run_upwards(tmp_path: Path, kind: str, order: str) -> None:
    samples = np.random.default_rng(0).random((5, 7, 3 if kind == "PF" else 1), dtype=np.float32)
    scale = "-1.0" if order == "<" else "1"
    path = tmp_path / "a.pfm"
    path.write_bytes(f"{kind}\n7 5\n{scale}\n".encode() + samples[::-1].astype(f"{order}f4").tobytes())
    torch.testing.assert_close(read_image(path), expected(samples, 1), rtol=0, atol=1e-6)
    path.write_bytes(f"{kind}\n7 5\n{scale}\n".encode() + (2 * samples).astype(f"{order}f4").tobytes())
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        read_image(path)
    path.write_bytes(f"{kind}\n7 5\n2.0\n".encode() + samples.tobytes())
    with pytest.raises(ValueError, match="a PFM of scale 2 is not handled"):
        read_image(path)


def test_several_pictures_in_one_file(tmp_path: Path) -> None:
    first, second = drawn(1, 255), drawn(3, 1023)
    path = tmp_path / "a.pnm"
    path.write_bytes(b"P5 7 5 255\n" + binary(first, 255) + b"P6 7 5 1023\n" + binary(second, 1023))
    with pytest.warns(UserWarning, match="holds 2 frames, of which the first is read"):
        assert torch.equal(read_image(path), expected(first, 255))
    assert torch.equal(read_image(path, frame=1), expected(second, 1023))
    with pytest.raises(ValueError, match="it holds 2 frames, counted from 0, but frame 2"):
        read_image(path, frame=2)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"P5 2 1 100\n\x05\x65", "its samples go up to 101, above its maximum of 100"),
        (b"P2 2 1 100\n5 101", "must lie between 0 and its maximum of 100"),
        (b"P2 2 1 100\n5 -1", "must lie between 0 and its maximum of 100"),
        (b"P5 2 2 255\nabc", "1 bytes are missing"),
        (b"P6 2 2 65535\n" + bytes(12), "12 bytes are missing"),
        (b"P3 1 1 255\n1 2", "it ends after 2 of 3 samples"),
        (b"P5 2 1 70000\n" + bytes(8), "its maximum is 70000, but from 1 to 65535 was expected"),
        (b"P5 2 0 255\n" + bytes(8), "its header is damaged"),
        (b"P6 2", "its header is damaged"),
        (b"P7\nWIDTH 2\nENDHDR\nab", "damaged or cut short"),
        (b"P5 99999 99999 255\nabc", "over the limit"),
    ],
)
def test_damage_is_refused(tmp_path: Path, data: bytes, sentence: str) -> None:
    path = tmp_path / "a.pnm"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=sentence):
        read_image(path)
