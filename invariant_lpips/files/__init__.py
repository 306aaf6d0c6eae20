"""Files on disk: read with a bound, written whole or not at all, safetensors, and pickles that can run nothing."""
