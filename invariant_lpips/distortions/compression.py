"""JPEG and JPEG 2000 through Pillow's encoders, and what transmission errors make of their streams."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
from PIL import ImageFile

from invariant_lpips.distortions.arrays import Array, Image, accept, hand_back, to_uint8

__all__ = ["jpeg", "jpeg2000", "jpeg_transmission"]

# Of the stream whose errors are shown. High, because in TID2013 pictures that an error hardly touched reach 51 dB.
_TRANSMITTED_QUALITY = 95


def jpeg(image: Image, strength: float, *, seed: int = 0) -> Image:
    """JPEG with 4:2:0 chroma at the quality `strength`, 1 (worst) to 100 (TID 10, KADID 10).

    The image is rounded to uint8 before it is encoded, and comes back on that grid. `seed` is not used.
    """
    x, quality = accept(image, strength, 1, 100, whole=True)
    return hand_back(_decode(_jpeg_stream(x, int(quality))), image)


def jpeg2000(image: Image, strength: float, *, seed: int = 0) -> Image:
    """JPEG 2000 (9/7 wavelet) at the compression ratio `strength`, at least 1 (TID 11, KADID 9).

    The image is rounded to uint8 before it is encoded, and comes back on that grid. `seed` is not used.

    Raises:
        ImportError: this Pillow was built without OpenJPEG.
    """
    x, ratio = accept(image, strength, 1.0)
    stream = io.BytesIO()
    try:
        PIL.Image.fromarray(to_uint8(x)).save(
            stream, "JPEG2000", quality_mode="rates", quality_layers=[ratio], irreversible=True
        )
    except OSError as error:
        if "encoder" not in str(error):
            raise
        raise ImportError(
            "JPEG 2000 needs a Pillow built with OpenJPEG: pip install --upgrade pillow."
        ) from error
    return hand_back(_decode(stream.getvalue()), image)


def jpeg_transmission(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Bit errors in the entropy-coded part of a JPEG stream (TID 12).

    The picture is sent as JPEG of quality 95, 4:2:0, without restart markers. `strength` is the share of the
    stream, counted from its end, that is exposed to errors: one bit is flipped where the exposed part begins and
    a further one after every sixth of the whole stream (on average). What follows an error is displaced and
    miscoloured, and what precedes it is intact; 0 gives the JPEG without an error. PSNR falls with strength in
    jumps, not strictly, so that a search tries several seeds.
    """
    x, exposed = accept(image, strength, 0.0, 1.0)
    stream = bytearray(_jpeg_stream(x, _TRANSMITTED_QUALITY))
    if exposed > 0.0:
        start, end = _scan(stream)
        rng = np.random.default_rng(seed)
        gaps = np.concatenate([[0.0], rng.exponential(1.0 / 6.0, size=32)])
        places = (1.0 - exposed) + np.cumsum(gaps)
        bits = rng.integers(0, 8, size=places.size)
        for place, bit in zip(places[places < 1.0], bits, strict=False):
            _flip(stream, start + int(place * (end - start)), int(bit), end)
    return hand_back(_decode(bytes(stream), tolerant=True), image)


def _jpeg_stream(x: Array, quality: int) -> bytes:
    stream = io.BytesIO()
    PIL.Image.fromarray(to_uint8(x)).save(stream, "JPEG", quality=quality, subsampling="4:2:0")
    return stream.getvalue()


def _scan(stream: bytearray) -> tuple[int, int]:
    """First byte of the entropy-coded data (after the start-of-scan header) and the end-of-image marker."""
    header = stream.index(b"\xff\xda") + 2
    return header + int.from_bytes(stream[header : header + 2], "big"), len(stream) - 2


def _flip(stream: bytearray, position: int, bit: int, end: int) -> None:
    """Flip one bit at or after `position`, where doing so neither makes nor breaks a marker (byte 0xFF)."""
    for at in range(position, end):
        flipped = stream[at] ^ (1 << bit)
        if stream[at] != 0xFF and stream[at - 1] != 0xFF and flipped != 0xFF:
            stream[at] = flipped
            return


def _decode(stream: bytes, *, tolerant: bool = False) -> Array:
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = tolerant or before
    try:
        with PIL.Image.open(io.BytesIO(stream)) as picture:
            decoded: Array = np.asarray(picture.convert("RGB"), dtype=np.float64) / 255.0
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before
    return decoded
