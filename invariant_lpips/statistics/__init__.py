"""What scores of people and of metrics say together, on plain arrays.

* :mod:`~invariant_lpips.statistics.correlations`: SRCC, KRCC, PLCC and RMSE after the logistic fit, 2AFC, JND.
* :mod:`~invariant_lpips.statistics.resampling`: bootstrap over references, paired tests between two metrics.
* :mod:`~invariant_lpips.statistics.mlds`: perceptual scales from quadruplet trials.
* :mod:`~invariant_lpips.statistics.psychophysics`: response curves, distances calibrated to JOD.
* :mod:`~invariant_lpips.statistics.thresholds`: at what size people just notice a change.
"""
