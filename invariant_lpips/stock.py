"""`LPIPS`: the metric of Zhang et al. 2018 (arXiv:1801.03924) with the numbers of the lpips package 0.1.4.

Change `import lpips` to `import invariant_lpips as lpips` and carry on. Given the same trunk parameters,
distances and gradients equal lpips'. Its known faults are left out: every parameter is frozen unless
training is asked for, a frozen metric stays in eval mode under a parent's `.train()`, nothing is printed,
no finite image gives NaN, and subclasses find their weights.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from invariant_lpips import functional as ILF
from invariant_lpips._version import __version__
from invariant_lpips.files.pickles import read_tensors
from invariant_lpips.files.reading import read_whole
from invariant_lpips.frames import by_frame
from invariant_lpips.inputs import ImageInput, ScalingLayer
from invariant_lpips.registry import load_weights
from invariant_lpips.registry.identity import cite
from invariant_lpips.registry.linear import LARGEST_WEIGHT
from invariant_lpips.trunks import ARCHITECTURES, Trunk, canonical_net
from invariant_lpips.trunks.frozen_weights import Conv2d, freeze, ordinary_tensors, thaw, trained, undrawn
from invariant_lpips.trunks.two_images import reduce_pair

logger = logging.getLogger(__name__)

#: What is made of a layer's part, (N, 1, h, w), for pictures of so many rows and columns.
Given = Callable[[Tensor, tuple[int, int]], Tensor]


def _mean(layer: Tensor, size: tuple[int, int]) -> Tensor:
    return ILF.spatial_average(layer, keepdim=True)


class NetLinLayer(nn.Module):
    """lpips' linear layer: (dropout and) a 1x1 convolution without bias over (N, C, H, W).

    The dropout keeps the name of the weight that lpips' files use, `model.1.weight`.
    """

    def __init__(self, chn_in: int, chn_out: int = 1, use_dropout: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Dropout()] if use_dropout else []
        self.model = nn.Sequential(*layers, Conv2d(chn_in, chn_out, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.model(x)
        return result

    @property
    def weight(self) -> Tensor:
        """(1, C, 1, 1), whether or not there is a dropout before it."""
        return self.convolution.weight

    @property
    def convolution(self) -> Conv2d:
        layer = self.model[-1]
        assert isinstance(layer, Conv2d)
        return layer


class LPIPS(nn.Module):
    """Learned Perceptual Image Patch Similarity, called and counted as in lpips 0.1.4.

    Args:
        pretrained: load the published linear weights (used when `lpips` is true).
        net: trunk: `alex`, `vgg` (= `vgg16`) or `squeeze`.
        version: `0.1`, or `0.0` (the first release, which forgot to scale its input).
        lpips: weigh channels with the linear layers; False adds the squared differences as they are.
        spatial: return a map (N, 1, H, W) instead of its mean.
        pnet_rand: leave the trunk at random parameters.
        pnet_tune: let gradients reach the trunk's parameters.
        use_dropout: dropout before each linear layer while training.
        model_path: linear weights of your own (.safetensors, or lpips' .pth).
        eval_mode: True freezes everything, for good; False makes the linear layers trainable.
        verbose: log what is loaded (through `logging`; nothing is printed).
        checks: `auto` looks at values (NaN, range) on the CPU only, `always` on every device, `never` nowhere; see
            :mod:`invariant_lpips.inputs`. So on a GPU pass `always` to be told of images in the wrong range.
        repeat_grey: accepted for the sake of InvariantLPIPS, which needs it for grey images.
        checkpointing: as a loss, keep less for the backward pass and run the forward pass again there; without
            effect where parameters are trained. It may also be set later, as an attribute.

    Shape:
        in0, in1: (N, 3, H, W) in [-1, 1], or in [0, 1] with normalize=True; one of them may hold one image. As in lpips
            also (3, H, W), and grey (N, 1, H, W), (1, H, W) and (H, W), each alone or beside another shape.
        returns: (N, 1, 1, 1), or (N, 1, H, W) with spatial=True; >= 0, float32 (float64 metrics: float64); of an empty
            batch an empty result.

    Example:
        >>> import torch
        >>> from invariant_lpips import LPIPS
        >>> metric = LPIPS(net="alex")
        >>> x = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64)
        >>> metric(x, x).item()
        0.0
        >>> round(metric(x, x.flip(-1)).item(), 3)
        0.41
    """

    #: As pyiqa names what a metric's number means: full reference, smaller is more alike.
    lower_better: ClassVar[bool] = True
    metric_mode: ClassVar[str] = "FR"
    score_range: ClassVar[str] = "0, inf"

    @ordinary_tensors()
    def __init__(
        self,
        pretrained: bool = True,
        net: str = "alex",
        version: str = "0.1",
        lpips: bool = True,
        spatial: bool = False,
        pnet_rand: bool = False,
        pnet_tune: bool = False,
        use_dropout: bool = True,
        model_path: str | Path | None = None,
        eval_mode: bool = True,
        verbose: bool = True,
        *,
        checks: str = "auto",
        repeat_grey: bool = False,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        name = canonical_net(net, trained=True)
        if version not in ("0.0", "0.1"):
            raise ValueError(f"Argument `version` must be '0.0' or '0.1', but got {version!r}.")
        self.pnet_type = net
        self.pnet_tune = pnet_tune
        self.pnet_rand = pnet_rand
        self.spatial = spatial
        self.lpips = lpips
        self.version = version
        self.eval_mode = eval_mode
        self.checkpointing = checkpointing
        self.scaling_layer = ScalingLayer()
        architecture = ARCHITECTURES[name]
        self.chns = [architecture.taps[tap].channels for tap in architecture.lpips_taps]
        self.L = len(self.chns)
        with nullcontext() if pnet_rand else undrawn():
            self.net = Trunk(name)
        side = self.net.minimum_side(architecture.lpips_taps)
        self.images = ImageInput(side, checks=checks, repeat_grey=repeat_grey, as_lpips=True)
        if not pnet_rand:
            self.net.load_features(load_weights(architecture.name, dtype=None))
        self.net.requires_grad_(bool(pnet_tune))
        if not pnet_tune:
            freeze(self.net)
        if lpips:
            for k, channels in enumerate(self.chns):
                self.add_module(f"lin{k}", NetLinLayer(channels, use_dropout=use_dropout))
            self.lins = nn.ModuleList(getattr(self, f"lin{k}") for k in range(self.L))
            if pretrained:
                self._load_linear(name, model_path)
            self.lins.requires_grad_(not eval_mode)
            if eval_mode:
                freeze(self.lins)
        # Its public name came with torch 2.5.
        self._register_load_state_dict_pre_hook(_complete_lin_aliases, with_module=True)  # type: ignore[no-untyped-call]
        level = logging.INFO if verbose else logging.DEBUG
        if logger.isEnabledFor(level):
            logger.log(level, "%s", self.describe())
        self.train(not eval_mode)

    def forward(
        self, in0: Tensor, in1: Tensor, retPerLayer: bool = False, normalize: bool = False
    ) -> Tensor | tuple[Tensor, list[Tensor]]:
        """Distance of two batches; with retPerLayer also the list of each layer's part, whose sum it is.

        Raises:
            TypeError, ValueError: one sentence saying what was expected and what came.
        """
        layers = self._compared(in0, in1, normalize, ILF.upsample if self.spatial else _mean)
        total = torch.stack(layers).sum(0)
        return (total, layers) if retPerLayer else total

    def frames(self, in0: Tensor, in1: Tensor, normalize: bool = False, *, at_once: int = 8) -> Tensor:
        """Distances of videos, frame by frame, in memory that does not grow with their length.

        Args:
            in0, in1: (N, T, 3, H, W); one of them may hold a single video. Else as for :meth:`forward`.
            normalize: as for :meth:`forward`.
            at_once: frames of each video that go through the network together. Where a gradient is asked for and there
                are more frames than that, they go through it again in the backward pass.

        Returns:
            (N, T): `metric(in0[n], in1[n])`, to rounding.

        Raises:
            TypeError, ValueError: another shape, videos of different lengths, a metric with spatial=True; and as
                :meth:`forward`.

        Example:
            >>> metric = LPIPS(net="alex")
            >>> frames = torch.linspace(-1, 1, 64).expand(1, 3, 3, 64, 64)
            >>> changed = torch.stack([frames[:, 0], frames[:, 1].flip(-1), frames[:, 2] / 2], dim=1)
            >>> metric.frames(frames, changed)
            tensor([[0.0000, 0.4099, 0.1164]])
        """
        return by_frame(self, in0, in1, normalize=normalize, at_once=at_once)

    def maps(self, in0: Tensor, in1: Tensor, normalize: bool = False) -> Tensor:
        """(N, 1, H, W), where two batches differ: what a metric made with spatial=True returns."""
        return torch.stack(self._compared(in0, in1, normalize, ILF.upsample)).sum(0)

    def distances_and_maps(self, in0: Tensor, in1: Tensor, normalize: bool = False) -> tuple[Tensor, Tensor]:
        """What :meth:`forward` and :meth:`maps` return, (N, 1, 1, 1) and (N, 1, H, W), for the price of one; no graph.

        Example:
            >>> metric = LPIPS(net="alex")
            >>> x = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64)
            >>> distance, heat = metric.distances_and_maps(x, x.flip(-1))
            >>> torch.equal(distance, metric(x, x.flip(-1))), heat.shape
            (True, torch.Size([1, 1, 64, 64]))
        """
        with torch.no_grad():
            layers = self._compared(in0, in1, normalize, lambda layer, size: layer)
            size = (in0.shape[-2], in0.shape[-1])
            distances, maps = (
                [_mean(layer, size) for layer in layers],
                [ILF.upsample(layer, size) for layer in layers],
            )
            return torch.stack(distances).sum(0), torch.stack(maps).sum(0)

    def _compared(self, in0: Tensor, in1: Tensor, normalize: bool, give: Given) -> list[Tensor]:
        """What `give` makes of each layer's part of the distance of two batches."""
        x, y = self.images.pair(in0, in1, self.scaling_layer.shift, normalize=normalize)
        if not ILF.captured() and 0 in (x.shape[0], y.shape[0]):
            nothing = ILF.full_precision(x[:, :1] - y[:, :1])
            return [nothing[..., :1, :1] if give is _mean else nothing] * self.L
        if self.version == "0.1":
            x, y = self.scaling_layer(x), self.scaling_layer(y)
        taps = self.net.architecture.lpips_taps
        size = (x.shape[-2], x.shape[-1])
        # A max pool sends its gradient to the largest of neighbours that may differ in the last bit only. To send
        # it where lpips does, the convolutions have to round as lpips' do.
        graph = torch.is_grad_enabled() and (x.requires_grad or y.requires_grad or self.net.tuned)
        return reduce_pair(
            self.net,
            x,
            y,
            taps,
            lambda tap, f: (f,),
            lambda tap, fx, fy: give(self._layer(taps.index(tap), fx[0], fy[0]), size),
            apart=graph,
            checkpointing=self.checkpointing and not trained(self),
        )

    def _layer(self, k: int, fx: Tensor, fy: Tensor) -> Tensor:
        """Layer k's part at each place of its map, (N, 1, h, w)."""
        if not self.lpips:
            layer = ILF.unit_difference(fx, fy).square().sum(1, keepdim=True)
        elif self.training:  # the dropout acts on single differences, so they have to exist
            squared = ILF.unit_difference(fx, fy).square()
            layer = self.linear(k)(squared.to(self.linear(k).weight.dtype))
        else:
            (weight,) = self.linear(k).convolution.held("weight")
            layer = ILF.lpips_layer(fx, fy, weight.flatten())
        return layer

    def linear(self, k: int) -> NetLinLayer:
        """The linear layer of tap k."""
        layer = self.lins[k]
        assert isinstance(layer, NetLinLayer)
        return layer

    def requires_grad_(self, requires_grad: bool = True) -> LPIPS:
        """True lets everything be trained, False freezes it. What is said to a module around it does neither."""
        super().requires_grad_(requires_grad)
        return thaw(self) if requires_grad else freeze(self)

    def train(self, mode: bool = True) -> LPIPS:
        """A frozen metric (eval_mode=True) stays in eval mode whatever its parent module does."""
        return super().train(mode and not self.eval_mode)

    def describe(self) -> str:
        """What a paper should cite: network, version and the hashes of the weights held at this moment."""
        name = self.net.architecture.name
        trunk = "{} [{}]".format(*cite(name, self.net.features_state()))
        linear = "unweighted"
        if self.lpips:
            held = {f"lin{k}.weight": self.linear(k).weight for k in range(self.L)}
            linear = "{} [{}]".format(*cite(f"lpips-{self.net.net_name}-v{self.version}", held))
        return (
            f"LPIPS(net={name}, version={self.version}, trunk={trunk}, linear={linear}, "
            f"invariant-lpips {__version__})"
        )

    def extra_repr(self) -> str:
        return self.describe()

    def _load_linear(self, net: str, model_path: str | Path | None) -> None:
        if model_path is None:
            state = load_weights(f"lpips-{net}-v{self.version}")
        elif not isinstance(model_path, (str, os.PathLike)) or not Path(model_path).is_file():
            raise FileNotFoundError(
                f"Argument `model_path` must be a file of linear weights (.safetensors or .pth), but "
                f"{model_path!r} is none."
            )
        elif Path(model_path).suffix == ".safetensors":
            state = load_weights(str(model_path))
        else:
            state = _published_file(Path(model_path))
        found = {key.split(".")[0]: value for key, value in state.items() if key.startswith("lin")}
        for k in range(self.L):
            weight = self.linear(k).weight
            if f"lin{k}" not in found or found[f"lin{k}"].shape != weight.shape:
                raise ValueError(
                    f"Linear weights {model_path or net} must hold lin{k} of shape {tuple(weight.shape)} for "
                    f"net={net!r}, but hold {sorted(found)}; check that the file was made for this network."
                )
            values = found[f"lin{k}"].float()
            if not bool(((values >= 0) & (values <= LARGEST_WEIGHT)).all()):
                raise ValueError(
                    f"Linear weights {model_path or net} must lie in [0, {LARGEST_WEIGHT:g}], but some of lin{k} "
                    "don't: distances would be below 0 or no numbers."
                )
            with torch.no_grad():
                weight.copy_(values)


def _published_file(path: Path) -> dict[str, Tensor]:
    """The linear weights of a `.pth` file such as lpips' own."""
    data = read_whole(path)
    try:
        return read_tensors(data)
    except ValueError as error:
        raise ValueError(
            f"Linear weights {path} must be a state dict as torch.save writes it, but {error}; if you trust the file, "
            "safetensors.torch.save_file(torch.load(path, weights_only=True), 'x.safetensors') may convert it."
        ) from None


_LINEAR_NAME = re.compile(r"lins?\.?(\d+)\.model\.[01]\.weight")


def _complete_lin_aliases(module: nn.Module, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    # lpips registers each linear layer twice (lin0 and lins.0) and numbers its weight by whether a dropout
    # stands before it. A file may hold any of these names: each fills both of ours.
    assert isinstance(module, LPIPS)
    if not module.lpips:
        return
    for key in [key for key in state if key.startswith(prefix)]:
        match = _LINEAR_NAME.fullmatch(key.removeprefix(prefix))
        if match and int(match[1]) < module.L:
            weight = state.pop(key)
            place = len(module.linear(int(match[1])).model) - 1
            for owner in (f"lin{match[1]}", f"lins.{match[1]}"):
                state[f"{prefix}{owner}.model.{place}.weight"] = weight
