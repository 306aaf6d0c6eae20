"""Sending the registered files, their cards and licences to a Hub repository, and remembering where they are."""

from __future__ import annotations

import re
from pathlib import Path

from invariant_lpips.files.reading import sha256_of
from invariant_lpips.files.writing import replacing
from invariant_lpips.registry import download as hub
from invariant_lpips.registry import saved
from invariant_lpips.registry.entries import ENTRIES

#: What of `weights/` is sent: weights, cards, licences, and the scripts that made them.
SUFFIXES = (".safetensors", ".md", ".txt", ".py")

_FRONT_MATTER = """---
license: other
license_name: per-file
license_link: README.md
library_name: invariant-lpips
tags:
- perceptual-metric
- image-quality
- lpips
- translation-invariance
---

"""


def publish(
    repo: str,
    folder: Path,
    *,
    private: bool | None = None,
    token: str | bool | None = None,
    message: str | None = None,
) -> str:
    """Send every file of `folder` to the Hub in one commit, after verifying the weights among them.

    Returns:
        "owner/name@commit".

    Raises:
        ValueError: a weights file is not the registered one, is not registered, or no card names it.
        OSError: the Hub refused, or can't be reached.
    """
    paths = sorted(p for p in folder.rglob("*") if p.suffix in SUFFIXES and "__pycache__" not in p.parts)
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    cards = b" ".join(data for name, data in files.items() if name.endswith(".md"))
    registered = {entry.file: entry.sha256 for entry in ENTRIES.values()}
    for name, data in files.items():
        if not name.endswith(".safetensors"):
            continue
        if registered.get(name) != sha256_of(data):
            raise ValueError(
                f"{folder / name} must be a file whose sha256 the registry knows, but is not; nothing was sent."
            )
        stem = name.removesuffix(".safetensors")
        if stem.encode() not in cards:
            raise ValueError(f"{folder / name} must have a card that names it, but no .md beside it does.")
    if not any(name.endswith(".safetensors") for name in files):
        raise ValueError(f"{folder} must hold weights, but there is no .safetensors file in it.")
    files["README.md"] = _FRONT_MATTER.encode() + files.get("README.md", b"")
    return saved.push_files(
        files, repo, private=private, token=token, message=message or "Weights of invariant-lpips"
    )


def record(published: str, module: Path | None = None) -> Path:
    """Write "owner/name@commit" into the two constants of :mod:`invariant_lpips.registry.download`; returns the file.

    Raises:
        ValueError: the constants are not there to be written.
    """
    module = module or Path(hub.__file__)
    repo, commit = saved.split(published)
    text = module.read_text(encoding="utf-8")
    for constant, value in (("HUB_REPO", repo), ("HUB_REVISION", commit)):
        text, count = re.subn(
            rf"^({constant}: str \| None = ).*$", rf'\g<1>"{value}"', text, flags=re.MULTILINE
        )
        if count != 1:
            raise ValueError(f"{module} must set {constant} once, but sets it {count} times.")
    with replacing(module) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return module
