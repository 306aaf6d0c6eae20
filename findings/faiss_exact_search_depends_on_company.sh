#!/usr/bin/env bash
# faiss' exact index finds another nearest neighbour for the same query when more queries come with it.
#
# Expected: IndexFlatL2 compares with every row, so what it returns for a query has nothing to do with the queries
# that are asked in the same call, and a row is at distance 0 from itself.
# Seen (2026-11-28; faiss-cpu 1.15.1, numpy 2.4.6): up to 128,000 numbers in the queries of one call (queries times
# dimensions: 31 of 4096) differences are squared and added; from there on it is |q|^2 + |x|^2 - 2 qx in float32,
# which loses what near vectors differ in. 200 rows around one point, as crops or frames of one scene: asked for 31 at
# a time every row finds itself at 0; 200 at a time some find another row, and distances to themselves are up to a
# good part of the smallest distance between two rows. The switch is faiss.cvar.distance_compute_blas_threshold.
# For a metric: searches for near-duplicates give other groups with another batch size, and a threshold near 0 is
# passed or missed by chance.
#
# Output, and the script fails if it changes:
#   31 queries a call: rows that find themselves first 200 of 200, all of them at 0: True
#   200 queries a call: all rows find themselves first: False, all of them at 0: False
#   200 queries a call, threshold raised: rows that find themselves first 200 of 200, all of them at 0: True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet faiss-cpu==1.15.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' | tee seen
import faiss
import numpy as np

random = np.random.default_rng(0)
centre = 1 + random.random(4096, dtype=np.float32)
rows = centre + 1e-3 * random.standard_normal((200, 4096), dtype=np.float32)
index = faiss.IndexFlatL2(4096)
index.add(rows)


def search(at_once: int) -> tuple[int, bool]:
    found = [index.search(rows[start : start + at_once], 1) for start in range(0, 200, at_once)]
    themselves = np.concatenate([row[:, 0] for _, row in found]) == np.arange(200)
    return int(themselves.sum()), bool((np.concatenate([d[:, 0] for d, _ in found]) == 0).all())


themselves, at_zero = search(31)
print(f"31 queries a call: rows that find themselves first {themselves} of 200, all of them at 0: {at_zero}")
themselves, at_zero = search(200)
# How many lose themselves depends on the processor.
print(f"200 queries a call: all rows find themselves first: {themselves == 200}, all of them at 0: {at_zero}")
faiss.cvar.distance_compute_blas_threshold = 200 * 4096 + 1
themselves, at_zero = search(200)
print(
    f"200 queries a call, threshold raised: rows that find themselves first {themselves} of 200, "
    f"all of them at 0: {at_zero}"
)
PYTHON
diff seen - <<'EXPECTED'
31 queries a call: rows that find themselves first 200 of 200, all of them at 0: True
200 queries a call: all rows find themselves first: False, all of them at 0: False
200 queries a call, threshold raised: rows that find themselves first 200 of 200, all of them at 0: True
EXPECTED
