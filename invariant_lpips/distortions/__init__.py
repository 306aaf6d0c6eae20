"""The distortion families of the rated databases, written anew from their published descriptions: one function each.

Every one is called `distort(image, strength, *, seed=0)`: an (H, W, 3) float array of RGB in [0, 1] in, an array of
the same shape and dtype out, equal for equal seeds. What `strength` measures, its docstring says. The tables
`tid2013.TID2013` and `kadid10k.KADID10K` say which function and which strengths make up which of a database's types;
`strength.find_strength` finds the strength that meets a PSNR.

>>> import numpy as np
>>> image = np.full((32, 32, 3), 0.5, dtype=np.float32)
>>> noisy = gaussian_noise(image, 8 / 255, seed=1)
>>> noisy.shape, noisy.dtype, bool((noisy == gaussian_noise(image, 8 / 255, seed=1)).all())
((32, 32, 3), dtype('float32'), True)
"""

from __future__ import annotations

from invariant_lpips.distortions.noise import gaussian_noise
