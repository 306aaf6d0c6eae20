#!/usr/bin/env bash
# Pillow opens a colour JPEG 2000 of more than 8 bits with white turned to black.
#
# Expected: 16-bit colour becomes 8-bit RGB in Pillow, which has no deeper colour mode; what is lost are the low bits,
# at most one level of 255.
# Seen (2026-11-28; pillow 13.0.0, imagecodecs 2026.3.6, opencv-python-headless 5.0.0.93, numpy 2.4.6): for 9 to 16
# bits half a level is added before the low bits are cut, in 8 bits that wrap around: the brightest half level becomes
# 0. White (65535; 4095 of 12 bits) opens as black, with alpha 0 in place of 255 where there is alpha. Other values
# are right to half a level. imagecodecs and OpenCV read the same files as they were written, and a 16-bit PNG of the
# same numbers opens as white.
# For a metric: burnt-out skies and white paper turn into black holes, in one of two copies of a picture.
#
# Output, and the script fails if it changes:
#   9 bits: written 511, Pillow RGB 0, OpenCV 511, imagecodecs 511
#   12 bits: written 4095, Pillow RGB 0, OpenCV 4095, imagecodecs 4095
#   16 bits: written 65535, Pillow RGB 0, OpenCV 65535, imagecodecs 65535
#   16 bits: written 65408, Pillow RGB 0, OpenCV 65408, imagecodecs 65408
#   16 bits: written 65407, Pillow RGB 255, OpenCV 65407, imagecodecs 65407
#   16 bits with alpha: written 65535, Pillow RGBA [0, 0, 0, 0]
#   16 bits as PNG: written 65535, Pillow RGB 255
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet \
    pillow==13.0.0 imagecodecs==2026.3.6 opencv-python-headless==5.0.0.93 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' | tee seen
import io

import cv2
import imagecodecs
import numpy as np
from PIL import Image


def written(value: int, bits: int, bands: int) -> bytes:
    picture = np.full((32, 32, bands), value, dtype=np.uint16)
    return imagecodecs.jpeg2k_encode(picture, level=0, codecformat="jp2", bitspersample=bits)


for value, bits in ((511, 9), (4095, 12), (65535, 16), (65408, 16), (65407, 16)):
    data = written(value, bits, 3)
    opened = Image.open(io.BytesIO(data))
    opencv = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    print(
        f"{bits} bits: written {value}, Pillow {opened.mode} {opened.getpixel((9, 9))[0]}, OpenCV {opencv[9, 9, 0]}, "
        f"imagecodecs {imagecodecs.jpeg2k_decode(data)[9, 9, 0]}"
    )
opened = Image.open(io.BytesIO(written(65535, 16, 4)))
print(f"16 bits with alpha: written 65535, Pillow {opened.mode} {list(opened.getpixel((9, 9)))}")
opened = Image.open(io.BytesIO(imagecodecs.png_encode(np.full((32, 32, 3), 65535, dtype=np.uint16))))
print(f"16 bits as PNG: written 65535, Pillow {opened.mode} {opened.getpixel((9, 9))[0]}")
PYTHON
diff seen - <<'EXPECTED'
9 bits: written 511, Pillow RGB 0, OpenCV 511, imagecodecs 511
12 bits: written 4095, Pillow RGB 0, OpenCV 4095, imagecodecs 4095
16 bits: written 65535, Pillow RGB 0, OpenCV 65535, imagecodecs 65535
16 bits: written 65408, Pillow RGB 0, OpenCV 65408, imagecodecs 65408
16 bits: written 65407, Pillow RGB 255, OpenCV 65407, imagecodecs 65407
16 bits with alpha: written 65535, Pillow RGBA [0, 0, 0, 0]
16 bits as PNG: written 65535, Pillow RGB 255
EXPECTED
