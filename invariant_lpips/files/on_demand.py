"""Names that a package has and that are imported when they are first used: so importing the package costs nothing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def on_demand(package: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """What a package has as its `__getattr__` (PEP 562).

    Args:
        package: its `__name__`.
        names: each name to the module that it lives in.

    Raises:
        AttributeError: what is returned does, of any other name.

    Example:
        >>> on_demand(__name__, {"sqrt": "math"})("sqrt")(9)
        3.0
    """

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(names[name]), name)
        setattr(sys.modules[package], name, value)  # found without this the next time
        return value

    return find
