"""The metrics for other runtimes: `torch.export`, ONNX and TorchScript.

    from invariant_lpips import InvariantLPIPS
    from invariant_lpips.integrations.export import to_onnx

    to_onnx(InvariantLPIPS(), "metric.onnx")     # kept once ONNX Runtime gives the metric's values

What is exported takes two float32 batches (N, 3, H, W), `reference` and `distorted`, and returns `distance`
(N, 1, 1, 1); with ``embed=True`` it takes `image` and returns `embedding` (N, C). N is free, and H and W are
where the head and the pooling allow it (docs/export.md has the table); else fix them with ``size=(H, W)``.

Checks of values are not part of an exported graph, and an ONNX file has no checks at all: hand it what the
metric expects. Needs torch 2.7; only `to_onnx` needs other packages.
"""

from __future__ import annotations

import io
import os
import warnings
from contextlib import redirect_stdout
from typing import Any

import torch
from torch import Tensor, nn

from invariant_lpips.files.writing import replacing
from invariant_lpips.metric import InvariantLPIPS
from invariant_lpips.stock import LPIPS

#: Smallest free height and width: torch.export treats maps of one position as another program, and 64 pixels
#: leave two positions at pool5.
SMALLEST_SIDE = 64


class _Distance(nn.Module):
    """A metric as a graph sees it: two tensors in, one out."""

    inputs = ("reference", "distorted")
    output = "distance"

    def __init__(self, metric: LPIPS | InvariantLPIPS, normalize: bool) -> None:
        super().__init__()
        self.metric = metric
        self.normalize = normalize

    def forward(self, reference: Tensor, distorted: Tensor) -> Tensor:
        distance: Tensor = self.metric(reference, distorted, normalize=self.normalize)
        return distance


class _Embedding(nn.Module):
    """A metric's embedding as a graph sees it."""

    inputs = ("image",)
    output = "embedding"

    def __init__(self, metric: InvariantLPIPS, normalize: bool) -> None:
        super().__init__()
        self.metric = metric
        self.normalize = normalize

    def forward(self, image: Tensor) -> Tensor:
        return self.metric.embed(image, normalize=self.normalize)


def to_program(
    metric: LPIPS | InvariantLPIPS,
    *,
    normalize: bool = False,
    embed: bool = False,
    size: tuple[int, int] | None = None,
) -> torch.export.ExportedProgram:
    """The metric as a `torch.export` program, without gradients; `torch.export.save` writes it to a file.

    Args:
        metric: in float32; it decides where the program runs.
        normalize: the program's images are in [0, 1] instead of [-1, 1].
        embed: export `embed` instead of the distance.
        size: fix height and width; None leaves them free from SMALLEST_SIDE up.

    Returns:
        A program whose batch size is free.

    Raises:
        ImportError: torch is older than 2.7.
        ValueError: the head and pooling leave no size free, or there is no embedding to export.
    """
    if not callable(getattr(torch.export.Dim, "DYNAMIC", None)):
        raise ImportError(
            f"Export needs torch 2.7 or newer, but this is {torch.__version__}: pip install -U torch."
        )
    if size is None and metric.net.pooling == "polyphase":
        raise ValueError(
            "Polyphase pooling splits an axis of even length into two phases and one of odd length into none, "
            "so its graph depends on the size of the image; fix the size with size=(H, W)."
        )
    module, shapes = _module(metric, normalize, embed), _shapes(size)
    images = tuple(_example(metric, size) for _ in module.inputs)
    with torch.no_grad():
        try:
            return torch.export.export(module, images, dynamic_shapes=(shapes,) * len(images), strict=False)
        except Exception as error:  # torch.export raises a dozen types, some private
            if size is not None:
                raise
            raise ValueError(
                f"{_name(metric)} computes with the size of the image in a way that torch.export can't leave "
                f"open; fix the size with size=(H, W) ({type(error).__name__})."
            ) from error


def to_onnx(
    metric: LPIPS | InvariantLPIPS,
    path: str | os.PathLike[str],
    *,
    normalize: bool = False,
    embed: bool = False,
    size: tuple[int, int] | None = None,
    tolerance: float | None = 1e-4,
) -> None:
    """Write the metric as one ONNX file, after comparing it with the metric in ONNX Runtime.

    Args:
        metric, normalize, embed, size: as for :func:`to_program`.
        path: the file; it appears only when it is whole and right.
        tolerance: largest allowed difference, relative to the metric's value; None skips the comparison (and
            the need for onnxruntime).

    Raises:
        ImportError: onnx, onnxscript or onnxruntime is not installed.
        ValueError: nothing to export (see :func:`to_program`), or the file's values differ.
    """
    for package in ("onnx", "onnxscript", *(("onnxruntime",) if tolerance is not None else ())):
        _require(package)
    module = _module(metric, normalize, embed)
    program = to_program(metric, normalize=normalize, embed=embed, size=size)
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):  # the exporter prints its progress
        warnings.simplefilter("ignore")
        converted = torch.onnx.export(
            program,
            dynamo=True,
            input_names=list(module.inputs),
            output_names=[module.output],
            optimize=True,
            verbose=False,
        )
    assert converted is not None
    converted.model.metadata_props["description"] = metric.describe()
    converted.model.metadata_props["range"] = "[0, 1]" if normalize else "[-1, 1]"
    with replacing(path) as temporary:
        converted.save(str(temporary), external_data=False)
        if tolerance is not None:
            worst = onnx_difference(temporary, metric, normalize=normalize, embed=embed, size=size)
            if not worst <= tolerance:
                raise ValueError(
                    f"The ONNX file of {_name(metric)} differs from the metric by {worst:.1e} of its value, "
                    f"more than {tolerance:.1e}, and was not kept; please report it with your versions of "
                    "torch and onnxruntime."
                )


def to_torchscript(
    metric: LPIPS | InvariantLPIPS,
    *,
    normalize: bool = False,
    embed: bool = False,
    size: tuple[int, int] | None = None,
) -> torch.jit.ScriptModule:
    """The metric traced to TorchScript (for libtorch), without gradients.

    Deprecated by torch in favour of `torch.export`. A trace keeps the branches that its example
    took: heads and poolings that branch on the size (docs/export.md) are right at `size` only.
    """
    module = _module(metric, normalize, embed)
    images = tuple(_example(metric, size) for _ in module.inputs)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about shape checks that become constants, and the deprecation
        trace: Any = torch.jit.trace  # typed in some releases of torch only
        traced = trace(module, images)
    assert isinstance(traced, torch.jit.ScriptModule)
    return traced


def onnx_difference(
    path: str | os.PathLike[str],
    metric: LPIPS | InvariantLPIPS,
    *,
    normalize: bool = False,
    embed: bool = False,
    size: tuple[int, int] | None = None,
) -> float:
    """Largest difference between an ONNX file in ONNX Runtime and the metric, relative to the metric's value.

    Free sizes are tried at three sizes and batches, none of them the example's.
    """
    onnxruntime = _require("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    module = _module(metric, normalize, embed)
    generator = torch.Generator().manual_seed(0)
    like = metric.scaling_layer.shift
    worst = 0.0
    for batch, height, width in _trial_shapes(size):
        images = [
            torch.rand(batch, 3, height, width, generator=generator) * (1 if normalize else 2)
            - (0 if normalize else 1)
            for _ in module.inputs
        ]
        (found,) = session.run(None, {name: x.numpy() for name, x in zip(module.inputs, images, strict=True)})
        with torch.no_grad():
            expected = module(*(x.to(like.device) for x in images)).cpu()
        scale = expected.abs().amax(tuple(range(1, expected.dim())), keepdim=True)
        worst = max(worst, ((torch.from_numpy(found) - expected).abs() / scale).max().item())
    return worst


def save_program(program: torch.export.ExportedProgram, path: str | os.PathLike[str]) -> None:
    """Write a program as a .pt2 file, whole or not at all; `torch.export.load` reads it."""
    with replacing(path) as temporary:
        torch.export.save(program, temporary)


def save_torchscript(module: torch.jit.ScriptModule, path: str | os.PathLike[str]) -> None:
    """Write a traced module, whole or not at all; `torch.jit.load` and libtorch read it."""
    with replacing(path) as temporary:
        torch.jit.save(module, temporary)


def _module(metric: LPIPS | InvariantLPIPS, normalize: bool, embed: bool) -> Any:
    dtype = metric.scaling_layer.shift.dtype
    if dtype != torch.float32:
        raise ValueError(
            f"A metric must be in float32 to be exported, but is in {dtype}; use metric.float()."
        )
    if metric.spatial:
        raise ValueError(
            "A metric with spatial=True gives maps, which are not exported; construct it without."
        )
    if getattr(metric, "motion", None) is not None:
        raise ValueError(
            "A metric that measures motion decides pair by pair what moved, which no graph holds; export it with "
            "motion=None."
        )
    if not embed:
        return _Distance(metric, normalize).eval()
    if isinstance(metric, LPIPS) or not metric.head.euclidean:
        raise ValueError(f"{_name(metric)} has no embedding to export; leave embed=False.")
    return _Embedding(metric, normalize).eval()


def _shapes(size: tuple[int, int] | None) -> dict[int, Any]:
    Dim = torch.export.Dim
    free: dict[int, Any] = {0: Dim("batch", min=1)}
    if size is None:
        # Not named: torch.export then keeps the branches that hold for every size it can't prove them for,
        # where a named dimension is refused. Comparing at other sizes shows whether they do hold.
        free |= {2: Dim.DYNAMIC(min=SMALLEST_SIDE), 3: Dim.DYNAMIC(min=SMALLEST_SIDE)}
    return free


def _example(metric: LPIPS | InvariantLPIPS, size: tuple[int, int] | None) -> Tensor:
    # Not 1, nor equal sides: torch.export would take them for constants or for one another.
    height, width = size or (96, 128)
    return torch.rand(2, 3, height, width, device=metric.scaling_layer.shift.device)


def _trial_shapes(size: tuple[int, int] | None) -> tuple[tuple[int, int, int], ...]:
    if size is not None:
        return ((1, *size), (3, *size))
    return ((1, 64, 64), (3, 97, 131), (2, 120, 65))


def _name(metric: LPIPS | InvariantLPIPS) -> str:
    if isinstance(metric, LPIPS):
        return f"LPIPS(net={metric.pnet_type!r})"
    return (
        f"InvariantLPIPS(net={metric.net_name!r}, head={metric.head.name!r}, pooling={metric.net.pooling!r})"
    )


def _require(package: str) -> Any:
    import importlib

    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"Export to ONNX needs {package}, which is not installed: pip install 'invariant-lpips[export]'."
        ) from error
