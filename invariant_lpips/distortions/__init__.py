"""The distortion families of the rated databases, written anew: one function each."""
from __future__ import annotations
