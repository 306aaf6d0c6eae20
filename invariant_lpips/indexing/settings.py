"""What a row of an index depends on, recorded in the index so that unlike rows are never mixed or compared."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from invariant_lpips.inputs import DTYPES
from invariant_lpips.pictures.decoding import DEFAULT_MAX_PIXELS
from invariant_lpips.pictures.images import ALPHA_CHOICES, Reading

if TYPE_CHECKING:
    from invariant_lpips.metric import InvariantLPIPS


#: The keys of :attr:`Settings.arguments`.
ARGUMENTS = {"net", "head", "pooling", "padding", "weights"}


@dataclass(frozen=True)
class Settings:
    """How the rows of an index were made.

    Attributes:
        metric: `describe()` of the metric: network, head, pooling, weights with their hashes, version.
        arguments: of InvariantLPIPS, with which the bundled metrics can be made again.
        dtype: of the network.
        alpha, max_pixels, resize: see :class:`invariant_lpips.pictures.images.Reading`.
        batch_size: pictures of one size embedded at once.
        tile: side of the tiles in which pictures are embedded, or None.
        pictures: fingerprint of the pictures.
    """

    metric: str
    arguments: dict[str, str]
    dtype: str
    alpha: str
    max_pixels: int | None
    resize: tuple[int, int] | None
    batch_size: int
    tile: int | None
    pictures: str

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, origin: str) -> Settings:
        """Read what :meth:`to_json` wrote; `origin` is the file, for the message of the ValueError."""
        try:
            values: dict[str, Any] = json.loads(text)
            values["resize"] = values["resize"] and tuple(values["resize"])
            settings = cls(**values)
        except (ValueError, TypeError, KeyError, RecursionError):
            settings = None
        if settings is None or not settings._plausible():
            raise ValueError(f"{origin} is no index of this package, or one of another version of it")
        return settings

    def _plausible(self) -> bool:
        """Whether every value is one that a run may have had: a file may say anything."""
        resize = (1, 1) if self.resize is None else self.resize
        numbers = (self.batch_size, self.tile or 1, self.max_pixels or 1, *resize)
        words = (self.metric, self.dtype, self.alpha, self.pictures)
        return (
            all(type(word) is str for word in words)
            and all(type(number) is int and number > 0 for number in numbers)
            and len(resize) == 2
            and resize[0] * resize[1] <= DEFAULT_MAX_PIXELS
            and self.dtype in [str(dtype).removeprefix("torch.") for dtype in DTYPES]
            and self.alpha in ALPHA_CHOICES
            and type(self.arguments) is dict
            and self.arguments.keys() == ARGUMENTS
            and all(type(word) is str for word in self.arguments.values())
        )

    def difference(self, other: Settings) -> str:
        """The first setting in which two differ, as `name: mine / theirs`; "" where they agree."""
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if mine != theirs:
                pictures = field.name == "pictures"
                return "the pictures are others" if pictures else f"{field.name}: {mine} / {theirs}"
        return ""

    def unlike_rows(self, other: Settings) -> str:
        """The first setting that makes rows of two indexes incomparable; "" where there is none."""
        shared = {"metric": "", "pictures": "", "batch_size": 1, "tile": None, "max_pixels": None}
        if _without_version(self.metric) != _without_version(other.metric):
            return f"metric: {self.metric} / {other.metric}"
        return replace(self, **shared).difference(replace(other, **shared))  # type: ignore[arg-type]

    @property
    def reading(self) -> Reading:
        return Reading(self.alpha, self.max_pixels, self.resize)  # type: ignore[arg-type]

    def require_metric(self, metric: InvariantLPIPS, origin: str) -> None:
        """Raise ValueError unless the rows were made by this metric in this precision (the version may differ)."""
        mine = _without_version(metric.describe()), dtype_name(metric)
        theirs = _without_version(self.metric), self.dtype
        if mine != theirs:
            raise ValueError(
                f"{origin} was made by {theirs[0]} in {theirs[1]}, but this metric is {mine[0]} in {mine[1]}: "
                "distances between their embeddings mean nothing. Use the metric of the index, "
                "or embed the pictures again."
            )


def settings_for(
    metric: InvariantLPIPS, reading: Reading, *, batch_size: int, tile: int | None, pictures: str
) -> Settings:
    """The settings of a run that is about to begin."""
    return Settings(
        metric=metric.describe(),
        arguments={
            "net": metric.net_name,
            "head": metric.head.name,
            "pooling": metric.net.pooling,
            "padding": metric.net.padding,
            "weights": metric.weights,
        },
        dtype=dtype_name(metric),
        alpha=reading.alpha,
        max_pixels=reading.max_pixels,
        resize=reading.resize,
        batch_size=batch_size,
        tile=tile,
        pictures=pictures,
    )


def dtype_name(metric: InvariantLPIPS) -> str:
    """`float32`, `bfloat16`, ...: the precision the metric computes in."""
    return str(metric.scaling_layer.shift.dtype).removeprefix("torch.")


def _without_version(description: str) -> str:
    return description.rpartition(", invariant-lpips ")[0] + ")"
