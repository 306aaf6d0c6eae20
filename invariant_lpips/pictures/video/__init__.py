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

from invariant_lpips.pictures.video.comparing import (
    FrameMasks,
    FramePair,
    Selection,
    VideoPairing,
    compare_videos,
    is_video,
)
from invariant_lpips.pictures.video.decoding import VideoFile

__all__ = ["FrameMasks", "FramePair", "Selection", "VideoFile", "VideoPairing", "compare_videos", "is_video"]
