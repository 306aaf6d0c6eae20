"""Which parameters a trunk has: the bundled ones of a network, or those of a classifier that was trained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

from torch import Tensor, nn

from invariant_lpips.files.reading import shown
from invariant_lpips.registry import saved_classifier
from invariant_lpips.registry.download import Access
from invariant_lpips.registry.identity import OWN, cite
from invariant_lpips.registry.saved import SavedModel
from invariant_lpips.registry.weights import read_weights
from invariant_lpips.trunks import ALIASES, ARCHITECTURES, Trunk, canonical_net


@dataclass(frozen=True)
class TrunkWeights:
    """A trunk's parameters and what to call them.

    Attributes:
        net: `vgg`, `alex`, `squeeze` or `pixels`.
        state: parameters under torchvision's names, ready for `Trunk.load_features`.
        hash: first 12 hex digits of the sha256 of their canonical file; equal to that of the bundled trunk
            when they are the bundled ones.
        bundled: they are the bundled ones, so the bundled linear weights belong to them.
        pooling, padding: what they were trained with.
    """

    net: str
    state: dict[str, Tensor]
    hash: str
    bundled: bool
    pooling: str
    padding: str

    @property
    def name(self) -> str:
        """The registered name of the parameters, or "own parameters"."""
        return ARCHITECTURES[self.net].name if self.bundled else OWN


def bundled_trunk(net: str) -> TrunkWeights:
    """The bundled parameters of a network, under any of its names, as they are stored: a trunk holds them in float32.

    Raises:
        ValueError: the network is unknown.

    Example:
        >>> bundled_trunk("vgg16").hash
        '5105565f61f2'
    """
    net = canonical_net(net)
    file = read_weights(ARCHITECTURES[net].name)
    return TrunkWeights(net, file.tensors, file.hash, True, "max", "zeros")


def trunk_from(net: object) -> TrunkWeights | None:
    """The trunk of a classifier given as itself, as a registered name or as a path; None for a network's name.

    This is how `InvariantLPIPS(net=...)` takes a backbone of the user's own. A saved classifier is not built for it:
    its config and its `features.*` are read.

    Raises:
        FileNotFoundError: a path (with a slash, or ending in .safetensors) where there is no classifier.

    Example:
        >>> trunk_from("vgg") is None
        True
        >>> weights = trunk_from("vgg16-final-gap")
        >>> weights.net, weights.hash, weights.bundled
        ('vgg', '5105565f61f2', True)
    """
    if isinstance(net, TrunkWeights):
        return net
    if isinstance(net, nn.Module) and isinstance(trunk := getattr(net, "trunk", None), Trunk):
        state = {name: tensor.detach().cpu().clone() for name, tensor in trunk.features_state().items()}
        name, digest = cite(trunk.architecture.name, state)
        bundled = name == trunk.architecture.name
        return TrunkWeights(trunk.net_name, state, digest, bundled, trunk.pooling, trunk.padding)
    if not isinstance(net, (str, PathLike)) or net in ALIASES or net in ARCHITECTURES:
        return None
    path = Path(net)
    if saved_classifier.is_classifier(net):
        return trunk_of(saved_classifier.read(net, Access()), "its predictions would be wrong")
    saved_classifier.refuse_unfinished(path)
    if isinstance(net, PathLike) or "/" in net or net.endswith(".safetensors"):
        found = "holds no finished model" if path.is_dir() else "is none"
        raise FileNotFoundError(
            "Argument `net` must be a network's name, a classifier, or a path to one (a folder that `save_pretrained` "
            f"or `train backbone` wrote, or a .safetensors file), but {str(net)!r} {found}."
        )
    return None


def trunk_of(saved: SavedModel, otherwise: str) -> TrunkWeights:
    """The trunk that a saved model stands on: its own `features.*`, or the bundled one that its config names.

    Args:
        saved: with a config of checked `net`, `pooling`, `padding` and `trunk`.
        otherwise: what another trunk would lead to, for the message.

    Raises:
        ValueError: the trunk found is not the one that the config names by its hash.
    """
    config, net = saved.config, canonical_net(saved.config["net"])
    features = {key: value.float() for key, value in saved.tensors.items() if key.startswith("features.")}
    if not features:
        trunk = bundled_trunk(net)
    else:
        name, digest = cite(ARCHITECTURES[net].name, features)
        trunk = TrunkWeights(net, features, digest, name != OWN, config["pooling"], config["padding"])
    if trunk.hash != config["trunk"].get("hash"):
        raise ValueError(
            f"{saved.source} belongs to trunk {shown(config['trunk'])}, but the trunk found here is [{trunk.hash}]; "
            f"{otherwise}."
        )
    return replace(trunk, pooling=config["pooling"], padding=config["padding"])
