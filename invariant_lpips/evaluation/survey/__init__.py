"""All databases at once: which lie under a folder, every metric on each of them, one page and one JSON.

    from pathlib import Path
    from invariant_lpips.evaluation.survey import SurveyBench, run
    report = run(SurveyBench(Path("/data"), metrics=("default", "lpips-vgg"), out=Path("results")))

The same as ``invariant-lpips bench all --root /data --metrics default,lpips-vgg --out results``. Each database is run
by its own benchmark (:mod:`invariant_lpips.evaluation.rated`, :mod:`invariant_lpips.evaluation.bapps`).
"""

from invariant_lpips.evaluation.survey.bench import SurveyBench, run, text

__all__ = ["SurveyBench", "run", "text"]
