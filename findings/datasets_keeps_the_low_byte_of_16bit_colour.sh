#!/usr/bin/env bash
# The Hugging Face datasets library stores a 16-bit colour array as the low bytes of its numbers.
#
# Expected: a column of pictures takes a uint16 array (H, W, 3) as it takes a grey one, or refuses it as it refuses
# float32 colour; if it has to be 8 bits, the picture is scaled to them.
# Seen (2026-11-28; datasets 5.2.0, pillow 13.0.0, numpy 2.4.6): Image() warns of "Downcasting array dtype uint16 to
# uint8", which is modulo 256: 32768 becomes 0, 256 and 512 become 0 too, and a smooth ramp comes back as 256 small
# ramps. int32 colour likewise. Grey of 16 bits is kept whole, float32 colour is refused.
# For a metric: what comes back is noise of the right size and type, and a distance of it is a number like any other.
#
# Output, and the script fails if it changes:
#   grey: I;16 [0, 255, 256, 32768, 65535]
#   colour: RGB [0, 255, 0, 0, 255], warned: Downcasting array dtype uint16 to uint8 to be compatible with 'Pillow'
#   float32 colour: TypeError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet datasets==5.2.0 pillow==13.0.0 numpy==2.4.6
cd "$folder"
HF_HOME="$folder" HF_HUB_OFFLINE=1 "$folder/venv/bin/python" - <<'PYTHON' | tee seen
import warnings

import numpy as np
from datasets import Dataset, Features, Image

grey = np.array([[0, 255, 256, 32768, 65535]], dtype=np.uint16)
colour = np.dstack([grey, grey, grey])


def back(array: np.ndarray) -> tuple[str, list[int]]:
    opened = Dataset.from_dict({"picture": [array]}, features=Features({"picture": Image()}))[0]["picture"]
    pixels = np.asarray(opened)
    return opened.mode, (pixels if pixels.ndim == 2 else pixels[..., 0])[0].tolist()


print("grey:", *back(grey))
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    print("colour:", *back(colour), end=", ")
print("warned:", *{str(warning.message) for warning in said if "dtype" in str(warning.message)})
try:
    print("float32 colour:", *back(colour.astype(np.float32)))
except TypeError:
    print("float32 colour: TypeError")
PYTHON
diff seen - <<'EXPECTED'
grey: I;16 [0, 255, 256, 32768, 65535]
colour: RGB [0, 255, 0, 0, 255], warned: Downcasting array dtype uint16 to uint8 to be compatible with 'Pillow'
float32 colour: TypeError
EXPECTED
