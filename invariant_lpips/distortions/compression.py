"""JPEG and JPEG 2000 through Pillow's encoders, and what transmission errors make of their streams."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
from PIL import ImageFile

from invariant_lpips.distortions.arrays import Array, Image, accept, hand_back, to_uint8

__all__ = ["jpeg", "jpeg2000", "jpeg_transmission"]

# Of the stream whose errors are shown. The best there is, because in TID2013 pictures that an error hardly
# touched reach 51 dB, the luma PSNR of that quality itself.
_TRANSMITTED_QUALITY = 100
_MCU = 16  # pixels a side of the unit that a JPEG with 4:2:0 chroma codes at a time


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

    The picture is sent as JPEG of quality 100, 4:2:0. An error displaces and miscolours what follows it,
    until a restart marker ends the damage: a run of 16x16 blocks in reading order, from a random place on
    (and on from the top if it reaches the bottom). `strength` is the share of the blocks in that run; 0
    gives the JPEG without errors. The errors themselves depend on the seed only: one at the start of the
    stream and six more on average.
    """
    x, share = accept(image, strength, 0.0, 1.0)
    stream = bytearray(_jpeg_stream(x, _TRANSMITTED_QUALITY))
    clean = _decode(bytes(stream))
    rng = np.random.default_rng(seed)
    start, end = _scan(stream)
    places = np.concatenate([[0.0], np.cumsum(rng.exponential(1.0 / 6.0, size=32))])
    for place, bit in zip(places, rng.integers(0, 8, size=places.size), strict=True):
        if place < 1.0:
            _flip(stream, start + int(place * (end - start)), int(bit), end)
    damaged = _decode(bytes(stream), tolerant=True)
    rows, columns = -(-x.shape[0] // _MCU), -(-x.shape[1] // _MCU)
    after_error = (np.arange(rows * columns) - int(rng.integers(rows * columns))) % (rows * columns)
    hit = (after_error < round(share * rows * columns)).reshape(rows, columns)
    hit = np.repeat(np.repeat(hit, _MCU, axis=0), _MCU, axis=1)[: x.shape[0], : x.shape[1], None]
    return hand_back(np.where(hit, damaged, clean), image)


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
