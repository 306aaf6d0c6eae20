"""Heat maps of compared pairs as files: reference, distorted and map side by side, with the numbers below."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from invariant_lpips.files.writing import replacing
from invariant_lpips.motion import half_way
from invariant_lpips.pictures.decoding import SUFFIXES
from invariant_lpips.pictures.heat_maps import colour, strip, with_arrows
from invariant_lpips.pictures.images import eight_bits
from invariant_lpips.pictures.measuring import Outcome

#: Of zlib's levels. PNG files are a tenth larger than by default, and written in a third of the time.
FAST_PNG = 1


class MapFiles:
    """Writes the maps it is called with to a folder, named after their pairs.

    Colours follow the root of a map's values, which for most heads is in the metric's own units: how far apart the two
    pictures are there. A bar below says what they mean.

    Args:
        folder: made if missing.
        name: of the only map's file; None: maps are named after their pairs.
        full_colour_at: map value of the strongest colour; None: the largest one, for each picture anew.
        just_noticeable: the distance in whose multiples the bar is labelled; None: it says map values. Where the
            strongest colour is chosen for each picture, it stands for at least this: what hardly differs stays dark.
        keep_values: also write the map itself, float32 (H, W), as .npy.

    Attributes:
        written: the pictures that are there.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str | None = None,
        full_colour_at: float | None = None,
        just_noticeable: float | None = None,
        keep_values: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.name = name
        self.full_colour_at = full_colour_at
        self.just_noticeable = just_noticeable
        self.keep_values = keep_values
        self.written: list[Path] = []
        self._names: set[str] = set()

    def __call__(self, outcome: Outcome, reference: Tensor, distorted: Tensor, heat: Tensor) -> None:
        path = self._unused_path(outcome.pair.label)
        scale = self.full_colour_at
        if scale is None:
            scale = max(float(heat.abs().amax()), (self.just_noticeable or 0.0) ** 2)
        low, high = float(heat.amin()), float(heat.amax())
        bar = Bar(scale, self.just_noticeable, both_ways=low < 0)
        caption = f"distance {outcome.distance:.4g}    map {low:.3g} to {high:.3g}    colours: {bar.unit}"
        moved = outcome.comparison
        if moved is None or not bool(moved.found):
            picture = strip(reference, distorted, heat, scale, root=True)
        else:  # the map is of the pictures half way between, and so is what it is drawn over
            still = half_way(reference, distorted, moved.moved)[0].clamp(-1, 1)
            arrows = with_arrows(reference, moved.moved)
            picture = strip(arrows, distorted, heat, scale, over=still, root=True)
            caption = f"{moved}\n{caption}"
        _write_with_caption(picture, bar, caption, path)
        if self.keep_values:
            with replacing(path.with_name(f"{path.stem}.npy")) as temporary:
                np.save(temporary, heat[0, 0].numpy())
        self.written.append(path)

    def pass_over(self, label: str) -> None:
        """Leave its name to the map of this pair, which an earlier run has written."""
        self.written.append(self._unused_path(label))

    def in_words(self) -> str:
        """Where the maps are, in a sentence; nothing where none was written.

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     maps = MapFiles(Path(folder))
            ...     maps.pass_over("a.png")
            ...     maps.in_words() == f"the map is {Path(folder) / 'a.png'}"
            True
        """
        if len(self.written) < 2:
            return f"the map is {self.written[0]}" if self.written else ""
        return f"the maps are in {self.folder}"

    def _unused_path(self, label: str) -> Path:
        if self.name is not None:
            return self.folder / self.name
        suffix = Path(label).suffix
        stem = label.removesuffix(suffix) if suffix.lower() in SUFFIXES else label
        plain = re.sub(r"[^\w.+-]+", "_", stem).strip("._") or "pair"
        name, count = plain, 1
        while name.lower() in self._names:  # a file system may take A.png and a.png for one file
            count += 1
            name = f"{plain}-{count}"
        self._names.add(name.lower())
        return self.folder / f"{name}.png"


class Bar(NamedTuple):
    """What the colours of a map mean; see :class:`MapFiles`."""

    scale: float
    just_noticeable: float | None
    both_ways: bool

    def ticks(self) -> list[tuple[float, str]]:
        """Strengths in [-1, 1], and what is written below each.

        Example:
            >>> Bar(0.25, None, False).ticks()
            [(0.0, '0'), (0.2, '0.01'), (0.4, '0.04'), (0.6, '0.09'), (0.8, '0.16'), (1.0, '0.25')]
            >>> Bar(0.25, 0.1, True).ticks()
            [(-1.0, '-5'), (-0.5, '-2.5'), (0.0, '0'), (0.5, '2.5'), (1.0, '5')]
        """
        strengths = [k / 2 for k in range(-2, 3)] if self.both_ways else [k / 5 for k in range(6)]
        if self.just_noticeable is None:
            return [(strength, f"{strength * abs(strength) * self.scale:.3g}") for strength in strengths]
        most = self.scale**0.5 / self.just_noticeable
        return [(strength, f"{strength * most:.3g}") for strength in strengths]

    @property
    def unit(self) -> str:
        """What the ticks count."""
        return "map value" if self.just_noticeable is None else "times just noticeable"


def _write_with_caption(picture: Tensor, bar: Bar, caption: str, path: Path) -> None:
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
    row = 4 * size // 3
    sheet = Image.new("RGB", (width, height + (len(lines) + 3) * row), "white")
    sheet.paste(Image.fromarray(eight_bits(picture[0])))
    draw = ImageDraw.Draw(sheet)
    strengths = torch.linspace(-1.0 if bar.both_ways else 0.0, 1.0, width - size)
    ramp = (colour(strengths.expand(size // 2, -1)) * (strengths.abs() * 2).clamp(max=1)) * 2 - 1
    sheet.paste(Image.fromarray(eight_bits(ramp)), (size // 2, height + size // 2))
    for strength, text in bar.ticks():
        share = (strength + 1) / 2 if bar.both_ways else strength
        room = width - size - draw.textlength(text, font=font)
        place = share * (width - size) - draw.textlength(text, font=font) / 2
        draw.text((size // 2 + max(0, min(place, room)), height + row), text, fill="black", font=font)
    for k, line in enumerate(lines, 2):
        draw.text((size // 2, height + size // 3 + k * row), line, fill="black", font=font)
    with replacing(path) as temporary:
        sheet.save(temporary, compress_level=FAST_PNG)
