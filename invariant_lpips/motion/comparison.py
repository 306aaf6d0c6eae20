"""What moved and what changed: the answer of :meth:`invariant_lpips.InvariantLPIPS.compare`."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from invariant_lpips.motion.motion import Motion

__all__ = ["Comparison"]


_SHOWN = 5  # pairs of a batch that `repr` puts in words


@dataclass(frozen=True, repr=False)
class Comparison:
    """Two batches of pictures compared; every tensor has one entry a pair.

    Attributes:
        distance: (N,) what the metric itself returns: appearance and motion together.
        appearance: (N,) the distance that is left once the motion is undone, on the same scale.
        motion: (N,) float64, the motion in multiples of what people just notice; 0 where none was found.
        moved: the motion itself, from in0 to in1; its parts are properties of this class too.
        just_noticeable: the distance that people just notice.
        measured: whether a motion was looked for.
    """

    distance: Tensor
    appearance: Tensor
    motion: Tensor
    moved: Motion
    just_noticeable: float
    measured: bool = True

    @property
    def found(self) -> Tensor:
        """(N,) bool, whether a motion is claimed."""
        return self.moved.found

    @property
    def shift(self) -> Tensor:
        """(N, 2) pixels by which the content at the centre moves from in0 to in1: to the right, and down."""
        return self.moved.shift

    @property
    def rotation(self) -> Tensor:
        """(N,) degrees by which the content turns, positive clockwise as displayed."""
        return self.moved.rotation

    @property
    def zoom(self) -> Tensor:
        """(N,) factor by which the content grows."""
        return self.moved.zoom

    @property
    def matrix(self) -> Tensor:
        """(N, 2, 3) float64: where a point (x, y, 1) of in0 lies in in1.

        Pixel coordinates: x to the right, y down, (0, 0) the centre of the top left pixel.
        """
        return self.moved.matrix

    @property
    def field(self) -> Tensor | None:
        """(N, 2, rows, columns) float64, with motion="local": pixels by which parts are displaced beside all that."""
        return self.moved.field

    @property
    def bend(self) -> Tensor:
        """(N,) the root mean square of the field, in pixels; 0 without one."""
        return self.moved.bend

    @property
    def overlap(self) -> Tensor:
        """(N,) share of the picture that both show."""
        return self.moved.overlap

    @property
    def confidence(self) -> Tensor:
        """(N,) in [0, 1], how sure the motion is; without a claim, how sure it is that nothing moved."""
        return self.moved.confidence

    def jnd(self) -> Tensor:
        """(N,) the distance in multiples of the just noticeable one."""
        return self.distance / self.just_noticeable

    def __len__(self) -> int:
        return len(self.distance)

    def __getitem__(self, pairs: int | slice) -> Comparison:
        """Some of the pairs; of a number, that one pair."""
        if isinstance(pairs, int):
            if not -len(self) <= pairs < len(self):
                raise IndexError(f"A comparison of {len(self)} pairs has no pair {pairs}.")
            pairs = slice(pairs % len(self), pairs % len(self) + 1)
        return Comparison(
            self.distance[pairs],
            self.appearance[pairs],
            self.motion[pairs],
            self.moved[pairs],
            self.just_noticeable,
            self.measured,
        )

    def __repr__(self) -> str:
        """What `print` shows, short: a notebook shows this."""
        if len(self) == 1:
            return f"Comparison({self})"
        lines = [f"  {self._line(k)}" for k in range(min(len(self), _SHOWN))]
        if len(self) > _SHOWN:
            lines.append(f"  ... and {len(self) - _SHOWN} more")
        return "\n".join([f"Comparison({len(self)} pairs", *lines]) + ")"

    def __str__(self) -> str:
        """A line a pair."""
        return "\n".join(self._line(k) for k in range(len(self)))

    def _line(self, k: int) -> str:
        looks = f"looks {float(self.appearance[k]):.2g} apart"
        times = f"{float(self.jnd()[k]):.2g} times just noticeable"
        if not self.found[k]:
            return f"{'no motion found' if self.measured else 'motion not measured'}; {looks}; {times}"
        right, down = self.shift[k].tolist()
        said = _said(right, down, float(self.rotation[k]), float(self.zoom[k]), float(self.bend[k]))
        return f"{said}; {looks} otherwise; {times} in all"


def _said(right: float, down: float, degrees: float, zoom: float, bend: float = 0.0) -> str:
    """A motion in words, without the parts that round to nothing.

    Example:
        >>> _said(4.91, -0.02, 2.0, 1.0104)
        'moved 4.9 px to the right, turned 2.0 degrees clockwise, zoomed by 1.010'
        >>> _said(-6, 4, 0, 1)
        'moved 6.0 px to the left and 4.0 px down'
    """
    ways = []
    if abs(right) >= 0.05:
        ways.append(f"{abs(right):.1f} px to the {'right' if right > 0 else 'left'}")
    if abs(down) >= 0.05:
        ways.append(f"{abs(down):.1f} px {'down' if down > 0 else 'up'}")
    parts = ["moved " + " and ".join(ways)] if ways else []
    if abs(degrees) >= 0.05:
        parts.append(f"turned {abs(degrees):.1f} degrees {'' if degrees > 0 else 'counter'}clockwise")
    if abs(zoom - 1) >= 0.0005:
        parts.append(f"zoomed by {zoom:.3f}")
    if bend >= 0.05:
        parts.append(f"parts displaced by {bend:.1f} px")
    return ", ".join(parts) or "hardly moved"
