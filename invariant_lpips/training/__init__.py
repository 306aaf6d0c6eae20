"""Making what the metric learns from, and learning it."""
