"""Sizes of pictures as options name them. On its own, since help that needs no torch asks for it too."""

from __future__ import annotations

import argparse


def width_and_height(text: str) -> tuple[int, int]:
    """(width, height) from N or WxH, for `type=` of an option.

    Example:
        >>> width_and_height("256"), width_and_height("80x64")
        ((256, 256), (80, 64))
    """
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"expected N or WIDTHxHEIGHT in pixels, but got {text!r}")
    return int(parts[0]), int(parts[-1])
