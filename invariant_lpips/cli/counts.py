"""Counts as options take them: whole numbers that are refused where they begin to mean nothing."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def at_least(least: int) -> Callable[[str], int]:
    """Reads a whole number, for `type=` of an option.

    Example:
        >>> at_least(1)("12")
        12
        >>> at_least(1)("0")
        Traceback (most recent call last):
        argparse.ArgumentTypeError: expected a whole number of at least 1, but got '0'
    """

    def count(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, but got {text!r}")
        return number

    return count
