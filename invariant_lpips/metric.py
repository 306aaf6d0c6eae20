"""`InvariantLPIPS`: a perceptual distance that keeps agreeing with people when an image has moved.

The method is arXiv:2604.27870 (Alabau-Bosque et al. 2026): a frozen VGG-16 is read through global averages,
so that an image becomes one vector and the distance of two images is the root mean square difference of
their weighted vectors. See :mod:`invariant_lpips.heads` for the arithmetic of each head.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from invariant_lpips import inputs as C
from invariant_lpips.functional import euclidean_distances
from invariant_lpips.heads import make_head
from invariant_lpips.inputs import ImageInput, ScalingLayer
from invariant_lpips.registry.calibration import read_calibration, read_pooling
from invariant_lpips.registry.saved import Publishable, shown
from invariant_lpips.trunks import ALIASES, ARCHITECTURES, Summary, Trunk, canonical_net
from invariant_lpips.trunks.two_images import reduce_pair, summarise


@dataclass(frozen=True)
class Reference:
    """One side of a comparison, read once: what :meth:`InvariantLPIPS.reference` returns."""

    summaries: tuple[Summary, ...]
    size: tuple[int, int]
    #: What read it: network, head, pooling and padding.
    reader: str


class InvariantLPIPS(nn.Module, Publishable):
    """Perceptual distance of two images, called as lpips is called.

    Args:
        net: trunk: `vgg` (the one with learned weights), `alex` or `squeeze`; or a backbone of your own: a
            :class:`invariant_lpips.classifier.GAPClassifier`, the name of a bundled one, or its folder. On a trunk
            that was tuned, weights=None means `unit`: learned weights belong to the trunk they were learned on, and
            are refused on another. `invariant-lpips train linear --net` fits weights for it.
        head: `default` (`regional`), `gap`, `gap-spatial` or `spatial`; see :mod:`invariant_lpips.heads`.
        pooling: the trunk's downsampler: `max`, `blur` or `polyphase`; see :mod:`invariant_lpips.trunks.pooling`.
        padding: of the convolutions: `zeros` or `circular`; None is circular for polyphase, zeros otherwise.
        weights: None for the learned weights of this (net, head), those fitted with this pooling where there are any;
            `unit` for none (all 1); or a path to a .safetensors file with a tensor `weight`.
        spatial: return a map (N, 1, H, W) whose mean is d^2 (`spatial` head: d). It may be negative where a
            region draws the two images together.
        normalize: images are in [0, 1] instead of [-1, 1].
        checks: `auto`, `always` or `never`; see :mod:`invariant_lpips.inputs`.
        repeat_grey: accept (N, 1, H, W) and repeat it over three channels.
        checkpointing: as a loss, keep less for the backward pass and run the forward pass again there; see
            docs/speed.md. It may also be set later, as an attribute.

    Shape:
        in0, in1: (N, 3, H, W), any float dtype; one of them may hold a single image.
        returns: (N, 1, 1, 1), at least float32, >= 0 and 0 for equal images; (N, 1, H, W) with spatial=True.

    Raises:
        ValueError, TypeError: one sentence saying what was expected, what came and how to mend it.

    Example:
        >>> import torch
        >>> from invariant_lpips import InvariantLPIPS
        >>> metric = InvariantLPIPS(head="gap", weights="unit")
        >>> x = torch.linspace(-1, 1, 3 * 64 * 64).view(1, 3, 64, 64)
        >>> metric(x, x).item()
        0.0
        >>> metric(x, x.flip(-1)).shape
        torch.Size([1, 1, 1, 1])
        >>> metric.embed(x).shape
        torch.Size([1, 1472])
    """

    #: As pyiqa names what a metric's number means: full reference, smaller is more alike.
    lower_better: ClassVar[bool] = True
    metric_mode: ClassVar[str] = "FR"
    score_range: ClassVar[str] = "0, inf"

    def __init__(
        self,
        net: str | Path | nn.Module = "vgg",
        head: str = "default",
        pooling: str = "max",
        padding: str | None = None,
        weights: str | Path | None = None,
        spatial: bool = False,
        normalize: bool = False,
        *,
        checks: str = "auto",
        repeat_grey: bool = False,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        from invariant_lpips.registry import load_weights

        backbone = None
        if not isinstance(net, str) or (net not in ARCHITECTURES and net not in ALIASES):
            from invariant_lpips.classifier import trunk_from

            backbone = trunk_from(net)
        if backbone is not None and pooling == "max":  # the downsampler it was trained with
            pooling, padding = backbone.pooling, padding or backbone.padding
        self.net_name = canonical_net(str(net) if backbone is None else backbone.net)
        architecture = ARCHITECTURES[self.net_name]
        self.spatial = spatial
        self.normalize = normalize
        self.checkpointing = checkpointing
        self.scaling_layer = ScalingLayer()
        self.net = Trunk(
            self.net_name, pooling, padding or ("circular" if pooling == "polyphase" else "zeros")
        )
        if backbone is None:
            self.net.load_features(load_weights(architecture.name))
        else:
            self.net.load_features(backbone.state)
            weights = "unit" if weights is None and not backbone.bundled else weights
        self.head = make_head(head, self.net_name)
        #: Calibration of :meth:`jnd` that came with the weights: a, b, d0, low, high, bootstrap_low, bootstrap_high.
        self.jnd_fit: dict[str, float] | None = None
        #: The pooling that the weights and their calibration were fitted with.
        self.fitted_pooling = "max"
        self._trunk_hash = None if backbone is None else backbone.hash
        self.weights = self._load_head(weights, self._trunk_hash)
        self.images = ImageInput(
            self.net.minimum_side(self.head.taps), checks=checks, repeat_grey=repeat_grey
        )
        self.requires_grad_(False)
        self.eval()

    def forward(
        self,
        in0: Tensor | Reference,
        in1: Tensor | Reference,
        retPerLayer: bool = False,  # lpips' name
        normalize: bool | None = None,
    ) -> Tensor | tuple[Tensor, list[Tensor]]:
        """Distance of two batches.

        Args:
            in0, in1: (N, 3, H, W); either may be what :meth:`reference` returned.
            retPerLayer: also return the list of r_l, each (N, 1, 1, 1); they sum to d^2 (`spatial` head: d).
            normalize: images are in [0, 1]; None follows the constructor.

        Returns:
            (N, 1, 1, 1), or (N, 1, H, W) with spatial=True; with retPerLayer a tuple of it and the list.
        """
        normalize = self.normalize if normalize is None else normalize
        if isinstance(in0, Reference) or isinstance(in1, Reference):
            layers = self._against_reference(in0, in1, normalize)
            size = (0, 0)
        else:
            x, y = self.images.pair(in0, in1, self.scaling_layer.shift, normalize=normalize)
            size = (in0.shape[-2], in0.shape[-1])
            layers = self._maps(x, y, size) if self.spatial else self._layers(x, y, size)
        if self.spatial:
            total = torch.stack(layers).sum(0)
            return (total, layers) if retPerLayer else total
        distance = self.head.total(layers).view(-1, 1, 1, 1)
        return (distance, [layer.view(-1, 1, 1, 1) for layer in layers]) if retPerLayer else distance

    def reference(self, x: Tensor, normalize: bool | None = None) -> Reference:
        """Read one side once, without a graph: `metric(prediction, metric.reference(target))`.

        Args:
            x: (N, 3, H, W) as for :meth:`forward`.

        Returns:
            A :class:`Reference` to hand to :meth:`forward` in place of an image, as often as needed.
        """
        with torch.no_grad():
            return self._read(x, normalize)

    def embed(
        self, x: Tensor | Sequence[Tensor], normalize: bool | None = None, *, tile: int | None = None
    ) -> Tensor:
        """Embedding whose Euclidean distance is the metric: ||embed(x) - embed(y)|| = metric(x, y).

        Args:
            x: (N, 3, H, W), or a list of (3, H, W) or (1, 3, H, W) images, which may differ in size for the
                heads whose embedding has no size (`gap`).
            tile: read images in tiles of this side in pixels, so that memory doesn't grow with them: see
                :mod:`invariant_lpips.tiling`. No graph is kept.

        Returns:
            (N, C), at least float32; 1472 columns for `gap` on vgg.

        Raises:
            ValueError: the head has no Euclidean form, or sizes differ and the head's embedding depends on them.
        """
        self._require_euclidean("embed")
        if not isinstance(x, Tensor):
            images = [
                image.unsqueeze(0) if isinstance(image, Tensor) and image.dim() == 3 else image for image in x
            ]
            for k, image in enumerate(images):
                C.check_image(image, f"x[{k}]", grey=self.images.repeat_grey)
            if not images:
                raise ValueError("Argument `x` must hold at least one image, but got an empty list.")
            if not self.head.sizeless and len({image.shape[-2:] for image in images}) > 1:
                raise ValueError(
                    f"Images embedded with head={self.head.name!r} must have one size, since its embedding grows "
                    "with the image; resize them, or use head='gap', whose embedding has none."
                )
            return torch.cat([self.embed(image, normalize, tile=tile) for image in images])
        if tile is not None:
            from invariant_lpips.tiling import embed_in_tiles

            return embed_in_tiles(self, x, tile, normalize=self.normalize if normalize is None else normalize)
        summaries = self._summaries(x, normalize)
        return self._vector(summaries)

    def pairwise(
        self,
        x: Tensor | Sequence[Tensor],
        y: Tensor | Sequence[Tensor] | None = None,
        normalize: bool | None = None,
    ) -> Tensor:
        """All distances between two batches for the price of one forward per image.

        Args:
            x, y: as for :meth:`embed`; y=None compares x with itself.

        Returns:
            (N, M), at least float32, exactly 0 on the diagonal for y=None. Differences are taken before they
            are squared: the usual matrix product would lose near-duplicates entirely.
        """
        ex = self.embed(x, normalize)
        ey = ex if y is None else self.embed(y, normalize)
        if ex.shape[1] != ey.shape[1]:
            raise ValueError(
                f"Images compared with head={self.head.name!r} must have one size, since its embedding grows with "
                "the image; resize them, or use head='gap', whose embedding has none."
            )
        return euclidean_distances(ex, ey)

    def describe(self) -> str:
        """What a paper should cite: network, head, pooling, weights and the hashes of what is held now."""
        from invariant_lpips._version import __version__
        from invariant_lpips.registry.citation import cite_parameters

        trunk = cite_parameters(self.net.architecture.name, self.net.features_state())
        if self.weights == "unit" and bool((self.head.weight == 1).all()):
            learned = "unit"
        else:
            learned = cite_parameters(self.weights, {"weight": self.head.weight})
        return (
            f"InvariantLPIPS(net={trunk}, head={self.head.name}, pooling={self.net.pooling}, "
            f"padding={self.net.padding}, weights={learned}, invariant-lpips {__version__})"
        )

    def jnd(self, distance: Tensor) -> Tensor:
        """Distances in units of the just noticeable one: 1 is about what people just notice.

        d0 is the distance at which D = a d^b, fitted to TID2013's D = (10 - MOS) / 10, reaches 0.445, where
        arXiv:2407.17927 puts the detection thresholds of displacements (interval 0.390 to 0.499: see
        `jnd_fit`). That these hold for other distortions is an assumption.

        Args:
            distance: what :meth:`forward` or :meth:`pairwise` returned, any shape.

        Returns:
            distance / d0.

        Raises:
            ValueError: the weights in use carry no calibration, or one for another pooling.
        """
        if self.jnd_fit is None:
            raise ValueError(
                f"Weights {self.weights!r} carry no calibration to just noticeable differences; use weights that were "
                "trained on TID, such as the bundled ones of head='default'."
            )
        if self.net.pooling != self.fitted_pooling:
            raise ValueError(
                f"Weights {self.weights!r} are calibrated to just noticeable differences with "
                f"pooling={self.fitted_pooling!r}, but this metric has pooling={self.net.pooling!r}, whose distances "
                f"differ; use pooling={self.fitted_pooling!r}, or weights trained with this pooling."
            )
        return distance / self.jnd_fit["d0"]

    def use_linear_weights(self, state: Mapping[str, Tensor], name: str) -> None:
        """Copy the one tensor `weight` of `state` into the head; `name` is for the messages.

        Raises:
            ValueError: another tensor, another shape, or a weight below 0 or beyond all use.
        """
        expected = tuple(self.head.weight.shape)
        found = {key: tuple(value.shape) for key, value in state.items()}
        if found != {"weight": expected}:
            raise ValueError(
                f"Weights {name} for net={self.net_name!r} and head={self.head.name!r} must hold one tensor "
                f"`weight` of shape {expected}, but hold {shown(found)}."
            )
        if bool((state["weight"] < 0).any()):
            raise ValueError(
                f"Weights {name} must be non-negative, but some are below 0: distances would be too."
            )
        if not bool((state["weight"] <= C.LARGEST_WEIGHT).all()):
            raise ValueError(
                f"Weights {name} must be at most {C.LARGEST_WEIGHT:g}, but some are larger: distances would be no "
                "numbers."
            )
        with torch.no_grad():
            self.head.weight.copy_(state["weight"])

    def save_pretrained(self, folder: str | PathLike[str]) -> Path:
        """Write `config.json`, `model.safetensors` and a model card into `folder`, each whole or not at all."""
        from invariant_lpips.registry.saved_metric import save

        return save(self, Path(folder))

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | PathLike[str],
        *,
        revision: str | None = None,
        cache_dir: str | PathLike[str] | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
        force_download: bool = False,
        **changes: Any,
    ) -> InvariantLPIPS:
        """Load what :meth:`save_pretrained` or :meth:`push_to_hub` wrote.

        Args:
            name_or_path: a folder, a Hub repository ("owner/name" or "owner/name@revision"), or the name of
                bundled weights (`vgg16-regional`, ...).
            revision: branch, tag or commit; a commit pins the weights for good.
            cache_dir, token, local_files_only, force_download: as for huggingface_hub, whose environment
                variables (`HF_HUB_OFFLINE`, `HF_ENDPOINT`, `HF_HOME`, ...) hold too.
            changes: `spatial`, `normalize`, `checks` or `repeat_grey`, in place of what was saved.

        Raises:
            OSError: no such folder or repository, no permission, no connection.
            ValueError: files that are not a saved metric, or not the ones that were saved.

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     _ = InvariantLPIPS("alex", "gap", weights="unit").save_pretrained(folder)
            ...     InvariantLPIPS.from_pretrained(folder, normalize=True).head.name
            'gap'
        """
        from invariant_lpips.registry.download import Access
        from invariant_lpips.registry.saved_metric import load

        return load(
            cls, name_or_path, Access(revision, cache_dir, token, local_files_only, force_download), **changes
        )

    def train(self, mode: bool = True) -> InvariantLPIPS:
        """The metric is frozen: it stays in eval mode whatever its parent module does."""
        return super().train(False)

    def extra_repr(self) -> str:
        return self.describe()

    def _learned_weights(self) -> str:
        """The bundled weights for this trunk and head: those fitted with its pooling, else those fitted with max."""
        from invariant_lpips.registry import ENTRIES, linear_name

        trunk, head = self.net.architecture.name, self.head.name
        own = linear_name(trunk, head, self.net.pooling)
        return own if own in ENTRIES else linear_name(trunk, head)

    def _load_head(self, weights: str | Path | None, backbone: str | None) -> str:
        """Load linear weights; `backbone` is the hash of a trunk that is not this network's bundled one."""
        from invariant_lpips.registry import ENTRIES, load_metadata, load_weights, weights_hash

        if weights == "unit":
            return "unit"
        name = self._learned_weights() if weights is None else str(weights)
        if name not in ENTRIES and weights is None:
            raise ValueError(
                f"No learned weights come with net={self.net_name!r} and head={self.head.name!r}; pass "
                "weights='unit' to weigh all channels alike, or a path to weights of your own."
            )
        self.use_linear_weights(load_weights(name), name)
        metadata = load_metadata(name)
        trunk = backbone or weights_hash(self.net.architecture.name)
        if (learned_on := metadata.get("trunk", trunk)) != trunk:
            raise ValueError(
                f"Weights {name} must have been learned on the trunk of this metric [{trunk}], but were learned on "
                f"{shown(learned_on)}; pass weights='unit', or fit weights for this trunk with `invariant-lpips train "
                "linear --net`."
            )
        self.jnd_fit = read_calibration(metadata, name)
        self.fitted_pooling = read_pooling(metadata, name)
        return name

    def _layers(self, x: Tensor, y: Tensor, size: tuple[int, int]) -> list[Tensor]:
        head = self.head
        counts: dict[str, int] = {}

        def contrast(tap: str, sx: Summary, sy: Summary) -> Tensor:
            counts[tap] = head.count(tap, sx)
            return head.layer(tap, sx, sy)

        layers = reduce_pair(
            self.net,
            self.scaling_layer(x),
            self.scaling_layer(y),
            head.taps,
            lambda tap, f: head.summary(tap, f, size),
            contrast,
            checkpointing=self._checkpoints,
        )
        return [layer / self._denominator(counts.values()) for layer in layers]

    def _maps(self, x: Tensor, y: Tensor, size: tuple[int, int]) -> list[Tensor]:
        head = self.head
        counts: dict[str, int] = {}

        def contrast(tap: str, fx: Summary, fy: Summary) -> Tensor:
            counts[tap] = head.count(tap, head.summary(tap, fx[0][:1], size))
            return head.heat(tap, fx[0], fy[0], size)

        scaled = self.scaling_layer(x), self.scaling_layer(y)
        maps = reduce_pair(
            self.net, *scaled, head.taps, lambda tap, f: (f,), contrast, checkpointing=self._checkpoints
        )
        return [layer / self._denominator(counts.values()) for layer in maps]

    def _summaries(self, x: Tensor, normalize: bool | None) -> list[Summary]:
        image = self.images(
            x, self.scaling_layer.shift, normalize=self.normalize if normalize is None else normalize
        )
        size = (image.shape[-2], image.shape[-1])
        scaled = self.scaling_layer(image)
        return summarise(
            self.net,
            scaled,
            self.head.taps,
            lambda tap, f: self.head.summary(tap, f, size),
            checkpointing=self._checkpoints,
        )

    def _read(self, x: Tensor, normalize: bool | None) -> Reference:
        return Reference(tuple(self._summaries(x, normalize)), (x.shape[-2], x.shape[-1]), self._reader)

    @property
    def _reader(self) -> str:
        return (
            f"net={self._trunk_hash or self.net_name}, head={self.head.name}, pooling={self.net.pooling}, "
            f"padding={self.net.padding}"
        )

    def _vector(self, summaries: Sequence[Summary]) -> Tensor:
        head = self.head
        pairs = list(zip(head.taps, summaries, strict=True))
        vector = torch.cat([head.vector(tap, summary) for tap, summary in pairs], dim=1)
        count = self._denominator([head.count(tap, summary) for tap, summary in pairs])
        # Not math.sqrt, which would fix the size in an exported graph.
        mean: Tensor = vector / count**0.5
        return mean

    def _denominator(self, counts: Iterable[int]) -> int:
        return sum(counts) if self.head.euclidean else 1

    def _against_reference(
        self, in0: Tensor | Reference, in1: Tensor | Reference, normalize: bool
    ) -> list[Tensor]:
        if self.spatial:
            raise ValueError(
                "A map (spatial=True) needs both images, but one of them is a Reference, which keeps summaries only; "
                "pass the image itself."
            )
        x, y = (side if isinstance(side, Reference) else self._read(side, normalize) for side in (in0, in1))
        for side in (x, y):
            if side.reader != self._reader:
                raise ValueError(
                    f"A Reference must have been read by this metric ({self._reader}), but was read by another "
                    f"({side.reader}); read the image again with this metric's `reference`."
                )
        if not self.head.sizeless:
            C.check_same_size(x.size, y.size)
        C.check_batches(x.summaries[0][0].shape[0], y.summaries[0][0].shape[0])
        head = self.head
        taps = list(zip(head.taps, x.summaries, y.summaries, strict=True))
        count = self._denominator([head.count(tap, sx) for tap, sx, _ in taps])
        return [head.layer(tap, sx, sy) / count for tap, sx, sy in taps]

    @property
    def _checkpoints(self) -> bool:
        # What runs again hands gradients to images alone.
        return self.checkpointing and not any(parameter.requires_grad for parameter in self.parameters())

    def _require_euclidean(self, what: str) -> None:
        if not self.head.euclidean:
            raise ValueError(
                f"Head {self.head.name!r} has no Euclidean form and so no `{what}`; use head='regional', 'gap' or "
                "'gap-spatial'."
            )
