"""Two videos as pairs of frames: by number, read in step, a few frames ahead of the network; and their distances.

Frames of a folder are its pictures in natural order.
"""

from __future__ import annotations

import itertools
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from invariant_lpips.pictures.folders import Skipped, first_apart, first_gap, list_folder, pictures_in
from invariant_lpips.pictures.images import Reading
from invariant_lpips.pictures.masks import read_mask
from invariant_lpips.pictures.measuring import MapSink, Measuring, Metric, Outcome, by_reference
from invariant_lpips.pictures.pairing import Pair
from invariant_lpips.pictures.preparation import Prepared
from invariant_lpips.pictures.reading_ahead import WAITING, Picture
from invariant_lpips.pictures.refusals import PictureWarning
from invariant_lpips.pictures.video.choosing import Selection
from invariant_lpips.pictures.video.decoding import Frame, VideoFile

#: Frames of each video that may wait, decoded, within `WAITING` bytes.
_AHEAD = 8


@dataclass(frozen=True)
class FramePair(Pair):
    """Two frames of one number, counted from 0; `time` in seconds from the first frame of the reference."""

    number: int = field(default=0, kw_only=True)
    time: float | None = field(default=None, kw_only=True)

    def __str__(self) -> str:
        when = "" if self.time is None else f" at {self.time:.7g} s"
        return f"frame {self.number}{when}"


class FramesOfFolder:
    """The pictures of a folder in natural order as frames, with the attributes of a :class:`VideoFile`."""

    seconds_a_frame = None
    assumed = False

    def __init__(self, path: Path, reading: Reading, *, recursive: bool = False) -> None:
        listing = list_folder(path, recursive=recursive)
        self.path = path
        self.reading = reading
        self.files = listing.pictures
        self.skipped = listing.skipped
        self.count = len(self.files)
        self.colours = "pictures"
        first = reading(self.files[0])
        self.size = first.shape[-1], first.shape[-2]

    def __iter__(self) -> Iterator[Frame]:
        for number, file in enumerate(self.files):

            def picture(file: Path = file) -> Tensor:
                return self.reading(file)

            yield Frame(number, None, file, picture)


class FrameMasks:
    """A mask for each frame: the pictures of a folder in natural order, as those of :class:`FramesOfFolder`.

    Args:
        path: a folder of mask files.
        reading: a file to (1, 3, H, W) in [-1, 1], as of :func:`invariant_lpips.pictures.masks.reading_of_masks`.

    Raises:
        ValueError: the names of the files count with a gap; later, a frame has no mask, or a mask is as
            :class:`invariant_lpips.pictures.masks.Masks` refuses it.
    """

    def __init__(self, path: Path, reading: Callable[[Path], Tensor]) -> None:
        self.path = path
        self.files = tuple(pictures_in(path))
        self._reading = reading
        if (gap := first_gap(self.files)) is not None:
            raise ValueError(
                f"masks of frames must be numbered without gaps, but in {path} {gap[1].name} follows {gap[0].name}"
            )

    def __call__(self, pair: Pair) -> Tensor:
        assert isinstance(pair, FramePair)
        if pair.number >= len(self.files):
            raise ValueError(f"{self.path} holds {len(self.files)} masks, and none for frame {pair.number}")
        return read_mask(self.files[pair.number], self._reading)


class VideoPairing:
    """The pairs of frames of two videos, of a video and a folder of frames, or of two such folders.

    Frames belong together by their number, whatever the times they are shown at: where these come apart, as after a
    frame that was dropped, there is a warning.

    Args:
        reference, distorted: files of videos, or folders of pictures.
        reading: see :class:`VideoFile`; of a folder's pictures all of it.
        crop_border, luma: see :class:`Prepared`.
        selection: which frames.
        unequal_sizes: frames of the two may differ in size.
        recursive: look into subfolders of a folder.

    Attributes:
        unmatched: once all was read, the sentence that says which of the two goes on where the other ends; else None.
        skipped: what in a folder was not looked at.

    Raises:
        ImportError, OSError, ValueError: one can't be read, or their frames differ in size.

    Warns:
        PictureWarning: colours had to be assumed and differ; times, or the numbers in the names of a folder's frames,
            come apart.
    """

    def __init__(
        self,
        reference: Path,
        distorted: Path,
        *,
        reading: Reading | None = None,
        crop_border: int = 0,
        luma: bool = False,
        selection: Selection | None = None,
        unequal_sizes: bool = False,
        recursive: bool = False,
    ) -> None:
        self.reading = reading = reading or Reading()
        self._prepared = Prepared(reading, crop_border, luma)
        self.selection = selection or Selection()
        self.reference, self.distorted = (
            FramesOfFolder(path, reading, recursive=recursive) if path.is_dir() else VideoFile(path, reading)
            for path in (reference, distorted)
        )
        self.unmatched: str | None = None
        self.skipped: tuple[Skipped, ...] = tuple(
            item for side in (self.reference, self.distorted) for item in getattr(side, "skipped", ())
        )
        sizes = [f"{width} x {height}" for width, height in (self.reference.size, self.distorted.size)]
        if sizes[0] != sizes[1] and not unequal_sizes:
            raise ValueError(
                f"{reference} and {distorted} differ in the size of their frames ({sizes[0]} and {sizes[1]}); use "
                "--resize, or --unequal-sizes with --head gap"
            )

    @property
    def count(self) -> int | None:
        """How many pairs there are by what the files say; None where they say nothing."""
        known = [side.count for side in (self.reference, self.distorted) if side.count is not None]
        return self.selection.among(min(known)) if known else None

    def read(self, after: int = -1) -> Iterator[tuple[FramePair, Picture, Picture]]:
        """The pairs in order, with what gives their pictures; those up to frame `after` are passed over.

        A video can't be entered in its middle and counted, so frames that are not wanted are decoded too, but no more.
        """
        self.unmatched = None
        self._mention_assumed_colours()
        self._mention_numbers_that_come_apart()
        found = False
        with (
            _Ahead(self.reference, self._wanted(after)) as left,
            _Ahead(self.distorted, self._wanted(after)) as right,
        ):
            timely = True
            for number in itertools.count():
                if number == self.selection.stop:
                    break
                try:
                    x, y = left.next(), right.next()
                except (OSError, ValueError) as error:
                    damage = error

                    def damaged(error: Exception = damage) -> Tensor:
                        raise error

                    if number > after:
                        yield self._pair(number, None, None), damaged, damaged
                    return
                if x is None or y is None:
                    self._end(number, x is not None, y is not None)
                    break
                if timely:
                    timely = self._in_time(x[0], y[0])
                if number in self.selection:
                    found = True
                    if number > after:
                        yield self._pair(number, x[0], y[0]), x[1], y[1]
        if not found:
            raise ValueError(
                f"there is no frame to compare: the frames chosen begin with {self.selection.start}, but only "
                f"{number} are in both {self.reference.path} and {self.distorted.path}"
            )

    def _wanted(self, after: int) -> Callable[[Frame], Callable[[], Tensor] | None]:
        def picture(frame: Frame) -> Callable[[], Tensor] | None:
            if frame.number <= after or frame.number not in self.selection:
                return None
            return lambda: self._prepared.prepared(frame.picture(), str(frame.file))

        return picture

    def _pair(self, number: int, x: Frame | None, y: Frame | None) -> FramePair:
        reference = self.reference.path if x is None else x.file
        distorted = self.distorted.path if y is None else y.file
        times = [frame.time for frame in (x, y) if frame is not None and frame.time is not None]
        label = f"{self.reference.path.stem}-{self.distorted.path.stem}-{number:06d}"
        return FramePair(reference, distorted, label, number=number, time=times[0] if times else None)

    def _end(self, number: int, more_left: bool, more_right: bool) -> None:
        if more_left == more_right:
            return
        longer, shorter = (self.reference, self.distorted) if more_left else (self.distorted, self.reference)
        self.unmatched = (
            f"{shorter.path} ends after {number} frames and {longer.path} goes on; "
            "what both have was compared"
        )

    def _in_time(self, x: Frame, y: Frame) -> bool:
        """Whether two frames are shown at one time, to half a frame; warns where not."""
        interval = self.reference.seconds_a_frame or self.distorted.seconds_a_frame
        if x.time is None or y.time is None or interval is None or abs(x.time - y.time) <= interval / 2:
            return True
        warnings.warn(
            f"frames are paired by their number, but frame {x.number} is shown at {x.time:.7g} s in "
            f"{self.reference.path} and at {y.time:.7g} s in {self.distorted.path}: a frame may be missing, or the "
            "rates differ",
            PictureWarning,
            stacklevel=2,
        )
        return False

    def _mention_numbers_that_come_apart(self) -> None:
        """Warn where a frame seems to be missing in a folder: those after it would meet others than their own."""
        folders = [side for side in (self.reference, self.distorted) if isinstance(side, FramesOfFolder)]
        if len(folders) == 2:
            apart = first_apart(folders[0].files, folders[1].files)
            what = apart and f"{apart[0]} would be compared with {apart[1]}"
        else:
            gap = first_gap(folders[0].files) if folders else None
            what = gap and f"in {folders[0].path} {gap[1].name} follows {gap[0].name}"
        if what:
            warnings.warn(
                f"frames are paired in their order, but the numbers in their names come apart ({what}): a frame may be "
                "missing",
                PictureWarning,
                stacklevel=2,
            )

    def _mention_assumed_colours(self) -> None:
        x, y = self.reference, self.distorted
        if (x.assumed or y.assumed) and _meaning(x) != _meaning(y):
            silent = " and ".join(str(side.path) for side in (x, y) if side.assumed)
            warnings.warn(
                f"the colours of the two may be read differently: {silent} does not say its matrix ({x.path}: "
                f"{x.colours}; {y.path}: {y.colours})",
                PictureWarning,
                stacklevel=2,
            )


def compare_videos(
    metric: Metric,
    pairing: VideoPairing,
    *,
    batch_size: int = 1,
    unequal_sizes: bool = False,
    maps: MapSink | None = None,
    masks: Callable[[Path], Tensor] | FrameMasks | None = None,
    after: int = -1,
) -> Iterator[Outcome]:
    """The distances of two videos' frames, one after another, in memory that does not grow with their length.

    A frame that can't be measured is the problem of its own pair; a video that is damaged ends with one.

    Args:
        metric, batch_size, unequal_sizes, maps: as for :func:`invariant_lpips.pictures.compare`.
        masks: the path of a reference to its mask, which for a video is one for all frames; or :class:`FrameMasks`.
        pairing: the videos; afterwards its `unmatched` says whether one goes on where the other ends.
        after: frames up to this number are passed over, as a run that was stopped has them.

    Returns:
        An :class:`Outcome` for each pair, whose `pair` is a :class:`FramePair`.

    Raises:
        ValueError: arguments that don't go together; or no frame is in both videos.

    Example:
        >>> import tempfile
        >>> import torch
        >>> from invariant_lpips import InvariantLPIPS, write_image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for number in range(3):
        ...         write_image(torch.full((3, 32, 32), number / 2), Path(folder) / f"{number}.png")
        ...     pairing = VideoPairing(Path(folder), Path(folder), selection=Selection(1))
        ...     for outcome in compare_videos(InvariantLPIPS("alex"), pairing):
        ...         print(outcome.pair, outcome.distance)
        frame 1 0.0
        frame 2 0.0
    """
    measuring = Measuring(
        metric,
        pairing.reading,
        batch_size=batch_size,
        unequal_sizes=unequal_sizes,
        maps=maps,
        masks=masks if masks is None or isinstance(masks, FrameMasks) else by_reference(masks),
    )
    return measuring.outcomes(pairing.read(after))


class _Ahead:
    """The frames of a video with what gives their pictures, made by a thread of its own, a few frames ahead."""

    def __init__(
        self,
        frames: VideoFile | FramesOfFolder,
        wanted: Callable[[Frame], Callable[[], Tensor] | None],
    ) -> None:
        self._frames = iter(frames)
        self._wanted = wanted
        self._allowed = 1  # the pictures' size is not known yet
        self._waiting: deque[Future[tuple[Frame, Picture] | None]] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="decoding")

    def __enter__(self) -> _Ahead:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)
        close = getattr(self._frames, "close", None)
        if close is not None:
            close()

    def next(self) -> tuple[Frame, Picture] | None:
        """The next frame, None after the last; raises what decoding it raised."""
        while len(self._waiting) <= self._allowed:
            self._waiting.append(self._thread.submit(self._decode))
        return self._waiting.popleft().result()

    def _decode(self) -> tuple[Frame, Picture] | None:
        frame = next(self._frames, None)
        if frame is None:
            return None
        picture = self._wanted(frame)
        done: Future[Tensor] = Future()
        if picture is not None:
            try:
                image = picture()
                self._allowed = max(1, min(_AHEAD, WAITING // (2 * image.nbytes)))
                done.set_result(image)
            except Exception as error:  # raised where the picture is asked for
                done.set_exception(error)
        return frame, done.result


def _meaning(side: VideoFile | FramesOfFolder) -> str:
    return side.colours.partition(", ")[2]
