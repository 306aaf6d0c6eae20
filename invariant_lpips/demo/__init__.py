"""The demonstration: `python -m invariant_lpips.demo --out demo`, in Python `demonstration.demonstrate("demo")`.

Photographs that travel inside scikit-image, each damaged in three ways and moved in three ways; a table of
what the metrics make of it, and a figure. Needs `invariant-lpips[demo]`, and no network.
"""
