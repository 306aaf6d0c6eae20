"""Judging metrics by what people said: correlations, a runner, tables, figures, psychophysics.

* :mod:`~invariant_lpips.statistics.correlations`: SRCC, KRCC, PLCC and RMSE after the logistic fit, 2AFC,
  JND.
* :mod:`~invariant_lpips.statistics.resampling`: bootstrap over references, paired tests between two metrics.
* :mod:`~invariant_lpips.statistics.mlds`: perceptual scales from quadruplet trials.
* :mod:`~invariant_lpips.evaluation.metrics`: metrics by name, ours and everybody else's, behind one call.
* :mod:`~invariant_lpips.evaluation.runner`: scores of metrics on pairs, cached on disk and resumable.
* :mod:`~invariant_lpips.evaluation.rated.report`, :mod:`~invariant_lpips.evaluation.figures`: tables and pictures
  of them.
* :mod:`~invariant_lpips.statistics.psychophysics`: RAID curves, JOD calibration, pictures at detection
  threshold.

Nothing is imported here: each module brings its own dependencies when it is used.
"""
