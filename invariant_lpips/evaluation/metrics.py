"""Metrics by name, for the benchmarks: ours, everybody else's, and any callable.

=========================  ==============================================================================
name                       metric
=========================  ==============================================================================
psnr                       peak signal-to-noise ratio over RGB
ssim, ssim-rgb, ms-ssim    SSIM of luma at full resolution; over RGB, downsampled; multi-scale over RGB
vsi, fsimc, haarpsi, dss,  piq's; mdsi and gmsd are distances, the others similarities
mdsi, gmsd
ssimulacra2, flip          SSIMULACRA 2 (a similarity); the mean of LDR-FLIP's map
cvvdp, cvvdp-fhd           ColorVideoVDP in JOD (a similarity) on its 4K display and on its full-HD one
lpips-vgg, -alex, -squeeze stock LPIPS 0.1 (:class:`invariant_lpips.LPIPS`)
lpips:vgg, lpips:alex      the same from the lpips package itself
torchmetrics:vgg, piq:vgg  the same from torchmetrics and piq
dists, dists-full          DISTS with the shorter side resized to 256 as in its paper; at full resolution
st-lpips-alex, -vgg        shift-tolerant LPIPS (``st-lpips`` is -alex)
default, gap, spatial ...  :class:`invariant_lpips.InvariantLPIPS` with that head; ``gap+alex``, ``gap+polyphase``,
                           ``gap+unit``, ``gap=my/weights.safetensors`` choose net, pooling and weights;
                           ``default+bf16`` computes in bfloat16, ``default+motion`` and ``default+motion71``
                           (pixels per degree) measure motion
module:function            any callable of two (N, 3, H, W) tensors in [0, 1]; a distance unless the name
                           ends in ``:higher``
=========================  ==============================================================================

To add a metric of another package, add a line to :data:`invariant_lpips.evaluation.peers.PEERS`.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
from pathlib import Path
from typing import Any

import torch

from invariant_lpips.evaluation.metric_names import check_name, is_callable_name
from invariant_lpips.evaluation.own_scorers import STOCK, invariant_scorer, stock_scorer, vocabulary
from invariant_lpips.evaluation.peers import PEERS, peer
from invariant_lpips.evaluation.scorers import FunctionScorer, Scorer

__all__ = ["METRICS", "resolve_metric"]

METRICS: tuple[str, ...] = (*PEERS, *STOCK)
"""Names of single metrics. Heads of InvariantLPIPS need no line here or anywhere."""


def resolve_metric(name: str, device: str = "cpu") -> Scorer:
    """The metric called `name`, on `device`.

    Args:
        name: see the table above.
        device: where deep metrics run, e.g. "cpu" or "cuda".

    Raises:
        ValueError: no metric has this name (the message lists those that exist).
        ImportError: its package is not installed; the message says what to run.

    Example:
        >>> import torch
        >>> metric = resolve_metric("psnr")
        >>> black, grey = torch.zeros(1, 3, 8, 8), torch.full((2, 3, 8, 8), 0.5)
        >>> [round(value, 4) for value in metric(black, grey).tolist()], metric.higher_is_better
        ([6.0206, 6.0206], True)
    """
    if name in PEERS:
        return peer(name, device)
    if name in STOCK:
        return stock_scorer(name, STOCK[name], device)
    check_name(name, vocabulary(METRICS))
    return callable_scorer(name) if is_callable_name(name) else invariant_scorer(name, device)


def callable_scorer(name: str) -> Scorer:
    """A scorer of ``module:function`` or ``module:function:higher``.

    The function gets two (N, 3, H, W) float32 tensors in [0, 1] and returns one number a pair. A function
    that reduces its batch to one number is called pair by pair. Its source file is hashed into the
    description, so cached scores go out of use when it is edited.
    """
    module_name, function_name, *rest = name.split(":")
    if rest not in ([], ["higher"]):
        raise ValueError(f"Metric {name!r} must read module:function or module:function:higher.")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ImportError(
            f"Metric {name!r} needs the module {module_name}, which cannot be imported: {error}."
        ) from error
    function: Any = getattr(module, function_name, None)
    if not callable(function):
        raise ValueError(
            f"Metric {name!r} needs a callable {function_name} in {module_name}, which has none."
        )
    probe = torch.linspace(0, 1, 2 * 3 * 192 * 192).view(2, 3, 192, 192)
    with torch.no_grad():
        one_by_one = torch.as_tensor(function(probe, probe.flip(-1))).numel() != 2
    description = f"{module_name}:{function_name} [{source_hash(function, module)}]"
    return FunctionScorer(name, description, function, higher_is_better=bool(rest), one_by_one=one_by_one)


def source_hash(function: Any, module: Any) -> str:
    """First 12 hex digits of the SHA-256 of the file that defines a function; "unknown" for built-in ones."""
    for candidate in (function, module):
        try:
            path = inspect.getsourcefile(candidate)
        except TypeError:
            continue
        if path is not None and Path(path).is_file():
            return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]
    return "unknown"
