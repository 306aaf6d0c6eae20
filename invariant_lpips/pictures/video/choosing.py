"""Which files are videos, and which of their frames are compared: all that is known of them without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_SUFFIXES = "3gp asf avi f4v flv ivf m2ts m4v mkv mov mp4 mpeg mpg mts mxf nut obu ogv ts vob webm wmv y4m"
#: Which files are videos.
SUFFIXES = frozenset(f".{name}" for name in _SUFFIXES.split())


def is_video(path: Path) -> bool:
    """Whether a path is named as a video.

    Example:
        >>> is_video(Path("a.MP4")), is_video(Path("a.gif"))
        (True, False)
    """
    return path.suffix.lower() in SUFFIXES and not path.is_dir()


@dataclass(frozen=True)
class Selection:
    """Which frames are compared: `start`, `start + every`, ... up to but without `stop` (None: to the end).

    Example:
        >>> [number for number in range(12) if number in Selection(2, 10, every=3)]
        [2, 5, 8]
    """

    start: int = 0
    stop: int | None = None
    every: int = 1

    def __post_init__(self) -> None:
        if self.start < 0 or self.every < 1 or (self.stop is not None and self.stop <= self.start):
            raise ValueError(
                "Frames are chosen by 0 <= start < stop and every >= 1, but got "
                f"start={self.start}, stop={self.stop}, every={self.every}."
            )

    def __contains__(self, number: int) -> bool:
        started = number >= self.start and (number - self.start) % self.every == 0
        return started and (self.stop is None or number < self.stop)

    def among(self, count: int) -> int:
        """How many of the first `count` frames."""
        return len(range(self.start, count if self.stop is None else min(count, self.stop), self.every))
