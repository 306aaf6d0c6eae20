"""Masks from picture files: white counts, black doesn't, grey counts in part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from invariant_lpips.pictures.folders import pictures_in
from invariant_lpips.pictures.images import Reading
from invariant_lpips.pictures.preparation import Prepared
from invariant_lpips.pictures.refusals import Transparent

#: How far apart a grey mask's three colours may be, of 1: compression rounds them.
_GREY = 0.04

__all__ = ["Masks", "read_mask", "reading_of_masks", "require_size"]


def reading_of_masks(reading: Reading, crop_border: int = 0) -> Prepared:
    """How masks of pictures that are read and cropped so are read: brought to the same size, transparent ones refused.

    Which frame, bands and full scale are the pictures' says nothing of a mask's.
    """
    plain = replace(reading, alpha="refuse", frame=None, bands=None, full_scale=None)
    return Prepared(plain, crop_border)


def read_mask(path: Path, reading: Callable[[Path], Tensor]) -> Tensor:
    """A mask file to (1, 1, H, W) float32 in [0, 1]: the mean of its three colours.

    Raises:
        ValueError: it is transparent or in colour, or has nothing brighter than mid-grey; and what `reading` raises.
    """
    try:
        image = reading(path)
    except Transparent:
        raise ValueError(
            f"the mask {path} is transparent; save it in grey: white where pixels count"
        ) from None
    colour = float((image.amax(1) - image.amin(1)).max()) / 2
    if colour > _GREY:  # class colours or a photograph, whose mean would pass for a soft mask
        raise ValueError(f"the mask {path} is in colour; save it in grey: white where pixels count")
    mask = (image.mean(1, keepdim=True) + 1) / 2
    if float(mask.max()) < 0.5:
        raise ValueError(
            f"the mask {path} has nothing brighter than {float(mask.max()) * 255:.3g} of 255; white (255) is where "
            "pixels count, so multiply a mask of 0 and 1 by 255"
        )
    return mask


def require_size(mask: Tensor, image: Tensor) -> None:
    """Refuse a mask of another size than the pictures of its pair, both (1, C, H, W).

    Raises:
        ValueError: the two sizes.
    """
    if mask.shape[-2:] != image.shape[-2:]:
        raise ValueError(
            f"its mask must have the size of the pictures, {image.shape[-1]} x {image.shape[-2]}, but has "
            f"{mask.shape[-1]} x {mask.shape[-2]}; use --resize"
        )


class Masks:
    """The mask of a reference: one file for all, or the file of its name (but for the suffix) in a folder.

    Args:
        path: a picture file, or a folder of them.
        reading: a file to (1, 3, H, W) in [-1, 1], such as :func:`reading_of_masks` gives.

    Shape:
        path of a reference -> (1, 1, H, W) float32 in [0, 1]: the mean of the three colours.

    Raises:
        ValueError: the folder has no mask of that name, or two; or a mask is transparent or in colour, or has nothing
            brighter than mid-grey, as one that was saved with 1 for white.
        OSError: there is no such file or folder.
    """

    def __init__(self, path: Path, reading: Callable[[Path], Tensor]) -> None:
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist; a mask, or a folder of masks, was expected")
        self.path = path
        self.reading = reading
        self._files: dict[str, list[Path]] = {}
        if path.is_dir():
            for file in pictures_in(path):
                self._files.setdefault(file.stem, []).append(file)
        self._one: Tensor | None = None

    def has(self, reference: Path) -> bool:
        """Whether there is a mask for a reference, or there are several."""
        return not self.path.is_dir() or bool(self._files.get(reference.stem))

    def __call__(self, reference: Path) -> Tensor:
        if self.path.is_dir():
            files = self._files.get(reference.stem, [])
            if len(files) != 1:
                found = "none" if not files else " and ".join(file.name for file in files)
                raise ValueError(
                    f"{self.path} must hold one mask named {reference.stem} for {reference}, but got {found}"
                )
            return read_mask(files[0], self.reading)
        if self._one is None:
            self._one = read_mask(self.path, self.reading)
        return self._one
