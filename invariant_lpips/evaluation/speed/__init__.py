"""How fast and how large, beside other people's metrics."""
