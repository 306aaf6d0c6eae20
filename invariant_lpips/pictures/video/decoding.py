"""The frames of a video file, decoded one after another by PyAV (FFmpeg), upright and with all their bits.

Planes are taken as the decoder gives them and made colours by :mod:`invariant_lpips.pictures.video.colour`: FFmpeg's
own conversion would round to 8 bits, and takes BT.601 where a file says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from invariant_lpips.files.writing import one_line
from invariant_lpips.pictures.channels import Stored, picture_of
from invariant_lpips.pictures.code_points import other_colours
from invariant_lpips.pictures.decoding import upright
from invariant_lpips.pictures.images import Reading, mention_what_is_hidden, resize_image
from invariant_lpips.pictures.video.colour import Coding, rgb_from_planes

if TYPE_CHECKING:
    from av import VideoFrame

#: Pixel formats whose samples share planes, and those that hold the very same samples in planes of their own.
_IN_PLANES = {
    **dict.fromkeys(("nv12", "nv21"), "yuv420p"),
    **dict.fromkeys(("nv16", "yuyv422", "uyvy422", "yvyu422"), "yuv422p"),
    **dict.fromkeys(("nv24", "nv42", "vuyx"), "yuv444p"),
    **dict.fromkeys(("vuya", "ayuv"), "yuva444p"),
    **dict.fromkeys(("rgb24", "bgr24", "rgb0", "bgr0", "0rgb", "0bgr"), "gbrp"),
    **dict.fromkeys(("rgba", "bgra", "argb", "abgr"), "gbrap"),
    **dict.fromkeys(("rgb48le", "rgb48be", "bgr48le", "bgr48be"), "gbrp16le"),
    **dict.fromkeys(("rgba64le", "rgba64be", "bgra64le", "bgra64be"), "gbrap16le"),
    "pal8": "gbrp",
    "p010le": "yuv420p10le",
    "p016le": "yuv420p16le",
    "p210le": "yuv422p10le",
    "y210le": "yuv422p10le",
    "v30xle": "yuv444p10le",
    "xv30le": "yuv444p10le",
    "x2rgb10le": "gbrp10le",
}
_NOT_INTEGERS = ("f16", "f32", "msb", "xyz", "bayer")

# As ITU-T H.273 numbers them, and FFmpeg after it.
_MATRICES = {1: "BT.709", 5: "BT.601", 6: "BT.601", 7: "SMPTE 240M", 9: "BT.2020"}
_UNSAID = (2, 3)
_FULL_RANGE = 2
_DECODERS_OF_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
# Of standard definition: near enough to those of a standard screen that players leave the difference as it is.
_SD_PRIMARIES, _SD_TRANSFERS = (4, 5, 6, 7), (4, 5, 7, 11)

# FFmpeg's display matrix (a, b, c, d: x' = a x + c y, y' = b x + d y) as EXIF numbers it.
_ORIENTATIONS = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}


@dataclass(frozen=True)
class Frame:
    """A frame, and what makes it a picture.

    Attributes:
        number: counted from 0.
        time: seconds since the first frame; None where none is known.
        file: the video, or the picture file of a frame that has its own.
        picture: gives (1, 3, H, W) in [-1, 1]; raises OSError or ValueError.
    """

    number: int
    time: float | None
    file: Path
    picture: Callable[[], Tensor]


class VideoFile:
    """A video file; iterate over it for its frames, as often as needed. One frame is held at a time.

    Args:
        path: the file.
        reading: the size that frames are resized to, what transparent ones are shown against (`alpha`), how many
            pixels are allowed, and whether colours that are not those of a standard screen are refused (`icc`).

    Attributes:
        files: the file.
        count: how many frames the file says it has, or has by its duration; a guess. None if it says nothing.
        seconds_a_frame: on average; None if the file doesn't say.
        colours: pixel format, matrix and range of the first frame, in words.
        assumed: the matrix is not what the file says, since it says none, but what players take.
        size: (width, height) of the first frame, upright and resized.

    Raises:
        ImportError: PyAV is missing.
        FileNotFoundError: there is no such file.
        ValueError: it is no video, its first frame can't be read, or (while iterating) it is damaged or cut short.
    """

    def __init__(self, path: Path, reading: Reading) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"there is no such file: {path}")
        self.path = path
        self.files = (path,)
        self.reading = reading
        self.count: int | None = None
        self.seconds_a_frame: float | None = None
        frames = self._decoded()
        try:
            first = next(frames, None)
            if first is None:
                raise ValueError(f"cannot read {path}: it has no frame")
            image = self._picture(first, f"frame 0 of {path}")
            self._mention_what_is_hidden(first)
            coding, self.assumed = _coding_of(first, _in_planes(first, str(path)).format, str(path))
        finally:
            frames.close()
        self.size = image.shape[-1], image.shape[-2]
        self.colours = f"{first.format.name}, {_in_words(first, coding)}"

    def __iter__(self) -> Iterator[Frame]:
        start: float | None = None
        intact = True
        frames = self._decoded()
        try:
            for number, frame in enumerate(frames):
                # What follows a damaged frame is made from it, up to one that stands for itself.
                intact = not frame.is_corrupt and (intact or frame.key_frame)
                if start is None:
                    start = frame.time
                time = None if frame.time is None or start is None else frame.time - start
                picture = partial(self._picture, frame, f"frame {number} of {self.path}", intact=intact)
                yield Frame(number, time, self.path, picture)
        finally:
            frames.close()

    def _picture(self, frame: VideoFrame, name: str, *, intact: bool = True) -> Tensor:
        if not intact:
            raise ValueError(f"cannot read {name}: it is damaged, or made from a frame that is")
        image = self.reading.tensor(stored_frame(frame, name, self._other_colours), name=name)
        return image if self.reading.resize is None else resize_image(image, self.reading.resize)

    def _mention_what_is_hidden(self, frame: VideoFrame) -> None:
        stored = stored_frame(frame, str(self.path))
        if stored.has_alpha:
            picture = picture_of(stored, bands=None, full_scale=None)
            mention_what_is_hidden(picture, self.reading.alpha, str(self.path))

    def _decoded(self) -> Generator[Any, None, None]:
        av = load_av()
        number = packets = 0
        try:
            # A file may be a list of addresses: nothing but files is opened.
            with av.open(f"file:{self.path}", options={"protocol_whitelist": "file"}) as container:
                if not container.streams.video:
                    raise ValueError(f"cannot read {self.path}: it has no video stream")
                stream = container.streams.best("video")
                self._look_at(stream, container.duration)
                stream.thread_type = "AUTO"
                decoder = _decoder_of_alpha(stream, str(self.path)) or stream.codec_context
                for packet in container.demux(stream):
                    packets += packet.size > 0
                    for frame in decoder.decode(packet):
                        yield frame
                        number += 1
                if packets < len(stream.index_entries):
                    raise ValueError(f"{self.path} is cut short: it ends with frame {number - 1}")
        except av.FFmpegError as error:
            where = f"frame {number} of {self.path}" if number else str(self.path)
            kind = "the file is damaged or cut short" if number else "it is no video, or damaged"
            raise ValueError(f"cannot read {where}: {kind} ({one_line(error.strerror or error)})") from None

    def _look_at(self, stream: Any, duration: int | None) -> None:
        context = stream.codec_context
        most = self.reading.max_pixels
        if most is not None and context.width * context.height > most:
            raise ValueError(
                f"cannot read {self.path}: its frames have {context.width} x {context.height} pixels, more than "
                f"max_pixels={most} (--max-pixels)"
            )
        self._other_colours = _other_colours(context)
        rate = stream.average_rate or stream.guessed_rate
        self.seconds_a_frame = float(1 / rate) if rate else None
        self.count = stream.frames or (round(duration * rate / 1_000_000) if rate and duration else None)


def _decoder_of_alpha(stream: Any, name: str) -> Any:
    """Where opacity lies beside a WebM's frames, what decodes both; None where FFmpeg's own decoder does.

    Its own passes over it without a word.
    """
    decoder = _DECODERS_OF_ALPHA.get(stream.codec_context.name)
    if decoder is None or stream.metadata.get("alpha_mode") != "1":
        return None
    try:
        context = load_av().CodecContext.create(decoder, "r")
    except ValueError:  # PyAV's error for a codec that is not there
        raise ValueError(
            f"cannot read {name}: its opacity needs the decoder {decoder}, which this FFmpeg lacks; convert the video, "
            "as to FFV1"
        ) from None
    context.extradata = stream.codec_context.extradata
    return context


def load_av() -> Any:
    """PyAV; ImportError says how to install it."""
    try:
        import av
    except ImportError:
        raise ImportError("Videos need PyAV: pip install 'invariant-lpips[video]'") from None
    return av


def stored_frame(frame: VideoFrame, name: str, colours: str = "") -> Stored:
    """A frame's colours and opacity, upright; `name` is for messages, `colours` are the `other_colours` of a `Stored`.

    Raises:
        ValueError: it is turned by other than quarters, or its pixel format or matrix is not read.
    """
    frame_in_planes = _in_planes(frame, name)
    pixels = frame_in_planes.format
    coding, _ = _coding_of(frame, pixels, name)
    planes = [_samples(frame_in_planes, part.plane, coding.bits) for part in pixels.components]
    opacity = [planes.pop()] if pixels.components[-1].is_alpha else []
    scale = 2**coding.bits - 1
    if pixels.is_rgb or (len(planes) == 1 and coding.full_range):
        samples = np.stack(planes + opacity, axis=-1)
    else:
        samples = rgb_from_planes(planes, coding)
        if opacity:
            samples = np.concatenate([samples, opacity[0][..., None] / np.float32(scale)], axis=-1)
        scale = 1
    return Stored(
        upright(samples, _orientation(frame, name)),
        scale,
        colours=samples.shape[-1] - len(opacity),
        has_alpha=bool(opacity),
        other_colours=colours,
    )


def _in_planes(frame: VideoFrame, name: str) -> VideoFrame:
    """The frame with each component in a plane of its own."""
    pixel_format = frame.format.name
    if pixel_format in _IN_PLANES:
        return frame.reformat(format=_IN_PLANES[pixel_format])
    parts = frame.format.components
    readable = (
        all(8 <= part.bits <= 16 for part in parts)
        and len({part.plane for part in parts}) == len(parts)
        and not any(word in pixel_format for word in _NOT_INTEGERS)
    )
    if not readable:
        raise ValueError(
            f"cannot read {name}: its pixel format {pixel_format} is not read; convert the video to yuv444p16le or "
            "gbrp16le, as with ffmpeg -pix_fmt"
        )
    return frame


def _coding_of(frame: VideoFrame, pixels: Any, name: str) -> tuple[Coding, bool]:
    """What the samples of a frame mean, and whether the matrix is assumed."""
    bits = max(part.bits for part in pixels.components)
    colourless = pixels.is_rgb or len(pixels.components) == 1
    code, full = int(frame.colorspace), frame.color_range == _FULL_RANGE
    if colourless:
        unsaid = int(frame.color_range) == 0
        return Coding(bits, "BT.709", full_range=pixels.is_rgb or full or unsaid), False
    if code not in _MATRICES and code not in _UNSAID:
        raise ValueError(
            f"cannot read {name}: its colours are coded by matrix {code} (as ITU-T H.273 numbers them), which is not "
            f"read; convert the video to one of {', '.join(_MATRICES.values())}"
        )
    # What players take where a file says nothing: BT.601 for standard definition, up to 1024 x 576.
    guess = "BT.709" if frame.width > 1024 or frame.height > 576 else "BT.601"
    jpeg = frame.format.name.startswith("yuvj")
    steps = tuple(1024 // of(1024) for of in (pixels.chroma_width, pixels.chroma_height))
    coding = Coding(
        bits, _MATRICES.get(code, guess), full_range=full or jpeg, centred=jpeg, steps=(steps[0], steps[1])
    )
    return coding, code in _UNSAID


def _in_words(frame: VideoFrame, coding: Coding) -> str:
    width = "full range" if coding.full_range else "limited range"
    if frame.format.is_rgb or len(frame.format.components) == 1:
        return width
    return f"{coding.matrix}, {width}"


def _samples(frame: VideoFrame, plane: int, bits: int) -> NDArray[Any]:
    """(h, w) of a plane: uint8, or uint16 for more bits."""
    order = ">" if frame.format.is_big_endian else "<"
    kind = np.dtype(np.uint8) if bits == 8 else np.dtype(f"{order}u2")
    held = frame.planes[plane]
    rows = np.frombuffer(held, kind).reshape(-1, held.line_size // kind.itemsize)
    return rows[: held.height, : held.width].astype(kind.newbyteorder("="))


def _orientation(frame: VideoFrame, name: str) -> int:
    """EXIF's number for how the file says a frame is turned."""
    held = frame.side_data.get("DISPLAYMATRIX")
    if held is None:
        return 1
    a, b, _, c, d = np.sign(np.frombuffer(held, np.int32)[:5]).tolist()
    if (a, b, c, d) not in _ORIENTATIONS:
        raise ValueError(f"cannot read {name}: it is turned by less than a quarter; turn it before")
    return _ORIENTATIONS[a, b, c, d]


def _other_colours(context: Any) -> str:
    """How colours that no standard screen shows as they are coded are named; empty where there are none."""
    primaries, transfer = int(context.color_primaries), int(context.color_trc)
    return other_colours(
        1 if primaries in _SD_PRIMARIES else primaries, 1 if transfer in _SD_TRANSFERS else transfer
    )
