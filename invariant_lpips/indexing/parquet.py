"""Parquet needs pyarrow, which is an extra."""

from __future__ import annotations

from typing import Any


def pyarrow_parquet() -> Any:
    """The module `pyarrow.parquet`; ImportError names the command that installs it."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise ImportError("Parquet files need pyarrow: pip install 'invariant-lpips[parquet]'") from None
    return pyarrow.parquet
