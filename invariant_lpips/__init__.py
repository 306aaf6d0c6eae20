"""invariant-lpips: a perceptual image metric called like lpips that tells what moved from what changed.

    import invariant_lpips as il

    metric = il.InvariantLPIPS()                        # frozen, eval mode; .to("cuda") as any module
    d = metric(il.read_image("a.png"), il.read_image("b.png"))     # (1, 1, 1, 1)
    stock = il.LPIPS(net="alex")                        # lpips 0.1.4's own metric and numbers

Public names are imported when they are first used: `import invariant_lpips` loads nothing beside torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from invariant_lpips._version import __version__

# name -> module it lives in
_PUBLIC = {
    "InvariantLPIPS": "invariant_lpips.metric",
    "Reference": "invariant_lpips.metric",
    "Comparison": "invariant_lpips.motion",
    "LPIPS": "invariant_lpips.stock",
    "NetLinLayer": "invariant_lpips.stock",
    "ScalingLayer": "invariant_lpips.inputs",
    "Trunk": "invariant_lpips.trunks",
    "keep_out_of_checkpoints": "invariant_lpips.outside_checkpoints",
    "normalize_tensor": "invariant_lpips.functional",
    "spatial_average": "invariant_lpips.functional",
    "upsample": "invariant_lpips.functional",
    "read_image": "invariant_lpips.pictures.images",
    "write_image": "invariant_lpips.pictures.images",
    "embed_file": "invariant_lpips.tiling",
    "Index": "invariant_lpips.indexing",
    "distance_matrix": "invariant_lpips.indexing",
    "embed_folder": "invariant_lpips.indexing",
    "near_duplicates": "invariant_lpips.indexing",
    "nearest": "invariant_lpips.indexing",
    "open_index": "invariant_lpips.indexing",
    "im2tensor": "invariant_lpips.lpips_compat.arrays",
    "load_image": "invariant_lpips.lpips_compat.arrays",
    "np2tensor": "invariant_lpips.lpips_compat.arrays",
    "tensor2im": "invariant_lpips.lpips_compat.arrays",
    "tensor2np": "invariant_lpips.lpips_compat.arrays",
    "tensor2vec": "invariant_lpips.lpips_compat.arrays",
    "dssim": "invariant_lpips.lpips_compat.array_distances",
    "l2": "invariant_lpips.lpips_compat.array_distances",
    "psnr": "invariant_lpips.lpips_compat.array_distances",
    "score_2afc_dataset": "invariant_lpips.lpips_compat.judgements",
    "score_jnd_dataset": "invariant_lpips.lpips_compat.judgements",
    "voc_ap": "invariant_lpips.lpips_compat.judgements",
    "BCERankingLoss": "invariant_lpips.lpips_compat.ranking",
    "Dist2LogitLayer": "invariant_lpips.lpips_compat.ranking",
}

# Modules of lpips under its names.
_MODULES = {
    "lpips": "invariant_lpips.lpips",
    "pn": "invariant_lpips.pretrained_networks",
    "pretrained_networks": "invariant_lpips.pretrained_networks",
}

if TYPE_CHECKING:
    from invariant_lpips import lpips, pretrained_networks
    from invariant_lpips import pretrained_networks as pn
    from invariant_lpips.functional import normalize_tensor, spatial_average, upsample
    from invariant_lpips.indexing import (
        Index,
        distance_matrix,
        embed_folder,
        near_duplicates,
        nearest,
        open_index,
    )
    from invariant_lpips.inputs import ScalingLayer
    from invariant_lpips.lpips_compat.array_distances import dssim, l2, psnr
    from invariant_lpips.lpips_compat.arrays import (
        im2tensor,
        load_image,
        np2tensor,
        tensor2im,
        tensor2np,
        tensor2vec,
    )
    from invariant_lpips.lpips_compat.judgements import score_2afc_dataset, score_jnd_dataset, voc_ap
    from invariant_lpips.lpips_compat.ranking import BCERankingLoss, Dist2LogitLayer
    from invariant_lpips.metric import InvariantLPIPS, Reference
    from invariant_lpips.motion import Comparison
    from invariant_lpips.outside_checkpoints import keep_out_of_checkpoints
    from invariant_lpips.pictures.images import read_image, write_image
    from invariant_lpips.stock import LPIPS, NetLinLayer
    from invariant_lpips.tiling import embed_file
    from invariant_lpips.trunks import Trunk

__all__ = [
    "LPIPS",
    "BCERankingLoss",
    "Comparison",
    "Dist2LogitLayer",
    "Index",
    "InvariantLPIPS",
    "NetLinLayer",
    "Reference",
    "ScalingLayer",
    "Trunk",
    "__version__",
    "distance_matrix",
    "dssim",
    "embed_file",
    "embed_folder",
    "im2tensor",
    "keep_out_of_checkpoints",
    "l2",
    "load_image",
    "lpips",
    "near_duplicates",
    "nearest",
    "normalize_tensor",
    "np2tensor",
    "open_index",
    "pn",
    "pretrained_networks",
    "psnr",
    "read_image",
    "score_2afc_dataset",
    "score_jnd_dataset",
    "spatial_average",
    "tensor2im",
    "tensor2np",
    "tensor2vec",
    "upsample",
    "voc_ap",
    "write_image",
]


# Names of lpips that have no counterpart here, and what to write instead.
_NOT_PROVIDED = {
    "PerceptualLoss": 'LPIPS(net="alex")',
    "L2": "the function l2",
    "DSSIM": "the function dssim",
    "FakeNet": "the functions l2 and dssim",
    "Trainer": "the command `invariant-lpips train linear`",
    "print_network": "print(metric)",
    "rgb2lab": "skimage.color.rgb2lab",
    "tensor2tensorlab": "skimage.color.rgb2lab",
    "tensorlab2tensor": "skimage.color.lab2rgb",
}


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(_PUBLIC[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name in _NOT_PROVIDED:
        raise AttributeError(
            f"invariant_lpips does not provide lpips' `{name}`: use {_NOT_PROVIDED[name]} instead."
        )
    raise AttributeError(f"module 'invariant_lpips' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
