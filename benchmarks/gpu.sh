#!/usr/bin/env bash
# What needs a CUDA card, in at most eight minutes: first that it is right, then times and memory beside other packages.
#
#     pip install -e '.[test,bench]' && bash benchmarks/gpu.sh
#
# Writes benchmarks/results/gpu_tests.txt and speed_cuda.json, and tables and a plot into docs/speed.md. Of the benchmark it
# runs the cases that something was aimed at; CASES='^cuda' runs all, in about half an hour. A second run goes on with what the
# first had no time for. DEVICE=cpu tries the script where there is no card; TESTS and CASES (patterns), OUT, PAGE and
# PYTHON stand for what else may be chosen.
set -eu -o pipefail
cd "$(dirname "$0")/.."
device=${DEVICE:-cuda} out=${OUT:-benchmarks/results} python=${PYTHON:-python}
page=${PAGE:-docs/speed.md}
if [ "$device" = cpu ]; then page=${PAGE:-}; fi # a trial leaves the page alone
weighed='(lpips-vgg|regional|gap|regional.alex|regional.pixels)([+](reference|checkpointing))?'
cases=${CASES:-"^$device (floors|forward (256 8|512 16|1024 1)|loss (256 2|512 16)|memory (forward|loss) 512 16 $weighed|pairwise 64)\$"}
mkdir -p "$out"

"$python" - "$device" <<'EOF'
import importlib.util
import sys

import torch

if sys.argv[1] not in ("cuda", "cpu"):
    sys.exit(f"DEVICE must be cuda or cpu, but got {sys.argv[1]!r}; CUDA_VISIBLE_DEVICES chooses a card.")
if sys.argv[1] == "cuda" and not torch.cuda.is_available():
    sys.exit("gpu.sh needs a CUDA card that this PyTorch sees, and there is none; DEVICE=cpu tries the script without.")
missing = [name for name in ("lpips", "matplotlib", "pytest", "skimage") if importlib.util.find_spec(name) is None]
if missing:
    sys.exit(f"gpu.sh needs {' and '.join(missing)}: pip install -e '.[test,bench]'")
if sys.argv[1] == "cuda":
    print(torch.cuda.get_device_name(), "torch", torch.__version__, "CUDA", torch.version.cuda, "cuDNN", torch.backends.cudnn.version())
EOF

# A failure is written down and passed on at the end: the figures are worth having all the same.
failed=0
INVARIANT_LPIPS_TEST_DEVICE=$device timeout -k 10 180 "$python" -m pytest -p no:cacheprovider tests/test_cuda.py \
    -k "${TESTS:-test}" -rs 2>&1 | tee "$out/gpu_tests.txt" || failed=1
result=$out/speed_$device.json
speed() { timeout -k 10 "$1" "$python" benchmarks/speed.py -o "$result" --only "$cases" --budget 2 --round-seconds 10 "${@:2}" || failed=1; }
speed 250 --seconds 210
# Beginning no case: what was measured goes into the page, and what is missing is named.
speed 60 --seconds 0 ${page:+--page "$page"}
"$python" - "$result" <<'EOF' || failed=1
import json
import sys

cases = json.load(open(sys.argv[1]))["cases"]
failed = [name for name, case in cases.items() if "failed" in case]
sys.exit(f"failed, and tried again by the next run: {', '.join(failed)}" if failed else 0)
EOF
exit $failed
