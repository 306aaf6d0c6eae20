"""What a row of an index depends on, recorded in the index so that unlike rows are never mixed or compared."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from invariant_lpips.inputs import DTYPES
from invariant_lpips.metric import InvariantLPIPS
from invariant_lpips.pictures.decoding import DEFAULT_MAX_PIXELS, check_choices
from invariant_lpips.pictures.images import Reading
from invariant_lpips.pictures.transparency import ALPHA_CHOICES
from invariant_lpips.registry import ENTRIES, read_weights
from invariant_lpips.registry.identity import OWN, Identity
from invariant_lpips.registry.linear import weight_hash

_SENTENCE = re.compile(
    r"InvariantLPIPS\(net=(?P<trunk>.+?) \[(?P<trunk_hash>[0-9a-f]{12})\], .*"
    r"weights=(?P<weights>.+?)(?: \[(?P<weights_hash>[0-9a-f]{12})\])?, invariant-lpips (?P<version>[^, ]+)\)"
)


@dataclass(frozen=True)
class Settings:
    """How the rows of an index were made.

    Attributes:
        metric: who embedded the pictures.
        dtype: of the network.
        alpha, max_pixels, resize, frame, bands, full_scale, icc: see :class:`invariant_lpips.pictures.images.Reading`.
        batch_size: pictures of one size embedded at once.
        tile: side of the tiles in which pictures are embedded, or None.
        pictures: fingerprint of the pictures.
        size: (height, width) of all pictures, where the embedding grows with them: one of another size may have as many
            numbers, with other meanings. None for any, and in indexes that don't say.
    """

    metric: Identity
    dtype: str
    alpha: str
    max_pixels: int | None
    resize: tuple[int, int] | None
    batch_size: int
    tile: int | None
    pictures: str
    frame: int | None = None
    bands: tuple[int, ...] | None = None
    full_scale: int | None = None
    icc: str = "ignore"  # which indexes did before they said so
    size: tuple[int, int] | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, origin: str) -> Settings:
        """Read what :meth:`to_json` wrote; `origin` is the file, for the message of the ValueError."""
        try:
            values: dict[str, Any] = json.loads(text)
            for name in ("resize", "bands", "size"):
                values[name] = values.get(name) and tuple(values[name])
            if "arguments" in values:
                values["metric"] = _identity_of_version_0_1(values["metric"], values.pop("arguments"))
            values["metric"] = Identity.from_dict(values["metric"], origin)
            settings = cls(**values)
        except (ValueError, TypeError, KeyError, RecursionError):
            settings = None
        if settings is None or not settings._plausible():
            raise ValueError(f"{origin} is no index of this package, or one of another version of it")
        return settings

    def _plausible(self) -> bool:
        """Whether every value is one that a run may have had: a file may say anything."""
        resize = (1, 1) if self.resize is None else self.resize
        size = (1, 1) if self.size is None else self.size
        numbers = (self.batch_size, self.tile or 1, self.max_pixels or 1, *resize, *size)
        words = (self.dtype, self.alpha, self.pictures)
        return (
            all(type(word) is str for word in words)
            and all(type(number) is int and number > 0 for number in numbers)
            and len(resize) == len(size) == 2
            and resize[0] * resize[1] <= DEFAULT_MAX_PIXELS
            and self.dtype in [str(dtype).removeprefix("torch.") for dtype in DTYPES]
            and self.alpha in ALPHA_CHOICES
            and _can_be_chosen(frame=self.frame, bands=self.bands, full_scale=self.full_scale, icc=self.icc)
        )

    def difference(self, other: Settings) -> str:
        """The first setting in which two differ, as `name: mine / theirs`; "" where they agree."""
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if field.name == "metric" and mine.measures_like(theirs) and mine.version == theirs.version:
                continue  # linear weights may have another name by now
            if field.name == "size" and None in (mine, theirs):
                continue  # not known
            if mine != theirs:
                pictures = field.name == "pictures"
                return "the pictures are others" if pictures else f"{field.name}: {mine} / {theirs}"
        return ""

    def unlike_rows(self, other: Settings) -> str:
        """The first setting that makes rows of two indexes incomparable; "" where there is none."""
        if not self.metric.measures_like(other.metric):
            return f"metric: {self.metric} / {other.metric}"
        shared = {"metric": self.metric, "pictures": "", "batch_size": 1, "tile": None, "max_pixels": None}
        return replace(self, **shared).difference(replace(other, **shared))  # type: ignore[arg-type]

    @property
    def reading(self) -> Reading:
        return Reading(**{field.name: getattr(self, field.name) for field in fields(Reading)})

    def require_metric(self, metric: InvariantLPIPS, origin: str) -> None:
        """Raise ValueError unless the rows were made by this metric in this precision (the version may differ)."""
        who, dtype = metric.identity, dtype_name(metric)
        if not who.measures_like(self.metric) or dtype != self.dtype:
            raise ValueError(
                f"{origin} was made by {self.metric} in {self.dtype}, but this metric is {who} in {dtype}: "
                "distances between their embeddings mean nothing. Use the metric of the index, "
                "or embed the pictures again."
            )


def settings_for(
    metric: InvariantLPIPS, reading: Reading, *, batch_size: int, tile: int | None, pictures: str
) -> Settings:
    """The settings of a run that is about to begin."""
    return Settings(
        metric=metric.identity,
        dtype=dtype_name(metric),
        batch_size=batch_size,
        tile=tile,
        pictures=pictures,
        **{field.name: getattr(reading, field.name) for field in fields(Reading)},
    )


def _can_be_chosen(**choices: Any) -> bool:
    try:
        check_choices(**choices)
    except ValueError:
        return False
    return True


def dtype_name(metric: InvariantLPIPS) -> str:
    """`float32`, `bfloat16`, ...: the precision the metric computes in."""
    return str(metric.scaling_layer.shift.dtype).removeprefix("torch.")


def _identity_of_version_0_1(sentence: object, arguments: object) -> object:
    """The fields of the identity that an index of version 0.1.0 has as a sentence and a few arguments."""
    match = _SENTENCE.fullmatch(str(sentence)[:1000])
    if match is None or type(arguments) is not dict:
        raise ValueError("no sentence of that version")
    said = match.groupdict(default="")
    if said["weights_hash"] and said["weights"] != OWN and said["weights"] not in ENTRIES:
        # Weights of one's own were named by the hash of their file, and are by that of their numbers now.
        with contextlib.suppress(ValueError, OSError, KeyError):
            file = read_weights(said["weights"])
            if file.hash == said["weights_hash"]:
                said["weights_hash"] = weight_hash(file.tensors["weight"])
    return {
        **{name: arguments.get(name) for name in ("net", "head", "pooling", "padding")},
        **said,
        "fitted_pooling": "max",
        "motion": "none",
    }
