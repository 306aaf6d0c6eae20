"""How fast and how large, beside other people's metrics: see :mod:`.bench`, which `bench speed` calls."""
