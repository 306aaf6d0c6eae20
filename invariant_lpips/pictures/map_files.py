"""Heat maps of compared pairs as files: reference, distorted and map side by side, with the numbers below."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from invariant_lpips.files.writing import replacing
from invariant_lpips.motion import half_way
from invariant_lpips.pictures.decoding import SUFFIXES
from invariant_lpips.pictures.heat_maps import strip, with_arrows
from invariant_lpips.pictures.images import eight_bits
from invariant_lpips.pictures.measuring import Outcome


class MapFiles:
    """Writes the maps it is called with to a folder, named after their pairs.

    Args:
        folder: made if missing.
        full_colour_at: map value of the strongest colour; None: the largest one, for each picture anew.
        least: where that is chosen for each picture, it is at least this: what hardly differs stays dark.
        keep_values: also write the map itself, float32 (H, W), as .npy.
    """

    def __init__(
        self,
        folder: Path,
        *,
        full_colour_at: float | None = None,
        least: float = 0.0,
        keep_values: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.full_colour_at = full_colour_at
        self.least = least
        self.keep_values = keep_values
        self._names: set[str] = set()

    def __call__(self, outcome: Outcome, reference: Tensor, distorted: Tensor, heat: Tensor) -> None:
        name = self._unused_name(outcome.pair.label)
        largest = max(float(heat.abs().amax()), self.least)
        scale = largest if self.full_colour_at is None else self.full_colour_at
        caption = (
            f"distance {outcome.distance:.4g}    map {float(heat.amin()):.3g} to {float(heat.amax()):.3g}"
        )
        caption += f"    yellow: {scale:.3g}" + (
            f"    light blue: {-scale:.3g}" if float(heat.amin()) < 0 else ""
        )
        moved = outcome.comparison
        if moved is None or not bool(moved.found):
            picture = strip(reference, distorted, heat, scale)
        else:  # the map is of the pictures half way between, and so is what it is drawn over
            still = half_way(reference, distorted, moved.moved)[0].clamp(-1, 1)
            picture = strip(with_arrows(reference, moved.moved), distorted, heat, scale, over=still)
            caption = f"{moved}\n{caption}"
        _write_with_caption(picture, caption, self.folder / f"{name}.png")
        if self.keep_values:
            with replacing(self.folder / f"{name}.npy") as temporary:
                np.save(temporary, heat[0, 0].numpy())

    def _unused_name(self, label: str) -> str:
        suffix = Path(label).suffix
        stem = label.removesuffix(suffix) if suffix.lower() in SUFFIXES else label
        plain = re.sub(r"[^\w.+-]+", "_", stem).strip("._") or "pair"
        name, count = plain, 1
        while name.lower() in self._names:  # a file system may take A.png and a.png for one file
            count += 1
            name = f"{plain}-{count}"
        self._names.add(name.lower())
        return name


def _write_with_caption(picture: Tensor, caption: str, path: Path) -> None:
    height, width = picture.shape[-2:]
    size = max(11, min(28, width // 45))
    # A letter is about half as wide as it is high: what doesn't fit goes on below.
    lines = [
        part for line in caption.splitlines() for part in textwrap.wrap(line, max(20, 2 * width // size - 4))
    ]
    try:
        font = ImageFont.load_default(size)
    except (TypeError, ImportError, OSError):  # Pillow before 10.1, or built without FreeType
        font = ImageFont.load_default()
    sheet = Image.new("RGB", (width, height + (4 * len(lines) + 2) * size // 3), "white")
    sheet.paste(Image.fromarray(eight_bits(picture[0])))
    for k, line in enumerate(lines):
        place = (size // 2, height + size // 3 + k * 4 * size // 3)
        ImageDraw.Draw(sheet).text(place, line, fill="black", font=font)
    with replacing(path) as temporary:
        sheet.save(temporary)
