"""What moved between two pictures: shift, turn and zoom, measured, and undone half of the way by each picture.

For pictures x and y, (N, 3, H, W) in [-1, 1] each:

    motion = estimate_motion(x, y)
    print(motion.shift, motion.rotation, motion.zoom, motion.found)
    x_there, y_there, both_seen = compensated(x, y, motion)
"""

from __future__ import annotations

from invariant_lpips.motion.comparison import Comparison
from invariant_lpips.motion.estimation import MODELS, estimate_motion
from invariant_lpips.motion.half_way import compensated, displacement, half_way
from invariant_lpips.motion.motion import Motion

__all__ = ["MODELS", "Comparison", "Motion", "compensated", "displacement", "estimate_motion", "half_way"]
