#!/usr/bin/env python3
"""Make weights/pixels.safetensors from the constants in invariant_lpips/trunks/pixels.py, and print its sha256.

    python weights/make_pixels.py

Nothing in it was learned. The file is there so that the front end's hash says who read a picture, as a network's does.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from invariant_lpips.files.safetensors import safetensors_bytes  # noqa: E402
from invariant_lpips.trunks import Trunk  # noqa: E402

if __name__ == "__main__":
    data = safetensors_bytes(Trunk("pixels").features_state())
    (HERE / "pixels.safetensors").write_bytes(data)
    print(hashlib.sha256(data).hexdigest())
