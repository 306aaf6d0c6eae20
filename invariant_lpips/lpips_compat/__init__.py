"""lpips' helper functions, names and numbers as in lpips 0.1.4, for `import invariant_lpips as lpips`.

`arrays`: between tensors, numpy arrays and files. `array_distances`: l2, psnr, dssim. `judgements`: scores
against 2AFC and JND judgements. `ranking`: the loss that lpips' linear weights are trained with.
"""
