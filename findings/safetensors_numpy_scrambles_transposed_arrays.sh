#!/usr/bin/env bash
# safetensors' numpy functions store a transposed array with its own shape and another order of numbers.
#
# Expected: saved and loaded again, an array is equal to itself, as with numpy.save; how its memory is laid out is no
# part of its value.
# Seen (2026-11-28; safetensors 0.8.0, numpy 2.4.6): save and save_file write the bytes of memory under the shape of
# the view. A transposed, channels-first or Fortran-ordered array comes back with the right shape and type and other
# numbers, without an error. A strided slice comes back wrong too. numpy.ascontiguousarray before saving mends it.
# For a metric: an index of embeddings, a cached reference or a picture made with transpose(2, 0, 1) changes on its
# way through the disk, and every distance to it is finite and plausible.
#
# Output, and the script fails if it changes:
#   transposed: [[0, 3], [1, 4], [2, 5]] came back as [[0, 1], [2, 3], [4, 5]]
#   every other column: [[0, 2], [3, 5]] came back as [[0, 1], [2, 3]]
#   channels first: 2 of 24 numbers in their place
#   the same through numpy.save: 24 of 24
#   the same after ascontiguousarray: 24 of 24
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet safetensors==0.8.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' | tee seen
import numpy as np
from safetensors.numpy import load_file, save_file


def back(array: np.ndarray) -> np.ndarray:
    save_file({"array": array}, "array.safetensors")
    return load_file("array.safetensors")["array"]


small = np.arange(6, dtype=np.float32).reshape(2, 3)
for name, view in (("transposed", small.T), ("every other column", small[:, ::2])):
    print(f"{name}: {view.astype(int).tolist()} came back as {back(view).astype(int).tolist()}")
picture = np.arange(24, dtype=np.float32).reshape(2, 4, 3).transpose(2, 0, 1)
print("channels first:", int((back(picture) == picture).sum()), "of 24 numbers in their place")
np.save("array.npy", picture)
print("the same through numpy.save:", int((np.load("array.npy") == picture).sum()), "of 24")
print("the same after ascontiguousarray:", int((back(np.ascontiguousarray(picture)) == picture).sum()), "of 24")
PYTHON
diff seen - <<'EXPECTED'
transposed: [[0, 3], [1, 4], [2, 5]] came back as [[0, 1], [2, 3], [4, 5]]
every other column: [[0, 2], [3, 5]] came back as [[0, 1], [2, 3]]
channels first: 2 of 24 numbers in their place
the same through numpy.save: 24 of 24
the same after ascontiguousarray: 24 of 24
EXPECTED
