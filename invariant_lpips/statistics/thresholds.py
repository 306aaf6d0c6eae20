"""What people just notice: the detection thresholds of displacements that everything here is held against.

Source: Alabau-Bosque et al., arXiv:2407.17927, who gather detection thresholds of shifts, turns and zooms and put
them on the scale D = (10 - MOS) / 10 of TID2013, where 0 is no difference.
"""

from __future__ import annotations

__all__ = [
    "DETECTION",
    "DETECTION_HIGH",
    "DETECTION_LOW",
    "ROTATION_DEGREES",
    "SHIFT_DEGREES_OF_VISUAL_ANGLE",
    "ZOOM_FACTOR",
]

SHIFT_DEGREES_OF_VISUAL_ANGLE = 0.23
"""A shift that is just noticed, in degrees of visual angle."""

ROTATION_DEGREES = 3.6
"""A turn that is just noticed, in degrees."""

ZOOM_FACTOR = 1.026
"""A zoom that is just noticed."""

DETECTION, DETECTION_LOW, DETECTION_HIGH = 0.445, 0.390, 0.499
"""D at threshold, and the ends of its interval."""
