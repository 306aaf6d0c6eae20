"""Benchmarks on rated databases: load, select, score, report.

    from pathlib import Path
    from invariant_lpips.evaluation.rated import RatedBench, run
    report = run(RatedBench("kadid10k", Path("/data/kadid10k"), metrics=("default", "lpips-vgg")))

The same as ``invariant-lpips bench kadid10k --root /data/kadid10k --metrics default,lpips-vgg``. Every database of
:data:`invariant_lpips.datasets.DATASETS` has this benchmark; RAID's report has a part of its own (``raid.py``).
"""

from invariant_lpips.evaluation.rated.bench import DEFAULT_METRICS, Measured, RatedBench, measure, run
from invariant_lpips.evaluation.rated.report import full_text

__all__ = ["DEFAULT_METRICS", "Measured", "RatedBench", "full_text", "measure", "run"]
