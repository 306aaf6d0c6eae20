"""The feature stacks (trunks): VGG-16, AlexNet and SqueezeNet 1.1 as lists of layers with named taps.

The layers are torchvision's `features`, defined here so that nothing of torchvision is imported; their
parameters are torchvision's IMAGENET1K_V1. They are grouped into `slice1 ... sliceK` under their index in
`features`, as in the lpips package, so that its state dicts load. Taps are the places a head may read:
`relu1_2 ... relu5_3` and `pool1 ... pool5` for VGG-16.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal, NamedTuple, TypeVar, cast

import torch
from torch import Tensor, nn

from invariant_lpips.bands import halo, in_bands
from invariant_lpips.checkpointing import recomputed
from invariant_lpips.circular import convolution
from invariant_lpips.frozen_layers import captured, run_frozen
from invariant_lpips.pooling import PADDINGS, make_pool

T = TypeVar("T")

Layers = Sequence[tuple[int, nn.Module]]

Padding = Literal["zeros", "circular"]

#: What is kept of one activation: tensors whose first dimension is the batch.
Summary = tuple[Tensor, ...]

#: Bytes up to which the largest map of a batch may grow before the batch goes in parts. On a CPU, glibc's allocator
#: keeps blocks up to 32 MiB for the next map; larger ones are mapped anew in every layer, at the price of their page
#: faults. Elsewhere parts of this size keep every unit busy.
LARGEST_MAP_CPU = 2**25
LARGEST_MAP = 2**29

#: The same for bands of one large picture. They share the heap with other maps, and what is too large is given back
#: each time.
LARGEST_BAND_CPU = 24 * 2**20

#: A band of fewer rows would spend most of its time on its neighbours' rows.
FEWEST_ROWS = 16


class Tap(NamedTuple):
    """A place to read: the layer it follows, its channels, and its stride in input pixels."""

    layer: int
    channels: int
    stride: int


class Architecture(NamedTuple):
    """What makes a trunk: its layers, the layer each lpips slice ends with, and its taps."""

    name: str
    layers: Callable[[str, Padding], list[nn.Module]]
    slice_ends: tuple[int, ...]
    taps: dict[str, Tap]
    lpips_taps: tuple[str, ...]
    minimum_side: int


def _vgg16_layers(pooling: str, padding: Padding) -> list[nn.Module]:
    # Configuration D of Simonyan & Zisserman 2015; "M" is a 2x2 pool.
    layers: list[nn.Module] = []
    channels = 3
    for width in (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"):
        if isinstance(width, str):
            layers.append(make_pool(pooling, padding))
        else:
            layers += [convolution(channels, width, 3, around=1, padding=padding), nn.ReLU(inplace=True)]
            channels = width
    return layers


def _alexnet_layers(pooling: str, padding: Padding) -> list[nn.Module]:
    def conv(cin: int, cout: int, kernel: int, stride: int, pad: int) -> list[nn.Module]:
        return [convolution(cin, cout, kernel, stride, around=pad, padding=padding), nn.ReLU(inplace=True)]

    return [
        *conv(3, 64, 11, 4, 2),
        make_pool(pooling, padding, kernel_size=3),
        *conv(64, 192, 5, 1, 2),
        make_pool(pooling, padding, kernel_size=3),
        *conv(192, 384, 3, 1, 1),
        *conv(384, 256, 3, 1, 1),
        *conv(256, 256, 3, 1, 1),
    ]


class Fire(nn.Module):
    """SqueezeNet's block: a 1x1 squeeze, then 1x1 and 3x3 expansions side by side (Iandola et al. 2016)."""

    def __init__(self, channels: int, squeezed: int, expanded: int, padding: Padding) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = convolution(squeezed, expanded, 3, around=1, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.squeeze(x))
        return torch.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], dim=1))


def _squeezenet_layers(pooling: str, padding: Padding) -> list[nn.Module]:
    def pool() -> nn.Module:
        return make_pool(pooling, padding, kernel_size=3, ceil_mode=True)

    return [
        nn.Conv2d(3, 64, 3, stride=2),
        nn.ReLU(inplace=True),
        pool(),
        Fire(64, 16, 64, padding),
        Fire(128, 16, 64, padding),
        pool(),
        Fire(128, 32, 128, padding),
        Fire(256, 32, 128, padding),
        pool(),
        Fire(256, 48, 192, padding),
        Fire(384, 48, 192, padding),
        Fire(384, 64, 256, padding),
        Fire(512, 64, 256, padding),
    ]


ARCHITECTURES = {
    "vgg": Architecture(
        name="vgg16",
        layers=_vgg16_layers,
        slice_ends=(3, 8, 15, 22, 29),
        taps={
            "relu1_2": Tap(3, 64, 1),
            "pool1": Tap(4, 64, 2),
            "relu2_2": Tap(8, 128, 2),
            "pool2": Tap(9, 128, 4),
            "relu3_3": Tap(15, 256, 4),
            "pool3": Tap(16, 256, 8),
            "relu4_3": Tap(22, 512, 8),
            "pool4": Tap(23, 512, 16),
            "relu5_3": Tap(29, 512, 16),
            "pool5": Tap(30, 512, 32),
        },
        lpips_taps=("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3"),
        minimum_side=16,
    ),
    "alex": Architecture(
        name="alexnet",
        layers=_alexnet_layers,
        slice_ends=(1, 4, 7, 9, 11),
        taps={
            "relu1": Tap(1, 64, 4),
            "relu2": Tap(4, 192, 8),
            "relu3": Tap(7, 384, 16),
            "relu4": Tap(9, 256, 16),
            "relu5": Tap(11, 256, 16),
        },
        lpips_taps=("relu1", "relu2", "relu3", "relu4", "relu5"),
        minimum_side=31,
    ),
    "squeeze": Architecture(
        name="squeezenet1_1",
        layers=_squeezenet_layers,
        slice_ends=(1, 4, 7, 9, 10, 11, 12),
        taps={
            "relu1": Tap(1, 64, 2),
            "relu2": Tap(4, 128, 4),
            "relu3": Tap(7, 256, 8),
            "relu4": Tap(9, 384, 16),
            "relu5": Tap(10, 384, 16),
            "relu6": Tap(11, 512, 16),
            "relu7": Tap(12, 512, 16),
        },
        lpips_taps=("relu1", "relu2", "relu3", "relu4", "relu5", "relu6", "relu7"),
        minimum_side=17,
    ),
}

#: Names by which people ask for the same network.
ALIASES = {"vgg16": "vgg", "alexnet": "alex", "squeezenet": "squeeze", "squeezenet1_1": "squeeze"}


def canonical_net(net: str) -> str:
    """`vgg`, `alex` or `squeeze` for any accepted name.

    Raises:
        ValueError: the network is unknown.

    Example:
        >>> canonical_net("vgg16")
        'vgg'
    """
    name = ALIASES.get(net, net) if isinstance(net, str) else ""
    if name not in ARCHITECTURES:
        raise ValueError(f"Argument `net` must be one of 'vgg', 'alex' or 'squeeze', but got {net!r}.")
    return name


class Trunk(nn.Module):
    """A convolutional feature stack that hands out its activations at named taps.

    Args:
        net: `vgg`, `alex` or `squeeze`.
        pooling: `max` (the network's own), `blur` or `polyphase` (2x2 pools only: vgg).
        padding: of the convolutions: `zeros` (the network's own) or `circular`.

    Example:
        >>> trunk = Trunk("vgg")
        >>> [f.shape[1] for f in trunk(torch.zeros(1, 3, 32, 32))]
        [64, 128, 256, 512, 512]
    """

    def __init__(self, net: str = "vgg", pooling: str = "max", padding: str = "zeros") -> None:
        super().__init__()
        if padding not in PADDINGS:
            raise ValueError(f"Argument `padding` must be one of {', '.join(PADDINGS)}, but got {padding!r}.")
        self.net_name = canonical_net(net)
        self.pooling = pooling
        self.padding = padding
        self.architecture = ARCHITECTURES[self.net_name]
        self.N_slices = len(self.architecture.slice_ends)
        layers = self.architecture.layers(pooling, cast(Padding, padding))
        start = 0
        for k, end in enumerate(self.architecture.slice_ends, 1):
            self.add_module(f"slice{k}", _numbered(layers, start, end + 1))
            start = end + 1
        self.tail = _numbered(layers, start, len(layers))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Activations at the taps LPIPS reads, from a scaled image (N, 3, H, W)."""
        return self.reduce(x, self.architecture.lpips_taps, lambda tap, features: features)

    def reduce(
        self,
        x: Tensor,
        taps: Sequence[str],
        reducer: Callable[[str, Tensor], T],
        *,
        keep_order: bool = False,
        checkpointing: bool = False,
    ) -> list[T]:
        """Run the stack and apply `reducer(tap, activation)` at each tap as soon as it is produced.

        Handing over activations one by one lets a head keep a few numbers instead of every map, which is
        where LPIPS spends its memory. Layers behind the last tap don't run.

        Args:
            x: (N, 3, H, W), already scaled as the network expects.
            taps: names in the order of the network.
            reducer: called with the tap's name and its (N, C, h, w) activation.
            keep_order: leave the order of the dimensions in memory as it is. Otherwise CPU tensors are
                brought to channels_last, whose kernels are a fifth to a half faster; that changes last bits.
            checkpointing: keep the maps behind each pool alone, and run what lies between, reducers included, again
                in the backward pass. Gradients flow to x only. Without effect on a tuned trunk and in a captured
                graph.

        Without a graph, or with checkpointing, layers up to a pool whose maps are large run on bands of rows
        (:mod:`invariant_lpips.bands`).

        Returns:
            What the reducer returned, in order.
        """
        at = {self.architecture.taps[tap].layer: tap for tap in taps}
        last = max(at)
        if x.device.type == "cpu" and not keep_order:
            x = _channels_last(x)
        tuned = self.tuned
        layers = [
            (int(name), layer)
            for group in self.children()
            for name, layer in group.named_children()
            if int(name) <= last
        ]

        def run(x: Tensor, layers: Layers, at: Mapping[int, str] = at) -> tuple[list[T], Tensor]:
            results: list[T] = []
            for index, layer in layers:
                x = layer(x) if tuned else run_frozen(layer, x)
                if index in at:
                    results.append(reducer(at[index], x))
            return results, x

        graph = torch.is_grad_enabled() and (x.requires_grad or tuned)
        again = checkpointing and graph and not tuned
        if captured() or (graph and not again):
            return run(x, layers)[0]

        def kept(x: Tensor, layers: Layers, at: Mapping[int, str] = at) -> tuple[list[T], Tensor]:
            job = partial(run, layers=layers, at=at)
            return recomputed(job, x) if again else job(x)

        def without_results(layers: Layers, x: Tensor) -> Tensor:
            return kept(x, layers, {})[1]

        results: list[T] = []
        for part in _up_to_pools(layers):
            reach = halo([layer for _, layer in part])
            if reach is not None and not keep_order and not any(index in at for index, _ in part[:-1]):
                rows = _rows_at_once(part, x, maps=3 if again else 1)
                if rows < x.shape[2]:
                    rows = max(rows - 2 * reach, FEWEST_ROWS)
                    x = in_bands(partial(without_results, part), x, rows, reach)
                    part = [(part[-1][0], nn.Identity())]
            found, x = kept(x, part)
            results += found
        return results

    @property
    def tuned(self) -> bool:
        """A parameter is trainable."""
        return any(parameter.requires_grad for parameter in self.parameters())

    def images_at_once(self, x: Tensor) -> int:
        """How many images of x (N, 3, H, W) to run together, at least 1."""
        densest = max(tap.channels / tap.stride**2 for tap in self.architecture.taps.values())
        limit = LARGEST_MAP_CPU if x.device.type == "cpu" else LARGEST_MAP
        return max(1, int(limit / (densest * x.shape[-2] * x.shape[-1] * x.element_size())))

    def minimum_side(self, taps: Sequence[str]) -> int:
        """Smallest height and width, in pixels, for which every tap has at least one position."""
        pools = [self.architecture.taps[tap].stride for tap in taps if tap.startswith("pool")]
        return max([self.architecture.minimum_side, *pools])

    def load_features(self, state: Mapping[str, Tensor]) -> None:
        """Load parameters named as in torchvision (`features.0.weight`, ...); all must be there.

        Raises:
            ValueError: a parameter is missing, superfluous or of another shape.
        """
        own = {f"features.{key.split('.', 1)[1]}": key for key in self.state_dict()}
        if missing := sorted(own.keys() ^ state.keys()):
            raise ValueError(
                f"Weights of trunk {self.net_name!r} must be exactly torchvision's `features.*` parameters, "
                f"but these names differ: {', '.join(missing[:4])}{' ...' if len(missing) > 4 else ''}."
            )
        for name, key in own.items():
            expected = tuple(self.get_parameter(key).shape)
            if tuple(state[name].shape) != expected:
                raise ValueError(
                    f"Parameter {name} must have shape {expected}, but got {tuple(state[name].shape)}."
                )
        self.load_state_dict({key: state[name] for name, key in own.items()})

    def features_state(self) -> dict[str, Tensor]:
        """The parameters under torchvision's names, ready to be saved."""
        return {f"features.{key.split('.', 1)[1]}": value for key, value in self.state_dict().items()}

    def extra_repr(self) -> str:
        return f"net={self.net_name!r}, pooling={self.pooling!r}, padding={self.padding!r}"


def _numbered(layers: Sequence[nn.Module], start: int, end: int) -> nn.Sequential:
    sequence = nn.Sequential()
    for index in range(start, end):
        sequence.add_module(str(index), layers[index])
    return sequence


def _rows_at_once(layers: Layers, x: Tensor, maps: int) -> int:
    """How many rows of x these layers may run on together if `maps` of their maps are there at a time."""
    channels = max(
        (layer.out_channels for _, layer in layers if isinstance(layer, nn.Conv2d)), default=x.shape[1]
    )
    limit = LARGEST_BAND_CPU if x.device.type == "cpu" else LARGEST_MAP
    return int(limit // (maps * x.shape[0] * channels * x.shape[3] * x.element_size()))


def _up_to_pools(layers: Layers) -> list[list[tuple[int, nn.Module]]]:
    """Layers in runs that each end with a pool, whose map is the smallest around."""
    runs: list[list[tuple[int, nn.Module]]] = [[]]
    for index, layer in layers:
        runs[-1].append((index, layer))
        if not isinstance(layer, (nn.Conv2d, nn.ReLU, Fire)):
            runs.append([])
    return [run for run in runs if run]


def _channels_last(x: Tensor) -> Tensor:
    try:
        return x.contiguous(memory_format=torch.channels_last)
    except RuntimeError:  # torch.vmap can't reorder; the numbers don't need it
        return x
