"""Torch, loaded once a command has nothing left to refuse: it takes seconds, and what can be said without it is said
before.
"""

from __future__ import annotations

import gc
import importlib
import sys


def load_torch() -> None:
    """Import torch without collections of garbage meanwhile, nor of what it made ever after.

    Its modules are half a million objects that stay. Looking through them again and again, and once more when the
    process ends, is a third of what importing it costs.
    """
    if "torch" in sys.modules:
        return
    collecting = gc.isenabled()
    gc.disable()
    try:
        importlib.import_module("torch")
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
