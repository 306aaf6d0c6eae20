"""Trunks: the networks that turn a picture into activations, and everything about running them.

* :mod:`~invariant_lpips.trunks.architectures`: which networks there are, their layers and taps.
* :mod:`~invariant_lpips.trunks.trunk`: running one; :mod:`~invariant_lpips.trunks.two_images`: two pictures.
* :mod:`~invariant_lpips.trunks.pooling`: max, blur and polyphase; :mod:`~invariant_lpips.trunks.circular`: padding.
* :mod:`~invariant_lpips.trunks.frozen_layers`, :mod:`~invariant_lpips.trunks.recomputing`,
  :mod:`~invariant_lpips.trunks.bands`: the same numbers in less memory.
"""

from invariant_lpips.trunks.architectures import (
    ALIASES,
    ARCHITECTURES,
    Architecture,
    Fire,
    Tap,
    canonical_net,
)
from invariant_lpips.trunks.trunk import Summary, Trunk

__all__ = ["ALIASES", "ARCHITECTURES", "Architecture", "Fire", "Summary", "Tap", "Trunk", "canonical_net"]
