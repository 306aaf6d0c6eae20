"""What scores of people and of metrics say together: correlations, resampling, psychophysics."""
