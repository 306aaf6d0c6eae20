"""The pictures of a folder."""

from __future__ import annotations

from pathlib import Path

from invariant_lpips.pictures.decoding import SUFFIXES


def pictures_in(folder: Path, *, recursive: bool = False) -> list[Path]:
    """The picture files of a folder (by suffix, hidden ones left out), sorted by path; raises if none."""
    if not folder.is_dir():
        kind = "a file" if folder.exists() else "missing"
        raise ValueError(f"a folder was expected, but {folder} is {kind}")
    entries = folder.rglob("*") if recursive else folder.iterdir()
    pictures = [
        path
        for path in entries
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    ]
    if not pictures:
        raise ValueError(f"{folder} holds no pictures ({', '.join(SUFFIXES)})")
    return sorted(pictures)
