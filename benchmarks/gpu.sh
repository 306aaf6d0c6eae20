#!/usr/bin/env bash
# What needs a CUDA card, in at most eight minutes: first that it is right, then times and memory beside other packages.
#
#     pip install -e '.[test,bench]' && bash benchmarks/gpu.sh
#
# Writes benchmarks/results/gpu_tests.txt and speed_cuda.json, and tables and a plot into docs/speed.md. A second run goes
# on with the cases that the first had no time for. DEVICE=cpu tries the script where there is no card; TESTS, CASES (patterns),
# OUT, PAGE and PYTHON stand for what else may be chosen.
set -eu -o pipefail
cd "$(dirname "$0")/.."
device=${DEVICE:-cuda} out=${OUT:-benchmarks/results} page=${PAGE:-docs/speed.md} python=${PYTHON:-python}

"$python" - "$device" <<'EOF'
import importlib.util
import sys

import torch

if sys.argv[1] == "cuda" and not torch.cuda.is_available():
    sys.exit("gpu.sh needs a CUDA card that this PyTorch sees, and there is none; DEVICE=cpu tries the script without.")
missing = [name for name in ("lpips", "pytest") if importlib.util.find_spec(name) is None]
if missing:
    sys.exit(f"gpu.sh needs {' and '.join(missing)}: pip install -e '.[test,bench]'")
if sys.argv[1] == "cuda":
    print(torch.cuda.get_device_name(), "torch", torch.__version__, "CUDA", torch.version.cuda, "cuDNN", torch.backends.cudnn.version())
EOF

# A failure is written down and passed on at the end: the figures are worth having all the same.
failed=0
INVARIANT_LPIPS_TEST_DEVICE=$device timeout 200 "$python" -m pytest -p no:cacheprovider tests/test_cuda.py \
    -k "${TESTS:-test}" -rs 2>&1 | tee "$out/gpu_tests.txt" || failed=1
timeout 270 "$python" benchmarks/speed.py -o "$out/speed_$device.json" --page "$page" --only "${CASES:-^$device}" \
    --seconds 220 --budget 2 --round-seconds 10 || failed=1
exit $failed
