"""A stand-in for transmission errors in JPEG 2000: damaged code-blocks of a 9/7 wavelet transform.

Pillow decodes a damaged JPEG 2000 stream either fully, up to the error, or not at all, so the damage is made
where the stream would put it: in code-blocks, whose bit planes are lost or garbled from one plane downwards.
"""

from __future__ import annotations

import numpy as np

from invariant_lpips.distortions.arrays import Array, Image, accept, hand_back
from invariant_lpips.distortions.luma import rgb_to_ycbcr, ycbcr_to_rgb

__all__ = ["jpeg2000_transmission"]

# The lifting steps and the scale of the irreversible 9/7 transform (ISO/IEC 15444-1, annex F).
_LIFTING = (-1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971)
_SCALE = 1.230174104914001
_LEVELS = 4
_CODE_BLOCK = 16


def jpeg2000_transmission(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Errors in the code-blocks of a JPEG 2000 picture; `strength` counts damaged code-blocks (TID 13).

    Each damaged block of 16x16 coefficients, in a random sub-band of luma or chroma, gets random signs and
    random lower bits. A fraction damages the last block in part. An approximation: real streams fail packet
    by packet.
    """
    x, count = accept(image, strength)
    ycbcr = rgb_to_ycbcr(x)
    height, width = x.shape[:2]
    unit = 2**_LEVELS
    padded = np.pad(ycbcr, ((0, -height % unit), (0, -width % unit), (0, 0)), mode="symmetric")
    coefficients = padded
    for level in range(_LEVELS):
        rows, columns = padded.shape[0] >> level, padded.shape[1] >> level
        part = coefficients[:rows, :columns]
        coefficients[:rows, :columns] = _forward(_forward(part, 0), 1)
    blocks = _code_blocks(padded.shape[0], padded.shape[1])
    rng = np.random.default_rng(seed)
    for number in range(min(int(np.ceil(count)), 4 * len(blocks))):
        top, left = blocks[rng.integers(len(blocks))]
        channel = rng.choice(3, p=[0.7, 0.15, 0.15])
        block = coefficients[top : top + _CODE_BLOCK, left : left + _CODE_BLOCK, channel]
        spread = 2.0 * np.abs(block - block.mean()).max() * rng.random()
        garbage = spread * rng.standard_normal(block.shape)
        block += min(count - number, 1.0) * garbage
    for level in reversed(range(_LEVELS)):
        rows, columns = padded.shape[0] >> level, padded.shape[1] >> level
        part = coefficients[:rows, :columns]
        coefficients[:rows, :columns] = _inverse(_inverse(part, 1), 0)
    return hand_back(ycbcr_to_rgb(coefficients[:height, :width]), image)


def _code_blocks(height: int, width: int) -> list[tuple[int, int]]:
    """Top left corners of code-blocks; those of deeper levels come more often, as they cost more bits."""
    corners: list[tuple[int, int]] = []
    for level in range(_LEVELS):
        rows, columns = height >> level, width >> level
        ring = [
            (top, left)
            for top in range(0, rows, _CODE_BLOCK)
            for left in range(0, columns, _CODE_BLOCK)
            if top >= rows // 2 or left >= columns // 2
        ]
        corners += ring * 2**level
    return corners


def _forward(x: Array, axis: int) -> Array:
    """One level of the 9/7 transform along an axis of even length: low band first, then high."""
    signal = np.moveaxis(x, axis, 0)
    even, odd = signal[0::2].copy(), signal[1::2].copy()
    for step, weight in enumerate(_LIFTING):
        if step % 2 == 0:
            odd += weight * (even + np.concatenate([even[1:], even[-1:]]))
        else:
            even += weight * (odd + np.concatenate([odd[:1], odd[:-1]]))
    return np.moveaxis(np.concatenate([even / _SCALE, odd * _SCALE]), 0, axis)


def _inverse(x: Array, axis: int) -> Array:
    signal = np.moveaxis(x, axis, 0)
    half = signal.shape[0] // 2
    even, odd = signal[:half] * _SCALE, signal[half:] / _SCALE
    for step, weight in reversed(list(enumerate(_LIFTING))):
        if step % 2 == 0:
            odd -= weight * (even + np.concatenate([even[1:], even[-1:]]))
        else:
            even -= weight * (odd + np.concatenate([odd[:1], odd[:-1]]))
    merged = np.empty_like(signal)
    merged[0::2], merged[1::2] = even, odd
    return np.moveaxis(merged, 0, axis)
