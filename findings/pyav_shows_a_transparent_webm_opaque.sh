#!/usr/bin/env bash
# FFmpeg's own VP9 decoder, which PyAV takes by default, drops the opacity of a WebM without a word.
#
# Expected: a WebM with an opacity plane (alpha_mode 1 in its header, as animated overlays for the web have it) decodes
# to yuva420p, as it was encoded, and where it is transparent, opacity is 0.
# Seen (2026-11-29; PyAV 18.1.0 with the libraries in its wheel, numpy 2.4.6): frames come as yuv420p, opaque all over;
# nothing is logged. The plane is stored: the same packets, given to a decoder made by name ("libvpx-vp9"), come as
# yuva420p with opacity 0 where it was 0. The header's alpha_mode is read and given as metadata.
# For a metric: two overlays that differ in what they show through are compared as if both were opaque, in colours that
# no viewer sees.
#
# Output, and the script fails if it changes:
#   stored: alpha_mode 1
#   vp9: yuv420p, opacity of the left half 255, of the right 255
#   libvpx-vp9: yuva420p, opacity of the left half 255, of the right 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' | tee seen
import av
import numpy as np

picture = np.zeros((48, 64, 4), dtype=np.uint8)
picture[..., 0] = 200
picture[:, :32, 3] = 255  # the left half is opaque

with av.open("overlay.webm", "w") as container:
    stream = container.add_stream("libvpx-vp9", rate=25)
    stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 64, 48, "yuva420p", 400_000
    for _ in range(4):
        frame = av.VideoFrame.from_ndarray(picture, format="rgba").reformat(format="yuva420p")
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def shown(name: str, frame: av.VideoFrame) -> None:
    opacity = frame.to_ndarray(format="rgba")[24, :, 3]
    print(f"{name}: {frame.format.name}, opacity of the left half {opacity[8]}, of the right {opacity[56]}")


with av.open("overlay.webm") as container:
    stream = container.streams.video[0]
    print("stored: alpha_mode", stream.metadata["alpha_mode"])
    shown(stream.codec_context.codec.name, next(container.decode(stream)))
with av.open("overlay.webm") as container:
    decoder = av.CodecContext.create("libvpx-vp9", "r")
    packets = container.demux(container.streams.video[0])
    shown("libvpx-vp9", next(frame for packet in packets for frame in decoder.decode(packet)))
PYTHON
diff seen - <<'EXPECTED'
stored: alpha_mode 1
vp9: yuv420p, opacity of the left half 255, of the right 255
libvpx-vp9: yuva420p, opacity of the left half 255, of the right 0
EXPECTED
