"""Judging metrics by what people said, and by time, memory and what moving a picture does to them.

* :mod:`~invariant_lpips.evaluation.metrics`: metrics by name, ours (:mod:`.own_scorers`), everybody else's
  (:mod:`.peers`) and any callable, all behind one call (:mod:`.scorers`).
* :mod:`~invariant_lpips.evaluation.runner`: scores of metrics on pairs, cached on disk and resumable.
* :mod:`~invariant_lpips.evaluation.rated`, :mod:`~invariant_lpips.evaluation.bapps`,
  :mod:`~invariant_lpips.evaluation.ladder`, :mod:`~invariant_lpips.evaluation.translation`,
  :mod:`~invariant_lpips.evaluation.speed`: the benchmarks; each has a frozen class of settings and a function `run`,
  which ``invariant-lpips bench NAME`` calls. :mod:`~invariant_lpips.evaluation.survey` runs the rated ones and BAPPS
  together.
* :mod:`~invariant_lpips.evaluation.tables`, :mod:`~invariant_lpips.evaluation.figures`: what their reports are
  made with.

Correlations, intervals, scales and thresholds are in :mod:`invariant_lpips.statistics`. Nothing is imported here: each
module brings its own dependencies when it is used.
"""
