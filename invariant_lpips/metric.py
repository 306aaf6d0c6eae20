"""`InvariantLPIPS`: a perceptual distance as lpips is one, of which what has moved can be told apart.

A frozen VGG-16 is read through statistics of its activations, so that an image becomes one vector, and the distance of
two images is the root mean square difference of their weighted vectors. With head `gap` the statistics are averages
over the whole picture, the method of arXiv:2604.27870 (Alabau-Bosque et al. 2026); the default, `regional`, takes them
in windows. See :mod:`invariant_lpips.heads` for the arithmetic of each head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from invariant_lpips._version import __version__
from invariant_lpips.frames import by_frame
from invariant_lpips.functional import captured, euclidean_distances
from invariant_lpips.heads import Contrast, make_head
from invariant_lpips.inputs import ImageInput, ScalingLayer, check_batches, check_image, check_same_size
from invariant_lpips.motion import MODELS, Comparison, Motion, compensated, estimate_motion
from invariant_lpips.motion.price import multiples, with_motion
from invariant_lpips.registry import ENTRIES, saved_metric, saved_reference
from invariant_lpips.registry.card import metric_card
from invariant_lpips.registry.download import Access
from invariant_lpips.registry.identity import OWN, Identity, cite, in_float32
from invariant_lpips.registry.linear import (
    LinearWeights,
    calibration_metadata,
    checked_weight,
    learned_weights,
    saved_weights,
    weight_hash,
)
from invariant_lpips.registry.saved import Saved, SavedModel
from invariant_lpips.registry.trunk_weights import TrunkWeights, bundled_trunk, trunk_from, trunk_of
from invariant_lpips.statistics.thresholds import PIXELS_PER_DEGREE
from invariant_lpips.tiling import embed_in_tiles
from invariant_lpips.trunks import Summary, Trunk
from invariant_lpips.trunks.chroma import ChromaLowPass
from invariant_lpips.trunks.frozen_weights import freeze, ordinary_tensors, thaw, trained, undrawn
from invariant_lpips.trunks.pooling import default_padding
from invariant_lpips.trunks.two_images import reduce_pair, summarise


@dataclass(frozen=True, repr=False)
class Reference:
    """One side of a comparison, read once: what :meth:`InvariantLPIPS.reference` returns.

    Example:
        >>> import tempfile
        >>> metric = InvariantLPIPS("alex", "gap", weights="unit")
        >>> x = torch.linspace(-1, 1, 2 * 3 * 64 * 64).view(2, 3, 64, 64)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     metric.reference(x).save(f"{folder}/originals.safetensors")
        ...     kept = Reference.load(f"{folder}/originals.safetensors", metric)
        >>> kept
        Reference(2 images of 64x64, read by net=alex, head=gap)
        >>> metric(x, kept).flatten()
        tensor([0., 0.])
    """

    summaries: tuple[Summary, ...]
    size: tuple[int, int]
    #: What read it.
    reader: Identity
    #: The images themselves, in [-1, 1]: a metric that measures motion has to move them.
    images: Tensor | None = None

    def __repr__(self) -> str:
        count, (height, width) = self.summaries[0][0].shape[0], self.size
        reader = f"net={self.reader.net}, head={self.reader.head}"  # who that is to the last bit: `reader`
        return f"Reference({count} image{'s' * (count != 1)} of {height}x{width}, read by {reader})"

    def to(self, *where: Any, **how: Any) -> Reference:
        """The same on another device, or in another precision: arguments as of torch's `to`."""
        return replace(
            self,
            summaries=tuple(tuple(part.to(*where, **how) for part in tap) for tap in self.summaries),
            images=None if self.images is None else self.images.to(*where, **how),
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write a safetensors file, whole or not at all.

        Raises:
            ValueError: it holds numbers that are not finite.
            OSError: it can't be written.
        """
        saved_reference.write(Path(path), self.summaries, self.size, self.reader, self.images)

    @classmethod
    def load(cls, path: str | PathLike[str], metric: InvariantLPIPS | None = None) -> Reference:
        """Read what :meth:`save` wrote.

        Args:
            path: of the file.
            metric: the one it will be compared by: it must read pictures like the one that read these, and the
                reference is brought to its device. None asks that when they are compared, and stays on the CPU.

        Raises:
            ValueError: the file is no saved reference or not as it was written, or another metric read it.
            OSError: it can't be read.
        """
        found = cls(*saved_reference.read(Path(path)))
        return found if metric is None else metric._checked(found.to(metric.head.weight.device))


class InvariantLPIPS(nn.Module, Saved):
    """Perceptual distance of two images, called as lpips is called.

    Args:
        net: trunk: `vgg`, `alex` (a tenth of its time or less), `pixels` (filters in place of a network:
            :mod:`invariant_lpips.trunks.pixels`) or `squeeze` (no learned weights); or a backbone of your own: a
            :class:`invariant_lpips.classifier.GAPClassifier`, the name of a bundled one, or its folder. On a trunk
            that was tuned, weights=None means `unit`: learned weights belong to the trunk they were learned on, and
            are refused on another. `invariant-lpips train linear --net` fits weights for it.
        head: `default` (`regional`), `regional-32` (alex, pixels), `gap`, `gap-spatial` or `spatial`; see
            :mod:`invariant_lpips.heads`.
        pooling: the trunk's downsampler: `max`, `blur` (vgg, alex) or `polyphase` (vgg); see
            :mod:`invariant_lpips.trunks.pooling`. None is what a backbone of your own was trained with, else `max`.
        padding: of the convolutions: `zeros` or `circular`; None is circular for polyphase, zeros otherwise (for a
            backbone of your own whose pooling is not chosen: what it was trained with).
        weights: None for the learned weights of this (net, head), those fitted with this pooling where there are any;
            `unit` for none (all 1); or a path to a .safetensors file with a tensor `weight`.
        spatial: return a map (N, 1, H, W) whose mean is d^2 (`spatial` head: d). It may be negative where a
            region draws the two images together.
        normalize: images are in [0, 1] instead of [-1, 1].
        motion: what of a pair's motion is measured, undone and priced apart from the rest: `shift`, `similarity`
            (shift, turn and zoom), `affine`, or `local` (a similarity, and smooth displacements of parts beside it);
            None for nothing. See docs/motion.md.
        pixels_per_degree: of visual angle, at which a shift is priced, for a metric with `motion`. None is 29, that of
            the study of thresholds; a full-HD screen of 52 cm seen from 57 cm has 37, a phone at arm's length about 60,
            RAID's display 71. In general pi / 180 * distance to the screen / size of a pixel.
        checks: `auto` looks at values (NaN, range) on the CPU only, `always` on every device, `never` nowhere; see
            :mod:`invariant_lpips.inputs`. So on a GPU pass `always` to be told of images in the wrong range.
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

    _motion: str | None = None
    _pixels_per_degree: float = PIXELS_PER_DEGREE["the study"]

    @ordinary_tensors()
    def __init__(
        self,
        net: str | Path | nn.Module | TrunkWeights = "vgg",
        head: str = "default",
        pooling: str | None = None,
        padding: str | None = None,
        weights: str | Path | None = None,
        spatial: bool = False,
        normalize: bool = False,
        *,
        motion: str | None = None,
        pixels_per_degree: float | None = None,
        checks: str = "auto",
        repeat_grey: bool = False,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        trunk = trunk_from(net) or bundled_trunk(str(net))
        if pooling is None:  # the downsampler that the trunk was trained with
            pooling, padding = trunk.pooling, padding or trunk.padding
        padding = padding or default_padding(pooling)
        self.net_name = trunk.net
        self.spatial = spatial
        self.normalize = normalize
        self.checkpointing = checkpointing
        self.scaling_layer = ScalingLayer()
        self.head = make_head(head, trunk.net)
        chroma = ChromaLowPass(self.scaling_layer.scale, padding) if self.head.coarse_colour else None
        with undrawn():
            self.net = Trunk(trunk.net, pooling, padding, chroma)
        self.net.load_features(trunk.state)
        #: The trunk's name and hash, and the state of its parameters for which they hold.
        self._trunk = (self._parameters_state(), (trunk.name, trunk.hash))
        self._use(learned_weights(weights, trunk, self.head.name, pooling, self.head.weight.numel()))
        self.images = ImageInput(
            self.net.minimum_side(self.head.taps), checks=checks, repeat_grey=repeat_grey
        )
        self._measure(motion, pixels_per_degree)
        self.requires_grad_(False)
        self.eval()

    def forward(
        self,
        in0: Tensor | Reference,
        in1: Tensor | Reference,
        retPerLayer: bool = False,  # lpips' name
        normalize: bool | None = None,
        *,
        mask: Tensor | None = None,
    ) -> Tensor | tuple[Tensor, list[Tensor]]:
        """Distance of two batches.

        Args:
            in0, in1: (N, 3, H, W); either may be what :meth:`reference` returned.
            retPerLayer: also return the list of r_l, each (N, 1, 1, 1); they sum to d^2 (`spatial` head: d).
            normalize: images are in [0, 1]; None follows the constructor.
            mask: (N or 1, 1, H, W), bool or floating point in [0, 1], how much each pixel counts. What it hides is
                replaced by mid-grey in both images, and means go over what it shows, so that nothing hidden matters.
                Not with motion, maps, References or head `gap-spatial`.

        Returns:
            (N, 1, 1, 1), or (N, 1, H, W) with spatial=True; with retPerLayer a tuple of it and the list.
        """
        layers, motion = self._compared(in0, in1, normalize, maps=self.spatial, mask=mask)
        if self.spatial:
            total = torch.stack(layers).sum(0)
            return (total, layers) if retPerLayer else total
        thresholds = None if motion is None else multiples(motion, self.pixels_per_degree)
        distance = self._priced(self.head.total(layers), thresholds).view(-1, 1, 1, 1)
        return (distance, [layer.view(-1, 1, 1, 1) for layer in layers]) if retPerLayer else distance

    def frames(
        self,
        in0: Tensor,
        in1: Tensor,
        normalize: bool | None = None,
        *,
        mask: Tensor | None = None,
        at_once: int = 8,
    ) -> Tensor:
        """Distances of videos, frame by frame, in memory that does not grow with their length.

        Args:
            in0, in1: (N, T, 3, H, W); one of them may hold a single video. Else as for :meth:`forward`.
            normalize: as for :meth:`forward`.
            mask: how much each pixel counts: (N or 1, T, 1, H, W), or (N or 1, 1, H, W) for all frames; else as for
                :meth:`forward`.
            at_once: frames of each video that go through the network together. Where a gradient is asked for and there
                are more frames than that, they go through it again in the backward pass.

        Returns:
            (N, T), at least float32: `metric(in0[n], in1[n])`, to rounding.

        Raises:
            TypeError, ValueError: another shape, videos of different lengths, a metric with spatial=True; and as
                :meth:`forward`.

        Example:
            >>> metric = InvariantLPIPS("alex")
            >>> frames = torch.linspace(-1, 1, 64).expand(1, 3, 3, 64, 64)
            >>> changed = torch.stack([frames[:, 0], frames[:, 1].flip(-1), frames[:, 2] / 2], dim=1)
            >>> metric.frames(frames, changed)
            tensor([[0.0000, 0.8358, 0.3048]])
        """
        return by_frame(self, in0, in1, normalize=normalize, at_once=at_once, mask=mask)

    def maps(self, in0: Tensor, in1: Tensor, normalize: bool | None = None) -> Tensor:
        """Where two batches differ: what a metric made with spatial=True returns.

        Args:
            in0, in1, normalize: as for :meth:`forward`; a Reference keeps too little for a map.

        Returns:
            (N, 1, H, W), at least float32, whose mean is d^2 (`spatial` head: d). With `motion`, the map of the
            pictures half way between, whose mean is appearance^2.
        """
        return torch.stack(self._compared(in0, in1, normalize, maps=True)[0]).sum(0)

    def distances_and_maps(
        self, in0: Tensor, in1: Tensor, normalize: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        """What :meth:`forward` and :meth:`maps` return, for the price of one; without a graph.

        Args:
            in0, in1, normalize: as for :meth:`maps`.

        Returns:
            (N, 1, 1, 1) and (N, 1, H, W), at least float32: to rounding what the two return.

        Raises:
            ValueError: as :meth:`forward`; or the metric measures motion, whose map is that of other pictures.

        Example:
            >>> metric = InvariantLPIPS("alex")
            >>> x = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64)
            >>> distance, heat = metric.distances_and_maps(x, x.flip(-1))
            >>> round(distance.item(), 4), round(heat.mean().sqrt().item(), 4)
            (0.8358, 0.8358)
        """
        if self.motion is not None:
            raise ValueError(
                "Where motion is measured, ask `compare` for the distance and `maps` for the map."
            )
        with torch.no_grad():
            left, right = self.images.pair(
                in0, in1, self.scaling_layer.shift, normalize=self._normalizes(normalize)
            )
            contrast = Contrast(self.head, (left.shape[-2], left.shape[-1]), maps=True, both=True)
            numbers, heat = contrast.apart(self._contrast(contrast, left, right))
            return self.head.total(numbers).view(-1, 1, 1, 1), torch.stack(heat).sum(0)

    def compare(
        self,
        in0: Tensor | Reference,
        in1: Tensor | Reference,
        normalize: bool | None = None,
        *,
        mask: Tensor | None = None,
    ) -> Comparison:
        """What moved between two batches, and what changed besides; without a graph.

        Args:
            in0, in1, normalize, mask: as for :meth:`forward`.

        Returns:
            A :class:`~invariant_lpips.motion.Comparison`, whose `distance` is what :meth:`forward` returns. With
            motion=None nothing is looked for, and all of the distance is appearance.

        Raises:
            ValueError: as :meth:`forward`; or the weights carry no calibration to just noticeable distances.

        Example:
            >>> metric = InvariantLPIPS(motion="similarity")
            >>> x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
            >>> x = nn.functional.interpolate(x, (128, 144), mode="bicubic").clamp(-1, 1)
            >>> print(metric.compare(x[..., :128], x[..., 6:134]))
            moved 6.0 px to the left; looks 0.0... apart otherwise; 0.92 times just noticeable in all
        """
        one = self.jnd(torch.ones(()))
        with torch.no_grad():
            layers, motion = self._compared(in0, in1, normalize, maps=False, mask=mask)
            appearance = self.head.total(layers)
            if motion is None:
                sides = [side.size if isinstance(side, Reference) else side.shape[-2:] for side in (in0, in1)]
                motion = Motion.none(len(appearance), (sides[0][0], sides[0][1]), appearance.device)
            thresholds = multiples(motion, self.pixels_per_degree)
            return Comparison(
                distance=self._priced(appearance, thresholds),
                appearance=appearance,
                motion=thresholds,
                moved=motion,
                just_noticeable=1 / float(one),
                measured=self.motion is not None,
            )

    def _compared(
        self,
        in0: Tensor | Reference,
        in1: Tensor | Reference,
        normalize: bool | None,
        *,
        maps: bool,
        mask: Tensor | None = None,
    ) -> tuple[list[Tensor], Motion | None]:
        """r_l of two batches, (N,) or (N, 1, H, W) a tap, and the motion that was undone before, if it is measured."""
        normalize = self._normalizes(normalize)
        if mask is not None:
            return self._masked(in0, in1, normalize, mask, maps=maps), None
        if isinstance(in0, Reference) or isinstance(in1, Reference):
            return self._against_reference(in0, in1, normalize, maps=maps)
        left, right = self.images.pair(in0, in1, self.scaling_layer.shift, normalize=normalize)
        if self.motion is None:
            return self._contrasted(left, right, maps=maps), None
        motion, left, right = self._still(left, right)
        return self._contrasted(left, right, maps=maps), motion

    def _still(self, x: Tensor, y: Tensor) -> tuple[Motion, Tensor, Tensor]:
        """The motion between two batches in [-1, 1], and the batches with it undone; as they came where it is none."""
        assert self.motion is not None
        pairs = max(x.shape[0], y.shape[0])
        every_x, every_y = (
            side if side.shape[0] == pairs else side.expand(pairs, -1, -1, -1) for side in (x, y)
        )
        motion = estimate_motion(every_x, every_y, self.motion)
        if bool(motion.found.any()):
            # What only one shows is copied into the other. The mean is not divided by the share that both show: windows
            # on its border would then count too much (docs/motion.md).
            x, y, _ = compensated(every_x, every_y, motion)
            moved = motion.found.to(x.device).view(-1, 1, 1, 1)
            x, y = (
                torch.where(moved, side.clamp(-1, 1), side) for side in (x, y)
            )  # splines overshoot a little
        return motion, x, y

    def _masked(
        self,
        in0: Tensor | Reference,
        in1: Tensor | Reference,
        normalize: bool,
        mask: Tensor,
        *,
        maps: bool,
    ) -> list[Tensor]:
        """r_l of what a mask shows of two batches."""
        if maps or self.motion is not None or isinstance(in0, Reference) or isinstance(in1, Reference):
            raise ValueError(
                "Argument `mask` is for distances of two images as they lie: leave it out with spatial=True, motion or "
                "a Reference."
            )
        left, right = self.images.pair(in0, in1, self.scaling_layer.shift, normalize=normalize)
        mask = self.images.mask(mask, left if left.shape[0] >= right.shape[0] else right)
        left, right = left * mask, right * mask  # 0 is mid-grey
        if mask.shape[0] == 1:
            return self._contrasted(left, right, maps=False, mask=mask)
        # Large batches go through the trunk in parts, which a mask of their own for each would have to follow.
        pairs = [
            self._contrasted(
                *(side[k % len(side)].unsqueeze(0) for side in (left, right)), maps=False, mask=one
            )
            for k, one in enumerate(torch.split(mask, 1))
        ]
        return [torch.cat(of_tap) for of_tap in zip(*pairs, strict=True)]

    def _contrasted(
        self, left: Tensor, right: Tensor, *, maps: bool, mask: Tensor | None = None
    ) -> list[Tensor]:
        """r_l of two batches in [-1, 1]."""
        contrast = Contrast(self.head, (left.shape[-2], left.shape[-1]), maps=maps, mask=mask)
        return self._contrast(contrast, left, right)

    def _contrast(self, contrast: Contrast, left: Tensor, right: Tensor) -> list[Tensor]:
        """What a contrast makes of two batches that go through the trunk, tap by tap."""
        return contrast.layers(
            reduce_pair(
                self.net,
                self.scaling_layer(left),
                self.scaling_layer(right),
                self.head.taps,
                contrast.keep,
                contrast,
                checkpointing=self._checkpoints,
            )
        )

    def _priced(self, appearance: Tensor, thresholds: Tensor | None) -> Tensor:
        """(N,) distances with the price of motions of so many thresholds."""
        if thresholds is None or not bool(thresholds.any()):
            return appearance
        assert self.jnd_fit is not None
        # Thresholds lie on the CPU where the device has no float64.
        return with_motion(appearance, thresholds.to(appearance), self.jnd_fit)

    def reference(self, x: Tensor, normalize: bool | None = None) -> Reference:
        """Read one side once, without a graph: `metric(prediction, metric.reference(target))`.

        Args:
            x: (N, 3, H, W) as for :meth:`forward`.

        Returns:
            A :class:`Reference` to hand to :meth:`forward` in place of an image, as often as needed; its `save` keeps
            it on disk.
        """
        with torch.no_grad():
            return self._read(self._prepared(x, normalize).detach())

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
                check_image(image, f"x[{k}]", grey=self.images.repeat_grey)
            if not images:
                raise ValueError("Argument `x` must hold at least one image, but got an empty list.")
            if not self.head.sizeless and len({image.shape[-2:] for image in images}) > 1:
                raise ValueError(
                    f"Images embedded with head={self.head.name!r} must have one size, since its embedding grows "
                    "with the image; resize them, or use head='gap', whose embedding has none."
                )
            return torch.cat([self.embed(image, normalize, tile=tile) for image in images])
        if tile is not None:
            return embed_in_tiles(self, x, tile, normalize=self._normalizes(normalize))
        return self.head.embedding(self._summaries(self._prepared(x, normalize)))

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

        Raises:
            ValueError: as for :meth:`embed`, of x and y together.
        """
        self._require_euclidean("pairwise")
        ex = self.embed(x, normalize)
        if y is None:
            return euclidean_distances(ex, ex)
        ey = self.embed(y, normalize)
        # Not their columns: pictures of 64 x 128 and 128 x 64 have as many, with other meanings.
        if not self.head.sizeless and x[0].shape[-2:] != y[0].shape[-2:]:
            raise ValueError(
                f"Images compared with head={self.head.name!r} must have one size, since its embedding grows with "
                "the image; resize them, or use head='gap', whose embedding has none."
            )
        return euclidean_distances(ex, ey)

    @property
    def identity(self) -> Identity:
        """Who this metric is: network, head, pooling, weights, and the hashes of the parameters it holds now."""
        trunk = cite(self.net.architecture.name, self.net.features_state())
        return self._identity(trunk, self._linear.cite(self.head.weight))

    def describe(self) -> str:
        """What a paper should cite: :attr:`identity` as one sentence."""
        return str(self.identity)

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
        weight = checked_weight(
            state, name, net=self.net_name, head=self.head.name, count=self.head.weight.numel()
        )
        self._use(
            LinearWeights(OWN, weight_hash(weight), weight)
        )  # what they were calibrated to is not known

    def config(self) -> dict[str, Any]:
        """What `config.json` says of this metric; see :mod:`invariant_lpips.registry.saved_metric`."""
        who = self.identity
        bundled = who.trunk == self.net.architecture.name
        return {
            "format": saved_metric.FORMAT,
            "version": who.version,
            "net": who.net,
            "head": who.head,
            "pooling": who.pooling,
            "padding": who.padding,
            "spatial": self.spatial,
            "normalize": self.normalize,
            "repeat_grey": self.images.repeat_grey,
            "weights": who.weights if who.weights == "unit" or who.weights in ENTRIES else "own",
            "trunk": {"name": who.trunk if bundled else "tuned", "hash": who.trunk_hash},
            **(
                {}
                if self.motion is None
                else {"motion": self.motion, "pixels_per_degree": self.pixels_per_degree}
            ),
        }

    def _tensors(self, config: Mapping[str, Any]) -> Mapping[str, Tensor]:
        # Without a tuned trunk this is also a file for `InvariantLPIPS(weights=...)`.
        trunk = self.net.features_state() if config["trunk"]["name"] == "tuned" else {}
        return in_float32({"weight": self.head.weight, **trunk})

    def _metadata(self, config: Mapping[str, Any]) -> Mapping[str, str]:
        return calibration_metadata(self.jnd_fit, self.fitted_pooling)

    def _card(self, config: Mapping[str, Any], file: bytes) -> str:
        return metric_card(self.identity, config)

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
        access = Access(revision, cache_dir, token, local_files_only, force_download)
        if (named := saved_metric.bundled(name_or_path, access)) is not None:
            return cls(*named, **changes)
        return cls._from_saved(saved_metric.read(name_or_path, access), **changes)

    @classmethod
    @ordinary_tensors()
    def _from_saved(cls, saved: SavedModel, **changes: Any) -> InvariantLPIPS:
        config = saved.config
        options = {key: config[key] for key in ("spatial", "normalize", "repeat_grey")} | changes
        # Motion is priced by the calibration of the weights, which come last.
        motion = {key: options.pop(key, config.get(key)) for key in ("motion", "pixels_per_degree")}
        trunk = trunk_of(saved, "distances would be others")
        metric = cls(trunk, config["head"], config["pooling"], config["padding"], "unit", **options)
        metric._use(
            saved_weights(saved, net=trunk.net, head=metric.head.name, count=metric.head.weight.numel())
        )
        if motion["motion"] is None and "pixels_per_degree" not in changes:
            motion["pixels_per_degree"] = None  # saved for a motion that is measured no more
        metric._measure(**motion)
        return metric

    def requires_grad_(self, requires_grad: bool = True) -> InvariantLPIPS:
        """True lets everything be trained, False freezes it. What is said to a module around it does neither."""
        super().requires_grad_(requires_grad)
        return thaw(self) if requires_grad else freeze(self)

    def train(self, mode: bool = True) -> InvariantLPIPS:
        """The metric is frozen: it stays in eval mode whatever its parent module does."""
        return super().train(False)

    def extra_repr(self) -> str:
        return self.describe()

    def _use(self, linear: LinearWeights) -> None:
        self._linear = linear
        #: The name of the linear weights that were loaded.
        self.weights = linear.name
        #: Calibration of :meth:`jnd` that came with the weights: a, b, d0, low, high, bootstrap_low, bootstrap_high.
        self.jnd_fit = linear.calibration
        #: The pooling that the weights and their calibration were fitted with.
        self.fitted_pooling = linear.fitted_pooling
        with torch.no_grad():
            self.head.weight.copy_(linear.weight)
        if self.head.frozen:
            self.head.freeze()

    def _identity(self, trunk: tuple[str, str], weights: tuple[str, str]) -> Identity:
        return Identity(
            self.net_name,
            self.head.name,
            self.net.pooling,
            self.net.padding,
            *trunk,
            *weights,
            self.fitted_pooling,
            __version__,
            "none" if self.motion is None else f"{self.motion} at {self.pixels_per_degree:g} px per degree",
        )

    @property
    def _reader(self) -> Identity:
        """Who reads a Reference. The trunk's parameters are hashed again only when something has changed them."""
        state = self._parameters_state()
        if state is not None and state != self._trunk[0]:
            self._trunk = state, cite(self.net.architecture.name, self.net.features_state())
        return self._identity(self._trunk[1], (self._linear.name, self._linear.hash))

    def _parameters_state(self) -> tuple[tuple[int, int], ...] | None:
        """Where the trunk's parameters lie and how often they were written; None where that can't be known."""
        if captured():
            return None
        try:
            return tuple((p.data_ptr(), 0 if p.is_inference() else p._version) for p in self.net.parameters())
        except RuntimeError:  # torch.func's parameters lie nowhere
            return None

    def _prepared(self, x: Tensor, normalize: bool | None) -> Tensor:
        """One side, checked, in [-1, 1]."""
        image: Tensor = self.images(x, self.scaling_layer.shift, normalize=self._normalizes(normalize))
        return image

    def _summaries(self, image: Tensor) -> list[Summary]:
        size = (image.shape[-2], image.shape[-1])
        return summarise(
            self.net,
            self.scaling_layer(image),
            self.head.taps,
            lambda tap, f: self.head.summary(tap, f, size),
            checkpointing=self._checkpoints,
        )

    def _read(self, image: Tensor) -> Reference:
        size = (image.shape[-2], image.shape[-1])
        kept = None if self.motion is None else image
        return Reference(tuple(self._summaries(image)), size, self._reader, kept)

    def _against_reference(
        self, in0: Tensor | Reference, in1: Tensor | Reference, normalize: bool, *, maps: bool
    ) -> tuple[list[Tensor], Motion | None]:
        """:meth:`_compared` where at least one side was read before."""
        if maps:
            raise ValueError(
                "A map (spatial=True) needs both images, but one of them is a Reference, which keeps summaries only; "
                "pass the image itself."
            )
        left, right = (
            self._checked(side) if isinstance(side, Reference) else self._prepared(side, normalize)
            for side in (in0, in1)
        )
        if self.motion is None:
            return self._from_summaries(left, right), None
        x, y = (side.images if isinstance(side, Reference) else side for side in (left, right))
        if x is None or y is None:
            raise ValueError(
                "A Reference must hold its images where motion is measured, but was read by a metric with motion=None; "
                "read the image again with this metric's `reference`."
            )
        check_same_size((x.shape[-2], x.shape[-1]), (y.shape[-2], y.shape[-1]))
        check_batches(x.shape[0], y.shape[0])
        motion, x, y = self._still(x, y)
        if bool(motion.found.any()):
            return self._contrasted(x, y, maps=False), motion
        return self._from_summaries(left, right), motion

    def _checked(self, side: Reference) -> Reference:
        if side.reader.reads_like(self._reader):
            return side
        raise ValueError(
            f"A Reference must have been read by this metric ({self._reader}), but was read by another "
            f"({side.reader}); read the image again with this metric's `reference`."
        )

    def _from_summaries(self, left: Tensor | Reference, right: Tensor | Reference) -> list[Tensor]:
        x, y = (side if isinstance(side, Reference) else self._read(side) for side in (left, right))
        if not self.head.sizeless:
            check_same_size(x.size, y.size)
        check_batches(x.summaries[0][0].shape[0], y.summaries[0][0].shape[0])
        return self.head.layers(x.summaries, y.summaries)

    @property
    def motion(self) -> str | None:
        """What of a pair's motion is measured: `shift`, `similarity` or `affine`; None for nothing. It may be set."""
        return self._motion

    @motion.setter
    def motion(self, motion: str | None) -> None:
        if motion is not None and motion not in MODELS:
            raise ValueError(
                f"Argument `motion` must be None or one of {', '.join(MODELS)}, but got {motion!r}."
            )
        if motion is not None:
            self.jnd(torch.ones(()))  # what people just notice is the price of a motion, and must be known
        self._motion = motion

    @property
    def pixels_per_degree(self) -> float:
        """At how many pixels per degree a shift is priced. It may be set."""
        return self._pixels_per_degree

    @pixels_per_degree.setter
    def pixels_per_degree(self, pixels: float) -> None:
        if type(pixels) not in (int, float) or not 0 < pixels < float("inf"):
            raise ValueError(f"Argument `pixels_per_degree` must be a positive number, but got {pixels!r}.")
        self._pixels_per_degree = float(pixels)

    def _measure(self, motion: str | None, pixels_per_degree: float | None) -> None:
        if motion is None and pixels_per_degree is not None:
            raise ValueError(
                f"Argument `pixels_per_degree` prices a motion and needs `motion`, but got {pixels_per_degree!r} with "
                "motion=None; name a motion, or leave it out."
            )
        if pixels_per_degree is not None:
            self.pixels_per_degree = pixels_per_degree
        self.motion = motion

    def _normalizes(self, normalize: bool | None) -> bool:
        return self.normalize if normalize is None else normalize

    @property
    def _checkpoints(self) -> bool:
        # What runs again hands gradients to images alone.
        return self.checkpointing and not trained(self)

    def _require_euclidean(self, what: str) -> None:
        if self.motion is not None:
            raise ValueError(
                f"A motion is measured between two pictures, so a metric with motion={self.motion!r} has no `{what}`; "
                "call the metric itself on pairs, or set its `motion` to None."
            )
        if not self.head.euclidean:
            raise ValueError(
                f"Head {self.head.name!r} has no Euclidean form and so no `{what}`; use head='regional', 'gap' or "
                "'gap-spatial'."
            )
