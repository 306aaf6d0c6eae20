#!/usr/bin/env bash
# usearch keeps vectors as int8 by their direction alone, under Euclidean distance too.
#
# Expected: dtype="i8" stores the numbers more coarsely, so that neighbours that lie close together may change places,
# and distances come back in the units of what was added.
# Seen (2026-11-28; usearch 2.26.6, numpy 2.4.6): each vector is divided by its own length and multiplied by 127
# before it is rounded, whatever the metric. With metric="l2sq", (3, 4), (30, 40) and (0.03, 0.04) are one point, where
# the squared distances of float32 are up to 2495, and distances to other directions are in units of 1/127. f16 keeps
# lengths, and so does an i8 index of vectors that are int8 already.
# For a metric: embeddings whose Euclidean distance is the metric carry it in their lengths too; the list of
# neighbours looks sound and is that of a cosine search.
#
# Output, and the script fails if it changes:
#   f32: (3, 4) is 0 from itself, 2025 from (30, 40), 24.5 from (0.03, 0.04), 2 from (4, 3); nearest (4, 3)
#   f16: (3, 4) is 0 from itself, 2025 from (30, 40), 24.5 from (0.03, 0.04), 2 from (4, 3); nearest (4, 3)
#   i8: (3, 4) is 0 from itself, 0 from (30, 40), 0 from (0.03, 0.04), 1250 from (4, 3); nearest not (4, 3)
#   i8, of int8 vectors: (3, 4) is 2025 from (30, 40)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet usearch==2.26.6 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' | tee seen
import numpy as np
from usearch.index import Index

vectors = np.array([[3, 4], [30, 40], [0.03, 0.04], [4, 3]], dtype=np.float32)
for dtype in ("f32", "f16", "i8"):
    index = Index(ndim=2, metric="l2sq", dtype=dtype)
    index.add(np.arange(4), vectors)
    found = index.search(vectors[0], 4, exact=True)
    squared = dict(zip(found.keys.tolist(), found.distances.tolist(), strict=True))
    others = {key: squared[key] for key in (1, 2, 3)}
    nearest = "(4, 3)" if min(others, key=others.__getitem__) == 3 else "not (4, 3)"
    print(
        f"{dtype}: (3, 4) is {squared[0]:.0f} from itself, {squared[1]:.0f} from (30, 40), "
        f"{squared[2]:.3g} from (0.03, 0.04), {squared[3]:.0f} from (4, 3); nearest {nearest}"
    )
index = Index(ndim=2, metric="l2sq", dtype="i8")
index.add(np.arange(2), vectors[:2].astype(np.int8))
found = index.search(vectors[0].astype(np.int8), 2, exact=True)
print(f"i8, of int8 vectors: (3, 4) is {found.distances[1]:.0f} from (30, 40)")
PYTHON
diff seen - <<'EXPECTED'
f32: (3, 4) is 0 from itself, 2025 from (30, 40), 24.5 from (0.03, 0.04), 2 from (4, 3); nearest (4, 3)
f16: (3, 4) is 0 from itself, 2025 from (30, 40), 24.5 from (0.03, 0.04), 2 from (4, 3); nearest (4, 3)
i8: (3, 4) is 0 from itself, 0 from (30, 40), 0 from (0.03, 0.04), 1250 from (4, 3); nearest not (4, 3)
i8, of int8 vectors: (3, 4) is 2025 from (30, 40)
EXPECTED
