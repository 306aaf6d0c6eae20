"""The ladder of displacements and noise, ordered by published detection thresholds."""
