"""What a position of a tap sees: from intervals of an activation back to intervals of the picture.

Along one axis a layer is a window of `kernel` cells every `stride` cells, the first of which begins `padding`
cells before the axis. So the outputs [a, b) read the inputs [a stride - padding, (b - 1) stride - padding +
kernel), and a chain of layers is followed from its end to the picture. Nothing here is measured or rounded up:
the halo of a tile is what its positions read, no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from invariant_lpips.trunks import Fire, Trunk
from invariant_lpips.trunks.pixels import PixelLayer
from invariant_lpips.trunks.pooling import POOLINGS, Pool2d, Window


class TapReach(NamedTuple):
    """The layers between the picture and a tap, and the tap's stride in pixels."""

    windows: tuple[Window, ...]
    stride: int

    def positions(self, pixels: int) -> int:
        """How many positions an axis of `pixels` pixels has at this tap."""
        for window in self.windows:
            pixels = window.outputs(pixels)
        return pixels

    def pixels(self, start: int, stop: int) -> tuple[int, int]:
        """The pixels [first, last) that the positions [start, stop) depend on; they may lie outside the picture.

        Example:
            >>> TapReach((Window(3, 1, 1, "floor"), Window(2, 2, 0, "floor")), 2).pixels(10, 11)
            (19, 23)
        """
        for window in reversed(self.windows):
            start = start * window.stride - window.padding
            stop = (stop - 1) * window.stride - window.padding + window.kernel
        return start, stop


def tap_reaches(trunk: Trunk, taps: Sequence[str]) -> dict[str, TapReach]:
    """How far each tap of a trunk sees.

    Raises:
        ValueError: the trunk pads or pools by what lies elsewhere in the picture, so no part of it stands alone.

    Example:
        >>> reach = tap_reaches(Trunk("vgg"), ["pool1", "pool5"])
        >>> reach["pool1"].pixels(0, 1), reach["pool5"].pixels(0, 1)
        ((-2, 4), (-90, 122))
        >>> reach["pool5"].positions(500)
        15
    """
    if why := POOLINGS[trunk.pooling].needs_whole:
        others = " or ".join(repr(name) for name, pool in POOLINGS.items() if not pool.needs_whole)
        raise ValueError(
            f"A picture can't be embedded in tiles with pooling={trunk.pooling!r}, which {why}; use pooling={others}, "
            "or embed it without `tile`."
        )
    if trunk.padding != "zeros":
        raise ValueError(
            f"A picture can't be embedded in tiles with padding={trunk.padding!r}, which joins opposite borders; "
            "use padding='zeros', or embed it without `tile`."
        )
    at = {trunk.architecture.taps[tap].layer: tap for tap in taps}
    reaches: dict[str, TapReach] = {}
    windows = [] if trunk.chroma is None else [trunk.chroma.window()]
    for group in trunk.children():
        for name, layer in group.named_children():
            if (window := _window(layer)) is not None:
                windows.append(window)
            if (tap := at.get(int(name))) is not None:
                reaches[tap] = TapReach(tuple(windows), trunk.architecture.taps[tap].stride)
    return reaches


def _window(layer: nn.Module) -> Window | None:
    if isinstance(layer, nn.Conv2d):
        padding = layer.padding[0]
        assert isinstance(padding, int)  # never "same": the trunks name their paddings
        return Window(layer.kernel_size[0], layer.stride[0], padding, "floor")
    if isinstance(layer, (Pool2d, PixelLayer)):
        return layer.window()
    if isinstance(layer, Fire):  # its 3x3 half reaches farthest
        return Window(3, 1, 1, "floor")
    if isinstance(layer, nn.ReLU):
        return None
    raise TypeError(
        f"Layer {type(layer).__name__} has no known reach, so its picture can't be cut into tiles."
    )
