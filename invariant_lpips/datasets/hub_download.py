"""Fetching a data set from the Hugging Face Hub: resumed where it stopped, every file checked by its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from invariant_lpips.datasets.verification import DatasetError, Problems
from invariant_lpips.registry.hub_errors import explained

__all__ = ["download_from_hub", "hash_problem"]


def download_from_hub(
    repository: str, root: Path, *, name: str, patterns: list[str], revision: str | None = None
) -> Path:
    """Fetch the files of a Hub data set that match `patterns` into `root` and return `root`.

    An interrupted download is taken up where it stopped and files that are there are not fetched again.
    Afterwards every file is hashed and compared with the Hub's own list (SHA-256 for large files, the git
    blob id for others); a file that differs is removed, so that running again fetches it anew.

    Args:
        repository: "owner/name" of the data set.
        root: the folder to fill.
        name: what the database is called in errors.
        patterns: which paths to fetch, as shell patterns.
        revision: a commit of the data set; None takes its newest.

    Raises:
        ImportError: ``huggingface_hub`` is not installed.
        OSError: the Hub cannot be reached, or the data set is not there.
        DatasetError: files did not arrive as the Hub lists them, or are listed outside the data set; all are named.
    """
    try:
        from huggingface_hub import HfApi, snapshot_download
    except ImportError as error:
        raise ImportError(
            f"Fetching {name} needs huggingface_hub: run `pip install huggingface_hub`, or copy it by hand."
        ) from error
    root = Path(root)
    try:
        info = HfApi().dataset_info(repository, revision=revision, files_metadata=True)
        refuse_outside(name, root, (entry.rfilename for entry in info.siblings or ()))
        # Pinned to the commit just listed, so that the list and the files cannot come from two revisions.
        snapshot_download(
            repository, repo_type="dataset", revision=info.sha, local_dir=root, allow_patterns=patterns
        )
    except DatasetError:
        raise
    except Exception as error:  # huggingface_hub and its transport raise a dozen types, some private
        reason = explained(error, repository, "its files", revision)
        raise type(reason)(f"{name} was not fetched: {reason}.") from error
    problems = Problems(
        name, root, "Damaged files were removed: run the same command again to fetch them anew."
    )
    for problem in wrong_files(info.siblings or (), root, patterns):
        problems.add(problem)
    problems.raise_if_any()
    return root


def refuse_outside(name: str, root: Path, listed: Iterable[str]) -> None:
    """DatasetError if the Hub lists a file that would lie outside `root`, on any system."""
    problems = Problems(name, root, "Nothing was fetched: don't use this data set.")
    for file in listed:
        parts = file.replace("\\", "/").split("/")
        if ".." in parts or "" in parts or ":" in parts[0] or "\0" in file:
            problems.add(f"the Hub lists {file!r}, which is no file within the data set")
    problems.raise_if_any()


def wrong_files(listed: Iterable[Any], root: Path, patterns: list[str]) -> Iterable[str]:
    """A problem for each listed file that is missing or differs; files that differ are removed."""
    for entry in listed:
        if not any(fnmatch(entry.rfilename, pattern) for pattern in patterns):
            continue
        path = root / entry.rfilename
        large = getattr(entry, "lfs", None)
        sha256 = getattr(large, "sha256", None) or (large.get("sha256") if isinstance(large, dict) else None)
        problem = hash_problem(path, sha256=sha256, blob_id=getattr(entry, "blob_id", None))
        if problem is not None:
            path.unlink(missing_ok=True)
            yield problem


def hash_problem(path: Path, *, sha256: str | None, blob_id: str | None) -> str | None:
    """What is wrong with a downloaded file, or None.

    Args:
        path: the file.
        sha256: its SHA-256 where it is stored as a large file.
        blob_id: its git blob id (SHA-1 of ``blob SIZE\\0`` and the content) where it is not; None skips the
            check.
    """
    if not path.is_file():
        return f"{path} did not arrive"
    content = path.read_bytes()
    if sha256 is not None:
        expected, got = sha256, hashlib.sha256(content).hexdigest()
    elif blob_id is not None:
        expected, got = blob_id, hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    else:
        return None
    return None if got == expected else f"{path} has hash {got[:12]}, but the Hub lists {expected[:12]}"
