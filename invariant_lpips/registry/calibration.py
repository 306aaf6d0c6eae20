"""The calibration of :meth:`InvariantLPIPS.jnd` that travels in the header of learned weights."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from invariant_lpips.trunks.pooling import POOLINGS

#: D = a d^b, the just noticeable distance d0, its published interval, and its bootstrap over references.
FIELDS = ("a", "b", "d0", "low", "high", "bootstrap_low", "bootstrap_high")


def read_calibration(metadata: Mapping[str, str], source: object) -> dict[str, float] | None:
    """The calibration in a weights file's metadata, or None if it carries none.

    Raises:
        ValueError: it is not seven positive numbers.

    Example:
        >>> read_calibration({}, "x.safetensors") is None
        True
        >>> read_calibration({"jnd": "[]"}, "x.safetensors")
        Traceback (most recent call last):
        ValueError: x.safetensors must calibrate `jnd` with positive numbers a, b, d0, low, high, bootstrap_low,
        bootstrap_high, but says '[]'.
    """
    said = metadata.get("jnd")
    if said is None:
        return None
    try:
        numbers = json.loads(said)
        if set(numbers) != set(FIELDS):
            raise ValueError
        calibration = {field: float(numbers[field]) for field in FIELDS}
        if not all(math.isfinite(number) and number > 0 for number in calibration.values()):
            raise ValueError
    except (ValueError, TypeError, RecursionError, OverflowError):
        raise ValueError(
            f"{source} must calibrate `jnd` with positive numbers {', '.join(FIELDS)}, but says {said[:80]!r}."
        ) from None
    return calibration


def read_pooling(metadata: Mapping[str, str], source: object) -> str:
    """The pooling that a weights file's calibration holds for.

    Raises:
        ValueError: there is none of that name.

    Example:
        >>> read_pooling({}, "x.safetensors")
        'max'
    """
    said = metadata.get("pooling", "max")
    if said not in POOLINGS:
        raise ValueError(f"{source} must name a pooling among {', '.join(POOLINGS)}, but says {said[:80]!r}.")
    return said


def calibration_metadata(calibration: Mapping[str, float] | None, pooling: str) -> dict[str, str]:
    """What a weights file's header says: the calibration, and the pooling it holds for unless that is `max`."""
    metadata = {} if calibration is None else {"jnd": json.dumps({key: calibration[key] for key in FIELDS})}
    return metadata if pooling == "max" else {**metadata, "pooling": pooling}
