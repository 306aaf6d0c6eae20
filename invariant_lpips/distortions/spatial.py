"""Local damage: small patches moved, blocks recoloured."""

from __future__ import annotations

import math

import numpy as np

from invariant_lpips.distortions.arrays import Array, Image, accept, hand_back

__all__ = ["colour_shifted_blocks", "displaced_patches"]


def displaced_patches(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Non-eccentricity pattern noise: `strength` patches of 15x15 copied to a place near by (TID 14, KADID 20).

    Each is moved by up to 12 pixels along each axis. A fraction blends the last patch in, which lets a search
    meet a PSNR; a smaller strength moves the first of the same patches.
    """
    x, count = accept(image, strength)
    size = min(15, min(x.shape[:2]) // 2)
    rng = np.random.default_rng(seed)
    result = x.copy()
    for number in range(math.ceil(count)):
        top, left = _corner(rng, x, size)
        down, right = rng.integers(-12, 13, size=2)
        to_top = int(np.clip(top + down, 0, x.shape[0] - size))
        to_left = int(np.clip(left + right, 0, x.shape[1] - size))
        share = min(count - number, 1.0)
        target = result[to_top : to_top + size, to_left : to_left + size]
        target += share * (x[top : top + size, left : left + size] - target)
    return hand_back(result, image)


def colour_shifted_blocks(image: Image, strength: float, *, seed: int = 0, blocks: int = 8) -> Image:
    """Local block-wise distortion: `blocks` areas of 32x32 shifted by a constant colour of size `strength` (TID 15).

    Every channel of a block moves by `strength`, up or down, to the side with more room. An approximation: how
    many blocks the database used at each level, and how it coloured them, is not published.
    """
    x, amount = accept(image, strength, 0.0, 1.0)
    size = min(32, min(x.shape[:2]) // 2)
    rng = np.random.default_rng(seed)
    result = x.copy()
    taken = np.zeros(x.shape[:2], dtype=bool)
    for _ in range(blocks):
        for _attempt in range(50):  # apart from one another where the image has room
            top, left = _corner(rng, x, size)
            area = (slice(top, top + size), slice(left, left + size))
            if not taken[area].any():
                break
        taken[area] = True
        room = np.where(x[area].mean(axis=(0, 1)) < 0.5, 1.0, -1.0)
        result[area] = x[area] + amount * room
    return hand_back(result, image)


def _corner(rng: np.random.Generator, x: Array, size: int) -> tuple[int, int]:
    return int(rng.integers(x.shape[0] - size + 1)), int(rng.integers(x.shape[1] - size + 1))
