"""A database in one number: how well a metric agrees with its people, and how many judgements say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["agreement", "judgements"]


def agreement(entry: Mapping[str, Any]) -> float | None:
    """A metric's figure on a database: SRCC, or of BAPPS the mean 2AFC score; None where it has neither.

    Example:
        >>> agreement({"srcc": 0.7}), agreement({"2afc": {"mean": 0.6}}), agreement({"jnd": {"mean": 0.5}})
        (0.7, 0.6, None)
    """
    figure: float | None = entry.get("srcc", entry.get("2afc", {}).get("mean"))
    return figure


def judgements(database: Mapping[str, Any]) -> int:
    """How many rated pairs and choices between two a database's report is of.

    Example:
        >>> judgements({"pairs": 10}), judgements({"pairs": 10, "choices": 5})
        (10, 15)
    """
    count: int = database["pairs"] + database.get("choices", 0)
    return count
