"""What went wrong at the Hub, in one clause: what the server said and what to do about it.

huggingface_hub's own errors are several lines, differ between its versions and hide the server's answer behind
"an error happened while trying to locate the file". The answer itself (a status and a code in a header) is the
same in all of them, so it is looked up here in the chain of causes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from invariant_lpips.files.writing import REMEDIES, said


def explained(
    error: BaseException,
    repo: str,
    file: str | None,
    revision: str | None,
    *,
    offline: bool = False,
    cache: object = "the Hub's cache",
) -> OSError:
    """The OSError to raise for what huggingface_hub raised.

    Args:
        error: as caught.
        repo: "owner/name".
        file: what was asked for; None when it was an upload.
        revision: branch, tag or commit; None for the main branch.
        offline: no network was allowed.
        cache: the folder that files are kept in.

    Returns:
        PermissionError, FileNotFoundError, ConnectionError or OSError.

    Example:
        >>> explained(RuntimeError("the cable is out"), "owner/name", "x.safetensors", None)
        OSError('the Hub repository owner/name failed (RuntimeError: the cable is out)')
    """
    place = f"the Hub repository {repo}" + (f"@{revision}" if revision else "")
    if offline:
        return FileNotFoundError(
            f"offline (HF_HUB_OFFLINE or local_files_only), and the cache holds no {file} of {place}; "
            "fetch it once with a network, or copy the cache folder from a machine that has it"
        )
    for link in _chain(error):
        if isinstance(link, OSError) and link.errno in REMEDIES:
            return OSError(
                f"{link.filename or cache} could not be written: {said(link)} (HF_HOME or cache_dir=... names it)"
            )
    status, code = _answer(error)
    if status == 401:
        return PermissionError(
            f"{place} does not exist, or is private and not open to this token (401); check the name, and log "
            "in with `hf auth login` or pass token=..."
        )
    if status == 403:
        return PermissionError(
            f"{place} is closed to this token (403); ask its owner for access, or pass a token with the "
            f"permission to {'read' if file else 'write'} it"
        )
    if status == 404:
        what = {
            "RevisionNotFound": f"the Hub repository {repo} has no revision {revision}",
            "EntryNotFound": f"{place} has no file {file}",
            "RepoNotFound": f"{place} does not exist, or is private",
        }.get(code, f"{place} was not found")
        return FileNotFoundError(f"{what} (404); check the spelling")
    if status == 429:
        return ConnectionError(
            f"the Hub takes no more requests for {place} at the moment (429); wait some minutes, or log in for "
            "a higher limit"
        )
    if status is not None and status >= 500:
        return ConnectionError(f"the Hub failed at {place} (status {status}); try again later")
    if status is None and _is_connection(error):
        server = os.environ.get("HF_ENDPOINT") or "the Hub"
        return ConnectionError(f"no connection to {server} for {place}; check network, proxy and HF_ENDPOINT")
    if "Consistency check failed" in str(error):
        return ConnectionError(f"{file} of {place} arrived incomplete; try again")
    return OSError(f"{place} failed ({type(error).__name__}: {_first_line(error)})")


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


def _answer(error: BaseException) -> tuple[int | None, str]:
    """(HTTP status, the Hub's own error code) of the first answer in the chain."""
    for link in _chain(error):
        response = getattr(link, "response", None)
        status = getattr(response, "status_code", None)
        if isinstance(status, int):
            return status, str(response.headers.get("X-Error-Code", ""))  # type: ignore[union-attr]
    return None, ""


def _is_connection(error: BaseException) -> bool:
    # requests', httpx' and the system's own errors; only their names have something in common.
    words = ("Connect", "Timeout", "ProtocolError", "ReadError", "gaierror", "NetworkError", "ProxyError")
    return any(word in type(link).__name__ for link in _chain(error) for word in words)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(". ") if lines else "no message"
