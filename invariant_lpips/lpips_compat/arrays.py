"""Between tensors, numpy pictures and files, as lpips 0.1.4 does it: same names, same numbers.

`tensor2im` truncates and wraps, as lpips' does, so a round trip through uint8 can lose one level. Where
that is not wanted, `invariant_lpips.pictures.images.write_image` rounds and clamps.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from invariant_lpips.inputs import warn_once
from invariant_lpips.pictures.decoding import decode_file


def im2tensor(
    image: NDArray[Any], imtype: DTypeLike | None = None, cent: float = 1.0, factor: float = 127.5
) -> Tensor:
    """`lpips.im2tensor`: a picture (H, W, 3) in [0, 255] to a float32 tensor (1, 3, H, W) in [-1, 1].

    Computes image / factor - cent. `imtype` is accepted and unused, as in lpips.

    Raises TypeError where it is no array, and ValueError unless it has three dimensions (a grey picture needs
    `image[..., None]`). Warns once of floats of which none is above 1: they may be in [0, 1].

    Example:
        >>> import numpy as np
        >>> im2tensor(np.array([[[0, 51, 255]]], dtype=np.uint8)).flatten().tolist()
        [-1.0, -0.6000000238418579, 1.0]
    """
    if not isinstance(image, np.ndarray):
        raise TypeError(
            f"Argument `image` must be an array (H, W, C) in [0, 255], but got {type(image).__name__}; convert it with "
            "np.asarray, and do without for tensors: x.float() / 127.5 - 1"
        )
    if image.ndim != 3:
        raise ValueError(f"Argument `image` must have shape (H, W, C), but got {image.shape}.")
    if factor > 2 and image.dtype.kind in "fb" and 0 < image.max(initial=0) <= 1:
        warn_once(
            "im2tensor of [0, 1]",
            f"im2tensor takes pictures in [0, 255], but got {image.dtype} up to {float(image.max()):.3g}, which is "
            "nearly black there: of a picture in [0, 1] pass image * 255.0 (this is said once).",
        )
    return _as_batch(image / factor - cent)


def tensor2im(
    image_tensor: Tensor, imtype: DTypeLike | None = None, cent: float = 1.0, factor: float = 127.5
) -> NDArray[Any]:
    """`lpips.tensor2im`: the first image of (N, C, H, W) in [-1, 1] as an array (H, W, C) in [0, 255].

    Computes (t + cent) * factor and casts to `imtype` (None: uint8) as lpips does: fractions are cut off, and
    values out of range wrap around (1.01 becomes 0, not 255).

    Example:
        >>> tensor2im(torch.tensor([-1.0, 0.0, 1.0, 1.01]).view(1, 1, 1, 4)).flatten().tolist()
        [0, 127, 255, 0]
    """
    array = (tensor2np(image_tensor) + cent) * factor
    target = np.dtype(np.uint8 if imtype is None else imtype)
    # By way of int64, since a float outside the range of uint8 is cast differently by different processors.
    return array.astype(np.int64).astype(target) if target.kind in "iu" else array.astype(target)


def tensor2np(tensor_obj: Tensor) -> NDArray[np.float32]:
    """`lpips.tensor2np`: the first image of (N, C, H, W) as a float32 array (H, W, C), values untouched.

    Example:
        >>> tensor2np(torch.zeros(2, 3, 4, 5)).shape
        (4, 5, 3)
    """
    array: NDArray[np.float32] = tensor_obj[0].detach().cpu().float().numpy().transpose(1, 2, 0)
    return array


def np2tensor(np_obj: NDArray[Any]) -> Tensor:
    """`lpips.np2tensor`: an array (H, W, C) as a float32 tensor (1, C, H, W), values untouched.

    Example:
        >>> import numpy as np
        >>> np2tensor(np.zeros((4, 5, 3))).shape
        torch.Size([1, 3, 4, 5])
    """
    return _as_batch(np_obj)


def tensor2vec(vector_tensor: Tensor) -> NDArray[Any]:
    """`lpips.tensor2vec`: (N, C, 1, 1) to an array (N, C); of larger maps, their upper left values.

    Example:
        >>> tensor2vec(torch.ones(2, 3, 1, 1)).shape
        (2, 3)
    """
    array: NDArray[Any] = vector_tensor.detach().cpu().numpy()[:, :, 0, 0]
    return array


def load_image(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """`lpips.load_image`: a picture file as a uint8 array (H, W, 3), RGB.

    As lpips through OpenCV: alpha and ICC profiles are dropped, EXIF rotation applied, 16 bits cut to their high byte.
    Unlike lpips, a missing file is a FileNotFoundError and every format of
    `invariant_lpips.pictures.images.read_image` is read under any suffix. `.dng` needs the package rawpy, as in lpips.
    Raises as `read_image` does.
    """
    if Path(path).suffix.lower() == ".dng":
        return _load_raw(path)
    samples, full_scale = decode_file(path, icc="ignore")
    colour = samples[..., :3]
    if full_scale == 1:
        colour = colour * 255
    elif full_scale < 255:
        colour = np.rint(colour * (255 / full_scale))
    elif full_scale > 255:
        colour = colour.astype(np.uint32) * 256 // (full_scale + 1)
    return np.ascontiguousarray(colour.astype(np.uint8))


def _load_raw(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    if not Path(path).is_file():
        raise FileNotFoundError(f"cannot read {path}: there is no such file")
    try:
        rawpy = importlib.import_module("rawpy")
    except ImportError:
        raise ImportError(f"reading {path} needs the package rawpy: pip install rawpy") from None
    with rawpy.imread(os.fspath(path)) as raw:
        picture: NDArray[np.uint8] = raw.postprocess()
    return picture


def _as_batch(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.array(array.transpose(2, 0, 1)[None], dtype=np.float32))
