#!/usr/bin/env bash
# imagecodecs says of 16-bit JPEG XL that its numbers are linear light, and does not tell when it reads them back.
#
# Expected: an array of integers that is encoded without loss means the same picture at 8 and at 16 bits, as in PNG or
# TIFF, and a round trip through jpegxl_encode and jpegxl_decode is exact.
# Seen (2026-11-28; imagecodecs 2026.3.6, pillow-jxl-plugin 1.3.8, pillow 13.0.0, numpy 2.4.6): the round trip is
# exact, but a file of uint16 carries a profile of linear light and one of uint8 that of sRGB. jpegxl_decode returns
# numbers without a profile, so nobody who reads with imagecodecs notices; a reader that applies the profile shows
# mid-grey (128 of 255) as 188.
# For a metric: the 16-bit copy of a picture is the picture itself to one program and far too bright to the next, and
# whoever applies profiles, as a viewer does, is right by the file.
#
# Output, and the script fails if it changes:
#   uint8: round trip exact, profile sRGB, mid-grey is shown as 128
#   uint16: round trip exact, profile RGB_D65_SRG_Rel_Lin, mid-grey is shown as 188
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet imagecodecs==2026.3.6 pillow-jxl-plugin==1.3.8 pillow==13.0.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' | tee seen
import io

import imagecodecs
import numpy as np
import pillow_jxl  # noqa: F401  registers the format
from PIL import Image, ImageCms

for dtype, grey in ((np.uint8, 128), (np.uint16, 128 * 257)):
    picture = np.full((16, 16, 3), grey, dtype=dtype)
    data = imagecodecs.jpegxl_encode(picture, lossless=True)
    exact = "exact" if np.array_equal(imagecodecs.jpegxl_decode(data), picture) else "NOT exact"
    opened = Image.open(io.BytesIO(data))
    profile = ImageCms.ImageCmsProfile(io.BytesIO(opened.info["icc_profile"]))
    shown = ImageCms.profileToProfile(opened, profile, ImageCms.createProfile("sRGB"))
    name = ImageCms.getProfileDescription(profile).strip()
    print(f"{np.dtype(dtype)}: round trip {exact}, profile {name}, mid-grey is shown as {shown.getpixel((8, 8))[0]}")
PYTHON
diff seen - <<'EXPECTED'
uint8: round trip exact, profile sRGB, mid-grey is shown as 128
uint16: round trip exact, profile RGB_D65_SRG_Rel_Lin, mid-grey is shown as 188
EXPECTED
