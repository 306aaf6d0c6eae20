#!/usr/bin/env bash
# PyAV writes RGB frames by BT.601 into a stream that it tags as BT.709, and reads them back by the tag.
#
# Expected: with the colour space of the stream set, frames from RGB arrays are converted by it, so that a lossless
# codec gives them back to a level of rounding.
# Seen (2026-11-28; av 18.1.0, numpy 2.4.6): encode() converts an RGB frame by the frame's own colour space, which a
# frame from an array has none of; that means BT.601 in limited range. The stream's colorspace and color_range only go
# into the file. Reading heeds them: green 200 comes back as 175 from a BT.709 file, as 189 from one of full range.
# Without a tag PyAV reads back what it wrote. Setting the frame's colorspace before encode() mends it.
# For a metric: a reference clip that a test or a pipeline writes for itself is 25 levels off before anything was
# distorted, and a clip with the tag is compared with one without.
#
# Output (30, 200, 60 was written), and the script fails if it changes:
#   nothing said: [29, 200, 60]
#   stream BT.709: [16, 175, 57]
#   stream full range: [39, 189, 66]
#   stream BT.709, frame BT.709: [30, 200, 61]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' | tee seen
import io

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

picture = np.empty((64, 64, 3), dtype=np.uint8)
picture[:] = (30, 200, 60)


def back(stream_is: dict[str, int], frame_is: dict[str, int]) -> list[int]:
    """A pixel that has been through a file of FFV1, which is lossless, in YUV 4:4:4."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv444p"
        for name, value in stream_is.items():
            setattr(stream.codec_context, name, value)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        for name, value in frame_is.items():
            setattr(frame, name, value)
        out.mux(stream.encode(frame))
        out.mux(stream.encode())
    file.seek(0)
    with av.open(file) as opened:
        return next(opened.decode(video=0)).to_ndarray(format="rgb24")[32, 32].tolist()


bt709 = {"colorspace": int(Colorspace.ITU709)}
print("nothing said:", back({}, {}))
print("stream BT.709:", back(bt709, {}))
print("stream full range:", back({"color_range": int(ColorRange.JPEG)}, {}))
print("stream BT.709, frame BT.709:", back(bt709, bt709))
PYTHON
diff seen - <<'EXPECTED'
nothing said: [29, 200, 60]
stream BT.709: [16, 175, 57]
stream full range: [39, 189, 66]
stream BT.709, frame BT.709: [30, 200, 61]
EXPECTED
