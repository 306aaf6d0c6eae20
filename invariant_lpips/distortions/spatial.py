"""Local damage: patches moved, blocks recoloured, pixels jittered or merged."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from invariant_lpips.distortions.arrays import Array, Image, accept, hand_back

__all__ = ["colour_blocks", "colour_shifted_blocks", "displaced_patches", "jitter", "pixelate"]


def displaced_patches(
    image: Image, strength: float, *, seed: int = 0, patch: int = 15, reach: int = 12
) -> Image:
    """Non-eccentricity pattern noise: `strength` square patches copied to a place near by (TID 14, KADID 20).

    Each is `patch` pixels a side and moves by up to `reach` pixels along each axis. A fraction blends the
    last patch in, which lets a search meet a PSNR; a smaller strength moves the first of the same patches.
    """
    x, count = accept(image, strength)
    size = min(patch, min(x.shape[:2]) // 2)
    rng = np.random.default_rng(seed)
    result = x.copy()
    for number in range(math.ceil(count)):
        top, left = _corner(rng, x, size)
        down, right = rng.integers(-reach, reach + 1, size=2)
        to_top = int(np.clip(top + down, 0, x.shape[0] - size))
        to_left = int(np.clip(left + right, 0, x.shape[1] - size))
        share = min(count - number, 1.0)
        target = result[to_top : to_top + size, to_left : to_left + size]
        target += share * (x[top : top + size, left : left + size] - target)
    return hand_back(result, image)


def colour_shifted_blocks(image: Image, strength: float, *, seed: int = 0, blocks: int = 8) -> Image:
    """Local block-wise distortion: `blocks` areas of 32x32 shifted by a colour of size `strength` (TID 15).

    Every channel of a block moves by `strength`, up or down, to the side with more room. An approximation:
    how many blocks the database used at each level, and how it coloured them, is not published.
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


def colour_blocks(image: Image, strength: float, *, seed: int = 0) -> Image:
    """`strength` squares of 32x32 painted in a random colour each (KADID 23).

    A fraction blends the last one in; a smaller strength paints the first of the same squares.
    """
    x, count = accept(image, strength)
    size = min(32, min(x.shape[:2]) // 2)
    rng = np.random.default_rng(seed)
    for number in range(math.ceil(count)):
        top, left = _corner(rng, x, size)
        area = x[top : top + size, left : left + size]
        area += min(count - number, 1.0) * (rng.random(3) - area)
    return hand_back(x, image)


def jitter(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Every pixel taken from a place `strength` pixels (deviation, each axis) away, five times (KADID 19)."""
    x, sigma = accept(image, strength)
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(x.shape[:2], dtype=np.float64)
    for _ in range(5):
        down, right = sigma * rng.standard_normal((2, *x.shape[:2]))
        at = np.stack([rows + down, columns + right])
        x = np.stack([ndimage.map_coordinates(x[..., c], at, order=1, mode="nearest") for c in range(3)], -1)
    return hand_back(x, image)


def pixelate(image: Image, strength: float, *, seed: int = 0) -> Image:
    """Nearest-neighbour reduction to 0.95 - strength ** 0.6 of the size, and back (KADID 21). `seed` is not
    used.

    `strength` lies in [0, 0.9]; 0 reduces to 0.95 and is not the identity.
    """
    x, amount = accept(image, strength, 0.0, 0.9)
    scale = 0.95 - amount**0.6
    pick = []
    for side in x.shape[:2]:
        small = max(int(side * scale), 1)
        chosen = ((np.arange(small) + 0.5) * side / small).astype(int)
        pick.append(chosen[((np.arange(side) + 0.5) * small / side).astype(int)])
    return hand_back(x[np.ix_(*pick)], image)


def _corner(rng: np.random.Generator, x: Array, size: int) -> tuple[int, int]:
    return int(rng.integers(x.shape[0] - size + 1)), int(rng.integers(x.shape[1] - size + 1))
