#!/usr/bin/env bash
# Colour management of Pillow (Little CMS) is up to ten levels off in the darks of an 8-bit picture in linear grey.
#
# Expected: 256 grey levels through one curve is a table of 256 entries, so the conversion is exact to half a level;
# FLAGS.HIGHRESPRECALC would only matter for colour.
# Seen (2026-11-28; pillow 13.0.0 with Little CMS 2.19, numpy 2.4.6): grey to RGB goes through a precalculated table
# that is too coarse for a steep curve and is interpolated. Level 2 of a grey profile of gamma 1.0 should become 21.7
# in sRGB and becomes 12; with HIGHRESPRECALC 15. FLAGS.NOOPTIMIZE is right to half a level. The nearer the profile is
# to sRGB the smaller it is: 1.5 levels for gamma 1.8, 1.0 for 2.2.
# For a metric: shadows of a picture in linear grey (a render, a microscope) come out at down to half their brightness.
#
# Output, and the script fails if it changes:
#   gamma 1.0: level 2 becomes 12 of 21.7, worst 9.7; high resolution 15, worst 6.7; not optimised 22, worst 0.5
#   gamma 1.8: level 2 becomes 2 of 0.5, worst 1.5; high resolution 1, worst 0.9; not optimised 1, worst 0.5
#   gamma 2.2: level 2 becomes 0 of 0.1, worst 1.0; high resolution 0, worst 0.5; not optimised 0, worst 0.5
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' | tee seen
import io
import struct

import numpy as np
from PIL import Image, ImageCms

D50 = struct.pack(">3i", 63190, 65536, 54061)  # in 1/65536


def grey_profile(gamma: float) -> bytes:
    """An ICC 2.4 profile of a grey display: white point, curve, description and copyright."""
    name = b"grey\0"
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(78),
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": b"XYZ " + bytes(4) + D50,
        b"kTRC": b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)),
    }
    table, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for tag, content in tags.items():
        table += tag + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x02400000, b"mntr", b"GRAY", b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + D50 + bytes(48)
    return head + table + body


levels = np.arange(256)
picture = Image.fromarray(levels.astype(np.uint8)[None])
for gamma in (1.0, 1.8, 2.2):
    light = (levels / 255) ** gamma
    due = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    source = ImageCms.ImageCmsProfile(io.BytesIO(grey_profile(gamma)))
    said = []
    for name, flags in (
        ("level 2 becomes", ImageCms.Flags.NONE),
        ("high resolution", ImageCms.Flags.HIGHRESPRECALC),
        ("not optimised", ImageCms.Flags.NOOPTIMIZE),
    ):
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), "L", "RGB", intent, flags)
        shown = np.asarray(ImageCms.applyTransform(picture, transform))[0, :, 0].astype(int)
        of = f" of {due[2]:.1f}" if not said else ""
        said.append(f"{name} {shown[2]}{of}, worst {np.abs(shown - due).max():.1f}")
    print(f"gamma {gamma}: " + "; ".join(said))
PYTHON
diff seen - <<'EXPECTED'
gamma 1.0: level 2 becomes 12 of 21.7, worst 9.7; high resolution 15, worst 6.7; not optimised 22, worst 0.5
gamma 1.8: level 2 becomes 2 of 0.5, worst 1.5; high resolution 1, worst 0.9; not optimised 1, worst 0.5
gamma 2.2: level 2 becomes 0 of 0.1, worst 1.0; high resolution 0, worst 0.5; not optimised 0, worst 0.5
EXPECTED
