#!/usr/bin/env bash
# Bicubic sampling in PyTorch and OpenCV bends a straight ramp; Pillow's keeps it.
#
# Expected: "bicubic" is taken for exact on a linear ramp, as bilinear is: sampled a quarter of a pixel on, a ramp of
# slope 1 should read a quarter more.
# Seen (2026-11-28; torch 2.14.1, opencv-python-headless 5.0.0.93, pillow 13.0.0, numpy 2.4.6): torch's grid_sample and
# interpolate and OpenCV's INTER_CUBIC, whose kernel has a = -0.75, read 0.2969 and 0.7031 where 0.25 and 0.75 are due;
# Pillow's BICUBIC, a = -0.5 (the only value of the cubic convolution family that keeps a ramp), reads 0.2500.
# For a metric: what is moved by such a kernel lies up to 0.05 px from where it should, always away from the nearest
# pixel, which biases an estimate of sub-pixel motion; a B-spline (a prefilter, then a cubic) keeps a ramp.
#
# Output, and the script fails if it changes:
#   torch grid_sample 0.2969 0.5000 0.7031
#   torch interpolate 0.2969 0.7031
#   OpenCV INTER_CUBIC 0.2969 0.5000 0.7031
#   Pillow BICUBIC 0.2500 0.7500
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.14.1 opencv-python-headless==5.0.0.93 pillow==13.0.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' | tee seen
import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

ramp = np.arange(16, dtype=np.float32)
offsets = (0.25, 0.5, 0.75)
rows = np.tile(ramp, (16, 1))
x = torch.from_numpy(rows)[None, None]
at = torch.tensor([8 + offset for offset in offsets])
grid = torch.stack([(2 * at + 1) / 16 - 1, torch.full((3,), 1 / 16)], -1)[None, None]
read = F.grid_sample(x, grid, mode="bicubic", align_corners=False).flatten() - 8
print("torch grid_sample", *(f"{v:.4f}" for v in read.tolist()))
# Twice the size: output pixel 2 k + 1 lies a quarter of a pixel after input pixel k, 2 k + 2 three quarters.
twice = F.interpolate(x, scale_factor=2, mode="bicubic", align_corners=False)[0, 0, 16]
print("torch interpolate", *(f"{float(twice[k]) - 8:.4f}" for k in (17, 18)))
places = np.array([[8 + offset for offset in offsets]], dtype=np.float32)
read = cv2.remap(rows, places, np.full_like(places, 8), cv2.INTER_CUBIC)[0] - 8
print("OpenCV INTER_CUBIC", *(f"{v:.4f}" for v in read))
twice = np.asarray(Image.fromarray(rows).resize((32, 32), Image.Resampling.BICUBIC))[16]
print("Pillow BICUBIC", *(f"{twice[k] - 8:.4f}" for k in (17, 18)))
PYTHON
diff seen - <<'EXPECTED'
torch grid_sample 0.2969 0.5000 0.7031
torch interpolate 0.2969 0.7031
OpenCV INTER_CUBIC 0.2969 0.5000 0.7031
Pillow BICUBIC 0.2500 0.7500
EXPECTED
