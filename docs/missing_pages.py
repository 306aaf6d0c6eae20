"""A hook of mkdocs: pages of the navigation that do not exist are left out, so that they can be listed first."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Called by mkdocs with its configuration."""
    config["nav"] = _existing(config["nav"], Path(config["docs_dir"]))
    return config


def _existing(entries: list[Any], folder: Path) -> list[Any]:
    kept = []
    for entry in entries:
        ((title, target),) = entry.items()
        if isinstance(target, list):
            inside = _existing(target, folder)
            if inside:
                kept.append({title: inside})
        elif (folder / target).is_file():
            kept.append(entry)
    return kept
