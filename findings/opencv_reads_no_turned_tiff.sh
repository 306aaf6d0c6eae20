#!/usr/bin/env bash
# OpenCV 5's imread returns None for a TIFF that is stored on its side, unless it is square.
#
# Expected: imread turns pictures as their orientation tag says, so a TIFF of 7 x 5 pixels that a scanner or camera
# stored on its side (orientation 5 to 8) comes out as 5 x 7.
# Seen (2026-11-28; opencv-python-headless 5.0.0.93, tifffile 2026.3.3, numpy 2.4.6): imread logs an internal error
# and returns None for orientations 5 to 8, with IMREAD_IGNORE_ORIENTATION too; square pictures and the orientations 1
# to 4 are read. The files are sound: imdecode and imreadmulti read and turn them, with every pixel.
# For a metric: a loop that takes None for "no picture there" leaves out all portrait scans of a folder, and its mean
# is of the others.
#
# Output (the log goes to stderr), and the script fails if it changes:
#   orientation 1: imread (5, 7, 3), imdecode (5, 7, 3), imreadmulti (5, 7, 3)
#   orientation 3: imread (5, 7, 3), imdecode (5, 7, 3), imreadmulti (5, 7, 3)
#   orientation 6: imread None, imdecode (7, 5, 3), imreadmulti (7, 5, 3)
#   orientation 8: imread None, imdecode (7, 5, 3), imreadmulti (7, 5, 3)
#   orientation 6 of a square: imread (5, 5, 3)
#   orientation 6 with IMREAD_IGNORE_ORIENTATION: imread None
#   imdecode turned every pixel: True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet opencv-python-headless==5.0.0.93 tifffile==2026.3.3 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' | tee seen
import cv2
import numpy as np
import tifffile

picture = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)


def write(orientation: int, pixels: np.ndarray = picture) -> None:
    tag = (274, "H", 1, orientation, True)
    tifffile.imwrite("turned.tif", pixels, photometric="rgb", extratags=[tag])


def shape(read: np.ndarray | None) -> tuple[int, ...] | None:
    return None if read is None else read.shape


for orientation in (1, 3, 6, 8):
    write(orientation)
    decoded = cv2.imdecode(np.fromfile("turned.tif", dtype=np.uint8), cv2.IMREAD_COLOR)
    pages = cv2.imreadmulti("turned.tif")[1]
    print(
        f"orientation {orientation}: imread {shape(cv2.imread('turned.tif'))}, imdecode {shape(decoded)}, "
        f"imreadmulti {shape(pages[0])}"
    )
write(6, picture[:, :5])
print("orientation 6 of a square: imread", shape(cv2.imread("turned.tif")))
write(6)
kept = cv2.imread("turned.tif", cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
print("orientation 6 with IMREAD_IGNORE_ORIENTATION: imread", shape(kept))
decoded = cv2.imdecode(np.fromfile("turned.tif", dtype=np.uint8), cv2.IMREAD_COLOR)
print("imdecode turned every pixel:", np.array_equal(decoded[..., ::-1], np.rot90(picture, -1)))
PYTHON
diff seen - <<'EXPECTED'
orientation 1: imread (5, 7, 3), imdecode (5, 7, 3), imreadmulti (5, 7, 3)
orientation 3: imread (5, 7, 3), imdecode (5, 7, 3), imreadmulti (5, 7, 3)
orientation 6: imread None, imdecode (7, 5, 3), imreadmulti (7, 5, 3)
orientation 8: imread None, imdecode (7, 5, 3), imreadmulti (7, 5, 3)
orientation 6 of a square: imread (5, 5, 3)
orientation 6 with IMREAD_IGNORE_ORIENTATION: imread None
imdecode turned every pixel: True
EXPECTED
