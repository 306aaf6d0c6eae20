"""How the readers of each format say what a file has that its picture will not have."""

from __future__ import annotations

#: What says how to install the packages that read what Pillow cannot.
EXTRA = "pip install 'invariant-lpips[formats]'"


class PictureWarning(UserWarning):
    """Something of a picture file is not in the picture that was read from it."""


class Transparent(ValueError):
    """Parts of a picture are transparent, and it was to be refused then."""


class Unsupported(Exception):
    """Pixels that cannot be read without losing or guessing something; the message is the end of a sentence."""
