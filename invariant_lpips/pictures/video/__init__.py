"""Videos: decoded frame by frame (PyAV, the extra `video`), and compared in memory that doesn't grow with them.

Example::

    from pathlib import Path

    from invariant_lpips import InvariantLPIPS
    from invariant_lpips.pictures.video import VideoPairing, compare_videos

    pairing = VideoPairing(Path("a.mp4"), Path("b.mp4"))
    for outcome in compare_videos(InvariantLPIPS(), pairing):
        print(outcome.pair.number, outcome.pair.time, outcome.distance, outcome.problem)
    print(pairing.unmatched)  # None, or which of the two is longer
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invariant_lpips.files.on_demand import on_demand
from invariant_lpips.pictures.video.choosing import Selection, is_video

if TYPE_CHECKING:
    from invariant_lpips.pictures.video.comparing import FrameMasks, FramePair, VideoPairing, compare_videos
    from invariant_lpips.pictures.video.decoding import VideoFile
else:  # needs torch, which knowing a video by its name doesn't
    __getattr__ = on_demand(
        __name__,
        {
            "FrameMasks": "invariant_lpips.pictures.video.comparing",
            "FramePair": "invariant_lpips.pictures.video.comparing",
            "VideoFile": "invariant_lpips.pictures.video.decoding",
            "VideoPairing": "invariant_lpips.pictures.video.comparing",
            "compare_videos": "invariant_lpips.pictures.video.comparing",
        },
    )

__all__ = ["FrameMasks", "FramePair", "Selection", "VideoFile", "VideoPairing", "compare_videos", "is_video"]
