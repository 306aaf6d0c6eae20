#!/usr/bin/env bash
# Pillow's resize of an 8-bit picture is another one when the picture is mirrored at its diagonal.
#
# Expected: bicubic and Lanczos are separable, so rows first or columns first is the same; a picture that is turned
# and resized is the resized picture turned, to one level of rounding.
# Seen (2026-11-28; pillow 13.0.0, opencv-python-headless 5.0.0.93, numpy 2.4.6): rows come first, and what they give
# is rounded and clipped to 0 .. 255 before the columns are done: overshoots that the second pass would have taken
# back are gone. Sharp black-and-white edges differ by up to 26 (bicubic) and 33 (Lanczos) of 255 levels between a
# picture and its mirror image, and by as much from the same filter in floating point. Mode F, and OpenCV's
# INTER_CUBIC and INTER_LANCZOS4 on 8 bits, depend on no order. Bilinear has no overshoot and is one level off.
# For a metric: a test that turns both pictures finds another distance, and text or line art that one side resizes as
# 8 bits and the other as a float tensor differs before anything was distorted.
#
# Output, and the script fails if it changes:
#   BILINEAR: 8 bits differ by 1 of 255, and by 1 from floating point; floating point differs by less than 0.001
#   BICUBIC: 8 bits differ by 26 of 255, and by 26 from floating point; floating point differs by less than 0.001
#   LANCZOS: 8 bits differ by 33 of 255, and by 33 from floating point; floating point differs by less than 0.001
#   OpenCV INTER_CUBIC: 8 bits differ by 0 of 255
#   OpenCV INTER_LANCZOS4: 8 bits differ by 0 of 255
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0 opencv-python-headless==5.0.0.93 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' | tee seen
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

rows, columns = np.mgrid[:256, :256]
letters = np.where((columns // 2 + rows // 3) % 3 == 0, 255, 0).astype(np.uint8)


def apart(resize: Callable[[np.ndarray], np.ndarray], picture: np.ndarray) -> float:
    """How far a resized picture and its mirror image, resized and mirrored back, are apart."""
    mirrored = resize(np.ascontiguousarray(picture.T)).T
    return float(np.abs(resize(picture).astype(float) - mirrored).max())


for name in ("BILINEAR", "BICUBIC", "LANCZOS"):

    def pillow(picture: np.ndarray, filter: int = Image.Resampling[name]) -> np.ndarray:
        return np.asarray(Image.fromarray(picture).resize((384, 384), filter))

    floating = letters.astype(np.float32)
    from_floating = np.abs(pillow(letters) - pillow(floating).clip(0, 255)).max()
    word = "less" if apart(pillow, floating) < 0.001 else "MORE"
    print(
        f"{name}: 8 bits differ by {apart(pillow, letters):.0f} of 255, and by {from_floating:.0f} from floating "
        f"point; floating point differs by {word} than 0.001"
    )
for name in ("INTER_CUBIC", "INTER_LANCZOS4"):

    def opencv(picture: np.ndarray, interpolation: int = getattr(cv2, name)) -> np.ndarray:
        return cv2.resize(picture, (384, 384), interpolation=interpolation)

    print(f"OpenCV {name}: 8 bits differ by {apart(opencv, letters):.0f} of 255")
PYTHON
diff seen - <<'EXPECTED'
BILINEAR: 8 bits differ by 1 of 255, and by 1 from floating point; floating point differs by less than 0.001
BICUBIC: 8 bits differ by 26 of 255, and by 26 from floating point; floating point differs by less than 0.001
LANCZOS: 8 bits differ by 33 of 255, and by 33 from floating point; floating point differs by less than 0.001
OpenCV INTER_CUBIC: 8 bits differ by 0 of 255
OpenCV INTER_LANCZOS4: 8 bits differ by 0 of 255
EXPECTED
