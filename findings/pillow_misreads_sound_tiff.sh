#!/usr/bin/env bash
# Pillow opens two kinds of sound TIFF without a word and gives other numbers than they hold.
#
# Expected: Pillow reads a TIFF right, or says "cannot identify image file" as it does where it has no mode for it.
# Seen (2026-11-28; pillow 13.0.0, tifffile 2026.3.3, imagecodecs 2026.3.6, numpy 2.4.6):
# 1. 16-bit colour in separate planes, uncompressed (what tifffile writes for an RGB array (3, H, W), and GDAL with
#    INTERLEAVE=BAND): opened as 8-bit RGB whose pixels are the low and the high byte of a number in turn, so that the
#    upper half of the picture fills the whole. The same planes compressed are the high bytes, as of other 16-bit
#    colour.
# 2. 32-bit float grey, big-endian and compressed: bytes are not swapped, values from 1e-38 to 1e38 for a picture in
#    [0, 1], NaN among them. Uncompressed, it is read right.
# tifffile reads all four as they were written.
# For a metric: the first kind gives a picture and a distance that look like any other. Only a comparison with another
# reader shows it.
#
# Output, and the script fails if it changes:
#   16-bit planes, None: mode RGB, first pixels [99, 99, 99] [10, 20, 30]
#   16-bit planes, zlib: mode RGB, first pixels [10, 20, 30] [10, 20, 30]
#   big-endian float, None: mode F, right
#   big-endian float, zlib: mode F, wrong
#   tifffile right: True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0 tifffile==2026.3.3 imagecodecs==2026.3.6 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' | tee seen
import numpy as np
import tifffile
from PIL import Image

right = True
# Every value of a plane is alike: high byte 10, 20 or 30, low byte 99.
planes = np.empty((3, 8, 8), dtype=np.uint16)
planes[:] = np.array([10, 20, 30])[:, None, None] * 256 + 99
for compression in (None, "zlib"):
    tifffile.imwrite("planes.tif", planes, photometric="rgb", compression=compression)
    with Image.open("planes.tif") as opened:
        first, second = np.asarray(opened)[0, :2].tolist()
        print(f"16-bit planes, {compression}: mode {opened.mode}, first pixels {first} {second}")
    right &= np.array_equal(tifffile.imread("planes.tif"), planes)
ramp = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
for compression in (None, "zlib"):
    tifffile.imwrite("float.tif", ramp, byteorder=">", compression=compression)
    with Image.open("float.tif") as opened:
        word = "right" if np.array_equal(np.asarray(opened), ramp) else "wrong"
        print(f"big-endian float, {compression}: mode {opened.mode}, {word}")
    right &= np.array_equal(tifffile.imread("float.tif"), ramp)
print("tifffile right:", bool(right))
PYTHON
diff seen - <<'EXPECTED'
16-bit planes, None: mode RGB, first pixels [99, 99, 99] [10, 20, 30]
16-bit planes, zlib: mode RGB, first pixels [10, 20, 30] [10, 20, 30]
big-endian float, None: mode F, right
big-endian float, zlib: mode F, wrong
tifffile right: True
EXPECTED
