"""What moving a picture does to classifiers and to metrics."""
