#!/usr/bin/env bash
# A TIFF in which 0 is white is a positive at 8 bits and a negative at 16, in Pillow and in OpenCV.
#
# Expected: PhotometricInterpretation 0 (WhiteIsZero) says that 0 is white at every depth; a reader inverts it for all
# depths or, as tifffile does on purpose, hands out the stored numbers for all.
# Seen (2026-11-28; pillow 13.0.0, opencv-python-headless 5.0.0.93, tifffile 2026.3.3, numpy 2.4.6): Pillow and OpenCV
# invert the numbers of 8 bits and give those of 16 bits as they are stored, with black and white exchanged.
# For a metric: a scan in 16 bits and its 8-bit copy, made by the same scanner, are negatives of each other.
#
# Output, and the script fails if it changes:
#   stored white, 8 bits: Pillow 255 of 255, OpenCV 255 of 255, tifffile 0 of 255
#   stored white, 16 bits: Pillow 0 of 65535, OpenCV 0 of 65535, tifffile 0 of 65535
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet \
    pillow==13.0.0 opencv-python-headless==5.0.0.93 tifffile==2026.3.3 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' | tee seen
import cv2
import numpy as np
import tifffile
from PIL import Image

for bits, dtype in ((8, np.uint8), (16, np.uint16)):
    tifffile.imwrite("white.tif", np.zeros((8, 8), dtype=dtype), photometric="miniswhite")
    full = np.iinfo(dtype).max
    pillow = np.asarray(Image.open("white.tif"))[0, 0]
    opencv = cv2.imread("white.tif", cv2.IMREAD_UNCHANGED)[0, 0]
    stored = tifffile.imread("white.tif")[0, 0]
    print(
        f"stored white, {bits} bits: Pillow {pillow} of {full}, OpenCV {opencv} of {full}, tifffile {stored} of {full}"
    )
PYTHON
diff seen - <<'EXPECTED'
stored white, 8 bits: Pillow 255 of 255, OpenCV 255 of 255, tifffile 0 of 255
stored white, 16 bits: Pillow 0 of 65535, OpenCV 0 of 65535, tifffile 0 of 65535
EXPECTED
