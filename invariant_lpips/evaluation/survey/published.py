"""What others published about the same metrics on the same databases, each value with its source.

Rank correlations over all pairs of a database; of BAPPS, the mean 2AFC score over the subsets of val. A value has as
many digits as its source gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from invariant_lpips.heads import HEADS

__all__ = ["PUBLISHED", "SOURCES", "TOLERANCE", "Published", "learned_from", "published_value"]

TOLERANCE = 0.02
"""A figure further than this from the published one is flagged."""


class Published(NamedTuple):
    """A published figure.

    Attributes:
        value: SRCC, or the 2AFC score of BAPPS.
        source: a key of :data:`SOURCES`.
    """

    value: float
    source: str


SOURCES: Mapping[str, tuple[str, str]] = {
    "pyiqa": (
        "pyiqa, its table of full-reference metrics",
        "https://github.com/chaofengc/IQA-PyTorch/blob/main/tests/FR_benchmark_results.csv",
    ),
    "piq": ("piq's README, its own runs", "https://github.com/photosynthesis-team/piq#benchmark"),
    "DISTS": ("Ding et al. 2020, the paper of DISTS", "https://arxiv.org/abs/2004.07728"),
}
"""Short name -> (what it is, where it is)."""

PUBLISHED: Mapping[str, Mapping[str, Published]] = {
    "kadid10k": {
        "psnr": Published(0.6757, "piq"),
        "ssim-rgb": Published(0.72, "piq"),
        "ms-ssim": Published(0.8020, "piq"),
        "vsi": Published(0.8780, "piq"),
        "fsimc": Published(0.8537, "piq"),
        "haarpsi": Published(0.8849, "piq"),
        "dss": Published(0.86, "piq"),
        "mdsi": Published(0.8853, "piq"),
        "gmsd": Published(0.8474, "piq"),
        "lpips-vgg": Published(0.7201, "piq"),
        "dists": Published(0.88, "piq"),
        "dists-full": Published(0.8137, "piq"),
    },
    "tid2013": {
        "psnr": Published(0.6869, "pyiqa"),
        "ssim": Published(0.6269, "pyiqa"),
        "ssim-rgb": Published(0.72, "piq"),
        "ms-ssim": Published(0.7983, "piq"),
        "vsi": Published(0.8949, "piq"),
        "fsimc": Published(0.8509, "piq"),
        "haarpsi": Published(0.8732, "piq"),
        "dss": Published(0.79, "piq"),
        "mdsi": Published(0.8899, "piq"),
        "gmsd": Published(0.8038, "piq"),
        "lpips-vgg": Published(0.6696, "pyiqa"),
        "lpips-alex": Published(0.7445, "pyiqa"),
        "st-lpips-alex": Published(0.7365, "pyiqa"),
        "dists": Published(0.830, "DISTS"),
        "dists-full": Published(0.7077, "pyiqa"),
    },
    "tid2008": {
        "psnr": Published(0.5245, "pyiqa"),
        "ssim": Published(0.6242, "pyiqa"),
        "lpips-vgg": Published(0.6536, "pyiqa"),
        "lpips-alex": Published(0.7151, "pyiqa"),
        "st-lpips-alex": Published(0.6404, "pyiqa"),
        "dists-full": Published(0.6648, "pyiqa"),
    },
    "csiq": {
        "psnr": Published(0.8087, "pyiqa"),
        "ssim": Published(0.8367, "pyiqa"),
        "lpips-vgg": Published(0.8830, "pyiqa"),
        "lpips-alex": Published(0.9233, "pyiqa"),
        "st-lpips-alex": Published(0.8952, "pyiqa"),
        "dists-full": Published(0.9296, "pyiqa"),
    },
    "live": {
        "psnr": Published(0.8730, "pyiqa"),
        "ssim": Published(0.9103, "pyiqa"),
        "lpips-vgg": Published(0.9319, "pyiqa"),
        "lpips-alex": Published(0.9235, "pyiqa"),
        "st-lpips-alex": Published(0.8826, "pyiqa"),
        "dists-full": Published(0.9477, "pyiqa"),
    },
    "pipal": {
        "psnr": Published(0.41, "piq"),
        "ssim-rgb": Published(0.50, "piq"),
        "ms-ssim": Published(0.55, "piq"),
        "vsi": Published(0.54, "piq"),
        "fsimc": Published(0.59, "piq"),
        "haarpsi": Published(0.59, "piq"),
        "dss": Published(0.63, "piq"),
        "mdsi": Published(0.59, "piq"),
        "gmsd": Published(0.58, "piq"),
        "lpips-vgg": Published(0.57, "piq"),
        "dists": Published(0.62, "piq"),
    },
    "bapps": {
        "lpips-vgg": Published(0.692, "DISTS"),
        "dists": Published(0.689, "DISTS"),
    },
}
"""Database -> metric, in `bench`'s names -> what was published. Nothing is known for RAID."""

SAME_AS = {
    "st-lpips": "st-lpips-alex",
    "lpips:vgg": "lpips-vgg",
    "lpips:alex": "lpips-alex",
    "piq:vgg": "lpips-vgg",
    "torchmetrics:vgg": "lpips-vgg",
}

LEARNED_FROM = {
    "dists": ("kadid10k",),
    "dists-full": ("kadid10k",),
    "ssimulacra2": ("tid2013", "tid2008", "kadid10k"),
}


def published_value(database: str, metric: str) -> Published | None:
    """What was published of a metric on a database, or None.

    Example:
        >>> published_value("tid2013", "lpips:alex")
        Published(value=0.7445, source='pyiqa')
    """
    return PUBLISHED.get(database, {}).get(SAME_AS.get(metric, metric))


def learned_from(metric: str, database: str) -> bool:
    """Whether a metric's weights were learned from people's scores of this database, or of the same pictures.

    Our linear weights learned from TID2013, whose pictures TID2008 shares. BAPPS keeps the choices that LPIPS learned
    from (train) apart from those that are scored (val), so nothing is said of it.

    Example:
        >>> learned_from("default+alex", "tid2008"), learned_from("gap+unit", "tid2008")
        (True, False)
        >>> learned_from("dists", "kadid10k"), learned_from("dists", "tid2013")
        (True, False)
    """
    specification, _, path = metric.partition("=")
    head, *options = specification.split("+")
    if head == "default" or head in HEADS:
        return not path and "unit" not in options and database in ("tid2013", "tid2008")
    return database in LEARNED_FROM.get(metric, ())
