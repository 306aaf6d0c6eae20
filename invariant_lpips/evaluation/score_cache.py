"""Scores on disk, so that a benchmark of hours can be stopped, continued, and extended by one more metric.

One file per metric and database holds a line per pair. Its name carries a hash of the metric's description
(which names implementation, version and weights), and a pair's key is made of the contents of its two files,
so a score is found again only where the metric and both pictures are the same, wherever the database lies.

Lines are appended in one write each time, so processes may share a file and an interrupted run loses at most
the line it was writing, which is ignored when it is read.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

from invariant_lpips.datasets.pairs import RatedPair
from invariant_lpips.registry.download import cache_folder

__all__ = ["ScoreCache", "default_cache_folder", "files_key", "pair_key"]


def default_cache_folder() -> Path:
    """``scores`` in the folder of :func:`invariant_lpips.registry.download.cache_folder`."""
    return cache_folder() / "scores"


@functools.lru_cache(maxsize=200_000)
def file_digest(path: Path) -> str:
    """16 hex digits of the content of a file."""
    return hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()


def pair_key(pair: RatedPair) -> str:
    """What identifies a pair on any machine: the contents of its two files."""
    return files_key(pair.reference, pair.distorted)


def files_key(first: Path, second: Path) -> str:
    """What identifies two pictures in their order on any machine."""
    return f"{file_digest(first)}-{file_digest(second)}"


class ScoreCache:
    """The cached scores of one metric on one database.

    Args:
        folder: where the files lie; made when the first score is added.
        dataset: name of the database, for the file name.
        metric: name of the metric, for the file name.
        description: the metric's full description; another one is another file.
    """

    def __init__(self, folder: Path, dataset: str, metric: str, description: str) -> None:
        slug = re.sub(r"[^A-Za-z0-9.+-]+", "_", Path(metric).name)
        digest = hashlib.sha256(description.encode()).hexdigest()[:12]
        self.path = Path(folder) / f"{dataset}-{slug}-{digest}.jsonl"
        self.description = description
        self.scores: dict[str, float] = {}
        self.torn = False
        if self.path.is_file():
            text = self.path.read_text()
            self.torn = bool(text) and not text.endswith("\n")
            for line in text.splitlines():
                try:
                    entry = json.loads(line)
                except json.JSONDecodeError:
                    continue  # a line that an interrupted run left unfinished
                if "pair" in entry:
                    self.scores[entry["pair"]] = float(entry["score"])

    def get(self, key: str) -> float | None:
        """The score of a pair, or None."""
        return self.scores.get(key)

    def add(self, scores: Iterable[tuple[str, float]]) -> None:
        """Append scores of pairs, all in one write."""
        lines = []
        if not self.path.is_file():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lines.append(json.dumps({"metric": self.description}))
        elif self.torn:
            lines.append("")  # close the unfinished line of an interrupted run
            self.torn = False
        for key, score in scores:
            self.scores[key] = score
            lines.append(json.dumps({"pair": key, "score": score}))
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            os.write(handle, ("\n".join(lines) + "\n").encode())
        finally:
            os.close(handle)
