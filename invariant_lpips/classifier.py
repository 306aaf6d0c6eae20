"""The paper's classifiers (arXiv:2604.27870): a VGG-16 trunk read by one linear layer, four ways.

==============  =======================================================  =============================
head            what the linear layer reads                              parameters, 160 classes, 256 px
==============  =======================================================  =============================
`flatten`       pool5, position by position: 512 x 8 x 8                 5,243,040
`final-gap`     mean of each pool5 channel: 512                          82,080
`multi-gap`     mean of each channel of pool1 ... pool5: 1472            235,680
`gap-flatten`   1472 means and pool5, position by position               5,478,560
==============  =======================================================  =============================

The trunk has 14,714,688 parameters; the full VGG-16, with its own three linear layers, 138,357,544.
A flatten head has a weight for every position, so what it learned at one place it doesn't know at another. A
GAP head reads means over the picture and can't tell where anything was.

Saved classifiers are a folder with `config.json` (plain numbers and strings: it can't name code) and
`model.safetensors`; a frozen trunk is not saved again but named, with its hash.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from os import PathLike
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from invariant_lpips.files.reading import shown
from invariant_lpips.files.safetensors import safetensors_bytes
from invariant_lpips.heads import default_taps
from invariant_lpips.inputs import ImageInput, ScalingLayer
from invariant_lpips.registry import load_weights, saved_classifier
from invariant_lpips.registry.card import classifier_card
from invariant_lpips.registry.download import Access
from invariant_lpips.registry.identity import cite
from invariant_lpips.registry.saved import Saved, SavedModel
from invariant_lpips.registry.trunk_weights import TrunkWeights, trunk_from, trunk_of
from invariant_lpips.trunks import ARCHITECTURES, Trunk, canonical_net
from invariant_lpips.trunks.frozen_weights import ordinary_tensors
from invariant_lpips.trunks.pooling import default_padding

__all__ = ["HEADS", "GAPClassifier", "Readout", "TrunkWeights", "count_parameters", "trunk_from"]


class Readout(NamedTuple):
    """What a head reads: channel means of `gap` ("none", "last" or "all" taps), and the last map or not."""

    gap: str
    map: bool


#: Head -> what its linear layer reads.
HEADS = {
    "flatten": Readout("none", True),
    "final-gap": Readout("last", False),
    "multi-gap": Readout("all", False),
    "gap-flatten": Readout("all", True),
}


class GAPClassifier(nn.Module, Saved):
    """A trunk and one linear layer; the trunk starts as the bundled, frozen one.

    Args:
        head: `flatten`, `final-gap`, `multi-gap` or `gap-flatten`.
        num_classes: number of logits.
        image_size: side in pixels, or (height, width), that images are resized to before they come here.
            Heads with positions take no other size; GAP heads take any.
        pooling, padding: of the trunk, as for :class:`invariant_lpips.InvariantLPIPS`.
        net: the trunk's network; only `vgg` has the paper's taps (others read lpips' taps).
        classes: their names, for whoever reads a prediction.
        trunk: name of registered weights or path to a `.safetensors` file with torchvision's `features.*`, or
            what :func:`trunk_from` gave; None for the bundled ones of `net`.

    Shape:
        x: (N, 3, H, W) float in [-1, 1]; [0, 1] with normalize=True.
        returns: (N, num_classes) logits.

    Raises:
        ValueError: unknown head, sizes or counts that can't be, or a size that this head can't read.

    Example:
        >>> model = GAPClassifier("multi-gap", num_classes=160)
        >>> count_parameters(model.linear), count_parameters(model)
        (235680, 14950368)
        >>> model(torch.zeros(2, 3, 64, 96)).shape
        torch.Size([2, 160])
    """

    @ordinary_tensors()
    def __init__(
        self,
        head: str = "multi-gap",
        num_classes: int = 160,
        image_size: int | tuple[int, int] = 256,
        pooling: str = "max",
        padding: str | None = None,
        *,
        net: str = "vgg",
        classes: Sequence[str] | None = None,
        trunk: str | PathLike[str] | TrunkWeights | None = None,
    ) -> None:
        super().__init__()
        if head not in HEADS:
            raise ValueError(f"Argument `head` must be one of {', '.join(HEADS)}, but got {head!r}.")
        if classes is not None and len(classes) != num_classes:
            raise ValueError(
                f"Argument `classes` must name {num_classes} classes (num_classes), but names {len(classes)}."
            )
        if not (isinstance(num_classes, int) and num_classes >= 1):
            raise ValueError(f"Argument `num_classes` must be a whole number >= 1, but got {num_classes!r}.")
        self.head_name = head
        self.readout = HEADS[head]
        self.num_classes = num_classes
        self.classes = None if classes is None else tuple(str(name) for name in classes)
        self.image_size = _size(image_size)
        self.net_name = canonical_net(net, trained=True)
        self.taps = default_taps(self.net_name)
        padding = padding or default_padding(pooling)
        self.trunk = Trunk(self.net_name, pooling, padding)
        minimum = self.trunk.minimum_side(self.taps)
        if min(self.image_size) < minimum:
            raise ValueError(f"Argument `image_size` must be at least {minimum}, but got {image_size}.")
        if not isinstance(trunk, TrunkWeights):
            state = load_weights(trunk or ARCHITECTURES[self.net_name].name)
        else:
            state = trunk.state
        self.trunk.load_features(state)
        self.trunk.requires_grad_(False)
        self.scaling_layer = ScalingLayer()
        self.images = ImageInput(minimum)
        self.map_shape = _map_shape(self.trunk, self.taps, self.image_size)
        self.linear = nn.Linear(self.feature_count, num_classes)
        # Keras' default, which the paper's heads start from: its spread suits 32,768 inputs as it does 512.
        nn.init.xavier_uniform_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    @property
    def feature_count(self) -> int:
        """Numbers the linear layer reads."""
        means = {"none": 0, "last": self.map_shape[0], "all": self.mean_count}[self.readout.gap]
        return means + (self.map_shape.numel() if self.readout.map else 0)

    @property
    def mean_count(self) -> int:
        """Channels of all taps together: 1472 for vgg."""
        return sum(ARCHITECTURES[self.net_name].taps[tap].channels for tap in self.taps)

    def forward(self, x: Tensor, normalize: bool = False) -> Tensor:
        """(N, num_classes) logits of (N, 3, H, W) images."""
        logits: Tensor = self.linear(self.features(x, normalize))
        return logits

    def features(self, x: Tensor, normalize: bool = False) -> Tensor:
        """(N, feature_count), what the linear layer reads; with a frozen trunk it can be kept on disk.

        Raises:
            ValueError: the head reads positions and x is not of `image_size`.
        """
        means, last_map = self.readouts(x, normalize)
        return self.select(means, last_map)

    def readouts(self, x: Tensor, normalize: bool = False) -> tuple[Tensor, Tensor]:
        """Everything any of the four heads may read, from one pass through the trunk.

        Returns:
            (N, C) channel means over all taps, float32 at least, and the (N, c, h, w) activation of the last.
        """
        x = self.images(x, self.scaling_layer.shift, normalize=normalize)
        last = self.taps[-1]
        kept: list[Tensor] = []

        def reducer(tap: str, features: Tensor) -> Tensor:
            if tap == last:
                kept.append(features)
            dtype = torch.float64 if features.dtype == torch.float64 else torch.float32
            return features.mean((2, 3), dtype=dtype)

        means = torch.cat(self.trunk.reduce(self.scaling_layer(x), self.taps, reducer), dim=1)
        return means, kept[0]

    def select(self, means: Tensor, last_map: Tensor) -> Tensor:
        """What this head reads of (N, C) means and (N, c, h, w) or flat last maps: (N, feature_count)."""
        parts: list[Tensor] = []
        if self.readout.gap != "none":
            parts.append(means[:, -self.map_shape[0] :] if self.readout.gap == "last" else means)
        if self.readout.map:
            flat = last_map.flatten(1)
            if flat.shape[1] != self.map_shape.numel():
                height, width = self.image_size
                raise ValueError(
                    f"Head {self.head_name!r} reads positions: images must be {height}x{width} (image_size), "
                    f"with {self.map_shape.numel()} numbers in the last map, but it has {flat.shape[1]}."
                )
            parts.append(flat.to(means.dtype))
        return torch.cat(parts, dim=1)

    def unfreeze(self, blocks: int | None = None) -> None:
        """Let training change the last `blocks` convolution blocks of the trunk; None for all of them."""
        slices = [child for _, child in self.trunk.named_children()]
        convolutions = [child for child in slices if any(True for _ in child.parameters())]
        if blocks is not None and not 0 <= blocks <= len(convolutions):
            raise ValueError(
                f"Argument `blocks` must be 0 to {len(convolutions)} or None, but got {blocks!r}."
            )
        for child in convolutions[len(convolutions) - blocks :] if blocks is not None else convolutions:
            child.requires_grad_(True)

    def config(self) -> dict[str, Any]:
        """What `config.json` says of this classifier; see :mod:`invariant_lpips.registry.saved_classifier`."""
        bundled = ARCHITECTURES[self.net_name].name
        name, digest = cite(bundled, self.trunk.features_state())
        return {
            "format": saved_classifier.FORMAT,
            "head": self.head_name,
            "num_classes": self.num_classes,
            "image_size": list(self.image_size),
            "net": self.net_name,
            "pooling": self.trunk.pooling,
            "padding": self.trunk.padding,
            "classes": list(self.classes or ()),
            "trunk": {"name": name if name == bundled else "tuned", "hash": digest},
        }

    def as_file(self) -> bytes:
        """One safetensors file with the config in its header: the form of the registered classifiers."""
        config = self.config()
        return safetensors_bytes(self._tensors(config), self._metadata(config))

    def _tensors(self, config: Mapping[str, Any]) -> Mapping[str, Tensor]:
        trunk = self.trunk.features_state() if config["trunk"]["name"] == "tuned" else {}
        return {**trunk, **{f"linear.{key}": value for key, value in self.linear.state_dict().items()}}

    def _metadata(self, config: Mapping[str, Any]) -> Mapping[str, str]:
        return {"config": json.dumps(config, sort_keys=True)}

    def _card(self, config: Mapping[str, Any], file: bytes) -> str:
        return classifier_card(config, file)

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | PathLike[str],
        *,
        pooling: str | None = None,
        padding: str | None = None,
        revision: str | None = None,
        **access: Any,
    ) -> GAPClassifier:
        """Load a classifier.

        Args:
            name_or_path: a registered name (`vgg16-final-gap`, `vgg16-multi-gap`), a folder that
                :meth:`save_pretrained` wrote, a `.safetensors` file with its config inside, or a Hub
                repository: "owner/name" or "owner/name@revision". The folder of a training run stands for its
                `model`. Where a folder `owner` lies here, "owner/name" is a path; "owner/name@main" never is.
            pooling, padding: of the trunk, instead of those it was trained with; GAP heads only. A `pooling`
                brings its own default padding with it.
            revision: of the Hub repository: branch, tag or commit.
            access: further fields of :class:`invariant_lpips.registry.download.Access`: `token`, `local_files_only` ...

        Raises:
            FileNotFoundError: there is no such file, folder or repository.
            TypeError: an argument that is none of these.
            ValueError: config or tensors are not those of a classifier, or a head with positions was asked for
                another pooling.
        """
        known = [field.name for field in fields(Access)]
        if unknown := sorted(access.keys() - set(known)):
            raise TypeError(
                f"GAPClassifier.from_pretrained takes pooling, padding, {', '.join(known)}, not {', '.join(unknown)}."
            )
        model = cls._from_saved(saved_classifier.read(name_or_path, Access(revision=revision, **access)))
        if pooling is None and padding is None:
            return model
        return model._with_pooling(pooling, padding)

    @classmethod
    def _from_saved(cls, saved: SavedModel) -> GAPClassifier:
        config, source = saved.config, saved.path
        height, width = config["image_size"]
        linear = {
            key: value.float() for key, value in saved.tensors.items() if not key.startswith("features.")
        }
        weight = linear.get("linear.weight", torch.empty(0, 0))
        # Before anything of that size is made: a last map has at least 256 channels and a cell for each 32 x 32 pixels.
        needed = 256 * (height // 32) * (width // 32) if "flatten" in config["head"] else 0
        if weight.dim() != 2 or weight.shape[0] != config["num_classes"] or weight.shape[1] < needed:
            raise ValueError(
                f"{source} must hold a linear layer of {config['num_classes']} classes for {height}x{width} images, "
                f"but holds one of shape {tuple(weight.shape)}."
            )
        model = cls(
            config["head"],
            config["num_classes"],
            (height, width),
            config["pooling"],
            config["padding"],
            net=config["net"],
            classes=config["classes"] or None,
            trunk=trunk_of(saved, "its predictions would be wrong"),
        )
        expected = {f"linear.{key}": tuple(value.shape) for key, value in model.linear.state_dict().items()}
        found = {key: tuple(value.shape) for key, value in linear.items()}
        if found != expected:
            raise ValueError(
                f"{source} must hold a linear layer of shapes {expected}, but holds {shown(found)}."
            )
        model.linear.load_state_dict({key.removeprefix("linear."): value for key, value in linear.items()})
        return model.eval()

    def _with_pooling(self, pooling: str | None, padding: str | None) -> GAPClassifier:
        """The same parameters on a trunk that pools or pads otherwise."""
        if self.readout.map:
            raise ValueError(
                f"Arguments `pooling` and `padding` can be chosen for GAP heads only: the head {self.head_name!r} "
                f"has learned positions with pooling {self.trunk.pooling!r}, padding {self.trunk.padding!r}."
            )
        if pooling is None:
            pooling = self.trunk.pooling
        model = GAPClassifier(
            self.head_name,
            self.num_classes,
            self.image_size,
            pooling,
            padding,
            net=self.net_name,
            classes=self.classes,
        )
        model.trunk.load_features(self.trunk.features_state())
        model.linear.load_state_dict(self.linear.state_dict())
        return model.train(self.training)

    def extra_repr(self) -> str:
        height, width = self.image_size
        return f"head={self.head_name!r}, num_classes={self.num_classes}, image_size={height}x{width}"


def count_parameters(module: nn.Module, *, trainable: bool = False) -> int:
    """Number of parameters of a module; with `trainable`, of those that training changes."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable)


def _size(size: int | Sequence[int]) -> tuple[int, int]:
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2 or not all(isinstance(side, int) for side in pair):
        raise ValueError(
            f"Argument `image_size` must be a side or (height, width) in pixels, but got {size!r}."
        )
    return pair[0], pair[1]


def _map_shape(trunk: Trunk, taps: Sequence[str], size: tuple[int, int]) -> torch.Size:
    """(c, h, w) of the last tap: computed on tensors without storage, so it costs nothing for any pooling."""
    with torch.device("meta"):
        ghost = Trunk(trunk.net_name, trunk.pooling, trunk.padding)
        return ghost.reduce(torch.zeros(1, 3, *size), taps[-1:], lambda _, features: features.shape[1:])[0]
