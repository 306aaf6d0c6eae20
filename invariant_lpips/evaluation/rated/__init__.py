"""Benchmarks on rated databases: load, select, score, report."""
