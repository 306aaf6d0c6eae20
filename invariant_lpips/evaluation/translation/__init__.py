"""What moving a picture does to classifiers and to metrics: see :mod:`.bench`, which `bench translation` calls."""
