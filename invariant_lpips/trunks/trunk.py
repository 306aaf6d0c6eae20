"""A trunk: a network's layers, run so that its activations are handed out at named taps.

Layers are grouped into `slice1 ... sliceK` under their index in torchvision's `features`, as in the lpips package, so
that its state dicts load.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from invariant_lpips.functional import captured, transformed
from invariant_lpips.trunks.architectures import ARCHITECTURES, Fire, Padding, canonical_net
from invariant_lpips.trunks.bands import halo, in_bands
from invariant_lpips.trunks.chroma import ChromaLowPass
from invariant_lpips.trunks.frozen_layers import run_frozen
from invariant_lpips.trunks.frozen_weights import Frozen, trained
from invariant_lpips.trunks.pooling import PADDINGS
from invariant_lpips.trunks.recomputing import recomputed

T = TypeVar("T")

Layers = Sequence[tuple[int, nn.Module]]

#: What is kept of one activation: tensors whose first dimension is the batch.
Summary = tuple[Tensor, ...]

#: Bytes up to which the largest map of a batch may grow before the batch goes in parts. On a CPU, glibc's allocator
#: keeps blocks up to 32 MiB for the next map; larger ones are mapped anew in every layer, at the price of their page
#: faults. Elsewhere parts of this size keep every unit busy.
LARGEST_MAP_CPU = 2**25
LARGEST_MAP = 2**29

#: The same for filters without a network, which hold several maps of this size at a time and compute little on each.
LARGEST_FILTERED_CPU = 2**23

#: The same for bands of one large picture. They share the heap with other maps, and what is too large is given back
#: each time.
LARGEST_BAND_CPU = 24 * 2**20

#: A band of fewer rows would spend most of its time on its neighbours' rows.
FEWEST_ROWS = 16


class Trunk(nn.Module):
    """A convolutional feature stack that hands out its activations at named taps.

    Args:
        net: `vgg`, `alex`, `squeeze` or `pixels`.
        pooling: `max` (the network's own), `blur` or `polyphase` (2x2 pools only: vgg).
        padding: of the convolutions: `zeros` (the network's own) or `circular`.
        chroma: run on the scaled picture first, a low-pass of its colours; None for none.

    Example:
        >>> trunk = Trunk("vgg")
        >>> [f.shape[1] for f in trunk(torch.zeros(1, 3, 32, 32))]
        [64, 128, 256, 512, 512]
    """

    def __init__(
        self,
        net: str = "vgg",
        pooling: str = "max",
        padding: str = "zeros",
        chroma: ChromaLowPass | None = None,
    ) -> None:
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
        self.chroma = chroma

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Activations at the taps LPIPS reads, from a scaled image (N, 3, H, W): a named tuple, as lpips has it."""
        activations = self.reduce(x, self.architecture.lpips_taps, lambda tap, features: features)
        return named(self.architecture.lpips_taps)(*activations)

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
                in the backward pass. Gradients flow to x only. Without effect on a tuned trunk, in a captured graph
                and under torch.func's transforms.

        Without a graph, or with checkpointing, layers up to a pool whose maps are large run on bands of rows
        (:mod:`invariant_lpips.trunks.bands`).

        Returns:
            What the reducer returned, in order.
        """
        at = {self.architecture.taps[tap].layer: tap for tap in taps}
        last = max(at)
        convolved = self.architecture.trained or self.chroma is not None
        if convolved and x.device.type == "cpu" and not keep_order:
            x = _channels_last(x)
        if self.chroma is not None:
            x = self.chroma(x)
        tuned = self.tuned
        layers = [
            (int(name), layer)
            for group in self.children()
            for name, layer in group.named_children()
            if int(name) <= last
        ]

        first = layers[0][1]
        if isinstance(first, Frozen):
            first.verify()
        # Sharding with mixed precision casts parameters and nothing else.
        precision = getattr(first, "weight", x).dtype
        if x.dtype != precision:
            x = x.to(precision)

        def run(x: Tensor, layers: Layers, at: Mapping[int, str] = at) -> tuple[list[T], Tensor]:
            results: list[T] = []
            for index, layer in layers:
                x = layer(x) if tuned else run_frozen(layer, x)
                if index in at:
                    results.append(reducer(at[index], x))
            return results, x

        graph = torch.is_grad_enabled() and (x.requires_grad or tuned)
        again = checkpointing and graph and not tuned and not transformed(x)
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
        return trained(self)

    def images_at_once(self, x: Tensor) -> int:
        """How many images of x (N, 3, H, W) to run together, at least 1."""
        densest = max(tap.channels / tap.stride**2 for tap in self.architecture.taps.values())
        on_cpu = LARGEST_MAP_CPU if self.architecture.trained else LARGEST_FILTERED_CPU
        limit = on_cpu if x.device.type == "cpu" else LARGEST_MAP
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


@cache
def named(taps: tuple[str, ...]) -> type[tuple[Tensor, ...]]:
    """The named tuple of activations at these taps."""
    return namedtuple("Activations", taps)


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
